/** Each step of the wrapper alone, through `invoke` on a real store: what it lets through, what it ends, what is receipted. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import * as z from 'zod/mini'
import { openRealKit } from '../../../test/real-kit.ts'
import { isVpError, VpError } from '../../core/errors.ts'
import { canonicalJson, sha256 } from '../../core/json.ts'
import type { Receipt } from '../../ledger/receipts.ts'
import { scopesOf } from '../../policy/scopes.ts'
import { invoke, type Answer, type InvokeOptions } from '../invoke.ts'
import type { Kit } from '../kit.ts'
import { operation, type Caller, type Operation } from '../operation.ts'
import type { TreeScene } from '../scene.ts'
import { decideApproval } from './approval.ts'

const cleanups: (() => void)[] = []
const real = openRealKit({ after: (fn) => void cleanups.push(fn) }, { 'a.txt': 'a\n' })
after(() => cleanups.toReversed().forEach((fn) => fn()))

const HUMAN: Caller = { actor: 'human', surface: 'cli', scopes: scopesOf('human') }
const DAY_MS = 86_400_000
// Joined here, so that no scanner takes this file for a leak.
const SECRET = `ghp_${'aZ3kQ9xW7bR2mT5vY8cN1pL4sD6fG0hJaZ3k'}`

let now = Date.now()
const kit: Kit = { ...real.kit, clock: { ...real.kit.clock, now: () => now } }

let made = 0
/** An operation that nobody else has, which counts its runs. */
function probe(change: Partial<Operation<{ text: string }, unknown>> = {}): { entry: Operation; runs: () => number } {
  let runs = 0
  const name = `test.probe${++made}`
  const { handler = async ({ text }) => ({ said: text, run: runs }), ...rest } = change
  const entry = operation<{ text: string }, unknown>({
    name,
    summary: 'a probe',
    params: () => z.strictObject({ text: z.string().check(z.maxLength(100)) }),
    result: () => z.any() as never,
    effect: 'write',
    scope: 'fs.write',
    ...rest,
    handler(params, scene) {
      runs++
      return handler(params, scene)
    },
  })
  return { entry, runs: () => runs }
}

interface Change {
  readonly caller?: Partial<Caller>
  readonly tree?: Partial<TreeScene>
  readonly options?: InvokeOptions
}

const call = (entry: Operation, params: unknown, { caller, tree, options }: Change = {}): Promise<Answer> =>
  invoke(kit, entry, params, { ...HUMAN, ...caller }, { ...real.tree, ...tree }, options)

async function refused(answer: Promise<Answer>, code: string): Promise<VpError> {
  const given = await answer
  assert.equal(given.ok, false, JSON.stringify(given))
  const { error } = given as Extract<Answer, { ok: false }>
  assert.equal(error.code, code, error.message)
  return error
}

async function result(answer: Promise<Answer>): Promise<Record<string, unknown>> {
  const given = await answer
  if (!given.ok) throw given.error
  return given.result as Record<string, unknown>
}

const receiptsOf = async (entry: Operation): Promise<Receipt[]> => (await real.receipts()).filter((one) => one.op === entry.name)
const lastReceipt = async (entry: Operation): Promise<Receipt> => (await receiptsOf(entry)).at(-1) as Receipt

const invalid: [title: string, params: unknown, at: string][] = [
  ['a member is missing', {}, 'text'],
  ['a member is of another type', { text: 7 }, 'text'],
  ['a member is too long', { text: 'x'.repeat(101) }, 'text'],
  ['a member is unknown', { text: 'x', also: 1 }, ''],
  ['it is no object', ['x'], ''],
  ['it is a word', 'x', ''],
]
for (const [title, params, at] of invalid)
  test(`validate: ${title}`, async () => {
    const { entry, runs } = probe()
    const error = await refused(call(entry, params), 'usage.params')
    assert.ok(error.message.startsWith(`${entry.name}: ${at}`), error.message)
    assert.equal(runs(), 0)
    const receipt = await lastReceipt(entry)
    assert.deepEqual([receipt.outcome, receipt.error?.code, receipt.input_sha], ['error', 'usage.params', sha256(canonicalJson(params as never))])
  })

test('validate: what the schema made of the parameters is what runs', async () => {
  const { entry } = probe({ params: () => z.strictObject({ text: z._default(z.string(), 'by default') }) as never })
  assert.equal((await result(call(entry, undefined)))['said'], 'by default')
})

test('idempotency: the same key gives the first answer again, and says so', async () => {
  const { entry, runs } = probe()
  const options = { idempotencyKey: 'key-1' }
  const first = await call(entry, { text: 'x' }, { options })
  const again = await call(entry, { text: 'x' }, { options })
  assert.ok(first.ok && again.ok)
  assert.deepEqual(again.result, first.result)
  assert.deepEqual([first.replayed, again.replayed, runs()], [false, true, 1])
  assert.notEqual(again.receipt, first.receipt)
  assert.deepEqual(
    (await receiptsOf(entry)).map((one) => one.outcome),
    ['ok', 'replayed'],
  )
})

test('idempotency: the same key with other parameters is refused, and the first answer stays', async () => {
  const { entry, runs } = probe()
  const options = { idempotencyKey: 'key-1' }
  await result(call(entry, { text: 'x' }, { options }))
  await refused(call(entry, { text: 'y' }, { options }), 'idempotency.reused')
  assert.equal((await result(call(entry, { text: 'x' }, { options })))['said'], 'x')
  assert.equal(runs(), 1)
})

const free: [title: string, change: Change][] = [
  ['no key', { options: {} }],
  ['another key', { options: { idempotencyKey: 'key-2' } }],
  ['another actor', { caller: { actor: 'ci' }, options: { idempotencyKey: 'key-1' } }],
  ['another tree', { tree: { root: '/elsewhere' }, options: { idempotencyKey: 'key-1' } }],
]
for (const [title, change] of free)
  test(`idempotency: ${title} is another call`, async () => {
    const { entry, runs } = probe()
    await result(call(entry, { text: 'x' }, { options: { idempotencyKey: 'key-1' } }))
    assert.equal((await result(call(entry, { text: 'y' }, change)))['said'], 'y')
    assert.equal(runs(), 2)
  })

test('idempotency: a failure is not remembered, a success for a day', async () => {
  let fails = true
  const { entry, runs } = probe({
    handler: async ({ text }) => {
      if (fails) throw new VpError('patch.stale', 'changed meanwhile')
      return { said: text }
    },
  })
  const options = { idempotencyKey: 'key-1' }
  await refused(call(entry, { text: 'x' }, { options }), 'patch.stale')
  fails = false
  await result(call(entry, { text: 'x' }, { options }))
  assert.equal(runs(), 2)
  now += DAY_MS - 1
  await result(call(entry, { text: 'x' }, { options }))
  assert.equal(runs(), 2)
  now += 2
  await result(call(entry, { text: 'other' }, { options }))
  assert.equal(runs(), 3)
})

test('scope: whoever does not hold it is refused, before anything else is asked', async () => {
  const { entry, runs } = probe({ scope: 'git.push', decide: () => assert.fail('the policy was asked') })
  const error = await refused(call(entry, { text: 'x' }, { caller: { actor: 'agent', scopes: scopesOf('agent') } }), 'policy.scope')
  assert.equal(error.details.rule, 'scope/git.push')
  const receipt = await lastReceipt(entry)
  assert.deepEqual([receipt.actor, receipt.outcome], ['agent', 'error'])
  assert.deepEqual(receipt.decision, { effect: 'deny', rule: 'scope/git.push', reason: 'agent does not hold git.push' })
  assert.equal(runs(), 0)
})

test('policy: a denial names the rule and the nearest that is allowed, and nothing runs', async () => {
  const decision = { effect: 'deny', rule: 'lane/no-curl', reason: 'no network here', nearest: 'npm test' } as const
  const { entry, runs } = probe({ decide: () => decision })
  const error = await refused(call(entry, { text: 'x' }), 'policy.denied')
  assert.deepEqual([error.message, error.details.rule, error.details.why], ['no network here', 'lane/no-curl', 'nearest allowed: npm test'])
  assert.deepEqual((await lastReceipt(entry)).decision, decision)
  assert.equal(runs(), 0)
})

test('policy: what is allowed is receipted with its rule, asked for the very parameters', async () => {
  const { entry } = probe({ decide: ({ text }) => ({ effect: text === 'x' ? 'allow' : 'deny', rule: `rule/${text}`, reason: 'because' }) })
  await result(call(entry, { text: 'x' }))
  assert.deepEqual((await lastReceipt(entry)).decision, { effect: 'allow', rule: 'rule/x', reason: 'because' })
  await refused(call(entry, { text: 'y' }), 'policy.denied')
  const plain = probe()
  await result(call(plain.entry, { text: 'x' }))
  assert.equal(((await lastReceipt(plain.entry)).decision as { rule: string }).rule, 'scope/fs.write')
})

/** Asks always; `undoable` for `--yes`. */
function asking(change: Partial<Operation<{ text: string }, unknown>> = {}, undoable = false) {
  return probe({
    decide: () => ({ effect: 'ask', rule: 'lane/ask', reason: 'a person has to know' }),
    ask: ({ text }) => ({ wants: `say ${text}`, reaches: 'here', undo: 'none', fullyUndoable: undoable, maxExtent: 'project' }),
    ...change,
  })
}

async function asked(answer: Promise<Answer>): Promise<string> {
  const { details, message } = await refused(answer, 'approval.needed')
  assert.match(message, /needs a person's yes: say /)
  assert.deepEqual(details.next, [`vp approve ${details.approval}`])
  return details.approval ?? ''
}

test('approval: where nobody is asked the question is recorded once, and nothing runs', async () => {
  const { entry, runs } = asking()
  const id = await asked(call(entry, { text: 'x' }))
  assert.equal(await asked(call(entry, { text: 'x' })), id)
  assert.notEqual(await asked(call(entry, { text: 'y' })), id, 'other parameters are another question')
  assert.equal(runs(), 0)
  assert.deepEqual(
    (await receiptsOf(entry)).map((one) => one.error?.code),
    Array.from({ length: 3 }, () => 'approval.needed'),
  )
})

test('approval: a yes to one call lets just that call through, once', async () => {
  const { entry, runs } = asking()
  const id = await asked(call(entry, { text: 'x' }))
  await decideApproval(kit, id, 'call')
  await asked(call(entry, { text: 'y' }))
  assert.equal((await result(call(entry, { text: 'x' })))['said'], 'x')
  assert.equal(((await lastReceipt(entry)).detail as { approval: string }).approval, id)
  assert.notEqual(await asked(call(entry, { text: 'x' })), id, 'it is used up')
  assert.equal(runs(), 1)
})

test('approval: a yes to one call is used up when the call begins, however it ends', async () => {
  const { entry } = asking({
    handler: async () => {
      throw new VpError('cancelled', 'by the person')
    },
  })
  await decideApproval(kit, await asked(call(entry, { text: 'x' })), 'call')
  await refused(call(entry, { text: 'x' }), 'cancelled')
  await asked(call(entry, { text: 'x' }))
})

test('approval: of several at once a yes to one call lets one through', async () => {
  const { entry, runs } = asking()
  await decideApproval(kit, await asked(call(entry, { text: 'x' })), 'call')
  const answers = await Promise.all(Array.from({ length: 5 }, () => call(entry, { text: 'x' })))
  assert.equal(answers.filter((answer) => answer.ok).length, 1)
  assert.equal(runs(), 1)
})

test('approval: a no is kept', async () => {
  const { entry, runs } = asking()
  const id = await asked(call(entry, { text: 'x' }))
  await decideApproval(kit, id, 'deny', 'not today')
  for (let n = 0; n < 2; n++) assert.equal((await refused(call(entry, { text: 'x' }), 'approval.denied')).details.approval, id)
  assert.equal(runs(), 0)
  await assert.rejects(decideApproval(kit, id, 'call'), { code: 'approval.not_found' }, 'an answer is given once')
})

test('approval: after seven days neither the question nor the answer stands', async () => {
  const { entry } = asking()
  const id = await asked(call(entry, { text: 'x' }))
  now += 7 * DAY_MS - 1
  assert.equal(await asked(call(entry, { text: 'x' })), id)
  await decideApproval(kit, id, 'project')
  await result(call(entry, { text: 'x' }))
  now += 2
  assert.notEqual(await asked(call(entry, { text: 'x' })), id)
})

test('approval: with the clock set back, an answer is found all the same', async () => {
  const { entry } = asking()
  await decideApproval(kit, await asked(call(entry, { text: 'x' })), 'call')
  await result(call(entry, { text: 'x' }))
  now -= 3_600_000
  await decideApproval(kit, await asked(call(entry, { text: 'x' })), 'call')
  await result(call(entry, { text: 'x' }))
})

const bounds: [extent: 'run' | 'project', holds: Change[], asks: Change[]][] = [
  ['run', [{ caller: { runId: 'r-1', taskId: 'other' } }], [{ caller: { runId: 'r-2' } }, {}]],
  ['project', [{ caller: { runId: 'r-2' } }, {}], [{ caller: { runId: 'r-1' }, tree: { home: '/another/checkout' } }]],
]
for (const [extent, holds, asks] of bounds)
  test(`approval: a yes for a ${extent} ends where the ${extent} ends`, async () => {
    const { entry } = asking()
    const first = { caller: { runId: 'r-1', taskId: 'task-1' } }
    await decideApproval(kit, await asked(call(entry, { text: 'x' }, first)), extent)
    for (const change of [first, first, ...holds]) await result(call(entry, { text: 'x' }, change))
    for (const change of asks) await asked(call(entry, { text: 'x' }, change))
    await asked(call(entry, { text: 'x' }, { ...first, tree: { lane: 'Narrative' } }))
  })

test('approval: a yes holds for what the parameters meant', async () => {
  let means = 'commit 1'
  const { entry } = asking({ boundTo: () => means })
  await decideApproval(kit, await asked(call(entry, { text: 'x' })), 'project')
  await result(call(entry, { text: 'x' }))
  means = 'commit 2'
  await asked(call(entry, { text: 'x' }))
})

test('approval: at a terminal the person is asked now', async () => {
  const { entry, runs } = asking()
  const answers = ['later', 'call', 'deny'] as const
  const seen: string[] = []
  const confirm: Caller['confirm'] = async ({ ask, decision, approval }) => {
    seen.push(`${ask.wants} by ${decision.rule} ${approval}`)
    return answers[seen.length - 1] ?? 'later'
  }
  const at = { caller: { confirm } }
  const id = await asked(call(entry, { text: 'x' }, at))
  assert.equal((await result(call(entry, { text: 'x' }, at)))['said'], 'x')
  await refused(call(entry, { text: 'x' }, at), 'approval.denied')
  await refused(call(entry, { text: 'x' }, at), 'approval.denied')
  assert.equal(seen.length, 3, 'what was denied is not asked again')
  assert.deepEqual(seen.slice(0, 2), Array(2).fill(`say x by lane/ask ${id}`))
  assert.equal(runs(), 1)
})

test('approval: --yes stands for a person only where all of it can be undone', async () => {
  const [whole, part] = [asking({}, true), asking({}, false)]
  assert.equal((await result(call(whole.entry, { text: 'x' }, { caller: { yes: true } })))['said'], 'x')
  await asked(call(part.entry, { text: 'x' }, { caller: { yes: true } }))
  await asked(call(whole.entry, { text: 'x' }))
  assert.deepEqual([whole.runs(), part.runs()], [1, 0])
})

test('approval: an operation without words of its own is asked for as what cannot be undone', async () => {
  const { entry } = probe({ decide: () => ({ effect: 'ask', rule: 'r', reason: 'why' }) })
  const error = await refused(call(entry, { text: 'x' }, { caller: { yes: true } }), 'approval.needed')
  assert.match(error.message, /a probe$/)
})

test('handle: what was cancelled before it began does not begin', async () => {
  const { entry, runs } = probe()
  await refused(call(entry, { text: 'x' }, { options: { signal: AbortSignal.abort() } }), 'cancelled')
  assert.equal(runs(), 0)
})

test('redact: a secret leaves neither in the result nor in a receipt nor in what a key remembers', async () => {
  const { entry } = probe({ handler: async () => ({ deep: [{ text: `a ${SECRET} b` }], password: 'plain' }), say: () => `said ${SECRET}` })
  const options = { idempotencyKey: 'key-1' }
  const want = { deep: [{ text: 'a [REDACTED:GITHUB_TOKEN] b' }], password: '[REDACTED]' }
  assert.deepEqual(await result(call(entry, { text: SECRET }, { options })), want)
  assert.deepEqual(await result(call(entry, { text: SECRET }, { options })), want, 'replayed')
  const receipts = await receiptsOf(entry)
  assert.equal(receipts[0]?.summary, 'said [REDACTED:GITHUB_TOKEN]')
  assert.ok(!JSON.stringify(receipts).includes(SECRET))
  const rows = await kit.store.read((tx) => tx.all<{ response: string }>('SELECT response FROM idempotency'))
  assert.ok(rows.length > 0 && !JSON.stringify(rows).includes(SECRET))
})

test('redact: an error is masked but for the commands to copy', async () => {
  const { entry } = probe({
    handler: async () => {
      throw new VpError('patch.stale', `saw ${SECRET}`, { why: `as ${SECRET}`, data: { token: 'plain' }, next: ['vp fs read --token a'] })
    },
  })
  const { message, details } = await refused(call(entry, { text: 'x' }), 'patch.stale')
  assert.equal(message, 'saw [REDACTED:GITHUB_TOKEN]')
  assert.deepEqual(details, { why: 'as [REDACTED:GITHUB_TOKEN]', data: { token: '[REDACTED]' }, next: ['vp fs read --token a'] })
  assert.equal((await lastReceipt(entry)).error?.message, 'saw [REDACTED:GITHUB_TOKEN]')
})

const thrown: [title: string, value: unknown, code: string, message: string][] = [
  ['an error that is not ours', new TypeError('x is undefined'), 'internal', 'x is undefined'],
  ['one that holds a secret', new Error(`no ${SECRET}`), 'internal', 'no [REDACTED:GITHUB_TOKEN]'],
  ['a word', 'oops', 'internal', 'oops'],
  ['nothing', undefined, 'internal', 'undefined'],
  ['null', null, 'internal', 'null'],
  ['an end by a signal', new DOMException('stop', 'AbortError'), 'cancelled', 'cancelled'],
  ['a full disk', Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }), 'store.full', 'no space left on the disk'],
  ['one of ours', new VpError('path.denied', 'not this'), 'path.denied', 'not this'],
]
for (const [title, value, code, message] of thrown)
  test(`receipt: a handler that throws ${title} is receipted`, async () => {
    const { entry } = probe({ handler: () => Promise.reject(value) })
    const answer = await call(entry, { text: 'x' })
    assert.ok(!answer.ok && isVpError(answer.error))
    const receipt = await lastReceipt(entry)
    assert.equal(answer.receipt, receipt.id)
    assert.deepEqual([receipt.outcome, receipt.error, receipt.output_sha], ['error', { code, message }, undefined])
  })

test('receipt: who, what, where and what came of it, without content', async () => {
  const { entry } = probe({ say: ({ text }) => `said ${text.length} letters` })
  const answer = await call(entry, { text: 'content' }, { caller: { actor: 'agent', surface: 'agent', runId: 'r-9', taskId: 'task-9', attempt: 2 } })
  assert.ok(answer.ok)
  const receipt = await lastReceipt(entry)
  assert.equal(receipt.id, answer.receipt)
  assert.deepEqual(
    [receipt.chain, receipt.actor, receipt.surface, receipt.task_id, receipt.attempt, receipt.outcome],
    ['r-9', 'agent', 'agent', 'task-9', 2, 'ok'],
  )
  assert.deepEqual(
    [receipt.input_sha, receipt.output_sha],
    [{ text: 'content' }, answer.result].map((one) => sha256(canonicalJson(one as never))),
  )
  assert.equal(receipt.summary, 'said 7 letters')
  assert.ok(!JSON.stringify(receipt).includes('content"'))
})

test('receipt: what an operation writes with it is written when it succeeds, and only then', async () => {
  const write = (key: string, fails: boolean): Operation =>
    probe({
      handler: async (_params, scene) => {
        scene.onReceipt.push(
          async (tx) => void (await tx.run('INSERT INTO measurements (key, receipt_id, body) VALUES (?, ?, ?)', `wrapper/${key}`, scene.receiptId, '{}')),
        )
        if (fails) throw new VpError('patch.stale', 'changed')
        return {}
      },
    }).entry
  const kept = () => kit.store.read((tx) => tx.all<{ key: string; receipt_id: string }>("SELECT key, receipt_id FROM measurements WHERE key LIKE 'wrapper/%'"))
  await refused(call(write('failed', true), { text: 'x' }), 'patch.stale')
  assert.deepEqual(await kept(), [])
  const done = write('done', false)
  await result(call(done, { text: 'x' }))
  assert.deepEqual({ ...(await kept())[0] }, { key: 'wrapper/done', receipt_id: (await lastReceipt(done)).id })
})

test('receipt: what cannot be receipted has not happened: no answer, no receipt, nothing remembered', async () => {
  let breaks = true
  const { entry, runs } = probe({
    handler: async (_params, scene) => {
      if (breaks) scene.onReceipt.push(() => Promise.reject(new VpError('store.locked', 'busy')))
      return {}
    },
  })
  const options = { idempotencyKey: 'key-1' }
  const answer = await call(entry, { text: 'x' }, { options })
  assert.ok(!answer.ok)
  assert.deepEqual([answer.error.code, answer.receipt], ['store.locked', null])
  assert.deepEqual(await receiptsOf(entry), [])
  breaks = false
  await result(call(entry, { text: 'x' }, { options }))
  assert.equal(runs(), 2)
})

test('receipt: without one, what was done is taken back, last first; what cannot be is said', async () => {
  const done: string[] = []
  let fails = false
  const { entry } = probe({
    handler: async (_params, scene) => {
      done.push('a', 'b')
      scene.onNoReceipt.push(() => {
        if (fails) throw new VpError('path.denied', 'read-only meanwhile')
        done.splice(done.indexOf('a'), 1)
      })
      scene.onNoReceipt.push(() => assert.equal(done.pop(), 'b'))
      scene.onReceipt.push(() => Promise.reject(new VpError('store.full', 'no space')))
      return {}
    },
  })
  const answer = await call(entry, { text: 'x' })
  assert.ok(!answer.ok)
  assert.deepEqual([answer.error.code, answer.error.details.changed, done], ['store.full', undefined, []])
  fails = true
  const worse = await call(entry, { text: 'x' })
  assert.ok(!worse.ok)
  assert.deepEqual([worse.error.code, done], ['store.full', ['a']])
  assert.match(worse.error.details.changed ?? '', /taking them back failed: read-only meanwhile/)
})

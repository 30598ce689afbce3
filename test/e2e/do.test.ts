/**
 * `vp do "fix the failing test"` against a live OpenAI-compatible server with every fault that real ones show: a
 * green commit or a typed end, and a receipt for each fault.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { startScriptedServer, type ScriptedAnswer, type WireRequest } from '../../src/models/scripted-server.ts'
import { call, git, makePlace, receiptsOf, turnOf, vp, vpJson, type Place } from './kit.ts'

const FILES = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'src/add.js': 'export const add = (a, b) => a - b\n',
  'src/other.js': 'export const other = 1\n',
  'test/add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from '../src/add.js'\n\ntest('adds', () => assert.equal(add(2, 3), 5))\ntest('keeps', () => assert.equal(add(2, 0), 2))\n",
}
const GOAL = 'fix the failing test'
const EDIT = call('edit', { path: 'src/add.js', old: 'a - b', new: 'a + b' })
const SUBMIT = call('submit', { title: 'fix: add adds', summary: 'It subtracted.' })
const GOOD: readonly ScriptedAnswer[] = [call('test', {}), call('read', { path: 'src/add.js' }), EDIT, call('test', {}), SUBMIT]

interface Trial {
  /** Answers by request number; the last one again and again. */
  readonly answers: (request: WireRequest, n: number) => ScriptedAnswer
  readonly exit: number
  readonly error?: string
  /** Receipts that must be in the ledger: operation and error code or outcome. */
  readonly receipts?: readonly (readonly [op: string, what: string])[]
  readonly config?: object
}

/** Faults come first, then the good turns. */
const after =
  (...faults: readonly ScriptedAnswer[]) =>
  (_request: WireRequest, n: number) =>
    faults[n - 1] ?? GOOD[Math.min(n - faults.length, GOOD.length) - 1] ?? SUBMIT
const whole = (answers: readonly ScriptedAnswer[]) => (_request: WireRequest, n: number) =>
  ({ ...(answers[Math.min(n, answers.length) - 1] as object), whole: true }) as ScriptedAnswer
const QUICK = { 'retry-after': '0' }

const TRIALS: Readonly<Record<string, Trial>> = {
  'streaming, no fault': { answers: after(), exit: 0 },
  'not streaming, no fault': { answers: whole(GOOD), exit: 0 },
  'two 429 in a row': {
    answers: after({ fault: 'status', status: 429, headers: QUICK }, { fault: 'status', status: 429, headers: QUICK }),
    exit: 0,
    receipts: [['model.call', 'model.rate_limited']],
  },
  'one 500': { answers: after({ fault: 'status', status: 500, headers: QUICK }), exit: 0, receipts: [['model.call', 'model.server']] },
  'a stream that is cut': { answers: after({ fault: 'cut' }), exit: 0, receipts: [['model.call', 'model.cut']] },
  'a stall': { answers: after({ fault: 'stall' }), exit: 0, receipts: [['model.call', 'model.stalled']], config: { stall_seconds: 1 } },
  '401': { answers: () => ({ fault: 'status', status: 401 }), exit: 8, error: 'model.auth', receipts: [['model.call', 'model.auth']] },
  '500 for ever': {
    answers: () => ({ fault: 'status', status: 500, headers: QUICK }),
    exit: 8,
    error: 'model.server',
    receipts: [['model.call', 'model.server']],
  },
  'a page instead of an answer': { answers: () => ({ fault: 'html' }), exit: 8, error: 'model.', receipts: [['model.call', 'model.']] },
  'malformed tool calls': {
    answers: after(
      { calls: [{ name: 'read', arguments: '{"path": "src/add' }] },
      { calls: [{ name: 'raed', arguments: { path: 'x' } }] },
      { calls: [{ name: 'read', arguments: { path: 7 } }] },
    ),
    exit: 0,
    receipts: [
      ['tool.call', 'usage.params'],
      ['fs.read', 'usage.params'],
    ],
  },
  'an answer with no tool call': { answers: after({ text: 'I fixed it.' }), exit: 0, receipts: [['tool.call', 'usage.params']] },
  'no tool call, three times': { answers: () => ({ text: 'It is fixed, all tests pass.' }), exit: 3, receipts: [['task.failed', 'failed']] },
  'an edit of the wrong file': {
    answers: after(
      call('edit', { path: 'src/nowhere.js', old: 'a', new: 'b' }),
      call('edit', { path: '../../outside.js', old: 'a', new: 'b' }),
      call('write', { path: '.git/hooks/pre-commit', content: 'x' }),
    ),
    exit: 0,
    receipts: [
      ['fs.edit', 'path.'],
      ['fs.write', 'path.denied'],
    ],
  },
  'a claim that the tests pass when they do not': {
    answers: (_request, n) => [call('edit', { path: 'src/other.js', old: '1', new: '2' }), SUBMIT, EDIT, SUBMIT][n - 1] ?? SUBMIT,
    exit: 0,
    receipts: [['task.failed', 'failed']],
  },
  'the failing test deleted': {
    answers: (_request, n) =>
      n % 2 === 1 ? call('write', { path: 'test/add.test.js', content: `import { test } from 'node:test'\ntest('keeps', () => {}) // ${n}\n` }) : SUBMIT,
    exit: 3,
    receipts: [['task.failed', 'failed']],
  },
  'the same call for ever': { answers: () => call('read', { path: 'src/add.js' }), exit: 3, receipts: [['task.failed', 'failed']] },
}

for (const [name, trial] of Object.entries(TRIALS)) {
  test(`vp do: ${name}`, async (t) => {
    const server = await startScriptedServer(trial.answers)
    t.after(() => server.close())
    const place = makePlace(t, FILES, server)
    const config = join(place.root, 'config.json')
    writeFileSync(config, JSON.stringify(trial.config ?? {}))
    const before = git(place, 'rev-parse', 'main')
    const { code, doc, stderr } = await vpJson(place, ['do', GOAL], { env: { VP_CONFIG: config } })
    assert.equal(code, trial.exit, `${JSON.stringify(doc)}\n${stderr}`)
    if (trial.error) assert.ok(doc.error?.code.startsWith(trial.error), JSON.stringify(doc.error))
    const receipts = await receiptsOf(place)
    for (const [op, what] of trial.receipts ?? [])
      assert.ok(
        receipts.some((one) => one.op === op && (one.outcome === what || one.error?.code.startsWith(what))),
        `a receipt of ${op} ${what} in ${JSON.stringify(receipts.map((one) => [one.op, one.outcome, one.error?.code]))}`,
      )
    if (trial.exit === 0) await isGreen(place, before)
    else {
      assert.equal(git(place, 'rev-parse', 'main'), before, 'main stays')
      assert.equal(readFileSync(join(place.repository, 'src/add.js'), 'utf8'), FILES['src/add.js'], 'the tree stays')
      assert.ok(doc.error?.code, 'the end has a code')
      assert.ok((doc.error?.next.length ?? 0) > 0, `and a next step: ${JSON.stringify(doc.error)}`)
    }
    assert.equal((await vpJson(place, ['verify'])).code, 0)
  })
}

async function isGreen(place: Place, before: string): Promise<void> {
  assert.notEqual(git(place, 'rev-parse', 'main'), before, 'main has moved')
  assert.equal(git(place, 'status', '--porcelain'), '', 'the checkout is clean')
  assert.match(readFileSync(join(place.repository, 'src/add.js'), 'utf8'), /a \+ b/)
  const body = git(place, 'log', '--format=%B', `${before}..main`)
  for (const trailer of ['VP-Run', 'VP-Task', 'VP-Ledger']) assert.match(body, new RegExp(`^${trailer}: \\S+$`, 'm'))
  assert.equal((await vp(place, ['run', 'test'])).code, 0)
}

describe('what every request looks like', () => {
  test('system prompt and tools are at most 4,000 characters, the prompt only grows, and no path or clock of this machine is in it', async (t) => {
    const server = await startScriptedServer(after())
    t.after(() => server.close())
    const place = makePlace(t, FILES, server)
    assert.equal((await vp(place, ['do', GOAL])).code, 0)
    const [first] = server.requests
    assert.ok(first)
    const system = first.messages.find((message) => message.role === 'system')?.content ?? ''
    const tools = JSON.stringify(first.tools?.map((tool) => tool.function))
    assert.ok(system.length + tools.length <= 4000, `${system.length} + ${tools.length}`)
    for (const [index, request] of server.requests.entries()) {
      const earlier = server.requests[index - 1]
      if (earlier) assert.deepEqual(request.messages.slice(0, earlier.messages.length), earlier.messages)
      assert.ok(!JSON.stringify(request).includes(place.root))
      assert.doesNotMatch(JSON.stringify(request.messages), /\d{4}-\d\d-\d\d|duration_ms/)
    }
    assert.equal(turnOf(first).task, 'T1')
  })
})

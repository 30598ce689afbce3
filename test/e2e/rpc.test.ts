/**
 * `vp rpc` as another program sees it: a child process, both framings, every method of the table with good and bad
 * parameters, cancellation, limits, and whatever bytes come.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { sha256 } from '../../src/core/json.ts'
import { startScriptedServer, type ScriptedServer } from '../../src/models/scripted-server.ts'
import { OPERATIONS } from '../../src/operations/table.ts'
import { SCOPES } from '../../src/policy/scopes.ts'
import { DEEP, git, makePlace, processesWith, seeded, turnOf, type Place, vp, vpJson, writeFiles } from './kit.ts'
import { writeScriptedGguf } from '../fixtures/gguf.ts'
import { startFileServer } from '../servers/files.ts'
import { startOllama } from '../servers/ollama.ts'
import { openRpc, type RpcAnswer, type RpcClient, type RpcFraming } from './rpc-client.ts'
import { WORDS_FILES, wordsModel } from './words.ts'

const FILES = {
  'package.json': `${JSON.stringify({ name: 'small', version: '1.0.0', type: 'module', scripts: { test: 'node --test', lint: 'node tools/ok.js', build: 'node tools/build.js' } })}\n`,
  'src/a.js': 'export const a = 1\n',
  'src/conf.js': "export const API_TOKEN = 'abcdefghijkl1234567'\n",
  'test/a.test.js': "import { test } from 'node:test'\ntest('a', () => {})\n",
  'tools/ok.js': 'console.log("clean")\n',
  'tools/build.js': "import { writeFileSync } from 'node:fs'\nwriteFileSync('built.txt', 'built')\n",
  'tools/sleep.js': "import { writeFileSync } from 'node:fs'\nwriteFileSync(`began-${process.argv[2]}`, '')\nsetTimeout(() => {}, 60_000)\n",
}
const EVERY_SCOPE = SCOPES.flatMap((scope) => ['--scope', scope])
const FRAMINGS: readonly RpcFraming[] = ['lines', 'frames']
const byName = new Map(OPERATIONS.map((operation) => [operation.name, operation]))

/** The result, checked against the schema that `rpc.discover` shows. */
async function ok(client: RpcClient, method: string, params: unknown = {}): Promise<Record<string, never> & Record<string, unknown>> {
  return resultOf(method, await client.request(method, params))
}

function resultOf(method: string, { result, error }: RpcAnswer): Record<string, never> & Record<string, unknown> {
  assert.ok(result, `${method}: ${JSON.stringify(error)}`)
  const schema = byName.get(method)?.result()
  assert.ok(schema, method)
  const parsed = schema.safeParse(result)
  assert.ok(parsed.success, `${method} answers what its schema says: ${JSON.stringify(parsed.error?.issues)} in ${JSON.stringify(result)}`)
  assert.match(String(result['receipt']), /^r_/)
  return result
}

async function failed(client: RpcClient, method: string, params: unknown): Promise<NonNullable<RpcAnswer['error']>> {
  const { error } = await client.request(method, params)
  assert.ok(error, `${method} ${JSON.stringify(params)} is refused`)
  return error
}

/** A call that is asked for: the question goes to the terminal, and the same call goes through after the yes. */
async function approved(place: Place, client: RpcClient, method: string, params: unknown): Promise<Record<string, never> & Record<string, unknown>> {
  const error = await failed(client, method, params)
  assert.deepEqual([error.code, error.data.code, error.data['approval'] === undefined], [-32002, 'approval.needed', false], JSON.stringify(error))
  assert.equal((await vp(place, ['approve', String(error.data['approval']), '--for', 'call'])).code, 0)
  return ok(client, method, params)
}

/** What a framing can spoil is asked of both below; every method over both takes as long as all the rest. */
const WITH_ALL = DEEP ? FRAMINGS : FRAMINGS.slice(0, 1)
describe('every method once', { concurrency: WITH_ALL.length }, () => {
  for (const framing of WITH_ALL) describe(framing, { concurrency: 1 }, () => everyMethod(framing))
})

function everyMethod(framing: RpcFraming): void {
  const called = new Set<string>(['rpc.discover'])
  const cleanups: (() => void)[] = []
  const cleanup = { after: (fn: () => void) => void cleanups.push(fn) }
  let model: ScriptedServer
  let place: Place
  let client: RpcClient
  const call = (method: string, params: unknown = {}) => {
    called.add(method)
    return ok(client, method, params)
  }

  before(async () => {
    model = await startScriptedServer((request) => wordsModel(turnOf(request), 30))
    place = makePlace(cleanup, { ...WORDS_FILES, ...FILES }, model)
    client = openRpc(cleanup, place, { framing, args: EVERY_SCOPE })
  })
  after(async () => {
    const ended = await client.end()
    assert.deepEqual([ended.code, ended.stderr], [0, ''])
    await model.close()
    for (const fn of cleanups) fn()
  })

  test('files and search', async () => {
    const read = await call('fs.read', { path: 'src/a.js' })
    assert.deepEqual([read['content'], read['sha']], [FILES['src/a.js'], sha256(FILES['src/a.js'])])
    assert.equal((await call('fs.read', { path: 'test/a.test.js', range: [2, 2] }))['content'], "test('a', () => {})\n")
    const listed = await call('fs.list', { path: 'src' })
    assert.deepEqual(
      (listed['entries'] as unknown as { path: string }[]).map((entry) => entry.path),
      ['src/a.js', 'src/conf.js', 'src/trim.js'],
    )
    const unified_diff = '--- a/src/a.js\n+++ b/src/a.js\n@@ -1 +1 @@\n-export const a = 1\n+export const a = 2\n'
    assert.deepEqual((await call('fs.patch', { unified_diff }))['applied'], false)
    assert.equal(readFileSync(join(place.repository, 'src/a.js'), 'utf8'), FILES['src/a.js'], 'a dry run by default')
    const patched = await call('fs.patch', { unified_diff, apply: true })
    assert.deepEqual(patched['before_images'], [{ path: 'src/a.js', sha: read['sha'] }])
    assert.match(String((await call('fs.diff'))['unified_diff']), /^\+export const a = 2$/m)
    assert.equal((await call('run.undo', { id: patched['receipt'], apply: true }))['restored'], 1)
    assert.equal(readFileSync(join(place.repository, 'src/a.js'), 'utf8'), FILES['src/a.js'])
    await call('fs.write', { path: 'docs/new.md', content: '# New\n' })
    await call('fs.edit', { path: 'docs/new.md', old: 'New', new: 'Newer' })
    const found = await call('search.code', { query: 'Newer' })
    assert.deepEqual(found['matches'], [{ file: 'docs/new.md', line: 1, snippet: '# Newer' }])
  })

  test('commands', async () => {
    assert.deepEqual((await call('run.test'))['pass_rate'], 1)
    assert.equal((await call('run.lint'))['ok'], true)
    assert.equal((await call('run.build'))['ok'], true)
    assert.equal(readFileSync(join(place.repository, 'built.txt'), 'utf8'), 'built')
    assert.deepEqual((await call('run.exec', { argv: ['node', 'tools/ok.js'] }))['output'], 'clean\n')
  })

  test('git', async () => {
    const remote = join(place.root, 'remote.git')
    git(place, 'init', '-q', '--bare', '-b', 'main', remote)
    git(place, 'remote', 'add', 'origin', remote)
    assert.equal((await call('git.status'))['branch'], 'main')
    const committed = await call('git.commit', { message: 'docs: new', signoff: true, paths: ['docs/new.md', 'built.txt'] })
    assert.equal(committed['sha'], git(place, 'rev-parse', 'main'))
    assert.equal((await call('git.diff'))['unified_diff'], '')
    assert.equal((await call('git.log', { max: 1 }))['commits']?.['length'], 1)
    assert.equal((await call('git.show'))['sha'], committed['sha'])
    assert.equal((await call('git.branch', { name: 'side' }))['created'], 'side')
    called.add('git.push')
    assert.equal((await approved(place, client, 'git.push', { remote: 'origin' }))['to'], committed['sha'])
    assert.equal(execFileSync('git', ['--git-dir', remote, 'rev-parse', 'main'], { encoding: 'utf8' }).trim(), committed['sha'])
  })

  test('a project, from its PRD to your branch', async () => {
    await call('plms.create', { name: 'words' })
    assert.equal((await call('plms.plan', { prd: 'PRD.md' }))['tasks']?.['length'], 4)
    await call('plms.estimate')
    await call('plms.simulate', { rehearsal_pct: 0.2 })
    await call('plms.approve', { budget_usd: 1, budget_tokens: null, breach: 'pause', gates: [] })
    const start = client.request('plms.start', {})
    const run = await statusWhen((status) => status['tasks_running'] !== 0)
    assert.equal((await call('run.pause', { run, reason: 'lunch' }))['status'], 'paused')
    called.add('plms.start')
    assert.equal(resultOf('plms.start', await start)['status'], 'paused')
    assert.equal((await call('run.tell', { run, text: 'keep the words apart' }))['when'], 'when resumed')
    assert.equal((await call('run.resume', { run }))['status'], 'completed')
    assert.ok(Number((await call('run.logs', { run, tail: 500 }))['lines']?.['length']) > 20)
    assert.equal((await call('run.validate', { run }))['violations']?.['length'], 0)
    assert.match(String((await call('git.pr', { run }))['body']), /T4 Add count/)
    const completed = await call('run.complete', { run })
    assert.equal(completed['to'], git(place, 'rev-parse', 'main'))
    assert.equal((await call('run.verify', { run }))['sound'], true)
    assert.deepEqual((await call('ledger.accept', {}))['accepted'], [], 'nothing was lost')
    assert.equal((await call('egress.show', { run }))['proved'], true)
    assert.equal((await call('context.show', { run }))['proved'], true)
    assert.ok(existsSync(String((await call('run.export', { run }))['path'])))
    assert.equal((await call('run.replay', { run }))['equal'], true)
    assert.deepEqual((await call('run.fork', { run, from: 2 }))['fork'], { run_id: run, task: 'T4', attempt: 1, turn: 2 })
    const { seq, status } = await call('run.subscribe', { run })
    assert.ok(Number(seq) > 10)
    assert.equal(status, 'completed')
  })

  test('models', async (t) => {
    const ollama = await startOllama({ models: [{ name: 'tiny', contextLength: 2048 }], pulls: { tiny: { size: 100 } } })
    t.after(() => ollama.close())
    const probed = await call('model.probe', { model: 'ollama:tiny', base_url: ollama.url })
    assert.equal((probed['window'] as { effective: number } | undefined)?.effective, 2048)
    const file = join(place.root, 'tiny.gguf')
    writeScriptedGguf(file, { 2: 'ok' })
    const files = await startFileServer({ bytes: readFileSync(file) })
    t.after(() => files.close())
    assert.equal((await call('model.pull', { model: `${files.url}/tiny.gguf` }))['model'], 'llama_cpp:tiny')
    assert.equal((await call('model.list'))['chosen'], 'openai_compatible:scripted')
    assert.equal((await call('model.test', { tests: ['json'] }))['model'], 'openai_compatible:scripted')
    assert.equal((await call('model.show', { model: 'phi-4' }))['model'], 'ollama:phi4:14b')
    assert.equal((await call('model.probe', { window: 2048 }))['model'], 'openai_compatible:scripted')
    called.add('model.pull')
    const unknown = await client.request('model.pull', { model: `${model.baseUrl}/none.gguf`, sha256: '0'.repeat(64) })
    assert.match(unknown.error?.data.code ?? '', /^model\./)
    assert.equal((await call('model.set', { model: 'ollama:phi4:14b' }))['model'], 'ollama:phi4:14b')
  })

  test('a small change, ended half-way', async () => {
    const done = client.request('run.do', { goal: 'T1', test: ['node', '--test'] })
    called.add('run.do')
    const run = await statusWhen((status) => status['tasks_running'] !== 0 && status['status'] === 'executing')
    assert.equal((await call('run.terminate', { run }))['status'], 'terminated')
    assert.equal(resultOf('run.do', await done)['status'], 'terminated')
  })

  test('a question, answered by a client that may', async () => {
    const params = { argv: ['node', '-e', 'console.log(6 * 7)'] }
    const error = await failed(client, 'run.exec', params)
    const decision = await call('run.approve', { approval: error.data['approval'], extent: 'call' })
    assert.equal(decision['decision'], 'approved')
    assert.equal((await ok(client, 'run.exec', params))['output'], '42\n')
    assert.equal((await failed(client, 'run.exec', params)).code, -32002, 'for one call')
  })

  test('no method of the table was left out', () => {
    assert.deepEqual(
      OPERATIONS.map((operation) => operation.name).filter((name) => !called.has(name)),
      [],
    )
  })

  /** The id of the newest run as soon as its status is as wanted. */
  async function statusWhen(wanted: (status: Record<string, unknown>) => boolean): Promise<string> {
    called.add('run.status')
    for (let tries = 0; tries < 600; tries++) {
      const { result } = await client.request('run.status', {})
      if (result && wanted(result)) return String(resultOf('run.status', { jsonrpc: '2.0', id: 0, result })['run_id'])
      await delay(20)
    }
    return assert.fail('the run did not come that far')
  }
}

describe('what is wrong', () => {
  const cleanups: (() => void)[] = []
  const cleanup = { after: (fn: () => void) => void cleanups.push(fn) }
  let place: Place
  before(() => void (place = makePlace(cleanup, FILES)))
  after(() => {
    for (const fn of cleanups) fn()
  })

  test('parameters that a method does not take are −32602, for every method', async (t) => {
    const client = openRpc(t, place)
    for (const { name } of OPERATIONS)
      for (const params of [{ nonsense: true }, [1], 'x', 7]) {
        const error = await failed(client, name, params)
        assert.deepEqual([error.code, error.data.code, error.data.retryable], [-32602, 'usage.params', false], `${name} ${JSON.stringify(params)}`)
        assert.match(String(error.data.receipt), /^r_/)
      }
    await client.end()
  })

  test('an unknown method is −32601, also where objects have a member of that name', async (t) => {
    const client = openRpc(t, place)
    for (const method of ['nope', 'rag.query', 'pas.submit', 'toString', '__proto__', 'constructor', '', 'fs.read '])
      assert.equal((await failed(client, method, {})).code, -32601, method)
    await client.end()
  })

  const SHAPES: [title: string, document: unknown, id: unknown, code: number][] = [
    ['a number', 1, null, -32600],
    ['null', null, null, -32600],
    ['an empty batch', [], null, -32600],
    ['no version', { id: 1, method: 'git.status' }, 1, -32600],
    ['another version', { jsonrpc: '1.0', id: 1, method: 'git.status' }, 1, -32600],
    ['no method', { jsonrpc: '2.0', id: 2 }, 2, -32600],
    ['a method that is no text', { jsonrpc: '2.0', id: 'x', method: 5 }, 'x', -32600],
    ['an id that is an object', { jsonrpc: '2.0', id: {}, method: 'git.status' }, null, -32600],
    ['an answer', { jsonrpc: '2.0', id: 3, method: 'x', result: 1 }, 3, -32600],
    ['too deep', JSON.parse(`${'['.repeat(65)}${']'.repeat(65)}`), null, -32600],
  ]
  for (const [title, document, id, code] of SHAPES)
    test(`${title} is no request`, async (t) => {
      const client = openRpc(t, place)
      client.send(document)
      const answer = (await client.next()) as RpcAnswer
      assert.deepEqual([answer.id, answer.error?.code], [id, code])
      assert.ok(await client.request('git.status'))
      await client.end()
    })

  test('a denial names the rule, and never what it protects', async (t) => {
    writeFiles(place.repository, { '.env': 'PASSWORD=hunter2hunter2\n' })
    const client = openRpc(t, place)
    const curl = await failed(client, 'run.exec', { argv: ['curl', 'https://example.org'] })
    assert.deepEqual([curl.code, curl.data.code, curl.data['rule']], [-32001, 'policy.denied', 'global/no-network'])
    const env = await failed(client, 'fs.read', { path: '.env' })
    assert.deepEqual([env.code, env.data['rule']], [-32001, 'global/secret-file'])
    assert.doesNotMatch(JSON.stringify([curl, env]), /hunter2/)
    const stale = await failed(client, 'fs.write', { path: 'src/a.js', content: 'x', base_sha: '0'.repeat(64) })
    assert.deepEqual([stale.code, stale.data.retryable], [-32003, true])
    assert.equal((await failed(client, 'fs.read', { path: 'nowhere' })).code, -32004)
    await client.end()
  })

  test('what answers vp’s own questions stays with the person, unless they hand it over', async (t) => {
    const client = openRpc(t, place)
    const inline = await failed(client, 'run.exec', { argv: ['node', '-e', '1'] })
    assert.deepEqual([inline.code, inline.data['hint']], [-32002, `vp approve ${inline.data['approval']}`])
    for (const [method, params] of [
      ['run.approve', { approval: inline.data['approval'], extent: 'call' }],
      ['ledger.accept', {}],
      ['plms.approve', { budget_usd: 1, budget_tokens: null, breach: 'pause', gates: [] }],
    ] as const) {
      const error = await failed(client, method, params)
      assert.deepEqual([error.code, error.data.code, error.data['rule']], [-32001, 'policy.scope', 'scope/projects.approve'])
    }
    assert.equal((await failed(client, 'run.do', { goal: 'x' })).code, -32002)
    await client.end()
    const looking = openRpc(t, place, { args: ['--scope', 'fs.read', '--scope', 'search'] })
    assert.ok((await looking.request('fs.read', { path: 'src/a.js' })).result)
    assert.equal((await failed(looking, 'fs.write', { path: 'x', content: '' })).data['rule'], 'scope/fs.write')
    await looking.end()
    for (const args of [['--json'], ['--scope', 'everything'], ['--cwd', '/nowhere/at/all']]) assert.notEqual((await vp(place, ['rpc', ...args])).code, 0)
  })

  test('files that only a person at the terminal may name are refused', async (t) => {
    const client = openRpc(t, place)
    const outside = join(place.root, 'outside.md')
    writeFiles(place.root, { 'outside.md': '# Tasks\n' })
    await ok(client, 'plms.create', { name: 'small' })
    assert.equal((await failed(client, 'plms.plan', { prd: outside })).code, -32001)
    assert.equal((await failed(client, 'plms.plan', { prd: '../outside.md' })).code, -32001)
    assert.equal((await failed(client, 'run.verify', { run: outside })).code, -32001)
    assert.equal((await failed(client, 'run.export', { out: outside })).data['rule'], 'out/terminal')
    await client.end()
  })
})

describe('the stream', () => {
  const cleanups: (() => void)[] = []
  const cleanup = { after: (fn: () => void) => void cleanups.push(fn) }
  let place: Place
  before(() => void (place = makePlace(cleanup, FILES)))
  after(() => {
    for (const fn of cleanups) fn()
  })

  test('secrets are masked, the hash is of the bytes', async (t) => {
    const client = openRpc(t, place)
    const read = await ok(client, 'fs.read', { path: 'src/conf.js' })
    assert.doesNotMatch(JSON.stringify(read), /abcdefghijkl/)
    assert.match(String(read['content']), /\[REDACTED/)
    assert.equal(read['sha'], sha256(FILES['src/conf.js']))
    const shown = String(read['content'])
    const written = await ok(client, 'fs.write', { path: 'src/conf.js', content: `// read me\n${shown}`, base_sha: read['sha'] })
    assert.doesNotMatch(JSON.stringify(written), /abcdefghijkl/)
    const unified_diff = `--- a/src/conf.js\n+++ b/src/conf.js\n@@ -1,2 +1,2 @@\n-// read me\n+// keep me\n ${shown}`
    assert.equal((await ok(client, 'fs.patch', { unified_diff, apply: true }))['applied'], true)
    assert.equal(readFileSync(join(place.repository, 'src/conf.js'), 'utf8'), `// keep me\n${FILES['src/conf.js']}`, 'a placeholder stands for its secret')
    const moved = await failed(client, 'fs.write', { path: 'src/other.js', content: shown })
    assert.equal(moved.data.code, 'patch.rejected', 'in another file it stands for nothing')
    const printed = await ok(client, 'run.exec', { argv: ['node', 'tools/print.js'] }).catch(() => null)
    assert.equal(printed?.['exit_code'], 1, 'a program that is not there fails by itself')
    await client.end()
  })

  test('a batch answers in one list, requests only', async (t) => {
    const client = openRpc(t, place, { framing: 'frames' })
    client.send([
      { jsonrpc: '2.0', id: 'a', method: 'fs.read', params: { path: 'src/a.js' } },
      { jsonrpc: '2.0', method: 'fs.write', params: { path: 'notified', content: 'x' } },
      { jsonrpc: '2.0', id: 'b', method: 'nope' },
      7,
    ])
    const answers = (await client.next()) as RpcAnswer[]
    assert.deepEqual(
      answers.map((answer) => [answer.id, answer.error?.code]),
      [
        ['a', undefined],
        ['b', -32601],
        [null, -32600],
      ],
    )
    client.send([{ jsonrpc: '2.0', id: 'only', method: 'git.status' }])
    assert.ok(Array.isArray(await client.next()), 'a batch of one is a batch')
    client.send([{ jsonrpc: '2.0', method: 'fs.read' }])
    assert.ok(await client.request('git.status'), 'a batch of notifications has no answer')
    const { stderr } = await client.end()
    assert.match(stderr, /fs\.write came as a notification/)
    assert.equal(existsSync(join(place.repository, 'notified')), false)
  })

  test('$/cancelRequest ends a command, also one that waits for its turn', async (t) => {
    const client = openRpc(t, place)
    const began = performance.now()
    const runs = [1, 2, 3].map((n) => client.request('run.exec', { argv: ['node', 'tools/sleep.js', String(n)] }))
    while (!existsSync(join(place.repository, 'began-1')) || !existsSync(join(place.repository, 'began-2'))) await delay(20)
    assert.ok((await client.request('fs.read', { path: 'src/a.js' })).result, 'reading goes on meanwhile')
    const cancel = (id: unknown) => client.send({ jsonrpc: '2.0', method: '$/cancelRequest', params: { id } })
    cancel(3)
    const third = await runs[2]
    assert.deepEqual([third?.error?.code, third?.error?.data.code, third?.error?.data.retryable], [-32009, 'cancelled', true])
    assert.equal(existsSync(join(place.repository, 'began-3')), false, 'two commands at once')
    for (const id of [99, 'x', null, {}]) cancel(id)
    cancel(1)
    assert.equal((await runs[0])?.error?.code, -32009)
    client.send({ jsonrpc: '2.0', id: 'c', method: '$/cancelRequest', params: { id: 2 } })
    assert.equal((await runs[1])?.error?.code, -32009)
    assert.deepEqual(await client.next(), { jsonrpc: '2.0', id: 'c', result: null })
    assert.ok(performance.now() - began < 30_000)
    await client.end()
    for (let tries = 0; processesWith('tools/sleep.js').length > 0 && tries < 20; tries++) await delay(100)
    assert.deepEqual(processesWith('tools/sleep.js'), [])
  })

  test('an id that is under way is refused, and free again afterwards', async (t) => {
    const client = openRpc(t, place)
    client.raw('{"jsonrpc":"2.0","id":"d","method":"git.status"}\n{"jsonrpc":"2.0","id":"d","method":"git.status"}\n')
    const two = [(await client.next()) as RpcAnswer, (await client.next()) as RpcAnswer]
    assert.deepEqual(two.map((one) => one.error?.code ?? 0).toSorted(), [-32600, 0])
    client.raw('{"jsonrpc":"2.0","id":"d","method":"git.status"}\n')
    assert.ok(((await client.next()) as RpcAnswer).result)
    await client.end()
  })

  test('an idempotency key gives the first answer again, and refuses another request', async (t) => {
    const client = openRpc(t, place)
    const params = { path: 'once.txt', content: 'first\n', idempotency_key: 'key-0001-abc' }
    const first = await ok(client, 'fs.write', params)
    writeFiles(place.repository, { 'once.txt': 'by hand\n' })
    const again = await ok(client, 'fs.write', params)
    assert.deepEqual({ ...again, receipt: null }, { ...first, receipt: null })
    assert.equal(readFileSync(join(place.repository, 'once.txt'), 'utf8'), 'by hand\n')
    const other = await failed(client, 'fs.write', { ...params, content: 'second\n' })
    assert.deepEqual([other.code, other.data.code], [-32003, 'idempotency.reused'])
    for (const idempotency_key of ['short', 7, null]) assert.equal((await failed(client, 'fs.write', { ...params, idempotency_key })).code, -32602)
    await client.end()
  })

  test('many at once, and the end of the input waits for all', async (t) => {
    const client = openRpc(t, place)
    const count = 300
    client.raw(
      Array.from({ length: count }, (_, n) => JSON.stringify({ jsonrpc: '2.0', id: `m${n}`, method: 'fs.read', params: { path: 'src/a.js' } })).join('\n'),
    )
    const ended = client.end()
    const answers = await Promise.all(Array.from({ length: count }, () => client.next()))
    assert.equal(new Set(answers.map((answer) => (answer as RpcAnswer).id)).size, count)
    assert.ok(answers.every((answer) => (answer as RpcAnswer).result?.['content'] === FILES['src/a.js']))
    assert.equal((await ended).code, 0)
  })

  test('SIGTERM and SIGINT cancel what is under way, answer, and end', async (t) => {
    for (const [n, signal] of [
      [4, 'SIGTERM'],
      [5, 'SIGINT'],
    ] as const) {
      const client = openRpc(t, place)
      const run = client.request('run.exec', { argv: ['node', 'tools/sleep.js', String(n)] })
      while (!existsSync(join(place.repository, `began-${n}`))) await delay(20)
      client.child.kill(signal)
      assert.equal((await run).error?.code, -32009, signal)
      assert.deepEqual([(await client.end()).code, processesWith('tools/sleep.js')], [130, []], signal)
    }
  })

  test('a reader that goes away ends it', async (t) => {
    const client = openRpc(t, place)
    assert.ok(await client.request('git.status'))
    client.child.stdout.destroy()
    const gone = new Promise((resolve) => client.child.on('exit', (code, signal) => resolve([code, signal])))
    for (let n = 0; client.child.exitCode === null && n < 200; n++) {
      client.send({ jsonrpc: '2.0', id: `e${n}`, method: 'fs.read', params: { path: 'src/a.js' } })
      await delay(20)
    }
    assert.deepEqual(await gone, [0, null])
  })

  test('a giant message is refused without being kept', async (t) => {
    const peakKb = (pid: number | undefined) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
    for (const framing of FRAMINGS) {
      const client = openRpc(t, place, { framing })
      assert.ok(await client.request('git.status'))
      const before = peakKb(client.child.pid)
      const bytes = 400 * 1024 * 1024
      client.raw(framing === 'lines' ? '{"x":"' : `Content-Length: ${bytes}\r\n\r\n`)
      const chunk = Buffer.alloc(1024 * 1024, 'x')
      for (let sent = 0; sent < bytes; sent += chunk.length)
        if (!client.child.stdin.write(chunk)) await new Promise((resolve) => client.child.stdin.once('drain', resolve))
      if (framing === 'lines') client.raw('"}\n')
      const answer = (await client.next()) as RpcAnswer
      assert.deepEqual([answer.id, answer.error?.code, answer.error?.data.code], [null, -32005, 'limit.reached'])
      assert.ok(await client.request('git.status'))
      const grown = peakKb(client.child.pid) - before
      assert.ok(grown < 160 * 1024, `grew by ${grown} kB`)
      await client.end()
    }
  })

  for (const framing of FRAMINGS)
    test(`whatever comes, the next good request is answered, ${framing}`, async (t) => {
      const client = openRpc(t, place, { framing })
      const chance = seeded(framing === 'lines' ? 7 : 11)
      assert.ok(await client.request('rpc.discover'))
      for (let n = 0; n < 250; n++) {
        client.raw(mangled(chance, framing))
        assert.ok((await client.request('fs.read', { path: 'src/a.js' })).result, `after case ${n}`)
      }
      const { code, signal } = await client.end()
      assert.deepEqual([code, signal], [0, null])
    })

  test('rpc.discover describes every method', async (t) => {
    const client = openRpc(t, place)
    const { result } = await client.request('rpc.discover')
    const document = result as unknown as OpenRpc
    assert.match(document.openrpc, /^1\.\d+\.\d+$/)
    assert.deepEqual(document.info.title, 'vp')
    assert.deepEqual(document.methods.map((method) => method.name).toSorted(), [...OPERATIONS.map((operation) => operation.name), 'rpc.discover'].toSorted())
    for (const method of document.methods) {
      assert.ok(method.summary.length > 5 && method.errors.length > 10, method.name)
      assert.equal(method.result.schema.type, 'object', method.name)
      if (method.name === 'rpc.discover') continue
      assert.ok(Object.keys(method.result.schema.properties ?? {}).length > 1, method.name)
      for (const parameter of method.params)
        assert.ok(parameter.name && typeof parameter.required === 'boolean' && Object.keys(parameter.schema).length > 0, method.name)
    }
    const read = document.methods.find((method) => method.name === 'fs.read')
    assert.deepEqual(
      read?.params.map((parameter) => [parameter.name, parameter.required]),
      [
        ['path', true],
        ['range', false],
        ['raw', false],
        ['idempotency_key', false],
      ],
    )
    await client.end()
  })
})

interface OpenRpc {
  readonly openrpc: string
  readonly info: { readonly title: string }
  readonly methods: readonly {
    readonly name: string
    readonly summary: string
    readonly params: readonly { readonly name: string; readonly required: boolean; readonly schema: object }[]
    readonly result: { readonly schema: { readonly type: string; readonly properties?: object } }
    readonly errors: readonly object[]
  }[]
}

const GOOD = '{"jsonrpc":"2.0","id":"g","method":"fs.read","params":{"path":"src/a.js"}}'

/** One message of rubbish, ended so that the next message begins where it should. */
function mangled(chance: () => number, framing: RpcFraming): Buffer {
  const pick = <Value>(values: readonly Value[]): Value => values[Math.floor(chance() * values.length)] as Value
  const bytes = (length: number) => Buffer.from(Array.from({ length }, () => Math.floor(chance() * 256)))
  const flipped = () => {
    const text = Buffer.from(GOOD)
    for (let n = 0; n < 1 + chance() * 4; n++) text[Math.floor(chance() * text.length)] = Math.floor(chance() * 256)
    return text
  }
  const body = pick([
    () => bytes(Math.floor(chance() * 200)),
    () => flipped(),
    () => Buffer.from(GOOD.slice(0, Math.floor(chance() * GOOD.length))),
    () => Buffer.from('['.repeat(Math.floor(chance() * 100_000))),
    () => Buffer.from(`{"jsonrpc":"2.0","id":${pick(['1e999', '[]', 'true', '""', '-0', '{"a":1}'])},"method":${pick(['1', '"$/x"', 'null', '"fs.read"'])}}`),
    () =>
      Buffer.from(
        JSON.stringify({
          jsonrpc: '2.0',
          id: 'g',
          method: 'fs.read',
          params: { path: pick(['\0', '../x', '/etc/passwd', '\ud800', 'x'.repeat(9000), '.git/config']) },
        }),
      ),
    () => Buffer.from('{"jsonrpc":"2.0","id":"g","method":"fs.read","params":{"__proto__":{"path":"src/a.js"},"path":"src/a.js"}}'),
    () => Buffer.from(JSON.stringify(Array.from({ length: Math.floor(chance() * 40) }, () => pick([1, null, {}, [], 'x'])))),
  ])()
  if (framing === 'lines') return Buffer.concat([Buffer.from(body.filter((byte) => byte !== 10)), Buffer.from('\n')])
  return pick([
    () => Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]),
    () => Buffer.concat([Buffer.from(`Content-Length: ${Math.floor(body.length / 2)}\r\n\r\n`), body, Buffer.from('\r\n')]),
    () => Buffer.concat([body, Buffer.from('\r\n\r\n')]),
    () => Buffer.from(`Content-Length: ${pick(['-1', 'x', '', '99999999999999999999', '0'])}\r\n\r\n`),
    () => Buffer.from('content-type: x\r\n\r\n'),
  ])()
}

test('vp help names it', async (t) => {
  const place = makePlace(t, FILES)
  assert.match((await vp(place, ['help'])).stdout, /^surfaces +.*\brpc\b/m)
  assert.equal((await vpJson(place, ['rpc'])).doc.error?.code, 'usage.flag')
})

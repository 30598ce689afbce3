/** Every method of the table once over `vp rpc`, from a PRD to the person's branch. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { sha256 } from '../../src/core/json.ts'
import { startScriptedServer, type ScriptedServer } from '../../src/models/scripted-server.ts'
import { OPERATIONS } from '../../src/operations/table.ts'
import { DEEP, git, makePlace, turnOf, type Place } from '../e2e/kit.ts'
import { writeScriptedGguf } from '../fixtures/gguf.ts'
import { startFileServer } from '../servers/files.ts'
import { startOllama } from '../servers/ollama.ts'
import { openRpc, type RpcClient, type RpcFraming } from '../e2e/rpc-client.ts'
import { WORDS_FILES, wordsModel } from '../e2e/words.ts'
import { approved, EVERY_SCOPE, failed, FILES, FRAMINGS, ok, resultOf } from '../e2e/rpc-calls.ts'

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

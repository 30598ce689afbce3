/** Ctrl-C, `vp pause`, a reader that goes away, a process that dies: what goes on, what keeps its place, what a status says of it. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { startScriptedServer, type ScriptedAnswer, type WireRequest } from '../../src/models/scripted-server.ts'
import { call, git, makePlace, receiptsOf, turnOf, VP, vp, vpJson, type Cleanup, type Ended, type Place } from '../e2e/kit.ts'

const FILES = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'add.js': 'export const add = (a, b) => a - b\n',
  'add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from './add.js'\n\ntest('adds', () => assert.equal(add(2, 3), 5))\n",
}
const EDIT = call('edit', { path: 'add.js', old: 'a - b', new: 'a + b' })
const SUBMIT = call('submit', { title: 'fix: add adds', summary: 'It subtracted.' })

/** Reads one more line each turn until `isOver`, then does the work: a task that would go on for ever. */
async function endless(t: Cleanup) {
  let over = false
  const asked: number[] = []
  const server = await startScriptedServer((request: WireRequest): ScriptedAnswer => {
    const { turn } = turnOf(request)
    asked.push(turn)
    if (!over) return { ...call('search', { query: `word ${turn}` }), delayMs: 150 } as ScriptedAnswer
    return request.messages.some((message) => message.tool_calls?.some((one) => one.function.name === 'edit')) ? SUBMIT : EDIT
  })
  t.after(() => void server.close())
  return { server, asked, end: () => void (over = true) }
}

const until = async (what: string, is: () => boolean | Promise<boolean>) => {
  for (const end = Date.now() + 15_000; !(await is()); await new Promise((resolve) => setTimeout(resolve, 50))) assert.ok(Date.now() < end, what)
}

/** `vp do`, at work: three answers were given. */
async function atWork(place: Place, asked: readonly number[]) {
  let pid = 0
  const ended: Promise<Ended> = vp(place, ['do', 'fix add'], { onSpawn: (child) => void (pid = child.pid ?? 0) })
  await until('three model calls', () => asked.length >= 3)
  return { ended, kill: (signal: NodeJS.Signals) => process.kill(pid, signal) }
}

const PAUSES: Readonly<Record<string, (place: Place, kill: (signal: NodeJS.Signals) => void) => Promise<void>>> = {
  'Ctrl-C once': async (_place, kill) => kill('SIGINT'),
  'vp pause from another process': async (place) => {
    const paused = await vpJson(place, ['pause'])
    assert.deepEqual([paused.code, paused.doc.result?.['status'], paused.doc.result?.['running']], [0, 'paused', 0])
  },
}

for (const [name, pause] of Object.entries(PAUSES))
  test(`${name}: no call is begun after it, and what was answered is not asked again`, async (t) => {
    const { server, asked, end } = await endless(t)
    const place = makePlace(t, FILES, server)
    const before = git(place, 'rev-parse', 'main')
    const { ended, kill } = await atWork(place, asked)
    await pause(place, kill)
    const { code, stderr } = await ended
    assert.equal(code, 130, stderr)
    assert.match(stderr, /paused by you: 0 of 1 done, 1 task keeps its place, no call open/)
    const made = asked.length
    const status = await vpJson(place, ['status'])
    assert.deepEqual([status.doc.result?.['status'], status.doc.result?.['tasks_running'], status.doc.result?.['tasks_queued']], ['paused', 0, 1])
    end()
    const resumed = await vp(place, ['resume'])
    assert.equal(resumed.code, 0, resumed.stderr)
    // Ctrl-C cuts the call that is open, so that one turn is asked anew; what was answered is not.
    const first = name === 'Ctrl-C once' && asked[made] === made ? made : made + 1
    assert.deepEqual(asked, [...turns(1, made), ...turns(first, first + 1)])
    isHome(place, before, resumed)
  })

const turns = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

test('one Ctrl-C cuts the call that is open, counts it as a call that was cancelled, and pauses', async (t) => {
  const gone: number[] = []
  let interrupt = (): void => undefined
  const answers = [EDIT, SUBMIT]
  let isSlow = true
  const server = await startScriptedServer(
    (request): ScriptedAnswer => {
      const answer = answers[turnOf(request).turn - 1] ?? SUBMIT
      if (!isSlow || turnOf(request).turn === 1) return answer
      interrupt()
      return { ...answer, delayMs: 8000 } as ScriptedAnswer
    },
    undefined,
    () => gone.push(Date.now()),
  )
  t.after(() => void server.close())
  const place = makePlace(t, FILES, server)
  const before = git(place, 'rev-parse', 'main')
  let at = 0
  const ended = await vp(place, ['do', 'fix add'], {
    onSpawn: (child) =>
      (interrupt = () =>
        void setTimeout(() => {
          at = Date.now()
          child.kill('SIGINT')
        }, 200)),
  })
  assert.equal(ended.code, 130, ended.stderr)
  assert.ok(Date.now() - at < 4000, `${Date.now() - at} ms until its end`)
  // 100 ms are promised; the rest is this machine's way of delivering a signal.
  const cut = (gone.find((one) => one >= at) ?? Infinity) - at
  assert.ok(cut < 400, `${cut} ms until the server saw it`)
  assert.match(ended.stderr, /paused by you: 0 of 1 done, 1 task keeps its place, no call open/)
  const [last] = (await receiptsOf(place)).filter(({ op, outcome }) => op === 'model.call' && outcome === 'error')
  assert.deepEqual([last?.error?.code, (last?.detail as { usage_source?: string } | undefined)?.usage_source], ['cancelled', 'worst_case'])
  assert.ok((last?.usage?.tokens_in ?? 0) > 500)
  isSlow = false
  const resumed = await vp(place, ['resume'])
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.deepEqual(
    server.requests.map((request) => turnOf(request).turn),
    [1, 2, 2],
  )
  isHome(place, before, resumed)
})

/** A small change that was resumed ends as one that never stopped. */
function isHome(place: Place, before: string, { stdout }: Ended): void {
  assert.match(stdout, /^[0-9a-f]{7} on main: fix: add adds /)
  assert.equal(git(place, 'rev-parse', 'main~2'), before, 'its commit, then the papers')
  assert.equal(git(place, 'status', '--porcelain'), '')
}

test('a vp do that waited for a yes ends on the branch of the person once it is resumed', async (t) => {
  const turns = [call('run', { argv: ['node', '-e', '0'] }), EDIT, SUBMIT]
  const server = await startScriptedServer((request) => turns[turnOf(request).turn - 1] ?? SUBMIT)
  t.after(() => void server.close())
  const place = makePlace(t, FILES, server)
  const before = git(place, 'rev-parse', 'main')
  const waits = await vpJson(place, ['do', 'fix add', '--test', 'npm test'])
  assert.equal(waits.code, 5, JSON.stringify(waits.doc))
  assert.deepEqual((await vpJson(place, ['status'])).doc.result?.['state'], 'waits')
  assert.equal((await vp(place, ['approve', waits.doc.error?.approval ?? '', '--for', 'call', '--no-input'])).code, 0)
  const resumed = await vp(place, ['resume'])
  assert.equal(resumed.code, 0, resumed.stderr)
  isHome(place, before, resumed)
})

test('Ctrl-C twice stops at once, in the middle of a call', async (t) => {
  const server = await startScriptedServer(() => ({ fault: 'silence' }))
  t.after(() => void server.close())
  const place = makePlace(t, FILES, server)
  let pid = 0
  const ended = vp(place, ['do', 'fix add'], { onSpawn: (child) => void (pid = child.pid ?? 0) })
  await until('a model call', () => server.requests.length > 0)
  const began = Date.now()
  process.kill(pid, 'SIGINT')
  await new Promise((resolve) => setTimeout(resolve, 100))
  process.kill(pid, 'SIGINT')
  assert.equal((await ended).code, 130)
  assert.ok(Date.now() - began < 5000)
})

test('a reader that goes away does not end the run', async (t) => {
  const server = await startScriptedServer(
    (request) => ({ ...([EDIT, call('test', {}), SUBMIT][turnOf(request).turn - 1] ?? SUBMIT), delayMs: 200 }) as ScriptedAnswer,
  )
  t.after(() => void server.close())
  const place = makePlace(t, FILES, server)
  const before = git(place, 'rev-parse', 'main')
  const { stdout } = await promisify(execFile)('sh', ['-c', '"$0" do "fix add" 2>&1 | head -1', VP], { cwd: place.repository, env: place.env })
  assert.equal(stdout.split('\n').length, 2)
  assert.equal((await vpJson(place, ['status'])).doc.result?.['state'], 'completed')
  assert.notEqual(git(place, 'rev-parse', 'main'), before, 'it went on to its end')
})

test('a closed terminal does not end the run', async (t) => {
  const { server, asked, end } = await endless(t)
  const place = makePlace(t, FILES, server)
  const { ended, kill } = await atWork(place, asked)
  kill('SIGHUP')
  end()
  assert.equal((await ended).code, 0)
})

test('a run whose process is gone is interrupted, and the time since is none of its own', async (t) => {
  const { server, asked, end } = await endless(t)
  const place = makePlace(t, FILES, server)
  const { ended, kill } = await atWork(place, asked)
  const working = (await vpJson(place, ['status'])).doc.result
  assert.deepEqual([working?.['state'], working?.['tasks_running']], ['executing', 1])
  kill('SIGKILL')
  await ended
  const atOnce = (await vpJson(place, ['status'])).doc.result
  await new Promise((resolve) => setTimeout(resolve, 1500))
  const { result } = (await vpJson(place, ['status'])).doc
  assert.deepEqual([result?.['status'], result?.['state'], result?.['tasks_running'], result?.['tasks_queued']], ['executing', 'interrupted', 0, 1])
  assert.deepEqual(((result?.['next'] ?? []) as unknown as string[][])[0], ['vp', 'resume'])
  assert.equal(result?.['elapsed_ms'], atOnce?.['elapsed_ms'])
  assert.match((await vp(place, ['status'])).stdout, / interrupted /)
  end()
  const resumed = await vpJson(place, ['resume'])
  assert.equal(resumed.code, 0, JSON.stringify(resumed.doc))
  assert.equal((resumed.doc.result?.['completed'] as { branch?: string } | undefined)?.branch, 'main')
  const events = Number(new Date(String((await vpJson(place, ['status'])).doc.result?.['finished_at']))) - Number(new Date(String(result?.['started_at'])))
  assert.ok(Number(resumed.doc.result?.['duration_ms']) < events - 1000, `${String(resumed.doc.result?.['duration_ms'])} of ${events}`)
})

test('one Ctrl-C ends a plan in the middle of the answer of its model', async (t) => {
  let asked: (() => void) | null = null
  const server = await startScriptedServer(() => {
    asked?.()
    return { text: '{"tasks":[]}', delayMs: 6000 }
  })
  t.after(() => server.close())
  const place = makePlace(t, { 'PRD.md': '# A shop\nSell things to people.\n' }, server)
  assert.equal((await vp(place, ['new', '--name', 'shop'])).code, 0)
  const ended = await vp(place, ['plan', '--from-prd', 'PRD.md', '--no-input'], {
    onSpawn: (child) => (asked = () => setTimeout(() => child.kill('SIGINT'), 100)),
  })
  assert.deepEqual([ended.code, server.requests.length], [130, 1], ended.stderr)
})

/** Ctrl-C, `vp pause`, a reader that goes away, a process that dies: what goes on, what keeps its place, what a status says of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startScriptedServer, type ScriptedAnswer, type WireRequest } from '../../src/models/scripted-server.ts'
import { call, git, makePlace, turnOf, vp, vpJson, type Cleanup, type Ended, type Place } from './kit.ts'

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
  test(`${name}: no call is begun after it, and what was paid for is not asked again`, async (t) => {
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
    assert.equal((await vp(place, ['resume'])).code, 0)
    assert.deepEqual(
      asked.map((turn) => turn),
      Array.from({ length: made + 2 }, (_, index) => index + 1),
    )
    assert.notEqual(git(place, 'rev-parse', `vp/${String(status.doc.result?.['run_id'])}`), before)
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

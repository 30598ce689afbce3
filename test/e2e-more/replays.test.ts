/**
 * Recorded runs of a seed, with parallel tasks, retries, failed gates and calls that were cancelled: each replays to the
 * byte; with one letter of one answer changed each names task, turn and field. `npm run test:deep` has fifty.
 */
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test, type TestContext } from 'node:test'
import { startScriptedServer, type ScriptedAnswer } from '../../src/models/scripted-server.ts'
import { registerSumFunctions } from '../../src/store/sums.ts'
import { approvedProject, call, DEEP, makePlace, seeded, turnOf, vp, vpJson, type Place } from '../e2e/kit.ts'
import { wordsFiles, wordsModel } from '../e2e/words.ts'

/** The small number has a cancelled call and a failed gate in one, a retry and a cut answer in the other. */
const SEEDS = DEEP ? Array.from({ length: 50 }, (_, index) => index + 1) : [1, 6]

interface Scenario {
  readonly tasks: number
  /** Of which task and turn: what goes wrong there, once. */
  readonly faults: ReadonlyMap<string, 'rate' | 'cut' | 'cancel'>
  /** Whose first attempt is measured and does not pass. */
  readonly failing: string | null
}

function scenarioOf(seed: number): Scenario {
  const chance = seeded(seed * 7919)
  const tasks = 2 + Math.floor(chance() * 3)
  const place = () => `T${1 + Math.floor(chance() * tasks)}#${1 + Math.floor(chance() * 4)}`
  const faults = new Map<string, 'rate' | 'cut' | 'cancel'>()
  if (seed % 2 === 0) faults.set(place(), 'rate')
  if (seed % 3 === 0) faults.set(place(), 'cut')
  if (seed % 4 === 1) faults.set(place(), 'cancel')
  return { tasks, faults, failing: seed % 2 === 1 ? `T${1 + Math.floor(chance() * tasks)}` : null }
}

/** One run to its end, however often it had to be gone on with. */
async function record(t: TestContext, seed: number): Promise<Place> {
  const { tasks, faults, failing } = scenarioOf(seed)
  const left = new Map(faults)
  let child: ChildProcess | null = null
  const server = await startScriptedServer((request): ScriptedAnswer => {
    const turn = turnOf(request)
    const key = `${turn.task}#${turn.turn}`
    const fault = left.get(key)
    left.delete(key)
    if (fault === 'rate') return { fault: 'status', status: 429, headers: { 'retry-after': '0' } }
    if (fault === 'cut') return { fault: 'cut' }
    const words = turn.feedback === null ? wordsModel(turn, 10) : mended(turn.task, turn.turn)
    if (fault === 'cancel') {
      setTimeout(() => child?.kill('SIGINT'), 50)
      setTimeout(() => child?.kill('SIGINT'), 400)
      return { ...(words as object), delayMs: 8000 }
    }
    return turn.task === failing && turn.feedback === null && turn.turn === 2
      ? call('write', { path: 'src/wrong.js', content: `export const wrong = '${turn.task}'\n` })
      : words
  })
  t.after(() => server.close())
  const place = await approvedProject(t, wordsFiles(tasks), server)
  const started = await vpJson(place, ['start'], { onSpawn: (one) => (child = one) })
  if ([...faults.values()].includes('cancel')) {
    assert.equal(started.code, 130, JSON.stringify(started.doc))
    const resumed = await vpJson(place, ['resume'])
    assert.equal(resumed.code, 0, `${JSON.stringify(resumed.doc)}\n${resumed.stderr}`)
  } else assert.equal(started.code, 0, `${JSON.stringify(started.doc)}\n${started.stderr}`)
  assert.equal(left.size, 0, 'every fault was met')
  return place
}

/** The second attempt: the file that the first one did not write. */
function mended(task: string, turn: number): ScriptedAnswer {
  const write = wordsModel({ task, turn: 2, feedback: null, request: { model: '', messages: [] } })
  const submit = wordsModel({ task, turn: 5, feedback: null, request: { model: '', messages: [] } })
  return turn === 1 ? write : submit
}

interface Changed {
  readonly task: string
  readonly attempt: number
  readonly turn: number
}

/** One letter of one recorded answer, with every sum made to fit. */
function changeOneLetter(place: Place, chance: () => number): Changed {
  const db = new DatabaseSync(join(place.state, 'ledger.db'))
  registerSumFunctions(db)
  try {
    const run = db.prepare("SELECT run_id FROM runs WHERE kind = 'baseline'").get()?.['run_id'] as string
    const rows = db.prepare("SELECT task, attempt, turn, response FROM exchanges WHERE run_id = ? AND response <> 'null' ORDER BY task, attempt, turn").all(run)
    const row = rows[Math.floor(chance() * rows.length)] as Record<string, string | number>
    const response = String(row['response'])
    const spots = [...response.matchAll(/(?<="(?:path|content|title|summary)":"[^"\\]*)[a-z](?=[^"]*")/g)].map(({ index }) => index)
    const at = spots[Math.floor(chance() * spots.length)] ?? response.indexOf('tool_calls')
    const letter = response[at] === 'q' ? 'z' : 'q'
    db.prepare('UPDATE exchanges SET response = ? WHERE run_id = ? AND task = ? AND attempt = ? AND turn = ?').run(
      response.slice(0, at) + letter + response.slice(at + 1),
      run,
      row['task'] as string,
      row['attempt'] as number,
      row['turn'] as number,
    )
    return { task: String(row['task']), attempt: Number(row['attempt']), turn: Number(row['turn']) }
  } finally {
    db.close()
  }
}

for (const seed of SEEDS)
  test(`run ${seed} replays to the byte, and names a changed letter`, async (t) => {
    const place = await record(t, seed)
    const { code, doc } = await vpJson(place, ['replay'])
    assert.deepEqual([code, doc.result?.['equal'], doc.result?.['divergence']], [0, true, null], JSON.stringify(doc))
    const changed = changeOneLetter(place, seeded(seed * 104_729))
    const again = await vpJson(place, ['replay'])
    assert.equal(again.code, 3, JSON.stringify(again.doc))
    const divergence = again.doc.result?.['divergence'] as unknown as { task_id: string; turn: number; field: string; was: string; is: string }
    assert.deepEqual([divergence.task_id, divergence.turn, divergence.field], [changed.task, changed.turn, 'answer'])
    assert.notEqual(divergence.was, divergence.is)
  })

test('attempts that used up their turns replay to the byte; one that would end before its recording does not pass for equal', async (t) => {
  const server = await startScriptedServer((request) => call('read', { path: 'long.txt', from: turnOf(request).turn, to: 90 }))
  t.after(() => server.close())
  const place = makePlace(t, { 'package.json': '{"scripts":{"test":"true"}}\n', 'long.txt': 'a line\n'.repeat(99) }, server)
  const config = join(place.root, 'config.json')
  writeFileSync(config, JSON.stringify({ max_turns: 4, max_attempts: 2 }))
  const done = await vpJson(place, ['do', 'read it all'], { env: { VP_CONFIG: config } })
  assert.equal(done.code, 3, JSON.stringify(done.doc))
  const replayed = await vpJson(place, ['replay'])
  assert.deepEqual([replayed.code, replayed.doc.result?.['operations']], [0, 8], JSON.stringify(replayed.doc))
})

test('a run whose attempts were all handed back has nothing to compare, and is not said to be equal', async (t) => {
  const server = await startScriptedServer((): ScriptedAnswer => ({ fault: 'status', status: 401 }))
  t.after(() => server.close())
  const place = makePlace(t, wordsFiles(1), server)
  assert.notEqual((await vpJson(place, ['do', 'add a word'])).code, 0)
  const { code, doc } = await vpJson(place, ['replay'])
  assert.deepEqual([code, doc.ok, doc.error?.code], [3, false, 'replay.nothing'])
  assert.deepEqual([doc.result?.['equal'], doc.result?.['trees'], doc.result?.['divergence']], [false, [], null])
  const { stdout, code: exit } = await vp(place, ['replay'])
  assert.equal(exit, 3)
  assert.match(stdout, /^nothing +no attempt of this run came to its end, so no tree is compared$/m)
})

test('a run replays with the requirements and the project that it began with', async (t) => {
  let words = ''
  const server = await startScriptedServer((request): ScriptedAnswer => {
    words = request.messages[1]?.content ?? ''
    return wordsModel(turnOf(request), 0)
  })
  t.after(() => server.close())
  const place = await approvedProject(t, wordsFiles(2), server)
  assert.equal((await vp(place, ['start'])).code, 0)
  assert.match(words, /From the requirements/)
  writeFileSync(join(place.repository, '.vp/prd.md'), '# Quite another thing\n\nIt flies.\n')
  const file = join(place.repository, '.vp/project.json')
  const project = JSON.parse(readFileSync(file, 'utf8')) as { test: { argv: string[] } }
  writeFileSync(file, JSON.stringify({ ...project, test: { ...project.test, argv: ['npm', 'run', 'no-such-script'] } }))
  const { code, doc } = await vpJson(place, ['replay'])
  assert.deepEqual([code, doc.result?.['equal']], [0, true], JSON.stringify(doc))
})

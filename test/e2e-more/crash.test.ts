/**
 * `kill -9` of `vp start`, at seeded moments and before and after every durable write; then `vp resume`. One run,
 * every task committed once, nothing lost, no process and no tree left behind.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startScriptedServer, type ScriptedServer } from '../../src/models/scripted-server.ts'
import { approvedProject, BACKENDS, DEEP, git, processesWith, seeded, turnOf, vp, vpJson, type Cleanup, type Place } from '../e2e/kit.ts'
import { wordsFiles, wordsModel } from '../e2e/words.ts'

/** Where the product names a durable write; `grep point(` finds them all. */
const LABELS = [
  'start.passport',
  'start.before',
  'start.after',
  'attempt.opened',
  'attempt.worked',
  'attempt.judged',
  'settle.before',
  'merge.before',
  'merge.intended',
  'merge.moved',
  'merge.published',
  'merge.after',
  'validated',
]
/** Labels that this plan reaches: no attempt fails, so nothing is settled but by merging. */
const UNREACHED = new Set(['settle.before'])
const DELAY_MS = DEEP ? 550 : 40
/** T1 → T2, T3 beside them, and in the full size T4 after all. */
const TASKS = DEEP ? 4 : 3
const MOMENTS = DEEP ? 40 : 2
/** Of each kind one, in the small size: a passport, an attempt, and the two sides of a merge. */
const SMALL = new Set(['start.after', 'attempt.worked', 'merge.intended', 'merge.published', 'validated'])

for (const backend of BACKENDS) {
  describe(`kill -9 and resume, ${backend ?? 'the backend in force'}`, { concurrency: 2 }, () => {
    const cleanups: (() => void)[] = []
    const cleanup = { after: (fn: () => void) => void cleanups.push(fn) }
    let server: ScriptedServer
    let wholeMs = 0
    const approved = (t: Cleanup) => approvedProject(t, wordsFiles(TASKS), server, backend ? { VP_SANDBOX: backend } : {})

    before(async () => {
      server = await startScriptedServer((request) => wordsModel(turnOf(request), DELAY_MS))
      const trial = await approved(cleanup)
      const began = performance.now()
      await check(trial, await vp(trial, ['start']))
      wholeMs = performance.now() - began
      if (DEEP) assert.ok(wholeMs >= 8000, `the run is long enough to be killed anywhere: ${wholeMs} ms`)
    })
    after(async () => {
      await server.close()
      for (const fn of cleanups) fn()
    })

    for (const label of LABELS.filter((one) => !UNREACHED.has(one) && (DEEP || SMALL.has(one)))) {
      for (const nth of DEEP && /^(attempt|merge)/.test(label) ? [1, 2, 4] : [label.startsWith('merge') ? 2 : 1]) {
        test(`at ${label}, time ${nth}`, async (t) => {
          const trial = await approved(t)
          const killed = await vp(trial, ['start'], { env: { VP_TEST_KILL_AT: `${label}:${nth}` } })
          assert.equal(killed.signal, 'SIGKILL', `the point was reached: ${killed.stderr}`)
          await goOn(trial)
        })
      }
    }
    const chance = seeded(20261124)
    for (let n = 0; n < MOMENTS; n++) {
      const share = chance()
      test(`at ${(share * 100).toFixed(1)} % of the run`, async (t) => {
        const trial = await approved(t)
        await vp(trial, ['start'], { onSpawn: (child) => void setTimeout(() => child.kill('SIGKILL'), share * wholeMs) })
        await goOn(trial)
      })
    }
  })
}

const SLOW_TEST = `import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

test('starts a process that stays', async () => {
  spawn('sleep', ['299'], { detached: true, stdio: 'ignore' }).unref()
  await delay(500)
})
`

test('landlock holds no process in a namespace: what a killed vp left running ends with it, and resume goes on', async (t) => {
  const server = await startScriptedServer((request) => wordsModel(turnOf(request)))
  t.after(() => server.close())
  const place = await approvedProject(t, { ...wordsFiles(1), 'test/slow.test.js': SLOW_TEST }, server, { VP_SANDBOX: 'landlock' })
  const sleeping = () => processesWith(place.root).filter((line) => line.includes('sleep 299'))
  let seen = 0
  const killed = vp(place, ['start'], {
    onSpawn: (child) => {
      const look = setInterval(() => {
        seen = sleeping().length
        if (seen === 0) return
        clearInterval(look) // what ends with it is gone before its own end is told
        child.kill('SIGKILL')
      }, 20)
      child.once('exit', () => clearInterval(look))
    },
  })
  assert.equal((await killed).signal, 'SIGKILL')
  assert.equal(seen, 1)
  for (let tries = 0; tries < 250 && sleeping().length > 0; tries++) await delay(20)
  assert.deepEqual(sleeping(), [], 'nothing that a killed vp started is at work any more')
  const resumed = await vp(place, ['resume'])
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.deepEqual(processesWith(place.root), [])
})

/** After a kill: nothing of it lives for long; then `resume`, or `start` when it never became a run. */
async function goOn(place: Place): Promise<void> {
  const status = await vpJson(place, ['status'])
  const args = status.doc.ok ? (status.doc.result?.['status'] === 'completed' ? ['status'] : ['resume']) : ['start']
  await check(place, await vp(place, args))
}

async function check(place: Place, ended: Awaited<ReturnType<typeof vp>>): Promise<void> {
  assert.equal(ended.code, 0, `${ended.stdout}\n${ended.stderr}`)
  const { doc } = await vpJson(place, ['status'])
  assert.equal(doc.result?.['status'], 'completed')
  assert.equal(doc.result?.['tasks_completed'], TASKS)
  const runs = readdirSync(join(place.state, 'runs')).filter((name) => existsSync(join(place.state, 'runs', name, 'repository.git')))
  const branches = git(place, 'branch', '--list', 'vp/*', '--format=%(refname:short)').split('\n').filter(Boolean)
  assert.equal(branches.length, 1, `one run has a branch: ${branches.join(' ')}`)
  const tasks = git(place, 'log', '--format=%(trailers:key=VP-Task,valueonly,separator=%x2C)', `main..${branches[0]}`).split('\n').filter(Boolean)
  assert.deepEqual(tasks.toSorted(), ['T1', 'T2', 'T3', 'T4'].slice(0, TASKS), 'every task is committed once')
  for (const run of runs) {
    const trees = join(place.state, 'runs', run, 'trees')
    assert.deepEqual(existsSync(trees) ? readdirSync(trees) : [], [], 'no tree is left')
  }
  for (let tries = 0; processesWith(place.root).length > 0 && tries < 20; tries++) await delay(100)
  assert.deepEqual(processesWith(place.root), [], 'no process is left')
  const verified = await vpJson(place, ['verify'])
  assert.equal(verified.code, 0, JSON.stringify(verified.doc))
}

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { RunId, TaskId } from '../../core/ids.ts'
import { openSqlite, type SqliteStore } from '../../store/sqlite.ts'
import type { JobCard, RunStatus } from '../contract/types.ts'
import { runAttempt, type AttemptPorts, type WorkOutcome, type WorkTree } from './attempt.ts'
import { driveRun, exitOf, type DrivePorts } from './drive.ts'
import { localEngine } from './engines/local.ts'
import type { TaskState } from './reducer/state.ts'
import { appendEvents, loadRun, rebuildRun } from './run-store.ts'

const RUN = 'r-2026-11-24-040000-aaaa' as RunId
const tid = (n: number) => `task-${String(n).padStart(8, '0')}` as TaskId
const random = { bytes: (n: number) => crypto.getRandomValues(new Uint8Array(n)) }
const clock = { now: () => Date.now(), monotonic: () => performance.now() }

class Killed extends Error {}

/** A branch that is a set of task numbers: `c:1,3`. Trees are the same text. */
interface World {
  store: SqliteStore
  branch: string
  worked: string[]
  receipts: string[]
}

function card(n: number, deps: number[], lane: JobCard['lane'] = 'Code-Impl'): JobCard {
  return {
    task_id: tid(n),
    project_id: 1,
    run_id: RUN,
    lane,
    priority: 0.5,
    deps: deps.map(tid),
    budget_usd: 1,
    ci_width_hint: 0.3,
    created_at: 0,
    payload: { n, goal: `t${n}`, files: [], tests: [], complexity: 'simple' },
  }
}

async function makeWorld(t: { after(fn: () => void): void }, cards: JobCard[]): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'vp-drive-'))
  const store = openSqlite(join(directory, 'ledger.db'))
  t.after(() => {
    store.close()
    rmSync(directory, { recursive: true, force: true })
  })
  await store.transaction((tx) =>
    appendEvents(tx, 1, RUN, [
      {
        type: 'run_created',
        run_id: RUN,
        project_id: 1,
        kind: 'baseline',
        caps: { micro_usd: null, tokens: null, breach: 'pause' },
        plan_version: 1,
        expect_tasks: cards.length,
        max_attempts: 3,
        base: 'c:',
      },
      ...cards.map((one) => ({ type: 'card_submitted' as const, card: one })),
      { type: 'run_started' },
    ]),
  )
  return { store, branch: 'c:', worked: [], receipts: [] }
}

const parts = (commit: string) => commit.slice(2).split(',').filter(Boolean)
const commitOf = (numbers: string[]) => `c:${numbers.toSorted((a, b) => Number(a) - Number(b)).join(',')}`

interface Script {
  work?(n: number, attempt: number, task: TaskState, halt: { signal: AbortSignal; pause: AbortSignal }): WorkOutcome | Promise<WorkOutcome>
  /** Tasks whose first merge meets another's lines. */
  conflicts?: readonly number[]
  pass?(n: number, attempt: number): boolean
  killAt?: (label: string) => boolean
  worker?: string
  alive?: (worker: string) => boolean
}

function portsOf(world: World, script: Script): DrivePorts<WorkTree & { n: number; carried: string }> {
  const queue = localEngine({
    store: world.store,
    clock,
    random,
    worker: script.worker ?? 'w1',
    isAlive: script.alive ?? (() => true),
  })
  const conflicts = new Set(script.conflicts)
  const ports: AttemptPorts<WorkTree & { n: number; carried: string }> = {
    store: world.store,
    clock,
    queue,
    openTree: async (state, task) => ({
      base: state.head,
      n: task.card.payload.n,
      carried: '',
      record: async () => commitOf([...parts(state.head), String(task.card.payload.n)]),
      dispose: async () => {},
    }),
    work: async (_state, task, _tree, signal, pause) => {
      world.worked.push(`${task.card.payload.n}.${task.attempt}`)
      return (await script.work?.(task.card.payload.n, task.attempt, task, { signal, pause })) ?? { kind: 'submitted', title: 't', summary: 's' }
    },
    judge: async (_state, task) => {
      const pass = script.pass?.(task.card.payload.n, task.attempt) ?? true
      return { pass, kpis: [], violations: [], feedback: 'mend it', reason: 'linter_pass failed' }
    },
    lines: async (base, tree) => ({ add: 1, del: 0, files: base === tree ? 0 : 1 }),
    merge: async (ours, base, tree) => {
      const added = parts(tree).filter((one) => !parts(base).includes(one))
      if (added.some((one) => conflicts.delete(Number(one)))) return { kind: 'conflict', paths: ['a.ts'] }
      return { kind: 'merged', tree: commitOf([...new Set([...parts(ours), ...added])]) }
    },
    commit: async (_state, _task, draft) => draft.treeId,
    readBranch: async () => world.branch,
    moveBranch: async (_state, to, from) => {
      assert.equal(world.branch, from)
      world.branch = to
    },
    publish: async () => undefined,
    ended: async (_tx, state) => void world.receipts.push(`ended ${state.status}`),
    receipt: async (_tx, lease, outcome) => void world.receipts.push(`${outcome.kind} ${Number(lease.task_id.slice(5))}`),
    point: (label) => {
      if (script.killAt?.(label)) throw new Killed(label)
    },
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, Math.min(ms, 5))),
  }
  return { ...ports, validate: async () => ({ violations: [], kpis: [] }), onState: () => {} }
}

const drive = (world: World, script: Script = {}, parallel = 3) =>
  driveRun(portsOf(world, script), RUN, {
    parallel,
    stop: new AbortController().signal,
    pause: new AbortController().signal,
  })

test('a diamond of tasks is merged once each, in order, and the run completes', async (t) => {
  const world = await makeWorld(t, [card(1, []), card(2, [1]), card(3, [1]), card(4, [2, 3])])
  const { kind, state } = await drive(world)
  assert.deepEqual([kind, state.status, world.branch, state.head], ['ended', 'completed', 'c:1,2,3,4', 'c:1,2,3,4'])
  assert.deepEqual(world.worked.map((one) => one.split('.')[0]).toSorted(), ['1', '2', '3', '4'])
  assert.deepEqual(await world.store.read((tx) => rebuildRun(tx, RUN)), await world.store.read((tx) => loadRun(tx, RUN)))
})

test('a failed gate is tried again; after three the run needs review and the rest goes on', async (t) => {
  const world = await makeWorld(t, [card(1, []), card(2, []), card(3, [1])])
  const { state } = await drive(world, { pass: (n) => n !== 1 })
  assert.equal(state.tasks[tid(1)]?.attempt, 3)
  assert.deepEqual([state.tasks[tid(1)]?.status, state.tasks[tid(2)]?.status, state.tasks[tid(3)]?.status], ['failed', 'succeeded', 'skipped'])
})

test('what cannot be merged is done again on top of the others, and is told so', async (t) => {
  const world = await makeWorld(t, [card(1, []), card(2, [])])
  const again: TaskState[] = []
  const { state } = await drive(world, {
    conflicts: [1, 2],
    work: (_n, attempt, task) => {
      if (attempt > 1) again.push(task)
      return { kind: 'submitted', title: 't', summary: 's' }
    },
  })
  assert.equal(state.status, 'completed')
  assert.deepEqual(parts(world.branch), ['1', '2'])
  assert.equal(again.length, 1, 'the one that came second')
  assert.equal(again[0]?.why, 'conflict')
  assert.equal(again[0]?.feedback, 'Other tasks changed the same lines meanwhile: a.ts.')
  assert.equal(parts(again[0]?.carry_tree ?? '').length, 1, 'it starts from the other one')
})

test('a pending approval leaves the others running and ends waiting', async (t) => {
  const world = await makeWorld(t, [card(1, []), card(2, [])])
  const { VpError } = await import('../../core/errors.ts')
  const { kind, state } = await drive(world, {
    work: (n) =>
      n === 1
        ? {
            kind: 'stopped',
            reason: 'waiting',
            message: 'asks',
            error: new VpError('approval.needed', 'asks', { approval: 'ap_1' }),
          }
        : { kind: 'submitted', title: 't', summary: 's' },
  })
  assert.deepEqual([kind, state.tasks[tid(1)]?.status, state.tasks[tid(2)]?.status], ['waiting', 'waiting_io', 'succeeded'])
})

test('no model: paused, nothing lost, and the same attempt goes on', async (t) => {
  const world = await makeWorld(t, [card(1, [])])
  const { VpError } = await import('../../core/errors.ts')
  const first = await drive(world, {
    work: () => ({
      kind: 'stopped',
      reason: 'model',
      message: 'gone',
      error: new VpError('model.unreachable', 'gone'),
    }),
  })
  assert.deepEqual([first.kind, first.state.status], ['paused', 'paused'])
  await world.store.transaction((tx) => appendEvents(tx, 9, RUN, [{ type: 'resumed' }]))
  const second = await drive(world)
  assert.equal(second.state.status, 'completed')
  assert.deepEqual(world.worked, ['1.1', '1.1'])
})

test('killed at every labelled point, another worker ends the run with each task merged once', async (t) => {
  const labels = [
    'attempt.opened',
    'attempt.worked',
    'attempt.judged',
    'merge.before',
    'merge.intended',
    'merge.moved',
    'merge.after',
    'settle.before',
    'settle.after',
  ]
  for (const label of labels)
    for (const nth of [1, 2]) {
      const world = await makeWorld(t, [card(1, []), card(2, []), card(3, [1, 2])])
      let seen = 0
      let dead = false
      const killed = (at: string) => {
        if (dead) return true // nothing of a dead process happens after its death
        if (at === label && ++seen === nth) dead = true
        return dead
      }
      const ports = portsOf(world, { killAt: killed, worker: 'w1' })
      const dying = {
        ...ports,
        store: {
          ...world.store,
          transaction: ((body, options) =>
            dead ? Promise.reject(new Killed('dead')) : world.store.transaction(body, options)) as typeof world.store.transaction,
        },
      }
      await driveRun(dying, RUN, {
        parallel: 2,
        stop: new AbortController().signal,
        pause: new AbortController().signal,
      }).catch((error: unknown) => assert.ok(error instanceof Killed, String(error)))
      const { state } = await drive(world, { worker: 'w2', alive: (worker) => worker !== 'w1' })
      assert.deepEqual([state.status, world.branch], ['completed', 'c:1,2,3'], `${label} ${nth}`)
      assert.deepEqual(world.receipts.filter((one) => one.startsWith('merged')).toSorted(), ['merged 1', 'merged 2', 'merged 3'], `${label} ${nth}`)
    }
})

test('two processes share a run: nothing is merged twice', async (t) => {
  const cards = Array.from({ length: 12 }, (_, index) => card(index + 1, index > 3 ? [(index % 3) + 1] : []))
  const world = await makeWorld(t, cards)
  const slow: Script['work'] = async () => {
    await new Promise((resolve) => setTimeout(resolve, 3))
    return { kind: 'submitted', title: 't', summary: 's' }
  }
  await Promise.all([drive(world, { worker: 'w1', work: slow }, 2), drive(world, { worker: 'w2', work: slow }, 2)])
  assert.equal(parts(world.branch).length, 12)
  assert.equal(world.worked.length, 12)
})

test('a worker that was silent too long writes nothing, whatever it comes back with', async (t) => {
  for (const pass of [true, false]) {
    const world = await makeWorld(t, [card(1, [])])
    const take = () => world.store.transaction((tx) => tx.run("UPDATE leases SET token = 'another', worker = 'w2'"))
    const ports = portsOf(world, {
      worker: 'w1',
      pass: () => pass,
      work: async () => {
        await take()
        return { kind: 'submitted', title: 't', summary: 's' }
      },
    })
    const lease = await ports.queue.claim(RUN)
    assert.ok(lease.kind === 'leased')
    await runAttempt(ports, lease.lease, lease.state, new AbortController().signal)
    assert.deepEqual([world.branch, world.receipts], ['c:', []])
    const state = await world.store.read((tx) => loadRun(tx, RUN))
    assert.deepEqual([state?.tasks[tid(1)]?.status, state?.merging], ['running', null])
  }
})

const CANCELLED: WorkOutcome = { kind: 'stopped', reason: 'cancelled', message: 'paused', error: null }
const aborted = (signal: AbortSignal) => new Promise<WorkOutcome>((resolve) => signal.addEventListener('abort', () => resolve(CANCELLED), { once: true }))

for (const [title, ends] of [
  ['ends its step', 'pause'],
  ['is cut when its step takes longer than the grace', 'signal'],
] as const)
  for (const from of ['this process', 'another one'] as const)
    test(`a pause from ${from}: an attempt ${title}, keeps its place, and goes on as the same one`, async (t) => {
      const world = await makeWorld(t, [card(1, []), card(2, [])])
      const pause = new AbortController()
      const begun: number[] = []
      const script: Script = {
        work: (n, _attempt, _task, halt) => {
          if (begun.push(n) === 2) {
            if (from === 'this process') pause.abort()
            else void world.store.transaction((tx) => appendEvents(tx, 5, RUN, [{ type: 'paused', reason: 'by you' }]))
          }
          return aborted(halt[ends])
        },
      }
      const options = { parallel: 2, stop: new AbortController().signal, graceMs: 50 }
      const { kind, state } = await driveRun(portsOf(world, script), RUN, { ...options, pause: pause.signal })
      assert.deepEqual([kind, state.status, state.reason], ['paused', 'paused', 'by you'])
      assert.deepEqual(
        [1, 2].map((n) => [state.tasks[tid(n)]?.status, state.tasks[tid(n)]?.attempt]),
        [
          ['queued', 0],
          ['queued', 0],
        ],
      )
      assert.deepEqual(await world.store.read((tx) => tx.all('SELECT * FROM leases')), [])
      await world.store.transaction((tx) => appendEvents(tx, 9, RUN, [{ type: 'resumed' }]))
      assert.equal((await drive(world)).state.status, 'completed')
      assert.deepEqual(world.worked.toSorted(), ['1.1', '1.1', '2.1', '2.1'])
    })

const exits: [status: RunStatus, reason: string | null, exit: number][] = [
  ['completed', null, 0],
  ['needs_review', 'test_pass_rate', 3],
  ['failed', 'plan.cycle', 3],
  ['executing', null, 5],
  ['paused', 'by you', 130],
  ['paused', 'by you: lunch', 130],
  ['paused', 'budget_guard', 6],
  ['paused', 'budget.cap: no money', 6],
  ['paused', 'model.unreachable: gone', 8],
  ['paused', 'sandbox.unavailable: gone', 4],
  ['paused', 'environment.missing: gone', 7],
  ['terminated', 'budget_guard', 130],
]
for (const [status, reason, exit] of exits) test(`a run that is ${status} (${reason}) exits ${exit}`, () => assert.equal(exitOf(status, reason), exit))

/** Leases: whose task it is while its worker lives and speaks, and that it is another's as soon as it does not. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { RunId, TaskId } from '../../../core/ids.ts'
import { openSqlite } from '../../../store/sqlite.ts'
import { appendEvents } from '../run-store.ts'
import { localEngine } from './local.ts'
import type { Lease, TaskQueue } from './queue.ts'

const RUN = 'r-2026-11-24-040000-aaaa' as RunId
const TASK = 'task-00000001' as TaskId
const LEASE_MS = 1000

async function makeWorld(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'vp-leases-'))
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
        expect_tasks: 1,
        max_attempts: 3,
        base: 'c0',
      },
      {
        type: 'card_submitted',
        card: {
          task_id: TASK,
          project_id: 1,
          run_id: RUN,
          lane: 'Code-Impl',
          priority: 0.5,
          deps: [],
          budget_usd: 1,
          ci_width_hint: 0.3,
          created_at: 0,
          payload: { n: 1, goal: 'g', files: [], tests: [], complexity: 'simple' },
        },
      },
      { type: 'run_started' },
    ]),
  )
  const time = { now: 1_000_000 }
  const dead = new Set<string>()
  const engine = (worker: string) =>
    localEngine({
      store,
      clock: { now: () => time.now, monotonic: () => time.now },
      random: { bytes: (n) => crypto.getRandomValues(new Uint8Array(n)) },
      worker,
      isAlive: (name) => !dead.has(name),
      leaseMs: LEASE_MS,
    })
  return { store, time, dead, one: engine('w1'), two: engine('w2') }
}

async function leased(queue: TaskQueue): Promise<Lease> {
  const claim = await queue.claim(RUN)
  assert.equal(claim.kind, 'leased')
  return (claim as Extract<typeof claim, { kind: 'leased' }>).lease
}

type World = Awaited<ReturnType<typeof makeWorld>>
const cases: [title: string, happens: (world: World, lease: Lease) => unknown, isTaken: boolean][] = [
  ['a worker that lives keeps its task', ({ time }) => (time.now += LEASE_MS), false],
  ['a worker that is silent too long loses it', ({ time }) => (time.now += LEASE_MS + 1), true],
  [
    'a beat in time keeps it',
    async ({ time, one }, lease) => {
      time.now += LEASE_MS
      assert.equal(await one.beat(lease), true)
      time.now += LEASE_MS
    },
    false,
  ],
  ['a dead worker loses it at once', ({ dead }) => dead.add('w1'), true],
  [
    'a clock that was set far back does not hold it for ever',
    async ({ time, two }) => {
      time.now -= 20 * LEASE_MS
      assert.equal((await two.claim(RUN)).kind, 'idle', 'who holds it may be at work: one lease more')
      time.now += LEASE_MS + 1
    },
    true,
  ],
]
for (const [title, happens, isTaken] of cases)
  test(`lease: ${title}`, async (t) => {
    const world = await makeWorld(t)
    const lease = await leased(world.one)
    await happens(world, lease)
    const claim = await world.two.claim(RUN)
    assert.equal(claim.kind, isTaken ? 'leased' : 'idle')
    if (claim.kind === 'idle') return assert.equal(claim.others, 1)
    assert.equal(claim.lease.attempt, lease.attempt, 'the same attempt again')
    assert.equal(await world.one.beat(lease), false, 'the first is told')
    assert.equal(await world.store.transaction((tx) => world.one.settle(tx, lease)), false, 'its token settles nothing')
    assert.equal(await world.store.transaction((tx) => world.two.settle(tx, claim.lease)), true)
  })

/** A ledger as long use leaves it: one finished run and many receipts, written by the product's own functions. */
import { randomFillSync } from 'node:crypto'
import { openLedger } from '../src/compose/ledger.ts'
import { pathsFrom } from '../src/config/paths.ts'
import { runId, taskId, type RunId } from '../src/core/ids.ts'
import { appendReceipt } from '../src/ledger/receipts.ts'
import { appendEvents } from '../src/pas/embedded/run-store.ts'

const ports = {
  clock: { now: () => Date.now(), monotonic: () => performance.now() },
  random: { bytes: (count: number) => randomFillSync(new Uint8Array(count)) },
}
const BATCH = 2000

export async function writeLedger(state: string, root: string, receipts: number): Promise<RunId> {
  const { store } = openLedger(pathsFrom({ VP_STATE_DIR: state }))
  const run = runId(ports.clock, ports.random)
  const task = taskId(ports.random)
  try {
    await store.transaction(async (tx) => {
      await tx.run('INSERT INTO projects (id, root, name, status, record, created_at) VALUES (1, ?, ?, ?, ?, ?)', root, 'bench', 'executing', '{}', 0)
      await appendEvents(tx, ports.clock.now(), run, [
        {
          type: 'run_created',
          run_id: run,
          project_id: 1,
          kind: 'baseline',
          caps: { micro_usd: 4_000_000, tokens: null, breach: 'pause' },
          plan_version: 1,
          expect_tasks: 1,
          max_attempts: 3,
          base: '0'.repeat(40),
        },
        {
          type: 'card_submitted',
          card: {
            task_id: task,
            project_id: 1,
            run_id: run,
            lane: 'Code-Impl',
            priority: 0.5,
            deps: [],
            budget_usd: 4,
            ci_width_hint: 0.3,
            created_at: 0,
            payload: { n: 1, goal: 'bench', files: [], tests: [], complexity: 'simple' },
          },
        },
        { type: 'run_started' },
      ])
    })
    for (let written = 0; written < receipts; written += BATCH)
      await store.transaction(async (tx) => {
        for (let n = 0; n < Math.min(BATCH, receipts - written); n++)
          await appendReceipt(tx, ports, {
            op: 'fs.read',
            actor: 'agent',
            surface: 'agent',
            run_id: run,
            task_id: task,
            attempt: 1,
            outcome: 'ok',
            summary: `src/file-${n}.ts`,
          })
      })
  } finally {
    store.close()
  }
  return run
}

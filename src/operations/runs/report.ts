/** What a run came to, in the shape of `vp start --json`: read from its state and its commits. */
import { join } from 'node:path'
import { activeMs, driversOf } from '../../pas/embedded/drivers.ts'
import { raiseCommands } from '../../pas/embedded/raise.ts'
import { energyOf, progress, tokensOf } from '../../pas/embedded/reducer/budget.ts'
import { firstBreach, runTally } from '../../pas/embedded/reducer/gates.ts'
import { groundOf } from '../../pas/embedded/reducer/repair.ts'
import type { RunState } from '../../pas/embedded/reducer/state.ts'
import { lineCounts } from '../../workspace/run-repository.ts'
import type { Kit } from '../kit.ts'
import { runDirectory } from './run-scene.ts'

export interface RunReport {
  readonly run_id: string
  readonly kind: string
  readonly status: string
  readonly reason: string | null
  readonly tasks_total: number
  readonly tasks_completed: number
  readonly tasks_failed: number
  readonly tasks_skipped: number
  readonly gates: { readonly held: number; readonly of: number }
  readonly lines: { readonly files: number; readonly add: number; readonly del: number }
  readonly cost_usd: number | null
  readonly band: { readonly lo: number; readonly hi: number; readonly inside: boolean } | null
  readonly tokens: { readonly in: number; readonly out: number; readonly think: number; readonly tool_use: number }
  readonly tokens_total: number
  /** null: not measured. */
  readonly energy_kwh: { readonly lo: number; readonly hi: number; readonly source: string } | null
  readonly duration_ms: number
  readonly prompts: number
  readonly commits: readonly string[]
  readonly branch: string
  readonly passport_path: string
  readonly approvals: readonly string[]
  readonly backend: string
  /** Model calls that some process still waits for. */
  readonly open_calls: number
  /** Commands that let a run go on which a budget stopped; null where none did. */
  readonly raise: readonly string[] | null
}

export async function reportRun(kit: Kit, state: RunState, band: { lo: number; hi: number } | null): Promise<RunReport> {
  const { done, total, failed, skipped } = progress(state)
  const directory = runDirectory(kit, state.run_id)
  const counts = state.head === state.base ? [] : await lineCounts(kit.git, join(directory, 'repository.git'), groundOf(state), state.head)
  const cost = state.price_unknown ? null : state.micro_usd / 1e6
  const { backend, open, active } = await kit.store.read(async (tx) => ({
    backend: await backendOf(tx, state.run_id),
    active: activeMs(await driversOf(tx, state.run_id), kit.clock.now(), kit.isAlive),
    open: await tx.all<{ id: string }>('SELECT id FROM holds WHERE scope = ?', state.run_id),
  }))
  const pending = await kit.store.read((tx) =>
    tx.all<{ id: string }>("SELECT id FROM approvals WHERE run_id = ? AND status = 'pending' ORDER BY rowid", state.run_id),
  )
  return {
    run_id: state.run_id,
    kind: state.kind,
    status: state.status,
    reason: (state.status === 'needs_review' ? firstBreach(state) : null) ?? state.reason,
    tasks_total: total,
    tasks_completed: done,
    tasks_failed: failed,
    tasks_skipped: skipped,
    gates: runTally(state),
    lines: {
      files: counts.length,
      add: counts.reduce((sum, one) => sum + (one.add ?? 0), 0),
      del: counts.reduce((sum, one) => sum + (one.del ?? 0), 0),
    },
    cost_usd: cost,
    band: band ? { ...band, inside: cost !== null && cost >= band.lo && cost <= band.hi } : null,
    tokens: state.tokens,
    tokens_total: tokensOf(state),
    energy_kwh: energyOf(state),
    duration_ms: active ?? (state.ended_at ?? kit.clock.now()) - (state.started_at ?? state.created_at),
    prompts: state.prompts,
    commits: state.order.flatMap((id) => (state.tasks[id]?.status === 'succeeded' ? (state.tasks[id]?.commit ?? []) : [])),
    branch: `vp/${state.run_id}`,
    passport_path: join(directory, 'replay_passport.json'),
    approvals: pending.map((row) => row.id),
    backend,
    open_calls: open.length,
    raise: raiseCommands(state),
  }
}

type Reader = {
  get<Row>(sql: string, ...params: string[]): Promise<Row | undefined>
}

async function backendOf(tx: Reader, runId: string): Promise<string> {
  const row = await tx.get<{ body: string }>("SELECT body FROM receipts WHERE run_id = ? AND op = 'run.start' LIMIT 1", runId)
  return row ? ((JSON.parse(row.body) as { sandbox?: string }).sandbox ?? '') : ''
}

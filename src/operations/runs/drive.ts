/**
 * Driving a run in this process: provider, engine, lifecycle of the project around it. Used by start, resume, do
 * and the rehearsal alike.
 */
import { VpError } from '../../core/errors.ts'
import { canonicalJson, type Json } from '../../core/json.ts'
import { appendReceipt } from '../../ledger/receipts.ts'
import type { Retry } from '../../models/retry.ts'
import { FINAL_RUN } from '../../pas/contract/types.ts'
import { driveRun, type DriveEnd } from '../../pas/embedded/drive.ts'
import { SEEN_MS, writeDriver } from '../../pas/embedded/drivers.ts'
import { LANE_GATES, REPOSITORY_GATES, type Gate } from '../../pas/embedded/reducer/gates.ts'
import type { RunState } from '../../pas/embedded/reducer/state.ts'
import { appendEvents } from '../../pas/embedded/run-store.ts'
import type { GateOverride, ProjectFile } from '../../plms/contract/types.ts'
import { endOrphans } from '../execution.ts'
import type { Kit } from '../kit.ts'
import type { OpenModel } from '../models.ts'
import type { Caller } from '../operation.ts'
import { signingOf, trySigning } from '../signing.ts'
import { attemptProvider } from './attempt-model.ts'
import { keepBase, recordEnd } from './end.ts'
import { openRunScene } from './run-scene.ts'
import { askerOf } from './evidence.ts'
import { runPorts, type RunPortsOptions } from './ports.ts'
import { settleDeadHolds } from './spend.ts'
import { sweepTrees } from './trees.ts'
import type { Watcher } from './watcher.ts'

export interface DriveRequest {
  readonly state: RunState
  readonly project: ProjectFile
  readonly model: OpenModel
  readonly gates: readonly GateOverride[]
  /** Words of the requirements that every task is given. */
  readonly prd: string | null
  readonly confirm?: Caller['confirm']
  readonly yes?: boolean
  readonly watcher: Watcher
  readonly stop: AbortSignal
  readonly pause: AbortSignal
}

/** Until the run ends, pauses or waits for a person. The human's repository then has `vp/<run>`. */
export async function driveToEnd(kit: Kit, request: DriveRequest): Promise<DriveEnd> {
  const run = await openRunScene(kit, request.state, request.project)
  const kept = keepBase(kit, run.human, run.runId, request.state.base)
  kept.catch(() => undefined) // told where it is waited for: git works on it while the rest is made ready
  await settleDeadHolds(kit)
  const cleaned = cleanUp(kit, request.state)
  if (await noOtherWorker(kit, run.runId)) sweepTrees(run.directory)
  request.watcher.onBegin?.({
    project: run.project.name,
    test: run.project.test?.argv.filter((word) => word !== '--silent').join(' ') ?? null,
    backend: (await kit.sandbox()).backend.name,
  })
  // Only who asks for it by name has each commit signed; for others the key is first looked for at the end.
  const signing = kit.config.git.sign === 'each' ? await signingOf(kit, { root: run.human.root, present: false, signal: request.stop }) : null
  if (signing?.when === 'each') await trySigning(signing)
  const sign = signing?.when === 'each' ? signing.sign : undefined
  const ports = runPorts(kit, run, { ...portsOptions(kit, request), sign })
  await kept
  const drive = { parallel: kit.config.parallel, stop: request.stop, pause: request.pause }
  const over = () => {
    clearTimeout(cleaned)
    return ports.over()
  }
  const end = await asDriver(kit, run.runId, () => driveRun(ports, request.state.run_id, drive).finally(over))
  if (end.state.status === 'paused') await kit.store.transaction((tx) => recordEnd(tx, kit, end.state), { durable: true })
  return end
}

const LATER_MS = 2000

/**
 * Ends what a killed vp left at work: at once where it may be in the way of a run that goes on; a new run begins first, since a
 * look at every process of the machine takes its time.
 */
function cleanUp(kit: Kit, state: RunState): NodeJS.Timeout | undefined {
  if (!Object.values(state.tasks).some(({ attempt }) => attempt > 0)) return setTimeout(() => endOrphans(kit), LATER_MS).unref()
  endOrphans(kit)
  return undefined
}

/** Written down while `body` goes on, so that others know whether the run is at work, and for how long it was. */
async function asDriver<Result>(kit: Kit, runId: string, body: () => Promise<Result>): Promise<Result> {
  const began_at = kit.clock.now()
  const write = (over: 0 | 1) =>
    kit.store.transaction((tx) => writeDriver(tx, runId, { worker: kit.worker, began_at, seen_at: Math.max(began_at, kit.clock.now()), over }))
  await write(0)
  const timer = setInterval(() => void write(0).catch(() => undefined), SEEN_MS) // a locked store is told at the next beat
  try {
    return await body()
  } finally {
    clearInterval(timer)
    await write(1)
  }
}

function portsOptions(kit: Kit, request: DriveRequest): RunPortsOptions {
  return {
    gates: (lane) => gatesOf(lane, request.gates, request.project),
    prd: request.prd,
    onState: request.watcher.onState,
    onActivity: request.watcher.onActivity,
    ...(request.confirm ? { confirm: request.confirm } : {}),
    ...(request.yes ? { yes: true } : {}),
    interrupt: request.pause,
    providerFor: (task, mask) =>
      attemptProvider(kit, request.state, task, mask, {
        model: request.model,
        asker: askerOf(request, request.state, task),
        onRetry: (retry: Retry) => request.watcher.onRetry?.(retry, task),
        onSwitch: (words) => request.watcher.onSwitch?.(words, task),
      }),
  }
}

export function gatesOf(lane: keyof typeof LANE_GATES, overrides: readonly GateOverride[], project: Pick<ProjectFile, 'hooks'>): readonly Gate[] {
  const shipped = [...LANE_GATES[lane], ...(project.hooks ? REPOSITORY_GATES : [])].map((gate) => {
    const override = overrides.find((one) => one.lane === lane && one.kpi === gate.kpi_name)
    return override ? { ...gate, threshold: override.threshold } : gate
  })
  const added = overrides.filter((one) => one.lane === lane && !shipped.some((gate) => gate.kpi_name === one.kpi))
  return [...shipped, ...added.map((one) => ({ kpi_name: one.kpi, threshold: one.threshold }))]
}

async function noOtherWorker(kit: Kit, runId: string): Promise<boolean> {
  const workers = await kit.store.read((tx) => tx.all<{ worker: string }>('SELECT DISTINCT worker FROM leases WHERE run_id = ?', runId))
  return workers.every(({ worker }) => worker === kit.worker || !kit.isAlive(worker))
}

/** Puts a paused run back to work, under `caps` where they are other than its own. Throws `run.state` from an end. */
export async function resumeRun(kit: Kit, state: RunState, caps?: RunState['caps']): Promise<RunState> {
  if (FINAL_RUN.has(state.status))
    throw new VpError('run.state', `run ${state.run_id} has ended: ${state.status}`, {
      next: ['vp status', 'vp validate'],
    })
  const newCaps = caps && canonicalJson(caps) !== canonicalJson(state.caps) ? caps : null
  if (state.status !== 'paused' && !newCaps) return state
  const { state: resumed } = await kit.store.transaction(
    async (tx) => {
      await appendReceipt(tx, kit, {
        op: 'run.resume',
        actor: 'human',
        surface: 'cli',
        run_id: state.run_id,
        outcome: 'ok',
        ...(newCaps ? { detail: { caps: newCaps as unknown as Json } } : {}),
      })
      return appendEvents(tx, kit.clock.now(), state.run_id, [{ type: 'resumed', ...(newCaps ? { caps: newCaps } : {}) }])
    },
    { durable: true },
  )
  return resumed
}

/**
 * Drives one run in this process until nothing is left that it could do: claims attempts, keeps their leases
 * beating, validates at the end. Two processes may drive one run; each sees the other's leases.
 */
import type { RunId } from '../../core/ids.ts'
import { FINAL_RUN, type KpiResult, type RunStatus, type Violation } from '../contract/types.ts'
import { recoverMerge, runAttempt, type AttemptPorts, type WorkTree } from './attempt.ts'
import { LEASE_MS } from './engines/local.ts'
import type { Lease } from './engines/queue.ts'
import type { RunState } from './reducer/state.ts'
import { appendEvents, requireRun } from './run-store.ts'

export interface DrivePorts<Tree extends WorkTree> extends AttemptPorts<Tree> {
  /** Everything that stands against completing, measured on the run's head. */
  validate(state: RunState, signal: AbortSignal): Promise<{ readonly violations: readonly Violation[]; readonly kpis: readonly KpiResult[] }>
  /** Called after every change that this process sees. Must not throw. */
  onState(state: RunState): void
}

export interface DriveOptions {
  /** Attempts at once in this process. */
  readonly parallel: number
  readonly beatMs?: number
  /** Ends running attempts at once; their tasks keep their place. */
  readonly stop: AbortSignal
  /** Begins nothing new: what an attempt is at may end, and is cut after `graceMs`. A pause from elsewhere is the same. */
  readonly pause: AbortSignal
  readonly graceMs?: number
}

const GRACE_MS = 10_000

/** What is told to end after its present step, and cut when that takes too long. */
interface Halt {
  readonly soft: AbortSignal
  readonly hard: AbortSignal
  pause(): void
  over(): void
}

function makeHalt(graceMs: number): Halt {
  const soft = new AbortController()
  const hard = new AbortController()
  let timer: NodeJS.Timeout | undefined
  return {
    soft: soft.signal,
    hard: hard.signal,
    pause: () => {
      if (soft.signal.aborted) return
      soft.abort()
      timer = setTimeout(() => hard.abort(), graceMs)
    },
    over: () => clearTimeout(timer),
  }
}

export type DriveEnd = { readonly kind: 'ended' | 'paused' | 'waiting'; readonly state: RunState }

export async function driveRun<Tree extends WorkTree>(ports: DrivePorts<Tree>, runId: RunId, options: DriveOptions): Promise<DriveEnd> {
  const running = new Map<string, { readonly done: Promise<void>; readonly halt: Halt }>()
  const graceMs = options.graceMs ?? GRACE_MS
  const failures: unknown[] = []
  const attempts = new AbortController()
  const forward = () => attempts.abort()
  options.stop.addEventListener('abort', forward, { once: true })
  try {
    for (;;) {
      if (failures.length > 0) throw failures[0]
      await recoverMerge(ports, runId, null)
      const quit = options.stop.aborted || options.pause.aborted
      const claim = quit || running.size >= options.parallel ? null : await ports.queue.claim(runId)
      const state = claim?.state ?? (await ports.store.read((tx) => requireRun(tx, runId)))
      ports.onState(state)
      if (claim?.kind === 'leased') {
        const { lease } = claim
        const halt = makeHalt(graceMs)
        const attempt = withHeartbeat(ports, lease, options, AbortSignal.any([attempts.signal, halt.hard]), (signal) =>
          runAttempt(ports, lease, claim.state, signal, halt.soft),
        )
        const done = attempt
          .catch((error: unknown) => void failures.push(error))
          .finally(() => {
            halt.over()
            running.delete(lease.task_id)
          })
        running.set(lease.task_id, { done, halt })
        continue
      }
      if (quit || state.status === 'paused') for (const { halt } of running.values()) halt.pause()
      if (state.status === 'terminated') attempts.abort()
      if (running.size > 0) {
        await Promise.race([...[...running.values()].map(({ done }) => done), ports.sleep(250)])
        continue
      }
      if (state.status === 'validating' && !quit) {
        await validateUnlessPaused(ports, state, options, attempts.signal)
        continue
      }
      if (FINAL_RUN.has(state.status)) return { kind: 'ended', state }
      if (quit || state.status === 'paused') return { kind: 'paused', state: await recordPause(ports, runId, state, quit) }
      if ((claim?.kind === 'idle' && claim.others > 0) || state.merging) await ports.sleep(100)
      else return { kind: 'waiting', state }
    }
  } finally {
    options.stop.removeEventListener('abort', forward)
    attempts.abort()
    await Promise.allSettled([...running.values()].map(({ done }) => done))
  }
}

async function recordPause<Tree extends WorkTree>(ports: DrivePorts<Tree>, runId: RunId, state: RunState, byPerson: boolean): Promise<RunState> {
  if (!byPerson || state.status === 'paused') return state
  return (await ports.store.transaction((tx) => appendEvents(tx, ports.clock.now(), runId, [{ type: 'paused', reason: 'by you' }]), { durable: true })).state
}

/** Cut when a pause outlasts the grace; then nothing was recorded and the next driver measures again. */
async function validateUnlessPaused<Tree extends WorkTree>(
  ports: DrivePorts<Tree>,
  state: RunState,
  options: DriveOptions,
  signal: AbortSignal,
): Promise<void> {
  const halt = makeHalt(options.graceMs ?? GRACE_MS)
  options.pause.addEventListener('abort', halt.pause, { once: true })
  try {
    await validateRun(ports, state, AbortSignal.any([signal, halt.hard]))
  } catch (error) {
    if (!halt.hard.aborted && !signal.aborted) throw error
  } finally {
    options.pause.removeEventListener('abort', halt.pause)
    halt.over()
  }
}

async function validateRun<Tree extends WorkTree>(ports: DrivePorts<Tree>, state: RunState, signal: AbortSignal): Promise<void> {
  const { violations, kpis } = await ports.validate(state, signal)
  await ports.store.transaction(
    async (tx) => {
      const after = await appendEvents(tx, ports.clock.now(), state.run_id, [{ type: 'validated', violations, kpis }])
      if (FINAL_RUN.has(after.state.status) && !FINAL_RUN.has(state.status)) await ports.ended(tx, after.state)
    },
    { durable: true },
  )
  ports.point('validated')
}

/** Runs `body` while its lease is beaten; a lost lease ends it at once, before it can write anything. */
async function withHeartbeat<Tree extends WorkTree>(
  ports: DrivePorts<Tree>,
  lease: Lease,
  options: DriveOptions,
  outer: AbortSignal,
  body: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const lost = new AbortController()
  const timer = setInterval(
    () => {
      ports.queue.beat(lease).then(
        (held) => (held ? undefined : lost.abort()),
        () => undefined, // a locked store is asked again at the next beat; the lease outlives several
      )
    },
    options.beatMs ?? LEASE_MS / 6,
  )
  try {
    await body(AbortSignal.any([outer, lost.signal]))
  } finally {
    clearInterval(timer)
  }
}

/** The exit status that a run's end means: contracts/vp.md section 1. */
export function exitOf(status: RunStatus, reason: string | null): number {
  if (status === 'completed') return 0
  if (status === 'paused') {
    if (reason?.startsWith('by you')) return 130
    if (reason?.startsWith('budget')) return 6
    if (reason?.startsWith('limit.')) return 6
    if (reason?.startsWith('model.')) return 8
    if (reason?.startsWith('sandbox.')) return 4
    return 7
  }
  return status === 'terminated' ? 130 : status === 'executing' ? 5 : 3
}

/**
 * One attempt of one task: a tree, a worker that changes it, gates over what it became, and the merge onto the
 * run branch. What the worker is (a model with tools, a recording, a person) and how a tree is made and measured
 * come as ports; the order of durable steps is here, and a crash between any two of them is mended by `recoverMerge`.
 */
import { VpError, asVpError } from '../../core/errors.ts'
import type { RunId, TaskId } from '../../core/ids.ts'
import type { Clock } from '../../core/ports.ts'
import type { Store, Tx } from '../../store/contract.ts'
import { FINAL_RUN, type KpiResult, type Violation } from '../contract/types.ts'
import type { Lease, TaskQueue } from './engines/queue.ts'
import type { RunState, Shortfall, TaskState } from './reducer/state.ts'
import { appendEvents, requireRun, type EventDraft } from './run-store.ts'

export interface WorkTree {
  /** Commit the tree was made from. */
  readonly base: string
  /** Records the files as they are; the id is the same for the same files. */
  record(): Promise<string>
  dispose(): Promise<void>
}

export type WorkOutcome =
  | { readonly kind: 'submitted'; readonly title: string; readonly summary: string }
  | { readonly kind: 'stopped'; readonly reason: string; readonly message: string; readonly error: VpError | null }

export interface Judgement {
  readonly pass: boolean
  readonly kpis: readonly KpiResult[]
  readonly violations: readonly Violation[]
  /** For the next attempt, in words that name the thing. */
  readonly feedback: string
  readonly reason: string
  /** No further attempt could change it. */
  readonly isFinal?: boolean
}

export interface AttemptPorts<Tree extends WorkTree> {
  readonly store: Store
  readonly clock: Clock
  readonly queue: TaskQueue
  openTree(state: RunState, task: TaskState, signal: AbortSignal): Promise<Tree>
  /** `pause`: begin no further step, and stop as `cancelled`; the same attempt goes on later. */
  work(state: RunState, task: TaskState, tree: Tree, signal: AbortSignal, pause: AbortSignal): Promise<WorkOutcome>
  /** Measures and judges a recorded tree; `tree` null: it has to be checked out first. */
  judge(state: RunState, task: TaskState, treeId: string, tree: Tree | null, signal: AbortSignal): Promise<Judgement>
  lines(base: string, treeId: string): Promise<{ add: number; del: number; files: number }>
  merge(ours: string, base: string, treeId: string): Promise<{ kind: 'merged'; tree: string } | { kind: 'conflict'; paths: readonly string[] }>
  /** A commit of `treeId` on `parent`; same arguments, same id. */
  commit(state: RunState, task: TaskState, draft: { treeId: string; parent: string; title: string; summary: string }): Promise<string>
  readBranch(state: RunState): Promise<string | null>
  moveBranch(state: RunState, to: string, from: string): Promise<void>
  /** Makes the branch's commits reachable for the person. Doing it again changes nothing. */
  publish(state: RunState, head: string): Promise<void>
  /** Receipts of an outcome, inside the transaction that settles it. */
  receipt(
    tx: Tx,
    lease: Lease,
    outcome: {
      kind: 'merged' | 'failed' | 'waiting' | 'released'
      reason: string
      kpis: readonly KpiResult[]
      commit: string | null
    },
  ): Promise<void>
  /** What is recorded with a run's end, inside the transaction that ends it. */
  ended(tx: Tx, state: RunState): Promise<void>
  /** A labelled point before or after a durable write: where tests kill the process. */
  point(label: string): void
  sleep(ms: number): Promise<void>
}

const RELEASE = new Set(['cancelled'])
const PAUSE = new Set(['budget', 'model'])

export async function runAttempt<Tree extends WorkTree>(
  ports: AttemptPorts<Tree>,
  lease: Lease,
  state: RunState,
  signal: AbortSignal,
  pause: AbortSignal = signal,
): Promise<void> {
  const task = state.tasks[lease.task_id]
  if (!task) throw new VpError('internal', `no task ${lease.task_id}`)
  let tree: Tree | null = null
  try {
    tree = await ports.openTree(state, task, signal)
    ports.point('attempt.opened')
    const outcome = await ports.work(state, task, tree, signal, pause)
    ports.point('attempt.worked')
    if (outcome.kind === 'stopped') return await settleStopped(ports, lease, tree, outcome)
    const treeId = await tree.record()
    const judgement = await judgeSubmitted(ports, state, task, tree, treeId, signal)
    ports.point('attempt.judged')
    if (judgement.pass) return await mergeAttempt(ports, lease, { tree, treeId, kpis: judgement.kpis, title: outcome.title, summary: outcome.summary }, signal)
    await settle(ports, lease, 'failed', judgement.reason, judgement.kpis, [
      {
        type: 'attempt_failed',
        task_id: lease.task_id,
        attempt: lease.attempt,
        why: judgement.isFinal ? 'fatal' : 'gate',
        reason: judgement.reason,
        feedback: judgement.feedback,
        carry_tree: treeId,
        carry_base: tree.base,
        kpis: judgement.kpis,
        violations: judgement.violations,
      },
    ])
  } catch (thrown) {
    await settleError(ports, lease, asVpError(thrown), signal)
  } finally {
    await tree?.dispose()
  }
}

async function judgeSubmitted<Tree extends WorkTree>(
  ports: AttemptPorts<Tree>,
  state: RunState,
  task: TaskState,
  tree: Tree,
  treeId: string,
  signal: AbortSignal,
): Promise<Judgement> {
  const lines = await ports.lines(tree.base, treeId)
  if (lines.files > 0) return ports.judge(state, task, treeId, tree, signal)
  const reason = 'the task made no change'
  return { pass: false, kpis: [], violations: [], reason, feedback: 'submit was called, but no file was changed.' }
}

async function settleStopped<Tree extends WorkTree>(
  ports: AttemptPorts<Tree>,
  lease: Lease,
  tree: Tree,
  outcome: Extract<WorkOutcome, { kind: 'stopped' }>,
): Promise<void> {
  const { task_id, attempt } = lease
  if (outcome.reason === 'waiting') {
    const approval = outcome.error?.details.approval ?? ''
    return settle(ports, lease, 'waiting', outcome.message, [], [{ type: 'task_waits', task_id, attempt, approval }])
  }
  if (RELEASE.has(outcome.reason)) return settle(ports, lease, 'released', outcome.message, [], [{ type: 'lease_lost', task_id, attempt }])
  if (PAUSE.has(outcome.reason)) {
    // The model or the money is gone for every task alike: stop here, lose nothing, go on with `vp resume`.
    const reason = outcome.error ? reasonOf(outcome.error) : outcome.message
    return settle(
      ports,
      lease,
      'released',
      reason,
      [],
      [
        { type: 'lease_lost', task_id, attempt },
        { type: 'paused', reason, ...shortfallOf(outcome.error) },
      ],
    )
  }
  const carry_tree = await tree.record()
  await settle(
    ports,
    lease,
    'failed',
    outcome.message,
    [],
    [
      {
        type: 'attempt_failed',
        task_id,
        attempt,
        why: 'unfinished',
        reason: outcome.message,
        feedback: `It ended without submit: ${outcome.message}.`,
        carry_tree,
        carry_base: tree.base,
        kpis: [],
        violations: [],
      },
    ],
  )
}

/** A failure of ours or of the surroundings: never a failed gate, never a retry of the model. */
async function settleError<Tree extends WorkTree>(ports: AttemptPorts<Tree>, lease: Lease, error: VpError, signal: AbortSignal): Promise<void> {
  const { task_id, attempt } = lease
  if (signal.aborted || error.code === 'cancelled') return settle(ports, lease, 'released', 'cancelled', [], [{ type: 'lease_lost', task_id, attempt }])
  const reason = reasonOf(error)
  await settle(
    ports,
    lease,
    'released',
    reason,
    [],
    [
      { type: 'lease_lost', task_id, attempt },
      { type: 'paused', reason, ...shortfallOf(error) },
    ],
  )
}

/** As a run keeps it. Why no tier could be asked is true of that moment alone, so it is kept too. */
function reasonOf({ code, message, details }: VpError): string {
  const why = code === 'model.no_eligible_tier' && details.why ? `: ${details.why}` : ''
  return `${code}: ${message}${why}`
}

function shortfallOf(error: VpError | null): { readonly shortfall?: Shortfall } {
  const shortfall = error?.details.data?.['shortfall']
  return shortfall === undefined ? {} : { shortfall: shortfall as Shortfall }
}

async function settle<Tree extends WorkTree>(
  ports: AttemptPorts<Tree>,
  lease: Lease,
  kind: 'merged' | 'failed' | 'waiting' | 'released',
  reason: string,
  kpis: readonly KpiResult[],
  events: readonly EventDraft[],
): Promise<void> {
  ports.point('settle.before')
  await ports.store.transaction(
    async (tx) => {
      if (!(await ports.queue.settle(tx, lease))) return // lost meanwhile: somebody else owns the task
      const { state } = await appendEvents(tx, ports.clock.now(), lease.run_id, events)
      await ports.receipt(tx, lease, { kind, reason, kpis, commit: null })
      if (FINAL_RUN.has(state.status)) await ports.ended(tx, state)
    },
    { durable: true },
  )
  ports.point('settle.after')
}

interface Passed<Tree> {
  readonly tree: Tree
  readonly treeId: string
  readonly kpis: readonly KpiResult[]
  readonly title: string
  readonly summary: string
}

/** Onto the run branch: as it is when the branch has not moved, else merged and measured again. */
async function mergeAttempt<Tree extends WorkTree>(ports: AttemptPorts<Tree>, lease: Lease, passed: Passed<Tree>, signal: AbortSignal): Promise<void> {
  const { run_id, task_id, attempt } = lease
  for (;;) {
    signal.throwIfAborted()
    await recoverMerge(ports, run_id, task_id)
    const state = await ports.store.read((tx) => requireRun(tx, run_id))
    const task = state.tasks[task_id]
    if (!task || task.attempt !== attempt) return
    if (state.merging) {
      await ports.sleep(20)
      continue
    }
    let { treeId, kpis } = passed
    // The tasks of a rehearsal stand alone: each was measured on its own start, and none meets another's work.
    const alone = state.kind === 'rehearsal'
    if (state.head !== passed.tree.base && !alone) {
      const merged = await ports.merge(state.head, passed.tree.base, passed.treeId)
      if (merged.kind === 'conflict') {
        const feedback = `Other tasks changed the same lines meanwhile: ${merged.paths.join(', ')}.`
        return settle(ports, lease, 'failed', `conflict in ${merged.paths.join(', ')}`, kpis, [
          {
            type: 'attempt_failed',
            task_id,
            attempt,
            why: 'conflict',
            reason: `conflict in ${merged.paths.join(', ')}`,
            feedback,
            carry_tree: state.head,
            carry_base: state.head,
            kpis: [],
            violations: [],
          },
        ])
      }
      treeId = merged.tree
      const judgement = await ports.judge(state, task, treeId, null, signal)
      kpis = judgement.kpis
      if (!judgement.pass)
        return settle(ports, lease, 'failed', judgement.reason, kpis, [
          {
            type: 'attempt_failed',
            task_id,
            attempt,
            why: 'gate',
            reason: judgement.reason,
            feedback: judgement.feedback,
            carry_tree: treeId,
            carry_base: state.head,
            kpis,
            violations: judgement.violations,
          },
        ])
    }
    const to = await ports.commit(state, task, {
      treeId,
      parent: state.head,
      title: passed.title,
      summary: passed.summary,
    })
    const lines = await ports.lines(alone ? passed.tree.base : state.head, treeId)
    ports.point('merge.before')
    const intended = await ports.store.transaction(
      async (tx) => {
        const held = await tx.get('SELECT token FROM leases WHERE task_id = ? AND token = ?', task_id, lease.token)
        if (!held) return null
        return (
          await appendEvents(tx, ports.clock.now(), run_id, [
            {
              type: 'merge_intended',
              task_id,
              attempt,
              from: state.head,
              to,
              base: passed.tree.base,
              tree: passed.treeId,
              kpis,
              lines,
            },
          ])
        ).state
      },
      { durable: true },
    )
    if (!intended) return
    ports.point('merge.intended')
    if (intended.merging?.to !== to) continue // the branch moved in between: once more on top of it
    await ports.moveBranch(intended, to, intended.merging.from)
    ports.point('merge.moved')
    await finishMerge(ports, lease, kpis, to)
    ports.point('merge.after')
    return
  }
}

async function finishMerge<Tree extends WorkTree>(ports: AttemptPorts<Tree>, lease: Lease, kpis: readonly KpiResult[], commit: string): Promise<void> {
  await ports.publish(await ports.store.read((tx) => requireRun(tx, lease.run_id)), commit)
  ports.point('merge.published')
  await ports.store.transaction(
    async (tx) => {
      await ports.queue.settle(tx, lease)
      const state = await requireRun(tx, lease.run_id)
      if (state.merging?.task_id !== lease.task_id) return
      await appendEvents(tx, ports.clock.now(), lease.run_id, [{ type: 'task_merged', task_id: lease.task_id }])
      await ports.receipt(tx, lease, { kind: 'merged', reason: '', kpis, commit })
    },
    { durable: true },
  )
}

/**
 * Ends a merge whose worker died between “intended” and “merged”: the branch says whether it had happened. Does
 * nothing while the worker lives or when the merge is `own`'s.
 */
export async function recoverMerge<Tree extends WorkTree>(ports: AttemptPorts<Tree>, runId: RunId, own: TaskId | null): Promise<void> {
  const state = await ports.store.read((tx) => requireRun(tx, runId))
  const merging = state.merging
  if (!merging || merging.task_id === own) return
  const held = await ports.store.read((tx) => tx.get<{ token: string }>('SELECT token FROM leases WHERE task_id = ?', merging.task_id))
  if (held) return
  const lease: Lease = { run_id: runId, task_id: merging.task_id, attempt: merging.attempt, token: '' }
  const at = await ports.readBranch(state)
  if (at === merging.from) await ports.moveBranch(state, merging.to, merging.from)
  if (at === merging.from || at === merging.to) await finishMerge(ports, lease, state.tasks[merging.task_id]?.kpis ?? [], merging.to)
  else await ports.store.transaction((tx) => appendEvents(tx, ports.clock.now(), runId, [{ type: 'merge_dropped', task_id: merging.task_id }]))
}

/**
 * The engine's ports filled in: trees from git, work by the agent, commits by the operator; judgement is in `verdict.ts`.
 * Everything a task does passes here once.
 */
import { asVpError } from '../../core/errors.ts'
import { runAgent, type AgentActivity } from '../../agent/loop.ts'
import { commitMessage } from '../../ledger/passport.ts'
import { appendReceipt } from '../../ledger/receipts.ts'
import type { Provider } from '../../models/contract.ts'
import type { WorkOutcome } from '../../pas/embedded/attempt.ts'
import type { DrivePorts } from '../../pas/embedded/drive.ts'
import { localEngine } from '../../pas/embedded/engines/local.ts'
import type { Lease, TaskQueue } from '../../pas/embedded/engines/queue.ts'
import type { Gate } from '../../pas/embedded/reducer/gates.ts'
import { lastMerge } from '../../pas/embedded/reducer/repair.ts'
import type { RunState, TaskState } from '../../pas/embedded/reducer/state.ts'
import type { JobCard, KpiResult } from '../../pas/contract/types.ts'
import { redactTexts } from '../../policy/redact.ts'
import { scopesOf } from '../../policy/scopes.ts'
import type { Tx } from '../../store/contract.ts'
import type { SignBytes } from '../../workspace/commit-object.ts'
import { fitTitle } from '../../workspace/commit-convention.ts'
import { readRef } from '../../workspace/git.ts'
import { commitTree, lineCounts, mergeTrees, treeOf } from '../../workspace/run-repository.ts'
import { moveRef } from '../../workspace/refs.ts'
import { agentTools } from '../agent-tools.ts'
import type { Kit } from '../kit.ts'
import { maskedError, type Masking } from '../masking.ts'
import type { Caller } from '../operation.ts'
import { taskTestCommand } from './gate.ts'
import { openAhead, type Ahead } from './ahead.ts'
import { recordCompaction, recordInstructions, recordRefusal } from './context-receipts.ts'
import { attemptInput } from './goal.ts'
import { listen } from './told.ts'
import { signoffOf, type RunScene } from './run-scene.ts'
import { publishBranch, recordEnd } from './end.ts'
import { startOf } from './start-tree.ts'
import { openRunTree, type RunTree } from './trees.ts'
import { askerOf, environmentOf, measureCommit, evidenceKey, keptEvidence } from './evidence.ts'
import { judgeTree, validateRunHead } from './verdict.ts'

export interface RunPortsOptions {
  /** The metered provider for one attempt, behind the attempt's own filter. */
  providerFor(task: TaskState, mask: Masking): Promise<Provider>
  readonly gates: (lane: JobCard['lane']) => readonly Gate[]
  readonly prd: string | null
  readonly confirm?: Caller['confirm']
  readonly yes?: boolean
  /** A person's Ctrl-C: open calls to models end at once. A pause from elsewhere lets them come to their end. */
  readonly interrupt?: AbortSignal
  /** Of the human, for the commits of tasks. */
  readonly sign?: SignBytes | undefined
  onState(state: RunState): void
  onActivity(task: TaskState, activity: AgentActivity | { kind: 'gate'; name: string }): void
}

export function queueOf(kit: Kit): TaskQueue {
  return localEngine({ store: kit.store, clock: kit.clock, random: kit.random, worker: kit.worker, isAlive: kit.isAlive })
}

/** `over`: when nothing that was begun ahead is at work any more. */
export function runPorts(kit: Kit, run: RunScene, given: RunPortsOptions): DrivePorts<RunTree> & Pick<Ahead, 'over'> {
  const options = { ...given, ahead: openAhead() }
  const queue = queueOf(kit)
  const git = kit.git
  const dir = run.repository.gitDir
  /** Commits whose title was made to fit, for their receipts. */
  const retitled = new Map<string, { was: string; changed: string[] }>()
  return {
    over: options.ahead.over,
    store: kit.store,
    clock: kit.clock,
    queue,
    point: kit.point,
    sleep: kit.sleep,
    onState: options.onState,
    openTree: told(kit, async (state, task, signal) => {
      const name = `T${task.card.payload.n}-${task.attempt}`
      const start = await startOf(git, dir, state, task)
      return openRunTree(kit, run, { name, lane: task.card.lane, ...start, environment: environmentOf(kit, options, state, task) }, signal)
    }),
    work: told(kit, (state, task, tree, signal, pause) => work(kit, run, options, { state, task, tree }, signal, pause)),
    judge: told(kit, async (state, task, treeId, tree, signal) =>
      redactTexts(await judgeTree(kit, run, options, { state, task, treeId, tree }, signal), tree?.attempt().masking().unnumbered ?? kit.redactText),
    ),
    lines: async (base, treeId) => {
      const counts = await lineCounts(git, dir, base, treeId)
      return {
        files: counts.length,
        add: counts.reduce((sum, one) => sum + (one.add ?? 0), 0),
        del: counts.reduce((sum, one) => sum + (one.del ?? 0), 0),
      }
    },
    merge: async (ours, base, treeId) => mergeTrees(git, dir, { base, ours: await treeOf(git, dir, ours), theirs: treeId }),
    commit: async (state, task, draft) => {
      const head = await kit.store.read((tx) => tx.get<{ n: number; key: string }>('SELECT n, key FROM heads WHERE run_id = ?', state.run_id))
      const fitted = run.project.commits ? fitTitle(draft.title, run.project.commits, task.card.payload.goal) : { title: draft.title, changed: [] }
      const message = commitMessage(kit.redactText(fitted.title), kit.redactText(draft.summary), {
        run: state.run_id,
        task: `T${task.card.payload.n}`,
        ledger: { receipts: head?.n ?? 0, head: head?.key ?? '0'.repeat(64) },
        signoff: signoffOf(kit, run),
      })
      const commit = await commitTree(git, dir, {
        tree: draft.treeId,
        parents: [draft.parent, ...(task.card.payload.merge ? [task.card.payload.merge.person] : [])],
        message,
        author: run.identity,
        epochMs: kit.clock.now(),
        sign: options.sign,
      })
      if (fitted.changed.length > 0) retitled.set(commit, { was: kit.redactText(draft.title).slice(0, 200), changed: [...fitted.changed] })
      return commit
    },
    readBranch: () => readRef(git, dir, run.branch),
    moveBranch: (_state, to, from) => moveRef(kit, dir, run.branch, to, from),
    publish: (state, head) => publishBranch(kit, run, state, head),
    ended: (tx, state) => recordEnd(tx, kit, state),
    receipt: (tx, lease, outcome) =>
      writeAttemptReceipt(tx, kit, lease, { ...outcome, reason: kit.redactText(outcome.reason), title: retitled.get(outcome.commit ?? '') ?? null }),
    validate: (state, signal) => validateRunHead(kit, run, options, state, signal),
  }
}

/** Its errors are written into the run's story as reasons: they pass the filter first. */
function told<Args extends readonly unknown[], Result>(kit: Kit, port: (...args: Args) => Promise<Result>): (...args: Args) => Promise<Result> {
  return async (...args) => {
    try {
      return await port(...args)
    } catch (thrown) {
      throw maskedError(asVpError(thrown), { text: kit.redactText, json: kit.redactJson })
    }
  }
}

async function work(
  kit: Kit,
  run: RunScene,
  options: RunPortsOptions & { readonly ahead: Ahead },
  { state, task, tree }: { readonly state: RunState; readonly task: TaskState; readonly tree: RunTree },
  signal: AbortSignal,
  pause: AbortSignal,
): Promise<WorkOutcome> {
  const caller: Caller = {
    actor: 'agent',
    surface: 'agent',
    scopes: scopesOf('agent'),
    ...askerOf(options, state, task),
    attempt: task.attempt,
  }
  const scene = tree.attempt()
  const mask = scene.masking()
  const { input, instructions } = await attemptInput(kit, run, state, task, tree, options.prd)
  const place = { run_id: state.run_id, task_id: task.task_id, attempt: task.attempt }
  if (instructions.files.length + instructions.unread.length > 0) await recordInstructions(kit, place, instructions)
  let known = instructions
  const halt = new AbortController()
  let isBegun = false
  /** Beside the first tests that the model runs: there is time then, and no other step waits for it. */
  const measureAhead = () => {
    if (isBegun) return
    isBegun = true
    beginGround(kit, run, options, { state, task, tree }, AbortSignal.any([signal, halt.signal]))
  }
  const outcome = await runAgent(
    {
      provider: await options.providerFor(task, mask),
      tools: agentTools(kit, caller, scene),
      mask,
      world: () => String(tree.scene.world()),
      hear: listen(kit, { ...place, label: input.place.task }),
      onCompaction: (compaction, context) => recordCompaction(kit, place, compaction, context),
      onInstructions: (turn, told) => {
        const text = new Map(told.map((one) => [one.path, one.text]))
        known = { ...known, files: known.files.map((one) => ({ ...one, shown: text.get(one.path) ?? one.shown, isNamed: one.isNamed || text.has(one.path) })) }
        return recordInstructions(kit, { ...place, turn }, known)
      },
      onRefused: (refused) => recordRefusal(kit, place, refused),
      isPausing: () => pause.aborted || options.interrupt?.aborted === true,
      ...(options.interrupt ? { interrupt: options.interrupt } : {}),
      // Without numbers: who watches must not change what the model is shown.
      onActivity: (activity) => {
        if (activity.kind === 'tool' && runsTests(activity)) measureAhead()
        options.onActivity(task, redactTexts(activity, mask.unnumbered))
      },
    },
    input,
    signal,
  )
  if (outcome.kind !== 'submitted' && isBegun) {
    halt.abort()
    await options.ahead.over()
  }
  if (outcome.kind === 'submitted') return { ...outcome, title: mask.text(outcome.title), summary: mask.text(outcome.summary) }
  return { kind: 'stopped', reason: outcome.reason, message: mask.text(outcome.message), error: outcome.error && maskedError(outcome.error, mask) }
}

function runsTests({ name, args }: Extract<AgentActivity, { kind: 'tool' }>): boolean {
  return name === 'test' || (args as { readonly test?: unknown } | null)?.test === true
}

/** The base that the change will be held against; what would ask a person, or is not this task's own start, waits for the gate. */
function beginGround(
  kit: Kit,
  run: RunScene,
  options: RunPortsOptions & { readonly ahead: Ahead },
  { state, task, tree }: { readonly state: RunState; readonly task: TaskState; readonly tree: RunTree },
  signal: AbortSignal,
): void {
  if (tree.from !== state.base || task.card.payload.merge || lastMerge(state) !== null) return
  const command = taskTestCommand(run.project.test, task.card.payload.tests)
  options.ahead.begin(
    evidenceKey(state, state.base, command),
    async () => (await keptEvidence(kit, state, state.base, command)) ?? measureCommit(kit, run, options, state, state.base, command, signal),
  )
}

async function writeAttemptReceipt(
  tx: Tx,
  kit: Kit,
  lease: Lease,
  outcome: { kind: string; reason: string; kpis: readonly KpiResult[]; commit: string | null; title: { was: string; changed: string[] } | null },
): Promise<void> {
  const now = kit.clock.now()
  const status = outcome.kind === 'merged' ? 'succeeded' : outcome.kind
  const receipt = await appendReceipt(tx, kit, {
    op: `task.${outcome.kind}`,
    actor: 'operator',
    surface: 'engine',
    run_id: lease.run_id,
    task_id: lease.task_id,
    attempt: lease.attempt,
    outcome: status,
    summary: outcome.kind === 'merged' ? `commit ${outcome.commit?.slice(0, 7)}` : outcome.reason,
    detail: { kpis: outcome.kpis.map((kpi) => ({ ...kpi })), commit: outcome.commit, ...(outcome.title ? { title: outcome.title } : {}) },
  })
  if (outcome.kind === 'waiting' || outcome.kind === 'released') return
  await tx.run(
    'INSERT INTO task_receipts (run_id, task_id, attempt, body, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (run_id, task_id, attempt) DO UPDATE SET body = excluded.body',
    lease.run_id,
    lease.task_id,
    lease.attempt,
    JSON.stringify({ status, receipt: receipt.id, commit: outcome.commit, reason: outcome.reason }),
    now,
  )
  for (const kpi of outcome.kpis.filter((one) => one.measured))
    await tx.run(
      'INSERT INTO kpi_receipts (run_id, task_id, attempt, kpi_name, body, created_at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (run_id, task_id, attempt, kpi_name) DO UPDATE SET body = excluded.body',
      lease.run_id,
      lease.task_id,
      lease.attempt,
      kpi.kpi_name,
      JSON.stringify({ ...kpi, pass_bool: kpi.pass }),
      now,
    )
}

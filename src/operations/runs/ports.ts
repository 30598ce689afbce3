/**
 * The engine's ports filled in: trees from git, work by the agent, judgement by the project's own commands,
 * commits by the operator. Everything a task does passes here once.
 */
import { asVpError } from '../../core/errors.ts'
import { sha256 } from '../../core/json.ts'
import { runAgent, type AgentActivity } from '../../agent/loop.ts'
import { commitMessage } from '../../ledger/passport.ts'
import { appendReceipt } from '../../ledger/receipts.ts'
import type { Provider } from '../../models/contract.ts'
import type { Judgement, WorkOutcome } from '../../pas/embedded/attempt.ts'
import type { DrivePorts } from '../../pas/embedded/drive.ts'
import { localEngine } from '../../pas/embedded/engines/local.ts'
import type { Lease, TaskQueue } from '../../pas/embedded/engines/queue.ts'
import { joinEvidence } from '../../pas/embedded/kpi/join.ts'
import { judge, unproved, type Evidence } from '../../pas/embedded/kpi/judge.ts'
import type { LintMeasurement, TestMeasurement } from '../../pas/embedded/kpi/measure.ts'
import { cannotRun, type HookMeasurement } from '../../pas/embedded/kpi/pre-commit.ts'
import { kpiViolation, LANE_GATES, openViolations, REPOSITORY_GATES, violationWords, type Gate } from '../../pas/embedded/reducer/gates.ts'
import { groundOf, lastMerge } from '../../pas/embedded/reducer/repair.ts'
import type { RunState, TaskState } from '../../pas/embedded/reducer/state.ts'
import type { JobCard, KpiResult, MergeOfSides, Violation } from '../../pas/contract/types.ts'
import { redactTexts } from '../../policy/redact.ts'
import { scopesOf } from '../../policy/scopes.ts'
import type { Tx } from '../../store/contract.ts'
import type { SignBytes } from '../../workspace/commit-object.ts'
import { fitTitle } from '../../workspace/commit-convention.ts'
import { foreignChanges } from '../../workspace/foreign.ts'
import { readRef } from '../../workspace/git.ts'
import { commitTree, lineCounts, mergeTrees, moveRef, treeChanges, treeOf } from '../../workspace/run-repository.ts'
import { agentTools } from '../agent-tools.ts'
import { environmentFor } from '../environment.ts'
import { invoke } from '../invoke.ts'
import type { Kit } from '../kit.ts'
import { maskedError, type Masking } from '../masking.ts'
import type { Caller, Operation } from '../operation.ts'
import { hookAt } from '../repository.ts'
import type { TreeScene } from '../scene.ts'
import type { Asker } from '../wrapper/approval.ts'
import { gateHook, gateLint, gateTests, taskTestCommand, type GateResult } from './gate.ts'
import { openAhead, type Ahead } from './ahead.ts'
import { recordCompaction, recordInstructions } from './context-receipts.ts'
import { attemptInput } from './goal.ts'
import { listen } from './told.ts'
import { markersLeft } from './repair.ts'
import { signoffOf, type RunScene } from './run-scene.ts'
import { publishBranch, recordEnd } from './end.ts'
import { startOf } from './start-tree.ts'
import { openRunTree, type RunTree, type TreeRequest } from './trees.ts'

export interface RunPortsOptions {
  /** The metered provider for one attempt, behind the attempt's own filter. */
  providerFor(task: TaskState, mask: Masking): Promise<Provider>
  readonly gates: (lane: JobCard['lane']) => readonly Gate[]
  readonly prd: string | null
  readonly confirm?: Caller['confirm']
  readonly yes?: boolean
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
    moveBranch: (_state, to, from) => moveRef(git, dir, run.branch, to, from),
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

/** Whoever is asked in the course of a run. */
export function askerOf(options: Pick<MeasureOptions, 'confirm' | 'yes'>, state: RunState, task: TaskState | null): Asker {
  return {
    runId: state.run_id,
    ...(task ? { taskId: task.task_id } : {}),
    ...(options.confirm ? { confirm: options.confirm } : {}),
    ...(options.yes ? { yes: true } : {}),
  }
}

function environmentOf(kit: Kit, options: MeasureOptions, state: RunState, task: TaskState | null): TreeRequest['environment'] {
  return (tree, signal) => environmentFor(kit, tree, askerOf(options, state, task), signal)
}

const OPERATOR_SCOPES = scopesOf('human')

function operatorCaller(state: RunState, task: TaskState | null): Caller {
  return {
    actor: 'operator',
    surface: 'engine',
    scopes: OPERATOR_SCOPES,
    runId: state.run_id,
    ...(task ? { taskId: task.task_id, attempt: task.attempt } : {}),
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
  if (instructions.length > 0) await recordInstructions(kit, place, instructions)
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
      isPausing: () => pause.aborted,
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

interface TreeToJudge {
  readonly state: RunState
  readonly task: TaskState
  readonly treeId: string
  readonly tree: RunTree | null
}

async function judgeTree(kit: Kit, run: RunScene, options: RunPortsOptions, what: TreeToJudge, signal: AbortSignal): Promise<Judgement> {
  const { state, task, treeId } = what
  const { merge } = task.card.payload
  const left = merge ? await markersLeft(kit.git, run.repository.gitDir, merge, treeId) : []
  if (left.length > 0) return unresolved(task, left)
  options.onActivity(task, { kind: 'gate', name: 'tests' })
  const command = taskTestCommand(run.project.test, task.card.payload.tests)
  const since = merge ?? lastMerge(state)
  const base = await groundEvidence(kit, run, options, state, since, command, signal)
  // A hook is that of the branch where the change will land, which a merge is staged on as well.
  const [at, from] = [since?.person ?? state.base, merge?.person ?? state.head]
  const now = await withTree(
    kit,
    run,
    what.tree,
    { name: `gate-T${task.card.payload.n}`, lane: task.card.lane, from: treeId, base: state.head, environment: environmentOf(kit, options, state, task) },
    (scene) => measure(kit, operatorCaller(state, task), scene, run, { command, change: { at, from, to: treeId, base } }, signal),
    signal,
  )
  const gates = options.gates(task.card.lane)
  const verdict = judge(gates, base, now, task.task_id)
  const bare = verdict.pass && state.origin === 'do' ? unproved(now, task.task_id) : null
  // Neither the tree before the work nor the one after it lets itself be measured: no further attempt would prove more.
  if (bare) return { pass: false, kpis: verdict.kpis, violations: [bare], reason: violationWords(bare), feedback: '', isFinal: true }
  const forbidden = [...(await forbiddenChanges(kit, run, since?.person ?? state.base, treeId)), ...breachesOf(what.tree, base, now)]
  const [first] = forbidden
  if (!first) return verdict
  const violations = forbidden.map(({ kind, name }): Violation => ({ kind, name, task_id: task.task_id, file: name }))
  return {
    pass: false,
    kpis: verdict.kpis,
    violations: [...verdict.violations, ...violations],
    reason: `${first.kind}: ${first.name}`,
    feedback: [...forbidden.map(({ kind, name }) => `- ${name} ${WHY[kind]}, and may not be changed by a task.`), verdict.feedback].join('\n'),
  }
}

function unresolved(task: TaskState, left: readonly string[]): Judgement {
  const violations = left.map((name): Violation => ({ kind: 'conflict left', name, task_id: task.task_id, file: name.replace(/:\d+$/, '') }))
  const [first = ''] = left
  const feedback = left.map((name) => `- ${name} still is a conflict marker`).join('\n')
  return { pass: false, kpis: [], violations, reason: `conflict left: ${first}`, feedback }
}

const WHY = {
  'setting changed': 'says how work is tested or what is allowed',
  'foreign content changed': 'is kept outside of this repository (a submodule, or Git LFS)',
  'protected file written': 'was written by a command or a test of this task; it steers other programs or was installed',
} as const

/** Files that rule over the run itself, and those whose content is kept elsewhere: no task may touch them. */
async function forbiddenChanges(kit: Kit, run: RunScene, since: string, treeId: string): Promise<{ kind: keyof typeof WHY; name: string }[]> {
  const { gitDir } = run.repository
  const changed = (await treeChanges(kit.git, gitDir, since, treeId)).map(({ path }) => path)
  const foreign = await foreignChanges(kit.git, gitDir, { base: since, now: treeId }, run.directory)
  return [
    ...changed.filter((path) => path.startsWith('.vp/')).map((name) => ({ kind: 'setting changed' as const, name })),
    ...foreign.map((name) => ({ kind: 'foreign content changed' as const, name })),
  ]
}

/** What commands of the attempt wrote and may not, but for what the tests and the linter do without the task as well. */
function breachesOf(tree: RunTree | null, base: Evidence, now: Evidence): { kind: keyof typeof WHY; name: string }[] {
  const measured = ({ tests, lint }: Evidence) => [...(tests?.breaches ?? []), ...(lint?.breaches ?? [])].map(({ path }) => path)
  const without = new Set(measured(base))
  const found = [...(tree?.scene.breaches().map(({ path }) => path) ?? []), ...measured(now)]
  return [...new Set(found)].filter((path) => !without.has(path)).map((name) => ({ kind: 'protected file written', name }))
}

interface ToMeasure {
  readonly command: RunScene['project']['test']
  /** For the hook: whose it is (`at`), the tree on what it is staged on, and what the base showed; null for the base itself. */
  readonly change: { readonly at: string; readonly from: string | null; readonly to: string; readonly base: Evidence | null }
}

async function measure(kit: Kit, caller: Caller, scene: TreeScene, run: RunScene, { command, change }: ToMeasure, signal: AbortSignal): Promise<Evidence> {
  const tests = command ? await gate<TestMeasurement>(kit, gateTests, { command }, caller, scene, signal) : null
  const lint = run.project.lint ? await gate<LintMeasurement>(kit, gateLint, { command: run.project.lint }, caller, scene, signal) : null
  // The last one: it may write into the tree.
  const hook = run.project.hooks ? await measureHookOf(kit, caller, scene, run, change, signal) : undefined
  return { tests, lint, ...(hook ? { hook } : {}) }
}

/** Where it could say nothing of the base, it is not asked about a change. */
async function measureHookOf(
  kit: Kit,
  caller: Caller,
  scene: TreeScene,
  run: RunScene,
  { at, from, to, base }: ToMeasure['change'],
  signal: AbortSignal,
): Promise<HookMeasurement> {
  if (base?.hook?.pass === null) return base.hook
  const { gitDir } = run.repository
  const kept = run.project.hooks?.pre_commit.kind
  const hook = await hookAt(kit, run.human, at)
  if (!hook || hook.kind !== kept) return cannotRun(`the ${kept} hook that .vp/project.json names is not there`)
  const trees = { from: from === null ? null : await treeOf(kit.git, gitDir, from), to: await treeOf(kit.git, gitDir, to) }
  return gate<HookMeasurement>(kit, gateHook, { hook, repository: run.repository, ...trees }, caller, scene, signal)
}

async function gate<Measurement>(kit: Kit, operation: Operation, params: object, caller: Caller, scene: TreeScene, signal: AbortSignal): Promise<Measurement> {
  const answer = await invoke(kit, operation, params, caller, scene, { signal })
  if (!answer.ok) throw answer.error
  return (answer.result as GateResult<Measurement>).measurement
}

/** What a change is held against: the run's base, or both sides of a merge. */
async function groundEvidence(
  kit: Kit,
  run: RunScene,
  options: MeasureOptions,
  state: RunState,
  merge: MergeOfSides | null,
  command: RunScene['project']['test'],
  signal: AbortSignal,
): Promise<Evidence> {
  const at = (commit: string) => commitEvidence(kit, run, options, state, commit, command, signal)
  if (merge === null) return at(state.base)
  return joinEvidence(await at(merge.base), await at(merge.run), await at(merge.person))
}

/** A commit is measured once a run and command. */
async function commitEvidence(
  kit: Kit,
  run: RunScene,
  options: MeasureOptions,
  state: RunState,
  commit: string,
  command: RunScene['project']['test'],
  signal: AbortSignal,
): Promise<Evidence> {
  const known = (await keptEvidence(kit, state, commit, command)) ?? (await options.ahead?.taken(evidenceKey(state, commit, command)))
  if (known) return known
  return measureCommit(kit, run, options, state, commit, command, signal)
}

async function measureCommit(
  kit: Kit,
  run: RunScene,
  options: MeasureOptions,
  state: RunState,
  commit: string,
  command: RunScene['project']['test'],
  signal: AbortSignal,
): Promise<Evidence> {
  const evidence = await withTree(
    kit,
    run,
    null,
    { name: 'base', lane: 'Code-Impl', from: commit, base: commit, environment: environmentOf(kit, options, state, null) },
    (scene) => measure(kit, operatorCaller(state, null), scene, run, { command, change: { at: commit, from: null, to: commit, base: null } }, signal),
    signal,
  )
  await keepEvidence(kit, state, commit, command, evidence)
  return evidence
}

const evidenceKey = (state: RunState, commit: string, command: RunScene['project']['test']): string =>
  `run/${sha256(JSON.stringify([state.run_id, commit, command?.argv ?? null, command?.report_args ?? null]))}`

async function keepEvidence(kit: Kit, state: RunState, commit: string, command: RunScene['project']['test'], evidence: Evidence): Promise<void> {
  await kit.store.transaction((tx) =>
    tx.run(
      'INSERT INTO measurements (key, receipt_id, body) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING',
      evidenceKey(state, commit, command),
      '',
      JSON.stringify(evidence),
    ),
  )
}

/** What was measured at a commit of the run: its base, a side of a merge, or the head that was validated. */
export async function keptEvidence(kit: Kit, state: RunState, commit: string, command: RunScene['project']['test']): Promise<Evidence | null> {
  const row = await kit.store.read((tx) => tx.get<{ body: string }>('SELECT body FROM measurements WHERE key = ?', evidenceKey(state, commit, command)))
  return row ? (JSON.parse(row.body) as Evidence) : null
}

async function withTree<Result>(
  kit: Kit,
  run: RunScene,
  open: RunTree | null,
  request: TreeRequest,
  body: (scene: TreeScene) => Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  if (open) return body(open.scene)
  const tree = await openRunTree(kit, run, request, signal)
  try {
    return await body(tree.scene)
  } finally {
    await tree.dispose()
  }
}

/** The whole run once more, on its head: the project's own commands, and what the tasks left open. */
async function validateRunHead(
  kit: Kit,
  run: RunScene,
  options: RunPortsOptions,
  state: RunState,
  signal: AbortSignal,
): Promise<{ violations: readonly Violation[]; kpis: readonly KpiResult[] }> {
  const open = openViolations(state)
  // The trees of a rehearsal stand alone, so its last one is no measure of the plan.
  if (state.head === state.base || state.kind === 'rehearsal') return { violations: open, kpis: [] }
  const verdict = await headVerdict(kit, run, options, state, signal)
  const failed = verdict.kpis.filter((kpi) => kpi.measured && !kpi.pass).map((kpi) => kpiViolation(kpi, null))
  return { violations: [...open, ...verdict.violations, ...failed], kpis: verdict.kpis }
}

/** What measuring needs of the options. */
type MeasureOptions = Pick<RunPortsOptions, 'gates' | 'confirm' | 'yes'> & { readonly ahead?: Ahead }

export async function headVerdict(
  kit: Kit,
  run: RunScene,
  options: MeasureOptions,
  state: RunState,
  signal: AbortSignal,
): Promise<{ kpis: readonly KpiResult[]; violations: readonly Violation[] }> {
  const ground = groundOf(state)
  const base = await groundEvidence(kit, run, options, state, lastMerge(state), run.project.test, signal)
  const from = await treeOf(kit.git, run.repository.gitDir, state.head)
  const now = await withTree(
    kit,
    run,
    null,
    { name: 'validate', lane: 'Code-Impl', from, base: state.head, environment: environmentOf(kit, options, state, null) },
    (scene) =>
      measure(kit, operatorCaller(state, null), scene, run, { command: run.project.test, change: { at: ground, from: ground, to: from, base } }, signal),
    signal,
  )
  await keepEvidence(kit, state, state.head, run.project.test, now)
  const codeLanes = state.order.some((id) => state.tasks[id]?.card.lane === 'Code-Impl')
  return judge(codeLanes ? options.gates('Code-Impl') : [...LANE_GATES['Data-Schema'], ...(run.project.hooks ? REPOSITORY_GATES : [])], base, now, null)
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

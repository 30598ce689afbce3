/** Whether what was measured lets a task or a run pass, and what no task may touch. */
import type { Judgement } from '../../pas/embedded/attempt.ts'
import { judge, unproved, type Evidence } from '../../pas/embedded/kpi/judge.ts'
import { kpiViolation, LANE_GATES, openViolations, REPOSITORY_GATES, violationWords } from '../../pas/embedded/reducer/gates.ts'
import { groundOf, lastMerge } from '../../pas/embedded/reducer/repair.ts'
import type { RunState, TaskState } from '../../pas/embedded/reducer/state.ts'
import type { KpiResult, Violation } from '../../pas/contract/types.ts'
import { foreignChanges } from '../../workspace/foreign.ts'
import { treeChanges, treeOf } from '../../workspace/run-repository.ts'
import type { Kit } from '../kit.ts'
import { ignoredWords } from '../unrecorded.ts'
import { taskTestCommand } from './gate.ts'
import { markersLeft } from './repair.ts'
import type { RunScene } from './run-scene.ts'
import type { RunTree } from './trees.ts'
import { fatesOf } from './fates.ts'
import { environmentOf, operatorCaller, measure, groundEvidence, withTree, keepEvidence, type MeasureOptions } from './evidence.ts'
import type { RunPortsOptions } from './ports.ts'

interface TreeToJudge {
  readonly state: RunState
  readonly task: TaskState
  readonly treeId: string
  readonly tree: RunTree | null
}

export async function judgeTree(kit: Kit, run: RunScene, options: RunPortsOptions, what: TreeToJudge, signal: AbortSignal): Promise<Judgement> {
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
  const ignored = (await what.tree?.scene.unrecorded()) ?? []
  const isPristine = what.tree === null || (await what.tree.scene.isPristine())
  const now = await withTree(
    kit,
    run,
    // What the commit will not have proves nothing of it: beside that, a fresh checkout is measured.
    isPristine ? what.tree : null,
    { name: `gate-T${task.card.payload.n}`, lane: task.card.lane, from: treeId, base: state.head, environment: environmentOf(kit, options, state, task) },
    (scene) => measure(kit, operatorCaller(state, task), scene, run, { command, change: { at, from, to: treeId, base } }, signal),
    signal,
  )
  const gates = options.gates(task.card.lane)
  const fates = await fatesOf(kit, run, { since: since?.person ?? state.base, to: treeId }, base, now)
  const verdict = withIgnored(judge(gates, base, now, task.task_id, fates), ignored)
  const bare = state.origin === 'do' ? unproved(verdict, { base, now }, task.task_id) : null
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

/** A failure that files which the agent saw and the commit lacks may explain. */
function withIgnored<Verdict extends Pick<Judgement, 'pass' | 'feedback'>>(verdict: Verdict, ignored: readonly string[]): Verdict {
  return verdict.pass || ignored.length === 0 ? verdict : { ...verdict, feedback: `${verdict.feedback}\n- ${ignoredWords(ignored)}` }
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

/** The whole run once more, on its head: the project's own commands, and what the tasks left open. */
export async function validateRunHead(
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
  const gates = codeLanes ? options.gates('Code-Impl') : [...LANE_GATES['Data-Schema'], ...(run.project.hooks ? REPOSITORY_GATES : [])]
  return judge(gates, base, now, null, await fatesOf(kit, run, { since: ground, to: from }, base, now))
}

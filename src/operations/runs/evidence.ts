/**
 * What was measured of a tree or a commit by the project's own commands: tests, linter, hook. A commit is measured once a run
 * and command, and what a change is held against is measured like the change.
 */
import { sha256 } from '../../core/json.ts'
import { joinEvidence } from '../../pas/embedded/kpi/join.ts'
import type { Evidence } from '../../pas/embedded/kpi/judge.ts'
import type { LintMeasurement, TestMeasurement } from '../../pas/embedded/kpi/measure.ts'
import { cannotRun, type HookMeasurement } from '../../pas/embedded/kpi/pre-commit.ts'
import type { RunState, TaskState } from '../../pas/embedded/reducer/state.ts'
import type { MergeOfSides } from '../../pas/contract/types.ts'
import { scopesOf } from '../../policy/scopes.ts'
import { treeOf } from '../../workspace/run-repository.ts'
import { environmentFor } from '../environment.ts'
import { invoke } from '../invoke.ts'
import type { Kit } from '../kit.ts'
import type { Caller, Operation } from '../operation.ts'
import { hookAt } from '../repository.ts'
import type { TreeScene } from '../scene.ts'
import type { Asker } from '../wrapper/approval.ts'
import { gateHook, gateLint, gateTests, type GateResult } from './gate.ts'
import type { Ahead } from './ahead.ts'
import type { RunScene } from './run-scene.ts'
import { openRunTree, type RunTree, type TreeRequest } from './trees.ts'
import type { RunPortsOptions } from './ports.ts'

/** What measuring needs of the options. */
export type MeasureOptions = Pick<RunPortsOptions, 'gates' | 'confirm' | 'yes'> & { readonly ahead?: Ahead }

/** Whoever is asked in the course of a run. */
export function askerOf(options: Pick<MeasureOptions, 'confirm' | 'yes'>, state: RunState, task: TaskState | null): Asker {
  return {
    runId: state.run_id,
    ...(task ? { taskId: task.task_id } : {}),
    ...(options.confirm ? { confirm: options.confirm } : {}),
    ...(options.yes ? { yes: true } : {}),
  }
}

export function environmentOf(kit: Kit, options: MeasureOptions, state: RunState, task: TaskState | null): TreeRequest['environment'] {
  return (tree, signal) => environmentFor(kit, tree, askerOf(options, state, task), signal)
}

const OPERATOR_SCOPES = scopesOf('human')

export function operatorCaller(state: RunState, task: TaskState | null): Caller {
  return {
    actor: 'operator',
    surface: 'engine',
    scopes: OPERATOR_SCOPES,
    runId: state.run_id,
    ...(task ? { taskId: task.task_id, attempt: task.attempt } : {}),
  }
}

interface ToMeasure {
  readonly command: RunScene['project']['test']
  /** For the hook: whose it is (`at`), the tree on what it is staged on, and what the base showed; null for the base itself. */
  readonly change: { readonly at: string; readonly from: string | null; readonly to: string; readonly base: Evidence | null }
}

export async function measure(
  kit: Kit,
  caller: Caller,
  scene: TreeScene,
  run: RunScene,
  { command, change }: ToMeasure,
  signal: AbortSignal,
): Promise<Evidence> {
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
export async function groundEvidence(
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

export async function measureCommit(
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

export const evidenceKey = (state: RunState, commit: string, command: RunScene['project']['test']): string =>
  `run/${sha256(JSON.stringify([state.run_id, commit, command?.argv ?? null, command?.report_args ?? null]))}`

export async function keepEvidence(kit: Kit, state: RunState, commit: string, command: RunScene['project']['test'], evidence: Evidence): Promise<void> {
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

export async function withTree<Result>(
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

/** `vp do`: the whole way with a plan of one task. Approved by being typed; ends like `vp complete`. */
import { join } from 'node:path'
import * as z from 'zod/mini'
import { CODES, isVpError, VpError } from '../core/errors.ts'
import { sha256 } from '../core/json.ts'
import type { PlanTask, ProjectFile } from '../plms/contract/types.ts'
import { laneByName } from '../plms/embedded/lanes.ts'
import { planTask } from '../plms/embedded/plan.ts'
import type { Caps, RunState } from '../pas/embedded/reducer/state.ts'
import { redactTexts } from '../policy/redact.ts'
import { detectProject } from '../workspace/detect.ts'
import { readCommit } from '../workspace/tree-objects.ts'
import { openModel, passportModel } from './models.ts'
import type { Kit } from './kit.ts'
import { operation, type Scene } from './operation.ts'
import { estimateWith } from './projects/estimate.ts'
import { commandOf, detect, ephemeralProject, type Detection } from './projects/new.ts'
import { savePlan } from './projects/plans.ts'
import { readProjectFile, requireProject } from './projects/project.ts'
import { results } from './results.ts'
import { completeRun, type Completed } from './runs/complete.ts'
import { resumeRun } from './runs/drive.ts'
import { reportRun, type RunReport } from './runs/report.ts'
import { driveSession, endError, type Session } from './runs/session.ts'
import { runDirectory } from './runs/run-scene.ts'
import { requireStart, startRun } from './runs/start.ts'
import { requireTestCommand } from './test-command.ts'

export interface DoResult extends RunReport {
  readonly goal: string
  /** Of the task's commit; null where there is none. */
  readonly subject: string | null
  readonly completed: Completed | null
  /** Why the branch was not moved although the run is done. */
  readonly not_completed: { readonly code: string; readonly message: string; readonly next: readonly string[] } | null
  readonly exit: number
}

export const runDo = operation({
  name: 'run.do',
  summary: 'one small change: tested, then committed',
  params: () =>
    z.strictObject({
      goal: z.string().check(z.minLength(1), z.maxLength(20_000)),
      lane: z.optional(z.string()),
      test: z.optional(z.array(z.string()).check(z.minLength(1))),
      budget_usd: z.optional(z.number().check(z.nonnegative())),
      budget_tokens: z.optional(z.int().check(z.nonnegative())),
    }),
  result: () => results().done as never,
  effect: 'spend',
  scope: 'projects.start',
  // Typed at a terminal it is approved by being typed; from anywhere else the caps are a client's own word.
  decide: (params, { caller }) =>
    caller.surface === 'cli' || caller.scopes.has('projects.approve')
      ? { effect: 'allow', rule: 'scope/projects.start', reason: 'a person typed it' }
      : { effect: 'ask', rule: 'global/unapproved-run', reason: `a run that nobody approved, up to ${capWords(params)}` },
  ask: (params) => ({
    wants: `run “${params.goal.slice(0, 200)}” with a model and bring it to your branch`,
    reaches: 'a tree of its own, then your branch when all gates hold',
    undo: 'the files: all. Not: what the model read and what it cost',
    fullyUndoable: false,
    maxExtent: 'call',
  }),
  async handler(params, scene): Promise<DoResult> {
    const { kit, tree, caller } = scene
    const kept = readProjectFile(tree.root)
    const detection = kept ? null : detect(kit, tree.root)
    detection?.catch(() => undefined) // told after what keeps a run from starting at all
    const { human, base } = await requireStart(kit, tree.root)
    const { record, file } = await projectFor(scene, kept, { test: params.test ?? null, detection })
    if (!file.test)
      throw new VpError('gate.unmeasured', 'no test command found, so “done” cannot be proved', {
        next: ['add --test "make check"'],
      })
    const task = oneTask(params.goal, params.lane)
    if (params.test) await requireTestCommand(scene, params.test, { lane: kit.lane(task.pas_lane, tree.root), human, base })
    const model = await openModel(scene, {
      lane: task.pas_lane,
      files: 0,
      complexity: task.complexity,
      left: { micro_usd: null, tokens: null },
    })
    const plan = await kit.store.transaction((tx) =>
      savePlan(tx, record.id, { prd_sha: sha256(params.goal), tasks: [redactTexts(task, kit.redactText)] }, kit.clock.now()),
    )
    const caps = {
      micro_usd: Math.round((params.budget_usd ?? kit.config.do_budget_usd) * 1e6),
      tokens: params.budget_tokens ?? kit.config.do_budget_tokens,
      breach: 'pause' as const,
    }
    // Before there is a run: a task that no model may do leaves none behind.
    const { estimate, known } = await estimateWith(kit, plan, model)
    const { state } = await startRun(kit, {
      root: tree.root,
      project: file,
      plan,
      requirements: null,
      kind: 'baseline',
      origin: 'do',
      caps,
      model: await passportModel(kit, model),
    })
    const { cost_usd, duration_ms } = estimate.total
    caller.live?.watcher.onPlan?.({
      lane: task.pas_lane,
      cost_usd: known ? cost_usd.ci_90 : null,
      duration_ms: duration_ms.ci_90,
      cap_usd: caps.micro_usd / 1e6,
    })
    return toItsEnd(scene, { state, project: file, model, gates: [] })
  },
  say: (params, result) => `“${params.goal.slice(0, 80)}” · ${(result as unknown as DoResult).status}`,
})

/** The same run again after a pause, an approval or a kill; it ends as it would have ended. Throws `run.state`. */
export async function resumeDo(scene: Scene, state: RunState, project: ProjectFile, caps?: Caps): Promise<DoResult> {
  const { kit } = scene
  // Killed after its end and before the branch was moved.
  if (state.status === 'completed') return broughtHome(scene, state, project)
  const model = await openModel(scene)
  return toItsEnd(scene, { state: await resumeRun(kit, state, caps), project, model, gates: [] })
}

async function toItsEnd(scene: Scene, session: Session): Promise<DoResult> {
  const end = await driveSession(scene, session)
  scene.notes['run'] = end.state.run_id
  const { exit, error } = endError(scene.kit, end)
  if (error) throw error
  if (end.state.status === 'completed') return broughtHome(scene, end.state, session.project)
  return { ...(await reportRun(scene.kit, end.state, null)), goal: goalOf(end.state), subject: null, completed: null, not_completed: null, exit }
}

/** What `vp complete` does; where the branch cannot be moved, the run stays on its own. */
async function broughtHome(scene: Scene, state: RunState, project: ProjectFile): Promise<DoResult> {
  const { kit } = scene
  const done = { ...(await reportRun(kit, state, null)), goal: goalOf(state), subject: await subjectOf(kit, state) }
  try {
    return { ...done, completed: await completeRun(scene, state, project, false), not_completed: null, exit: 0 }
  } catch (thrown) {
    if (!isVpError(thrown) || !/^(workspace\.moved|sign\.\w+)$/.test(thrown.code)) throw thrown
    const not_completed = { code: thrown.code, message: thrown.message, next: thrown.details.next ?? [] }
    return { ...done, completed: null, not_completed, exit: CODES[thrown.code].exit }
  }
}

function goalOf(state: RunState): string {
  return state.order.map((id) => state.tasks[id]?.card.payload.goal).find((goal) => goal !== undefined) ?? ''
}

async function subjectOf(kit: Kit, state: RunState): Promise<string> {
  return (await readCommit(kit.git.objects(join(runDirectory(kit, state.run_id), 'repository.git')), state.head)).subject
}

function capWords(params: { budget_usd?: number | undefined; budget_tokens?: number | undefined }): string {
  const words = [params.budget_usd === undefined ? null : `$${params.budget_usd}`, params.budget_tokens === undefined ? null : `${params.budget_tokens} tokens`]
  return words.filter((word) => word !== null).join(' and ') || 'the usual cap'
}

async function projectFor(scene: Scene, kept: ProjectFile | null, options: { test: readonly string[] | null; detection: Promise<Detection> | null }) {
  const { kit, tree } = scene
  const { test } = options
  const detection = () => options.detection ?? detect(kit, tree.root)
  if (!kept) return ephemeralProject(kit, tree.root, test, await detection())
  const record = await kit.store.read((tx) => requireProject(tx, kept.project_id)).catch(() => null)
  if (!record) {
    const { record: fresh } = await ephemeralProject(kit, tree.root, test, await detection())
    return {
      record: fresh,
      file: { ...kept, project_id: fresh.id, ...(test ? { test: commandOf(test, { test: kept.test }) } : {}) },
    }
  }
  return {
    record,
    file: test ? { ...kept, test: commandOf(test, { test: kept.test ?? detectProject({ list: [], read: () => null }).test }) } : kept,
  }
}

function oneTask(goal: string, laneName: string | undefined): PlanTask {
  const lane = laneByName(laneName ?? 'Code-Impl')
  if (!lane)
    throw new VpError('plan.unknown_lane', `there is no lane ${JSON.stringify(laneName)}`, {
      why: 'lanes: Code-Impl, Code-API-Design, Data-Schema, Data-Loader, Narrative, Graph-Ops, Vector-Ops',
      next: ['vp do … --lane Code-Impl'],
    })
  return planTask({
    n: 1,
    title: goal,
    parent_n: null,
    lane,
    complexity: 'simple',
    deps: [],
    files: [],
    tests: [],
    line: null,
  })
}

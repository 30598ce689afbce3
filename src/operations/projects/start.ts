/** `vp start`, `vp resume`: an approved plan becomes a run, or the run that is under way goes on. */
import { VpError } from '../../core/errors.ts'
import type { RunKind } from '../../pas/contract/types.ts'
import { FINAL_RUN } from '../../pas/contract/types.ts'
import type { DriveEnd } from '../../pas/embedded/drive.ts'
import type { RunState } from '../../pas/embedded/reducer/state.ts'
import { latestRun } from '../../pas/embedded/run-store.ts'
import type { PlanApproval, ProjectFile } from '../../plms/contract/types.ts'
import { transition } from '../../plms/embedded/lifecycle.ts'
import type { Tx } from '../../store/contract.ts'
import { openModel, passportModel } from '../models.ts'
import type { Scene } from '../operation.ts'
import { resumeRun } from '../runs/drive.ts'
import { reportRun, type RunReport } from '../runs/report.ts'
import { prdContext } from '../runs/requirements.ts'
import { driveSession, endError } from '../runs/session.ts'
import { startRun } from '../runs/start.ts'
import { capsLeft, requireLeft } from './budget.ts'
import { loadPlan, type StoredPlan } from './plans.ts'
import { planCommandFor } from './prd-place.ts'
import { requireProject, saveProject, type ProjectRecord } from './project.ts'

export interface Started extends RunReport {
  readonly exit: number
  readonly joined: boolean
}

/** Starts, or joins the run of the same plan that is under way. Throws `approval.stale`, `project.state`, `plan.none`. */
export async function startProject(scene: Scene, project: ProjectFile, kind: RunKind, detached: boolean): Promise<Started> {
  const { kit } = scene
  const { record, plan } = await kit.store.read(async (tx) => ({
    record: await requireProject(tx, project.project_id),
    plan: await loadPlan(tx, project.project_id),
  }))
  const approval = requireApproval(record, plan)
  const model = await openModel(scene)
  const { state, joined } = await begin(scene, project, plan as StoredPlan, approval, kind, model)
  if (detached) return { ...(await reportRun(kit, state, bandOf(record))), exit: 0, joined }
  const end = await driveSession(scene, {
    state,
    project,
    model,
    gates: approval.gates,
  })
  return finished(scene, record, end, joined)
}

/** The run of this plan that is under way goes on; where there is none, one is made. Two that begin at once make one. */
async function begin(
  scene: Scene,
  project: ProjectFile,
  plan: StoredPlan,
  approval: PlanApproval,
  kind: RunKind,
  model: Awaited<ReturnType<typeof openModel>>,
): Promise<{ state: RunState; joined: boolean }> {
  const { kit } = scene
  const latestOfPlan = async (tx: Tx) => {
    const latest = await latestRun(tx, project.project_id)
    return latest?.plan_version === plan.version ? latest : null
  }
  const { latest, caps } = await kit.store.read(async (tx) => {
    const latest = await latestOfPlan(tx)
    const active = latest && !FINAL_RUN.has(latest.status) ? latest.run_id : null
    return { latest, caps: await capsLeft(tx, project.project_id, approval, active) }
  })
  if (latest && !FINAL_RUN.has(latest.status)) return { state: await resumeRun(kit, latest, caps), joined: true }
  requireLeft(caps)
  return startRun(kit, {
    root: scene.tree.root,
    project,
    plan,
    requirements: prdContext(scene),
    kind,
    caps,
    model: await passportModel(kit, model),
    enter: async (tx) => {
      const now = await latestOfPlan(tx)
      if (now && now.run_id !== latest?.run_id) return now
      const record = await requireProject(tx, project.project_id)
      await saveProject(tx, { ...record, status: transition(record.status === 'validating' ? 'completed' : record.status, 'start') })
      return null
    },
  })
}

/** Goes on with a paused or interrupted run; an approval raised meanwhile raises its caps. Throws `run.none`, `run.state`. */
export async function resumeProject(scene: Scene, project: ProjectFile, state: RunState): Promise<Started> {
  const { kit } = scene
  const record = await kit.store.read((tx) => requireProject(tx, state.project_id))
  // What is done is told again, as `vp resume` does after `vp do`.
  if (state.status === 'completed') return { ...(await reportRun(kit, state, bandOf(record))), exit: 0, joined: true }
  const approval = record.approval
  const caps =
    approval && approval.plan_version === state.plan_version ? await kit.store.read((tx) => capsLeft(tx, state.project_id, approval, state.run_id)) : undefined
  const model = await openModel(scene)
  const resumed = await resumeRun(kit, state, caps)
  const end = await driveSession(scene, {
    state: resumed,
    project,
    model,
    gates: approval?.gates ?? [],
  })
  return finished(scene, record, end, true)
}

async function finished(scene: Scene, record: ProjectRecord, end: DriveEnd, joined: boolean): Promise<Started> {
  const { exit, error } = endError(scene.kit, end)
  scene.notes['run'] = end.state.run_id
  if (error) throw error
  return { ...(await reportRun(scene.kit, end.state, bandOf(record))), exit, joined }
}

export function bandOf(record: ProjectRecord): { lo: number; hi: number } | null {
  const cost = (record.rehearsed ?? record.estimate)?.total.cost_usd.ci_90
  return cost ? { lo: cost[0], hi: cost[1] } : null
}

function requireApproval(record: ProjectRecord, plan: StoredPlan | null): PlanApproval {
  if (!plan) throw new VpError('plan.none', 'there is no plan to start', { next: [planCommandFor(record.root)] })
  if (!record.approval)
    throw new VpError('approval.stale', `plan v${plan.version} is not approved yet`, {
      changed: 'nothing was started',
      next: record.estimate ? ['vp approve --budget-usd N'] : ['vp estimate', 'vp approve --budget-usd N'],
    })
  if (record.approval.plan_sha !== plan.sha)
    throw new VpError('approval.stale', `the plan is v${plan.version}, the approval v${record.approval.plan_version}`, {
      changed: 'nothing was started',
      next: ['vp estimate', 'vp approve'],
    })
  return record.approval
}

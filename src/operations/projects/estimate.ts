/** `vp estimate` and `vp simulate`: the price before, by priors and then by trying a sample for real. */
import { isErrorCode, VpError } from '../../core/errors.ts'
import { reasonWords } from '../../core/run-words.ts'
import { FINAL_RUN } from '../../pas/contract/types.ts'
import type { DriveEnd } from '../../pas/embedded/drive.ts'
import type { RunState, TaskState } from '../../pas/embedded/reducer/state.ts'
import type { Band, PlanEstimate, PlanTask, ProjectFile } from '../../plms/contract/types.ts'
import { estimatePlan, type Prior, type TaskModel } from '../../plms/embedded/estimate.ts'
import { transition } from '../../plms/embedded/lifecycle.ts'
import { taskKindOf } from '../../models/broker/task-kind.ts'
import { staysHere } from '../../models/choose.ts'
import { powerOf } from '../../models/energy.ts'
import { leafTasks, planShape } from '../../plms/embedded/plan.ts'
import { chooseSample, extrapolate, riskLevel, variation, type Risk } from '../../plms/embedded/simulate.ts'
import type { Expected } from '../broker/broker.ts'
import type { Kit } from '../kit.ts'
import { openModel, passportModel, type OpenModel } from '../models.ts'
import type { Scene } from '../operation.ts'
import { prdContext } from '../runs/requirements.ts'
import { driveSession, endError } from '../runs/session.ts'
import { startRun } from '../runs/start.ts'
import { loadPlan, type StoredPlan } from './plans.ts'
import { planCommandFor } from './prd-place.ts'
import { requireProject, saveProject, type ProjectRecord } from './project.ts'

export interface Estimated extends PlanEstimate {
  readonly plan_version: number
  readonly provider: string
  readonly price_known: boolean
  readonly rehearsal_usd: number
}

/** Throws `plan.none`, `project.state`, `model.*`. */
export async function estimateProject(scene: Scene, project: ProjectFile): Promise<Estimated> {
  const { kit } = scene
  const { record, plan } = await planOf(kit, project)
  const estimating = record.status === 'executing' || record.status === 'paused' ? record.status : transition(record.status, 'estimate')
  const model = await openModel(scene)
  const { estimate, known, providers } = await estimateWith(kit, plan, model)
  await kit.store.transaction(async (tx) => {
    const fresh = await requireProject(tx, record.id)
    const approved = fresh.approval?.plan_sha === plan.sha && fresh.status === 'approved'
    const status = estimating === 'estimating' ? (approved ? 'approved' : transition('estimating', 'estimated')) : estimating
    await saveProject(tx, { ...fresh, status, estimate })
  })
  return {
    ...estimate,
    plan_version: plan.version,
    provider: providers.join(', '),
    price_known: known,
    rehearsal_usd: estimate.total.cost_usd.mean * 0.05,
  }
}

async function planOf(kit: Kit, project: ProjectFile): Promise<{ record: ProjectRecord; plan: StoredPlan }> {
  const { record, plan } = await kit.store.read(async (tx) => ({
    record: await requireProject(tx, project.project_id),
    plan: await loadPlan(tx, project.project_id),
  }))
  if (!plan) throw new VpError('plan.none', 'there is no plan to price', { next: [planCommandFor(record.root)] })
  return { record, plan }
}

interface Priced {
  readonly estimate: PlanEstimate
  /** False: the price of a model is not. */
  readonly known: boolean
  readonly providers: readonly string[]
}

/**
 * By what was learnt on this machine, else by the shipped priors; each task with the model that it would get now.
 * Throws `model.no_eligible_tier` where one would get none.
 */
export async function estimateWith(kit: Kit, plan: Pick<StoredPlan, 'tasks'>, model: OpenModel): Promise<Priced> {
  const priors = (await kit.store.read((tx) => tx.all<{ body: string }>('SELECT body FROM priors'))).map((row) => JSON.parse(row.body) as Prior)
  const models = await modelsFor(leafTasks(plan.tasks), model)
  const modelOf = (task: PlanTask) => models.get(task.n) ?? namedModel(model)
  const used = [...models.values()]
  return {
    estimate: estimatePlan(plan.tasks, priors, { modelOf, parallel: kit.config.parallel }),
    known: used.every(({ price }) => price !== null),
    providers: [...new Set(used.map(({ provider }) => provider))],
  }
}

const namedModel = ({ provider, price, tier }: OpenModel): TaskModel => ({
  provider: `${provider.name}:${provider.model}`,
  price,
  power_kw: staysHere(provider.endpoint) ? powerOf(tier) : null,
})

/** By number of the task: the one that a person named, or what the policy would choose for each lane and kind. */
async function modelsFor(tasks: readonly PlanTask[], model: OpenModel): Promise<ReadonlyMap<number, TaskModel>> {
  const { broker } = model
  if (broker === null) return new Map(tasks.map((task) => [task.n, namedModel(model)]))
  const asked = new Map<string, Promise<TaskModel>>()
  const chosenFor = ({ pas_lane: lane, files, complexity }: PlanTask): Promise<TaskModel> => {
    const shape = { lane, files: files.length, complexity }
    const key = `${lane} ${taskKindOf(shape)}`
    const expected = asked.get(key) ?? broker.expect({ ...shape, left: { micro_usd: null, tokens: null } }).then(expectedModel)
    asked.set(key, expected)
    return expected
  }
  return new Map(await Promise.all(tasks.map(async (task) => [task.n, await chosenFor(task)] as const)))
}

const expectedModel = ({ name, tier, local, price }: Expected): TaskModel => ({ provider: name, price, power_kw: local ? powerOf(tier) : null })

export interface LaneRisk {
  readonly lane: string
  readonly estimate: Risk
  readonly execution: Risk
  readonly gates: Risk
  readonly note: string | null
}

export interface Simulated {
  readonly simulation_results: {
    readonly rehearsal_actual: {
      readonly tokens: number
      readonly duration_ms: number
      readonly cost_usd: number
      readonly echo_cos_mean: null
    }
    readonly extrapolated_full: {
      readonly tokens: number
      readonly duration_ms: number
      readonly cost_usd: number
      readonly echo_cos_mean: null
      readonly ci_90: {
        readonly tokens: readonly [number, number]
        readonly cost_usd: readonly [number, number]
        readonly duration_ms: readonly [number, number]
      }
    }
    readonly risk_factors: readonly { readonly lane: number; readonly issue: string; readonly samples: number }[]
  }
  readonly sampling_metrics: ReturnType<typeof chooseSample>['metrics']
  readonly warnings: readonly string[]
  readonly run_id: string
  readonly estimated: PlanEstimate['total']
  readonly rehearsed: PlanEstimate['total']
  readonly risk: readonly LaneRisk[]
  readonly runway: {
    readonly minutes: readonly [number, number] | null
    readonly plan_minutes: readonly [number, number]
    readonly budget_usd: number | null
  }
  readonly spent_usd: number | null
  readonly sampled: readonly number[]
}

/** A canary run of kind rehearsal in throw-away trees; the project's status stays. Throws as `vp start` does, and `budget.cap`. */
export async function simulateProject(scene: Scene, project: ProjectFile, share: number): Promise<Simulated> {
  const { kit } = scene
  const { record, plan } = await planOf(kit, project)
  const estimate = record.estimate ?? (await estimateProject(scene, project))
  const model = await openModel(scene)
  const leaves = leafTasks(plan.tasks)
  const sample = chooseSample(leaves, share, seededChance(plan.sha))
  const cap = Math.max(0, Math.round(kit.config.before_approval_usd * 1e6) - record.spent_before_approval_micro_usd)
  const { state } = await startRun(kit, {
    root: scene.tree.root,
    project,
    plan,
    requirements: prdContext(scene),
    kind: 'rehearsal',
    caps: { micro_usd: cap, tokens: null, breach: 'pause' },
    model: await passportModel(kit, model),
    only: sample.tasks.map((task) => task.n),
  })
  const end = await driveSession(scene, { state, project, model, gates: [] })
  scene.notes['run'] = state.run_id
  if (!FINAL_RUN.has(end.state.status)) throw stopped(kit, end)
  const result = evaluate(plan, estimate, sample, end.state, kit.config.parallel)
  await kit.store.transaction(async (tx) => {
    const fresh = await requireProject(tx, record.id)
    await saveProject(tx, {
      ...fresh,
      rehearsed: { ...estimate, total: result.rehearsed },
      spent_before_approval_micro_usd: fresh.spent_before_approval_micro_usd + end.state.micro_usd,
    })
  })
  return { ...result, runway: runwayOf(result.rehearsed, record.approval?.budget_micro_usd ?? null) }
}

/** Why a rehearsal has no result: a call waits, a person stopped it, or an error did. */
function stopped(kit: Kit, end: DriveEnd): VpError {
  const waiting = endError(kit, end).error
  if (waiting) return waiting
  const next = [`vp logs ${end.state.run_id.split('-').at(-1)}`, 'vp simulate --rehearsal 0.01']
  const reason = end.state.reason ?? end.state.status
  if (reason === 'by you') return new VpError('cancelled', 'the rehearsal was stopped by you', { next })
  const code = /^[a-z_]+\.[a-z_]+(?=: )/.exec(reason)?.[0]
  if (code !== undefined && isErrorCode(code)) return new VpError(code, `in the rehearsal: ${reason.slice(code.length + 2)}`, { next })
  return new VpError('run.stopped', `the rehearsal stopped: ${reasonWords(reason)}`, { next })
}

/** The same plan is rehearsed by the same tasks, on every machine. */
function seededChance(seed: string): () => number {
  let state = Number.parseInt(seed.slice(0, 8), 16) || 1
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 4294967296
  }
}

function evaluate(
  plan: StoredPlan,
  estimate: PlanEstimate,
  sample: ReturnType<typeof chooseSample>,
  state: RunState,
  parallel: number,
): Omit<Simulated, 'runway'> {
  const tried = sample.tasks.flatMap((task) => Object.values(state.tasks).find((one) => one.card.payload.n === task.n) ?? [])
  const tokens = tried.map((one) => one.tokens)
  const times = tried.map(durationOf)
  const costs = tried.map((one) => one.micro_usd / 1e6)
  const metrics = sample.metrics
  const whole = (values: readonly number[]) =>
    extrapolate({
      sample_total: values.reduce((a, b) => a + b, 0),
      n_sample: Math.max(1, metrics.n_sample),
      n_total: metrics.n_total,
      cv: variation(values),
      strata_coverage: metrics.strata_coverage,
    })
  const shape = planShape(plan.tasks)
  const share = Math.max(1 / Math.max(1, Math.min(parallel, shape.width)), shape.longest_chain / Math.max(1, shape.tasks))
  const [t, d, c] = [whole(tokens), whole(times), whole(costs)]
  const wall: Band = { mean: d.point * share, ci_90: [d.ci_90[0] * share, d.ci_90[1] * share] }
  const scale = estimate.total.duration_ms.mean > 0 ? wall.mean / estimate.total.duration_ms.mean : 1
  const energy = estimate.total.energy_kwh
  const rehearsed: PlanEstimate['total'] = {
    ...estimate.total,
    tokens: { mean: t.point, ci_90: t.ci_90 },
    duration_ms: wall,
    cost_usd: { mean: c.point, ci_90: c.ci_90 },
    energy_kwh: { mean: energy.mean * scale, ci_90: [energy.ci_90[0] * scale, energy.ci_90[1] * scale] },
    n: tried.length,
  }
  return {
    simulation_results: {
      rehearsal_actual: {
        tokens: sum(tokens),
        duration_ms: Math.round(sum(times)),
        cost_usd: sum(costs),
        echo_cos_mean: null,
      },
      extrapolated_full: {
        tokens: Math.round(t.point),
        duration_ms: Math.round(wall.mean),
        cost_usd: c.point,
        echo_cos_mean: null,
        ci_90: { tokens: t.ci_90, cost_usd: c.ci_90, duration_ms: [wall.ci_90[0], wall.ci_90[1]] },
      },
      risk_factors: tried.filter((one) => one.status === 'failed').map((one) => ({ lane: laneId(sample.tasks, one), issue: 'kpi_failure', samples: 1 })),
    },
    sampling_metrics: metrics,
    warnings: metrics.auto_bumped ? [`${metrics.n_sample} of ${metrics.n_total} tasks, so that every lane and complexity is tried`] : [],
    run_id: state.run_id,
    estimated: estimate.total,
    rehearsed,
    risk: lanesOf(sample.tasks, estimate, tried),
    spent_usd: state.price_unknown ? null : state.micro_usd / 1e6,
    sampled: sample.tasks.map((task) => task.n),
  }
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
const durationOf = (task: TaskState): number => (task.started_at !== null && task.ended_at !== null ? task.ended_at - task.started_at : 0)

function laneId(tasks: readonly PlanTask[], tried: TaskState): number {
  return tasks.find((task) => task.n === tried.card.payload.n)?.plms_lane ?? 0
}

function lanesOf(sampled: readonly PlanTask[], estimate: PlanEstimate, tried: readonly TaskState[]): LaneRisk[] {
  return [...new Set(sampled.map((task) => task.pas_lane))].map((lane) => {
    const own = tried.filter((one) => one.card.lane === lane)
    const band = estimate.lanes.find((one) => one.lane === lane)?.tokens
    const mean = own.length === 0 ? 0 : sum(own.map((one) => one.tokens)) / own.length
    const planned = band ? band.mean / Math.max(1, estimate.lanes.find((one) => one.lane === lane)?.tasks ?? 1) : mean
    const share = (count: number) => count / Math.max(1, own.length)
    const failed = own.find((one) => one.status === 'failed')
    const retried = own.filter((one) => one.attempt > 1 || one.status === 'failed').length
    return {
      lane,
      estimate: riskLevel({ mae_pct: planned > 0 ? Math.abs(mean - planned) / planned : 1, ci_width_pct: 0 }),
      execution: riskLevel({ mae_pct: share(retried), ci_width_pct: 0 }),
      gates: riskLevel({ mae_pct: share(own.filter((one) => one.status === 'failed').length), ci_width_pct: 0 }),
      note: failed ? (failed.reason ?? null) : null,
    }
  })
}

function runwayOf(rehearsed: PlanEstimate['total'], budgetMicroUsd: number | null): Simulated['runway'] {
  const minutes: readonly [number, number] = [rehearsed.duration_ms.ci_90[0] / 60_000, rehearsed.duration_ms.ci_90[1] / 60_000]
  if (budgetMicroUsd === null || rehearsed.cost_usd.mean <= 0)
    return { minutes: null, plan_minutes: minutes, budget_usd: budgetMicroUsd === null ? null : budgetMicroUsd / 1e6 }
  const rate = rehearsed.cost_usd.mean / Math.max(1e-9, rehearsed.duration_ms.mean / 60_000)
  const lasts = budgetMicroUsd / 1e6 / rate
  return { minutes: [lasts * 0.75, lasts * 1.25], plan_minutes: minutes, budget_usd: budgetMicroUsd / 1e6 }
}

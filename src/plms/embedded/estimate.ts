/**
 * What a plan will take, with honest bands: contract points per task, 90 % intervals from the priors of lane and
 * provider, sums of independent tasks. Sources: contracts/plms.md sections 5 and 6. Pure.
 */
import type { PasLane } from '../../pas/contract/types.ts'
import type { Band, Bands, LaneEstimate, PlanEstimate, PlanTask } from '../contract/types.ts'
import { leafTasks, planShape } from './plan.ts'

export interface Moments {
  readonly mean: number
  readonly sd: number
}

/** What was learnt about one lane with one provider. */
export interface Prior {
  readonly lane: string
  readonly provider: string
  readonly n: number
  readonly tokens: Moments
  readonly duration_ms: Moments
  readonly cost_usd: Moments
  readonly mae_tokens: number
  readonly mae_duration_ms: number
}

const LANE_MULTIPLIER: Readonly<Record<string, number>> = {
  'Math-Derivation': 1.5,
  'Code-API-Design': 1.2,
  'Code-API': 1,
  Narrative: 0.8,
  'Data-Ingest': 0.6,
}
const STORE_MULTIPLIER: Readonly<Record<string, number>> = { vec: 1, graph: 1.3, text: 0.8, hybrid: 1.5 }
const Z90 = 1.645

export interface Work {
  readonly work_type: 'llm_generation' | 'embedding' | 'training' | 'mixed'
  readonly n_concepts?: number
  readonly n_texts?: number
  readonly n_batches?: number
  readonly lane: string
  readonly store_hint: string
}

/** The contract's point estimate of one piece of work: tokens, ms, USD to the cent. */
export function estimateTask(work: Work): {
  estimated_tokens: number
  estimated_duration_ms: number
  estimated_cost_usd: number
} {
  const [tokens, ms] = baseOf(work)
  const lane = LANE_MULTIPLIER[work.lane] ?? 1
  const estimated_tokens = Math.round(tokens * lane)
  return {
    estimated_tokens,
    estimated_duration_ms: Math.round(ms * lane * (STORE_MULTIPLIER[work.store_hint] ?? 1)),
    estimated_cost_usd: Math.round((estimated_tokens / 1000) * 0.06 * 100) / 100,
  }
}

function baseOf(work: Work): [tokens: number, ms: number] {
  switch (work.work_type) {
    case 'llm_generation':
      return [(work.n_concepts ?? 1) * 1500, (work.n_concepts ?? 1) * 500]
    case 'embedding':
      return [Math.floor((work.n_texts ?? 0) / 32) * 100, ((work.n_texts ?? 0) * 50) / 32]
    case 'training':
      return [0, (work.n_batches ?? 0) * 2000]
    case 'mixed':
      return [5000, 10_000]
  }
}

export function interval90(mean: number, sd: number, minSd: number): [number, number] {
  const spread = Z90 * Math.max(sd, minSd)
  return [Math.max(0, mean - spread), mean + spread]
}

/** With fewer than three observations: ± 50 %. */
export function coldStartInterval(mean: number): [number, number] {
  return [mean * 0.5, mean * 1.5]
}

export function errorPct(estimated: number, actual: number): number {
  return Math.round((Math.abs(actual - estimated) / estimated) * 1000) / 10
}

/** Turns of a coding task by its complexity: what the tokens of a task grow with. */
const CONCEPTS = { trivial: 2, simple: 4, moderate: 8, complex: 16, very_complex: 32 } as const
/** Real time of one turn: a model's answer and a tool. */
const MS_PER_CONCEPT = 9000

export interface TaskModel {
  /** As priors name it. */
  readonly provider: string
  /** USD per million tokens, in and out; null when unknown; zeros on this machine. */
  readonly price: { readonly in_per_million_usd: number; readonly out_per_million_usd: number } | null
  /** Power of the device in kW, low and high, for a local model; null for a remote one. */
  readonly power_kw: readonly [number, number] | null
}

export interface EstimateOptions {
  /** The model that a task will be done with. */
  modelOf(task: PlanTask): TaskModel
  /** Attempts at once. */
  readonly parallel: number
}

interface TaskMoments {
  readonly n: number
  readonly lane: PasLane
  readonly observations: number
  readonly tokens: Moments
  readonly ms: Moments
  readonly usd: Moments
  readonly power_kw: TaskModel['power_kw']
}

/** Lanes and total. Deviations of independent tasks add as squares; an unknown price makes the cost band empty (null mean never: 0 with method told by the caller). */
export function estimatePlan(tasks: readonly PlanTask[], priors: readonly Prior[], options: EstimateOptions): PlanEstimate {
  const each = leafTasks(tasks).map((task) => taskMoments(task, priors, options.modelOf(task)))
  const lanes = [...new Set(each.map((one) => one.lane))].map((lane): LaneEstimate => {
    const own = each.filter((one) => one.lane === lane)
    return { lane, tasks: own.length, ...summed(own, options, false), ...methodOf(own) }
  })
  const shape = planShape(tasks)
  const total = { tasks: each.length, ...summed(each, options, true, shape), ...methodOf(each) }
  const mixed = lanes.some((lane) => lane.method === 'runs') && lanes.some((lane) => lane.method === 'prior')
  return {
    lanes: lanes.toSorted((a, b) => b.tasks - a.tasks),
    total: { ...total, method: mixed ? 'mixed' : total.method },
    parallel: Math.max(1, Math.min(options.parallel, shape.width)),
  }
}

function methodOf(tasks: readonly TaskMoments[]): { method: 'prior' | 'runs'; n: number } {
  const n = Math.max(0, ...tasks.map((one) => one.observations))
  return { method: n >= 3 ? 'runs' : 'prior', n }
}

function taskMoments(task: PlanTask, priors: readonly Prior[], { provider, price, power_kw }: TaskModel): TaskMoments {
  const prior = priors.find((one) => one.lane === task.pas_lane && one.provider === provider)
  if (prior && prior.n >= 3)
    return {
      n: task.n,
      lane: task.pas_lane,
      observations: prior.n,
      tokens: prior.tokens,
      ms: prior.duration_ms,
      // The price in force says more than what other prices once came to; a free model stays free.
      usd: price ? scaledBy(prior.tokens, usdPerToken(price)) : prior.cost_usd,
      power_kw,
    }
  const concepts = CONCEPTS[task.complexity]
  const { estimated_tokens } = estimateTask({
    work_type: 'llm_generation',
    n_concepts: concepts,
    lane: task.pas_lane,
    store_hint: task.store_hint,
  })
  const ms = concepts * MS_PER_CONCEPT * (LANE_MULTIPLIER[task.pas_lane] ?? 1)
  const usd = price ? estimated_tokens * usdPerToken(price) : 0
  const half = (mean: number): Moments => ({ mean, sd: (0.5 * mean) / Z90 })
  return {
    n: task.n,
    lane: task.pas_lane,
    observations: prior?.n ?? 0,
    tokens: half(estimated_tokens),
    ms: half(ms),
    usd: half(usd),
    power_kw,
  }
}

/** Nine parts of a coding task's tokens are read, one is written. */
function usdPerToken(price: NonNullable<TaskModel['price']>): number {
  return (0.9 * price.in_per_million_usd + 0.1 * price.out_per_million_usd) / 1e6
}

function scaledBy(moments: Moments, factor: number): Moments {
  return { mean: moments.mean * factor, sd: moments.sd * factor }
}

function summed(tasks: readonly TaskMoments[], options: EstimateOptions, whole: boolean, shape?: { longest_chain: number; width: number }): Bands {
  const add = (pick: (one: TaskMoments) => Moments): Moments => ({
    mean: sum(tasks.map((one) => pick(one).mean)),
    sd: spread(tasks, pick),
  })
  const tokens = add((one) => one.tokens)
  const work = add((one) => one.ms)
  const usd = add((one) => one.usd)
  const ms = whole && shape ? wallTime(work, tasks.length, options.parallel, shape) : work
  return {
    tokens: band(tokens, 1),
    duration_ms: band(ms, 1),
    cost_usd: usd.mean === 0 ? { mean: 0, ci_90: [0, 0] } : band(usd, 0.001),
    energy_kwh: energySum(tasks.map(energyBand)),
  }
}

/** Without evidence the tasks of a plan err together, so their deviations add as they are; with it they are independent. */
function spread(tasks: readonly TaskMoments[], pick: (one: TaskMoments) => Moments): number {
  const prior = sum(tasks.filter((one) => one.observations < 3).map((one) => pick(one).sd))
  const measured = Math.sqrt(sum(tasks.filter((one) => one.observations >= 3).map((one) => pick(one).sd ** 2)))
  return Math.hypot(prior, measured)
}

/** Work shared by what runs at once, never less than the longest chain. */
function wallTime(work: Moments, count: number, parallel: number, shape: { longest_chain: number; width: number }): Moments {
  const share = Math.max(1 / Math.max(1, Math.min(parallel, shape.width)), count === 0 ? 1 : shape.longest_chain / count)
  return { mean: work.mean * share, sd: work.sd * share }
}

function band(moments: Moments, minSd: number): Band {
  return { mean: moments.mean, ci_90: interval90(moments.mean, moments.sd, minSd) }
}

function energySum(bands: readonly Band[]): Band {
  return { mean: sum(bands.map((one) => one.mean)), ci_90: [sum(bands.map((one) => one.ci_90[0])), sum(bands.map((one) => one.ci_90[1]))] }
}

function energyBand({ tokens, ms: work, power_kw: range }: TaskMoments): Band {
  const perToken = 0.0004 / 1000
  const [low, high] = range
    ? [(work.mean * 0.5 * range[0]) / 3_600_000, (work.mean * 1.5 * range[1]) / 3_600_000]
    : [tokens.mean * 0.5 * perToken, tokens.mean * 2 * perToken]
  return {
    mean: range ? (work.mean * ((range[0] + range[1]) / 2)) / 3_600_000 : tokens.mean * perToken,
    ci_90: [low, high],
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

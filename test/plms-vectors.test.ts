import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { budgetRunway } from '../src/pas/embedded/reducer/budget.ts'
import { driftTrend, includeInCalibration, trimOutliers, updatePrior } from '../src/plms/embedded/calibrate.ts'
import { coldStartInterval, errorPct, estimatePlan, estimateTask, interval90 } from '../src/plms/embedded/estimate.ts'
import { planTask } from '../src/plms/embedded/plan.ts'
import { chooseSample, extrapolate, riskLevel, sampleSize } from '../src/plms/embedded/simulate.ts'

interface Vector {
  readonly id: string
  readonly title: string
  readonly function: string
  readonly input: never
  readonly expect: unknown
  readonly tolerance?: number
}

const functions: Readonly<Record<string, (input: never) => unknown>> = {
  estimate_task: estimateTask,
  interval_90: (input: { mean: number; sd: number; min_sd: number }) => interval90(input.mean, input.sd, input.min_sd),
  cold_start_interval: (input: { mean: number }) => coldStartInterval(input.mean),
  update_prior: updatePrior,
  include_in_calibration: includeInCalibration,
  trim_outliers: trimOutliers,
  budget_runway: budgetRunway,
  risk_level: riskLevel,
  sample_size: (input: { n_total: number; n_strata: number; rehearsal_pct: number }) => sampleSize(input.n_total, input.n_strata, input.rehearsal_pct),
  extrapolate,
  error_pct: (input: { estimated: number; actual: number }) => errorPct(input.estimated, input.actual),
  drift_trend: driftTrend,
}

function close(got: unknown, want: unknown, tolerance: number): void {
  if (typeof want === 'number') assert.ok(typeof got === 'number' && Math.abs(got - want) <= tolerance, `${String(got)} is not ${want}`)
  else if (want !== null && typeof want === 'object')
    for (const [key, value] of Object.entries(want)) close((got as Record<string, unknown>)[key], value, tolerance)
  else assert.equal(got, want)
}

const { vectors } = JSON.parse(readFileSync('test/vectors/plms-compute.json', 'utf8')) as { vectors: Vector[] }
for (const vector of vectors)
  test(`${vector.id}: ${vector.title}`, () => {
    const run = functions[vector.function]
    assert.ok(run, `no function ${vector.function}`)
    close(run(vector.input), vector.expect, vector.tolerance ?? 1e-3)
  })

const task = (n: number, lane: string, deps: number[] = []) =>
  planTask({
    n,
    title: `t${n}`,
    parent_n: null,
    lane: { pas_lane: lane as 'Code-Impl', plms_lane: 4200 },
    complexity: 'simple',
    deps,
    files: [],
    tests: [],
    line: null,
  })
const local = {
  provider: 'openai_compatible:m',
  price: { in_per_million_usd: 0, out_per_million_usd: 0 },
  power_kw: [0.06, 0.12] as const,
}
const locally = { modelOf: () => local, parallel: 2 }

test('a plan without evidence is ± 50 %; with evidence it is narrower; a local model costs nothing', () => {
  const tasks = [task(1, 'Code-Impl'), task(2, 'Code-Impl', [1]), task(3, 'Narrative')]
  const cold = estimatePlan(tasks, [], locally)
  const [lo, hi] = cold.total.tokens.ci_90
  assert.ok(Math.abs(hi / cold.total.tokens.mean - 1.5) < 0.01 && Math.abs(lo / cold.total.tokens.mean - 0.5) < 0.01)
  assert.deepEqual([cold.total.method, cold.total.cost_usd.mean, cold.lanes.length], ['prior', 0, 2])
  const prior = {
    lane: 'Code-Impl',
    provider: local.provider,
    n: 14,
    tokens: { mean: 6000, sd: 600 },
    duration_ms: { mean: 40_000, sd: 4000 },
    cost_usd: { mean: 0, sd: 0 },
    mae_tokens: 1,
    mae_duration_ms: 1,
  }
  const warm = estimatePlan(tasks, [prior], locally)
  assert.equal(warm.total.method, 'mixed')
  assert.ok((warm.lanes[0]?.tokens.ci_90[1] ?? 0) / (warm.lanes[0]?.tokens.mean ?? 1) < 1.2)
})

test('each task has the price, the power and the experience of its own model', () => {
  const tasks = [task(1, 'Code-Impl'), task(2, 'Narrative')]
  const far = { provider: 'anthropic:m', price: { in_per_million_usd: 3, out_per_million_usd: 15 }, power_kw: null }
  const both = estimatePlan(tasks, [], { modelOf: ({ pas_lane }) => (pas_lane === 'Narrative' ? far : local), parallel: 1 })
  const [here, there] = [local, far].map((model) => estimatePlan(tasks, [], { modelOf: () => model, parallel: 1 }))
  const of = (one: typeof both | undefined, lane: string) => one?.lanes.find((each) => each.lane === lane)
  assert.deepEqual(of(both, 'Code-Impl'), of(here, 'Code-Impl'))
  assert.deepEqual(of(both, 'Narrative'), of(there, 'Narrative'))
  assert.equal(both.total.cost_usd.mean, of(there, 'Narrative')?.cost_usd.mean)
  assert.equal(both.total.energy_kwh.mean, (of(here, 'Code-Impl')?.energy_kwh.mean ?? 0) + (of(there, 'Narrative')?.energy_kwh.mean ?? 0))
})

test('a small plan is sampled one a stratum', () => {
  const tasks = [task(1, 'Code-Impl'), task(2, 'Code-Impl'), task(3, 'Narrative'), task(4, 'Data-Schema')]
  const { tasks: chosen, metrics } = chooseSample(tasks, 0.01, () => 0.99)
  assert.deepEqual([chosen.map((one) => one.n), metrics.strata_coverage, metrics.auto_bumped], [[2, 3, 4], 1, true])
})

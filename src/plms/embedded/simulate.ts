/**
 * Rehearsals: which tasks stand for the plan, and what their cost says of the whole. Stratified, so that every kind
 * of work is tried. Source: contracts/plms.md sections 8 and 9. Pure; chance comes in.
 */
import type { PlanTask } from '../contract/types.ts'

export interface SampleSize {
  readonly n_sample: number
  readonly auto_bumped: boolean
}

/** Under 100 tasks coverage wins over the 5 % cap; from 100 on the cap holds, unless more was asked for. */
export function sampleSize(total: number, strata: number, share: number): SampleSize {
  const asked = Math.max(1, Math.floor(total * share))
  if (asked >= strata) return { n_sample: asked, auto_bumped: false }
  if (total >= 100 && strata / total > 0.05) return { n_sample: Math.max(1, Math.floor(total * 0.05)), auto_bumped: true }
  return { n_sample: strata, auto_bumped: true }
}

export function stratumOf(task: PlanTask): string {
  return `${task.pas_lane}/${task.complexity}`
}

export interface Sample {
  readonly tasks: readonly PlanTask[]
  readonly metrics: {
    readonly n_total: number
    readonly n_sample: number
    readonly actual_pct: number
    readonly requested_pct: number
    readonly strata_coverage: number
    readonly auto_bumped: boolean
    readonly n_strata: number
  }
}

/** One of each stratum first, then more by the size of the strata. `chance` gives 0..1. */
export function chooseSample(leaves: readonly PlanTask[], share: number, chance: () => number): Sample {
  const strata = new Map<string, PlanTask[]>()
  for (const task of leaves) strata.set(stratumOf(task), [...(strata.get(stratumOf(task)) ?? []), task])
  const size = sampleSize(leaves.length, strata.size, share)
  const chosen: PlanTask[] = []
  const take = (from: PlanTask[]) => {
    const left = from.filter((task) => !chosen.includes(task))
    const picked = left[Math.min(left.length - 1, Math.floor(chance() * left.length))]
    if (picked) chosen.push(picked)
  }
  const bySize = [...strata.values()].toSorted((a, b) => b.length - a.length)
  for (const stratum of bySize) if (chosen.length < size.n_sample) take(stratum)
  for (let round = 0; chosen.length < size.n_sample && round < leaves.length; round++)
    for (const stratum of bySize) if (chosen.length < size.n_sample) take(stratum)
  const covered = new Set(chosen.map(stratumOf)).size
  return {
    tasks: chosen.toSorted((a, b) => a.n - b.n),
    metrics: {
      n_total: leaves.length,
      n_sample: chosen.length,
      actual_pct: leaves.length === 0 ? 0 : chosen.length / leaves.length,
      requested_pct: share,
      strata_coverage: strata.size === 0 ? 1 : covered / strata.size,
      auto_bumped: size.auto_bumped,
      n_strata: strata.size,
    },
  }
}

/** From a sample's sum to the plan's, with the spread that so few tasks allow. */
export function extrapolate(input: { sample_total: number; n_sample: number; n_total: number; cv: number; strata_coverage: number }): {
  point: number
  ci_90: [number, number]
} {
  const { sample_total, n_sample, n_total, cv, strata_coverage } = input
  const point = (sample_total * n_total) / n_sample
  let rel = Math.max(0.1, cv) * Math.sqrt(1 + 1 / n_sample) * (2 - strata_coverage)
  if (n_sample < 3) rel = Math.max(rel, 0.304)
  return { point, ci_90: [Math.max(0, point * (1 - 1.645 * rel)), point * (1 + 1.645 * rel)] }
}

export type Risk = 'low' | 'medium' | 'high'

export function riskLevel(signals: { mae_pct: number; ci_width_pct: number }): Risk {
  if (signals.mae_pct < 0.15 && signals.ci_width_pct < 0.3) return 'low'
  return signals.mae_pct <= 0.3 && signals.ci_width_pct <= 0.5 ? 'medium' : 'high'
}

/** Coefficient of variation of a sample; 0 for fewer than two. */
export function variation(values: readonly number[]): number {
  if (values.length < 2) return 0
  const mean = values.reduce((total, value) => total + value, 0) / values.length
  if (mean === 0) return 0
  return Math.sqrt(values.reduce((total, value) => total + (value - mean) ** 2, 0) / (values.length - 1)) / mean
}

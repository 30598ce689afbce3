/** Learning from finished runs. Source: contracts/plms.md section 6. Pure. */
import type { Moments, Prior } from './estimate.ts'

const ALPHA = 0.3

export function includeInCalibration(run: { run_kind: string; validation_pass: boolean | null; write_sandbox: boolean }): boolean {
  return (run.run_kind === 'baseline' || run.run_kind === 'hotfix') && run.validation_pass === true && !run.write_sandbox
}

/** Mean first, then deviation with the old n. */
export function updatePrior(prior: { mean: number; sd: number; n: number; actual: number; alpha?: number }): Moments & { n: number } {
  const { mean, sd, n, actual, alpha = ALPHA } = prior
  const moved = (1 - alpha) * mean + alpha * actual
  return {
    mean: moved,
    sd: n === 0 ? 0 : Math.sqrt(Math.max(0, ((n - 1) * sd ** 2 + (actual - moved) ** 2) / n)),
    n: n + 1,
  }
}

/** With five rows or more, a tenth off each end, at least one. */
export function trimOutliers(values: readonly number[]): number[] {
  if (values.length < 5) return [...values]
  const cut = Math.max(1, Math.floor(values.length * 0.1))
  return values.toSorted((a, b) => a - b).slice(cut, -cut)
}

export interface Observation {
  readonly lane: string
  readonly provider: string
  readonly tokens: number
  readonly duration_ms: number
  readonly cost_usd: number
}

const COLD: Omit<Prior, 'lane' | 'provider'> = {
  n: 0,
  tokens: { mean: 5000, sd: 1000 },
  duration_ms: { mean: 10_000, sd: 2000 },
  cost_usd: { mean: 0.3, sd: 0.05 },
  mae_tokens: 0,
  mae_duration_ms: 0,
}

/** The buckets after a run's tasks, in order; outliers of a bucket with five rows or more are left out. */
export function updatePriors(priors: readonly Prior[], observed: readonly Observation[]): Prior[] {
  const next = [...priors]
  for (const key of new Set(observed.map((one) => `${one.lane}\0${one.provider}`))) {
    const [lane = '', provider = ''] = key.split('\0')
    const own = observed.filter((one) => one.lane === lane && one.provider === provider)
    const kept = new Set(trimOutliers(own.map((one) => one.tokens)))
    const at = next.findIndex((one) => one.lane === lane && one.provider === provider)
    let prior: Prior = at < 0 ? { ...COLD, lane, provider } : (next[at] as Prior)
    for (const one of own) {
      if (!kept.has(one.tokens)) continue
      const { n } = prior
      const tokens = updatePrior({ ...prior.tokens, n, actual: one.tokens })
      const duration = updatePrior({ ...prior.duration_ms, n, actual: one.duration_ms })
      const cost = updatePrior({ ...prior.cost_usd, n, actual: one.cost_usd })
      prior = {
        lane,
        provider,
        n: n + 1,
        tokens,
        duration_ms: duration,
        cost_usd: cost,
        mae_tokens: (prior.mae_tokens * n + Math.abs(one.tokens - prior.tokens.mean)) / (n + 1),
        mae_duration_ms: (prior.mae_duration_ms * n + Math.abs(one.duration_ms - prior.duration_ms.mean)) / (n + 1),
      }
    }
    if (at < 0) next.push(prior)
    else next[at] = prior
  }
  return next
}

/** Least-squares slope of the errors, oldest first: ± 0.01 a project is stable. Source: contracts/hmi.md, Sparkline. */
export function driftTrend(errors: readonly number[]): 'improving' | 'stable' | 'degrading' {
  if (errors.length < 3) return 'stable'
  const middle = (errors.length - 1) / 2
  const mean = errors.reduce((total, value) => total + value, 0) / errors.length
  let above = 0
  let below = 0
  for (const [index, value] of errors.entries()) {
    above += (index - middle) * (value - mean)
    below += (index - middle) ** 2
  }
  const slope = above / below
  return slope < -0.01 ? 'improving' : slope > 0.01 ? 'degrading' : 'stable'
}

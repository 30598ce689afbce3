/** What a validated run teaches the next estimate: its tasks against the priors of their lanes. Source: contracts/plms.md section 6. */
import { tokensOf } from '../../pas/embedded/reducer/budget.ts'
import type { RunState } from '../../pas/embedded/reducer/state.ts'
import { includeInCalibration, updatePriors, type Observation } from '../../plms/embedded/calibrate.ts'
import type { Prior } from '../../plms/embedded/estimate.ts'
import type { Tx } from '../../store/contract.ts'

/** `provider` is `name:model`. Runs that do not count, and runs whose price is unknown, teach nothing. */
export async function learnFrom(tx: Tx, state: RunState, provider: string): Promise<void> {
  const counts = includeInCalibration({ run_kind: state.kind, validation_pass: state.status === 'completed', write_sandbox: false })
  if (!counts || state.price_unknown || tokensOf(state) === 0) return
  const observed = state.order.flatMap((id): Observation[] => {
    const task = state.tasks[id]
    if (!task || task.status !== 'succeeded' || task.started_at === null || task.ended_at === null) return []
    return [{ lane: task.card.lane, provider, tokens: task.tokens, duration_ms: task.ended_at - task.started_at, cost_usd: task.micro_usd / 1e6 }]
  })
  const priors = (await tx.all<{ body: string }>('SELECT body FROM priors')).map((row) => JSON.parse(row.body) as Prior)
  for (const prior of updatePriors(priors, observed))
    await tx.run(
      'INSERT INTO priors (lane, provider, body) VALUES (?, ?, ?) ON CONFLICT (lane, provider) DO UPDATE SET body = excluded.body',
      prior.lane,
      prior.provider,
      JSON.stringify(prior),
    )
}

/**
 * The metered model of `vp plan`: the one that a person named, or what the policy chooses for planning, with its receipt. Where
 * it fails the next one goes on, as within an attempt.
 */
import { DEFAULT_PARAMETERS, type CallParameters, type ModelRequest, type Provider } from '../../models/contract.ts'
import { meteredProvider } from '../../models/meter.ts'
import type { ProjectFile } from '../../plms/contract/types.ts'
import type { Chosen, Wanted } from '../broker/broker.ts'
import { openModel, type OpenModel } from '../models.ts'
import type { Scene } from '../operation.ts'
import { meterPorts } from '../runs/spend.ts'

const PLANNING: Wanted = { lane: null, files: 0, complexity: '', left: { micro_usd: null, tokens: null } }

/** Words to a question; what it used is added to `usage`. Throws `model.*`. */
export type Planner = (question: Omit<ModelRequest, keyof CallParameters>, turn: number) => Promise<string>

export async function openPlanner(scene: Scene, project: ProjectFile, usage: { tokens: number; cost: number | null }): Promise<Planner> {
  const { signal } = scene
  const model = await openModel(scene, PLANNING)
  const provider = await planningProvider(scene, project, model)
  const parameters = model.broker?.parameters ?? DEFAULT_PARAMETERS
  return async (question, turn) => {
    const answer = await provider.answer({ ...question, ...parameters }, { task: 'plan', attempt: 1, turn }, signal)
    usage.tokens += answer.usage.tokens_in + answer.usage.tokens_out + answer.usage.tokens_think
    return answer.text
  }
}

async function planningProvider({ kit, tree, caller }: Scene, { project_id }: ProjectFile, model: OpenModel): Promise<Provider> {
  const purse = { kind: 'project', project_id, cap_micro_usd: Math.round(kit.config.before_approval_usd * 1e6) } as const
  const mask = tree.masking()
  const onSwitch = (words: string) => caller.live?.watcher.onSwitch?.(words, null)
  const meter = (
    chosen: Pick<Chosen, 'provider' | 'tier' | 'price' | 'rates' | 'energy' | 'max_output_tokens'> & Pick<OpenModel, 'snapshot'>,
    allowUnknownPrice: boolean,
  ) =>
    meteredProvider(
      meterPorts(
        kit,
        purse,
        { provider: chosen.provider, mask, asker: caller, onDrift: onSwitch, project: project_id, rates: chosen.rates, source: chosen.snapshot },
        (retry) => caller.live?.watcher.onRetry?.(retry, null),
      ),
      chosen.provider,
      { price: chosen.price, tier: chosen.tier, energy: chosen.energy, max_output_tokens: chosen.max_output_tokens, allowUnknownPrice },
    )
  const { broker } = model
  if (broker === null) return meter({ ...model, rates: null, energy: {} }, kit.config.allow_unknown_price)
  const { brokeredProvider } = await import('../broker/brokered.ts')
  return brokeredProvider(
    kit,
    broker,
    { attempt: 1, project: project_id },
    {
      wanted: () => Promise.resolve(PLANNING),
      meter: (chosen) => meter({ ...chosen, snapshot: chosen.source }, broker.allowUnknownPrice),
      onSwitch,
    },
  )
}

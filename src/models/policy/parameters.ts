/**
 * How answers are asked for, by the policy: `temperature` and `max_tokens` of the lane's entry, else of the default provider,
 * whichever model is chosen. One attempt keeps them when it passes from one model to another. Pure.
 */
import { DEFAULT_PARAMETERS, type CallParameters } from '../contract.ts'
import { LANES, type PolicyFile } from './schema.ts'

/** `lane` null: planning, which is of none. */
export function parametersOf({ default_provider, lane_overrides }: PolicyFile, lane: string | null): CallParameters {
  const own = lane === null ? undefined : lane_overrides[lane as keyof typeof lane_overrides]
  return {
    temperature: own?.temperature ?? default_provider.temperature ?? DEFAULT_PARAMETERS.temperature,
    max_tokens: own?.max_tokens ?? default_provider.max_tokens ?? DEFAULT_PARAMETERS.max_tokens,
  }
}

/** Of the lanes whose parameters are not the default; null where there are none. */
export function laneParameters(policy: PolicyFile): Readonly<Record<string, CallParameters>> | null {
  const set = LANES.map((lane) => [lane, parametersOf(policy, lane)] as const).filter(
    ([, { temperature, max_tokens }]) => temperature !== DEFAULT_PARAMETERS.temperature || max_tokens !== DEFAULT_PARAMETERS.max_tokens,
  )
  return set.length === 0 ? null : Object.fromEntries(set)
}

/**
 * What a call was made of: model, digest, template, parameters, place, policy, what it had proved. It goes into the
 * receipt of every call; a server is asked once a process, while the first answer is waited for, and never before.
 */
import type { Json } from '../../core/json.ts'
import { modelFacts, NO_FACTS, type ModelFacts } from '../../models/facts.ts'
import type { ModelSpec } from '../../models/choose.ts'
import type { Provider } from '../../models/contract.ts'
import type { Kit } from '../kit.ts'

export interface Snapshot {
  readonly tier: string
  readonly provider: string
  readonly model: string
  readonly model_digest: string | null
  readonly template_sha: string | null
  /** As the server has them set. */
  readonly parameters: Readonly<Record<string, string>>
  /** As the call asked; null: the model does not take it. */
  readonly temperature: number | null
  readonly max_tokens: number
  readonly endpoint: { readonly host: string; readonly class: 'loopback' | 'remote' }
  readonly policy_version: string | null
  readonly capability_results: Readonly<Record<string, boolean>>
}

/** How a snapshot comes to be while a call goes on. */
export interface SnapshotSource {
  readonly tier: string
  readonly policy_version: string | null
  readonly capability_results: Readonly<Record<string, boolean>>
  /** By now; never throws. */
  facts(): Promise<ModelFacts>
}

/** As the provider knows it by itself; else one question to the server, however many calls there are. */
export function factsOnce(provider: Provider, spec: Pick<ModelSpec, 'baseUrl' | 'model' | 'endpoint'>): () => Promise<ModelFacts> {
  let asked: Promise<ModelFacts> | null = null
  return async () => (provider.facts ? (provider.facts() ?? NO_FACTS) : (asked ??= modelFacts(spec, new AbortController().signal)))
}

export function snapshotOf(
  provider: Pick<Provider, 'name' | 'model' | 'endpoint'>,
  source: Omit<SnapshotSource, 'facts'>,
  facts: ModelFacts,
  { temperature, max_tokens }: Pick<Snapshot, 'temperature' | 'max_tokens'>,
): Snapshot {
  return {
    tier: source.tier,
    provider: provider.name,
    model: provider.model,
    model_digest: facts.digest,
    template_sha: facts.template_sha,
    parameters: facts.parameters,
    temperature,
    max_tokens,
    endpoint: { host: provider.endpoint.host, class: provider.endpoint.loopback ? 'loopback' : 'remote' },
    policy_version: source.policy_version,
    capability_results: source.capability_results,
  }
}

export const snapshotJson = (snapshot: Snapshot): Json => JSON.parse(JSON.stringify(snapshot)) as Json

/** A server that is asked what its model is has this long after the answer. */
const LATE_MS = 300

/** What the server has said of its model by now; a receipt does not wait longer for it. */
export async function factsByNow(kit: Pick<Kit, 'sleep'>, source: SnapshotSource): Promise<ModelFacts> {
  const waiting = new AbortController()
  const late = kit.sleep(LATE_MS, waiting.signal).then(
    () => NO_FACTS,
    () => NO_FACTS,
  )
  try {
    return await Promise.race([source.facts(), late])
  } finally {
    waiting.abort()
  }
}

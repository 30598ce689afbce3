/** What a model costs and who says so: the policy, the person's configuration, this machine, or the dated table. */
import { staysHere } from '../models/choose.ts'
import type { Endpoint } from '../models/contract.ts'
import type { TierModel } from '../models/policy/schema.ts'
import { FREE, PRICES_OF, tablePrice, type Price } from '../models/prices.ts'
import type { Kit } from './kit.ts'

export type PriceFrom = 'policy' | 'configuration' | 'this machine' | `table of ${string}` | 'unknown'

export interface PricedModel {
  readonly provider: string
  readonly model: string
  readonly endpoint: Endpoint
}

/** null is unknown, which is not zero. What the policy says of a model holds before all else. */
export async function priceOfModel(
  kit: Pick<Kit, 'config'>,
  { provider, model, endpoint }: PricedModel,
  named?: TierModel['price'],
): Promise<{ price: Price | null; from: PriceFrom }> {
  if (named) return { price: priceOfPolicy(named), from: 'policy' }
  const configured = kit.config.prices[model]
  if (configured) return { price: configured, from: 'configuration' }
  if (staysHere(endpoint)) return { price: FREE, from: 'this machine' }
  const price = await tablePrice(provider, model)
  return { price, from: price ? `table of ${PRICES_OF}` : 'unknown' }
}

function priceOfPolicy({ in_per_1k_usd, out_per_1k_usd, think_per_1k_usd }: NonNullable<TierModel['price']>): Price {
  const perMillion = (usd: number) => Math.round(usd * 1e9) / 1e6
  return {
    in_per_million_usd: perMillion(in_per_1k_usd),
    out_per_million_usd: perMillion(out_per_1k_usd),
    ...(think_per_1k_usd === undefined ? {} : { think_per_million_usd: perMillion(think_per_1k_usd) }),
  }
}

/**
 * What a call costs. An unknown price is null, never zero; a model on this machine costs nothing but energy (`energy.ts`).
 * Price data: the offline table of genai-prices.
 */
import type { ModelUsage } from './contract.ts'

/** Characters over 3.6: within 6 % of the real tokenizers on code (design/stack.md section 11). */
export function estimateTokens(text: string): number {
  return Math.ceil(text.length / 3.6)
}

export interface Price {
  /** Micro-USD per million tokens = USD per token × 1e12; kept as USD per million. */
  readonly in_per_million_usd: number
  readonly out_per_million_usd: number
  /** Absent: thinking is billed as output. */
  readonly think_per_million_usd?: number
}

/** The day on which the offline table was published; `prices.test.ts` holds it to the package. */
export const PRICES_OF = '2026-09-23'

export type PriceOf = (provider: string, model: string) => Promise<Price | null>

/** What the table calls those that it names otherwise. */
const TABLE_NAMES: Readonly<Record<string, string>> = { bedrock: 'aws', vertex: 'google' }

/** Looks a model up; null when the table does not know it. Loaded only when a remote model is used. */
export const tablePrice: PriceOf = async (provider, model) => {
  const { calcPrice } = await import('@pydantic/genai-prices')
  // Some prices rise with the length of the input: both are asked for a request of the same ordinary length.
  const length = 100_000
  const one = (output_tokens: number) =>
    calcPrice({ input_tokens: length, output_tokens }, model, { providerId: TABLE_NAMES[provider] ?? provider })?.total_price
  try {
    const [input, both] = [one(0), one(length)]
    if (input === undefined || both === undefined || both === 0) return null
    const perMillion = (usd: number) => Math.round(usd * (1_000_000 / length) * 1e6) / 1e6
    return { in_per_million_usd: perMillion(input), out_per_million_usd: perMillion(both - input) }
  } catch {
    return null // a table without the model is the same as no price
  }
}

export const FREE: Price = { in_per_million_usd: 0, out_per_million_usd: 0 }

/** Micro-USD, rounded up; thinking is billed as output, the cache is assumed cold. */
export function costMicroUsd(price: Price | null, usage: Pick<ModelUsage, 'tokens_in' | 'tokens_out' | 'tokens_think'>): number | null {
  if (!price) return null
  const { in_per_million_usd: input, out_per_million_usd: output, think_per_million_usd: think = output } = price
  return Math.ceil(usage.tokens_in * input + usage.tokens_out * output + usage.tokens_think * think)
}

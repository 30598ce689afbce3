/**
 * What a call costs. An unknown price is null, never zero; a model on this machine costs nothing but energy (`energy.ts`).
 * Price data: the offline table of genai-prices.
 */
import type { ModelUsage } from './contract.ts'

/**
 * Characters over 3.6: within 6 % of the real tokenizers on code (design/stack.md section 11). Beyond ASCII they take more: a Chinese or Japanese
 * character counts as one.
 */
export function estimateTokens(text: string): number {
  return Math.ceil(text.length / 3.6 + (Buffer.byteLength(text) - text.length) * 0.36)
}

/** What is held for a text that nobody has counted yet: beyond ASCII nearly a token a byte, each digit one, as some tokenizers split them. */
export function mostTokens(text: string): number {
  let digits = 0
  for (let at = 0; at < text.length; at++) if ((text.charCodeAt(at) ^ 48) < 10) digits++
  return Math.ceil((text.length / 3.6) * 1.1 + (Buffer.byteLength(text) - text.length) * 1.2 + digits * 0.7)
}

export interface Price {
  /** Micro-USD per million tokens = USD per token × 1e12; kept as USD per million. */
  readonly in_per_million_usd: number
  readonly out_per_million_usd: number
  /** Absent: what comes from a cache costs as other input does. */
  readonly cached_per_million_usd?: number
  /** Absent: `CACHE_WRITE` times that of other input. */
  readonly cache_write_per_million_usd?: number
  /** Absent: thinking is billed as output. */
  readonly think_per_million_usd?: number
  /** Of a request with more input than `above` tokens, all of it. */
  readonly long?: Omit<Price, 'long'> & { readonly above: number }
}

/** The day on which the offline table was published; `prices.test.ts` holds it to the package. */
export const PRICES_OF = '2026-09-23'

export type PriceOf = (provider: string, model: string) => Promise<Price | null>

/** What the table calls those that it names otherwise. */
const TABLE_NAMES: Readonly<Record<string, string>> = { bedrock: 'aws', vertex: 'google' }

/** Looks a model up; null when the table does not know it. Loaded only when a remote model is used. */
export const tablePrice: PriceOf = async (provider, model) => {
  const { calcPrice } = await import('@pydantic/genai-prices')
  const at = (length: number): Omit<Price, 'long'> | null => {
    const one = (output_tokens: number, cache: object = {}) =>
      calcPrice({ input_tokens: length, output_tokens, ...cache }, model, { providerId: TABLE_NAMES[provider] ?? provider })?.total_price
    const [input, both] = [one(0), one(length)]
    const [cached, written] = [one(0, { cache_read_tokens: length }), one(0, { cache_write_tokens: length })]
    if (input === undefined || both === undefined || both === 0) return null
    const perMillion = (usd: number) => Math.round(usd * (1_000_000 / length) * 1e6) / 1e6
    return {
      in_per_million_usd: perMillion(input),
      out_per_million_usd: perMillion(both - input),
      ...(cached === undefined || cached === input ? {} : { cached_per_million_usd: perMillion(cached) }),
      ...(written === undefined || written === input ? {} : { cache_write_per_million_usd: perMillion(written) }),
    }
  }
  try {
    const [ordinary, long] = [at(ORDINARY), at(LONGEST)]
    if (!ordinary || !long) return ordinary
    const isOrdinary = (length: number) => JSON.stringify(at(length)) === JSON.stringify(ordinary)
    if (isOrdinary(LONGEST)) return ordinary
    // Where the step is, only the table's own answers say.
    let [above, over] = [ORDINARY, LONGEST]
    while (over - above > 1) {
      const middle = Math.floor((above + over) / 2)
      if (isOrdinary(middle)) above = middle
      else over = middle
    }
    return { ...ordinary, long: { ...long, above } }
  } catch {
    return null // a table without the model is the same as no price
  }
}

/** Some prices rise with the length of the input. */
const ORDINARY = 100_000
const LONGEST = 1_000_000

export const FREE: Price = { in_per_million_usd: 0, out_per_million_usd: 0 }

/** Of five minutes, times the price of input. Source: Anthropic, "Prompt caching". */
const CACHE_WRITE = 1.25

/** Micro-USD, rounded up; thinking is billed as output. */
export function costMicroUsd(price: Price | null, usage: Omit<ModelUsage, 'tokens_tool_use'>): number | null {
  if (!price) return null
  const { long } = price
  if (long && usage.tokens_in > long.above) return costMicroUsd({ ...long }, usage)
  const { in_per_million_usd: input, out_per_million_usd: output, think_per_million_usd: think = output } = price
  const { cached_per_million_usd: read = input, cache_write_per_million_usd: write = input * CACHE_WRITE } = price
  // Both are counted in `tokens_in`: a server that says more of one than of all is not paid for it.
  const cached = Math.min(usage.tokens_cached, usage.tokens_in)
  const written = Math.min(usage.tokens_cache_write ?? 0, usage.tokens_in - cached)
  const plain = usage.tokens_in - cached - written
  return Math.ceil(plain * input + cached * read + written * write + usage.tokens_out * output + usage.tokens_think * think)
}

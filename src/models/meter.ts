/**
 * The one outlet to models: masks what leaves, holds the worst case before the call, records the exchange, and
 * settles usage, cost and energy after it. An exchange that this run has recorded already is not asked again,
 * so a resumed attempt spends nothing twice.
 */
import { asVpError, VpError } from '../core/errors.ts'
import type { Usage } from '../core/usage.ts'
import type { CallPlace, Message, ModelAnswer, ModelRequest, Provider } from './contract.ts'
import { costMicroUsd, energyOf, estimateTokens, type Price } from './prices.ts'
import { requestSha } from './recorded.ts'
import { withRetry, type RetryPorts } from './retry.ts'

export interface Settlement {
  readonly place: CallPlace
  readonly request: ModelRequest
  readonly request_sha: string
  readonly answer: ModelAnswer | null
  readonly error: VpError | null
  readonly usage: Usage
  readonly duration_ms: number
}

/** The secrets filter, over words and over the arguments of calls. */
export interface Mask {
  text(text: string): string
  json(value: unknown): unknown
}

export interface MeterPorts extends Omit<RetryPorts, 'onFailure'> {
  monotonic(): number
  readonly mask: Mask
  /** The answer already recorded for this place and request, or null. */
  recall(place: CallPlace, sha: string): Promise<ModelAnswer | null>
  /** Holds the worst case; throws `budget.cap` when it does not fit. Returns what `settle` gives back. */
  hold(worst: { tokens: number; micro_usd: number }): Promise<string>
  /** Gives the hold back and writes exchange, receipt and spend, in one transaction. */
  settle(hold: string, settlement: Settlement): Promise<void>
  /** A failed try that is tried again: a receipt, no spend. */
  failedTry(place: CallPlace, error: VpError, attempt: number, delayMs: number): Promise<void>
}

export interface MeterOptions {
  readonly price: Price | null
  readonly tier: string
  /** false: a model without a known price is not called while a budget in money is set. */
  readonly allowUnknownPrice: boolean
  readonly retryBaseMs?: number
}

export function meteredProvider(ports: MeterPorts, provider: Provider, options: MeterOptions): Provider {
  return {
    ...provider,
    async answer(request, place, signal, onProgress) {
      const outbound = maskRequest(ports.mask, request)
      const sha = requestSha(outbound)
      const known = await ports.recall(place, sha)
      if (known) return known
      if (!options.price && !options.allowUnknownPrice)
        throw new VpError('budget.price_unknown', `the price of ${provider.name}:${provider.model} is unknown, so no budget could hold`, {
          next: [`add "prices" for ${provider.model} to the user configuration (vp config show)`, 'vp model list'],
        })
      const hold = await ports.hold(worstCase(outbound, options.price))
      const startedAt = ports.monotonic()
      const done = (answer: ModelAnswer | null, error: VpError | null) => {
        const duration_ms = Math.round(ports.monotonic() - startedAt)
        return ports.settle(hold, {
          place,
          request: outbound,
          request_sha: sha,
          answer,
          error,
          usage: usageOf(answer, options, duration_ms),
          duration_ms,
        })
      }
      try {
        const retry: RetryPorts = {
          sleep: ports.sleep,
          chance: ports.chance,
          onFailure: async (error, attempt, delayMs) => (delayMs === null ? undefined : ports.failedTry(place, error, attempt, delayMs)),
        }
        const answer = await withRetry(retry, signal, () => provider.answer(outbound, place, signal, onProgress), options.retryBaseMs)
        await done(answer, null)
        return answer
      } catch (thrown) {
        const error = asVpError(thrown)
        if (error.code !== 'store.locked' && error.code !== 'store.full') await done(null, error)
        throw error
      }
    },
  }
}

function worstCase(request: ModelRequest, price: Price | null): { tokens: number; micro_usd: number } {
  const tokens_in = Math.ceil(estimateTokens(JSON.stringify(request)) * 1.1)
  return {
    tokens: tokens_in + request.max_tokens,
    micro_usd: costMicroUsd(price, { tokens_in, tokens_out: request.max_tokens, tokens_think: 0 }) ?? 0,
  }
}

function usageOf(answer: ModelAnswer | null, options: MeterOptions, durationMs: number): Usage {
  const none = { tokens_in: 0, tokens_out: 0, tokens_think: 0, tokens_cached: 0, tokens_tool_use: 0 }
  const usage = answer?.usage ?? none
  return {
    ...usage,
    cost_micro_usd: answer ? costMicroUsd(options.price, usage) : 0,
    energy_kwh: energyOf(options.tier, durationMs, usage),
  }
}

/** What leaves: every text, and what a model said to call, since the next model may be another's. */
export function maskRequest(mask: Mask, request: ModelRequest): ModelRequest {
  const messages = request.messages.map((message): Message => {
    const text = mask.text(message.text)
    return message.role === 'assistant'
      ? { ...message, text, calls: message.calls.map((call) => ({ ...call, arguments: mask.json(call.arguments) as typeof call.arguments })) }
      : { ...message, text }
  })
  return { ...request, messages }
}

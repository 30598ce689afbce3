/**
 * The one outlet to models: masks what leaves, holds the worst case before the call, records the exchange, and
 * settles usage, cost and energy after it. An exchange that this run has recorded already is not asked again,
 * so a resumed attempt spends nothing twice.
 */
import { asVpError, VpError } from '../core/errors.ts'
import type { Usage } from '../core/usage.ts'
import { staysHere } from './choose.ts'
import type { CallPlace, Message, ModelAnswer, ModelRequest, ModelUsage, Provider, SentBody, SpentByFailure } from './contract.ts'
import { carbonOf, energyOf, type Drawn, type Metered } from './energy.ts'
import type { KeptBody } from './kept-body.ts'
import { costMicroUsd, mostTokens, type Price } from './prices.ts'
import { requestSha } from './recorded.ts'
import { withRetry, type RetryPorts } from './retry.ts'

export interface Settlement {
  readonly place: CallPlace
  readonly request: ModelRequest
  /** As it was sent: a tier may allow less than the request asks for. */
  readonly max_tokens: number
  readonly request_sha: string
  readonly answer: ModelAnswer | null
  readonly error: VpError | null
  readonly usage: Usage
  /** null: nothing was used. `worst_case`: nobody said, so all that was held counts. */
  readonly usage_source: UsageSource | null
  readonly duration_ms: number
  /** What the last try sent. */
  readonly sent: readonly KeptBody[]
}

export type UsageSource = ModelAnswer['usage_source'] | 'worst_case'

/** A try that is made again. */
/** What has to be known of a call to settle it for a process that was killed while it was open. */
export interface HeldCall {
  readonly place: CallPlace
  readonly request_sha: string
  readonly max_tokens: number
  /** All that it may have used. */
  readonly usage: Usage
}

export interface FailedTry {
  readonly place: CallPlace
  readonly error: VpError
  readonly attempt: number
  readonly delay_ms: number
  /** What it cost nevertheless, or null. */
  readonly spent: { readonly usage: Usage; readonly usage_source: UsageSource } | null
  readonly sent: readonly KeptBody[]
}

/** The secrets filter, over words and over the arguments of calls. */
export interface Mask {
  text(text: string): string
  json(value: unknown): unknown
}

export interface MeterPorts extends Omit<RetryPorts, 'onFailure'> {
  monotonic(): number
  readonly mask: Mask
  /** An answer as it may be kept, and is used from then on: the same whatever was masked before it, as a recording needs it. */
  maskAnswer(answer: ModelAnswer): ModelAnswer
  /** Stops a masked request that may not leave as it is, by throwing. Absent: all may. */
  readonly gate?: ((request: ModelRequest) => Promise<void>) | undefined
  /** The answer already recorded for this place and request, or null. */
  recall(place: CallPlace, sha: string): Promise<ModelAnswer | null>
  /** Holds the worst case, after a wait where the minute is full; throws `budget.cap`, `limit.reached`. Returns what `settle` gives back. */
  hold(worst: { tokens: number; micro_usd: number }, signal: AbortSignal, call: HeldCall): Promise<string>
  /** Reads what this machine draws until the function is called; absent where nothing can be read. */
  power?(): () => Promise<Metered | null>
  /** Makes a body fit to be kept, while its answer is waited for. Must not throw. */
  keep(sent: SentBody): Promise<KeptBody>
  /** Gives the hold back, if there is one, and writes exchange, bodies, receipt and spend, in one transaction. */
  settle(hold: string | null, settlement: Settlement): Promise<void>
  /** A receipt. What was spent is written, and its hold given back, in the same transaction; else the hold stays. */
  failedTry(hold: string, failed: FailedTry): Promise<void>
}

export interface MeterOptions {
  readonly price: Price | null
  readonly tier: string
  /** Of the policy; absent: the contract's own figures. */
  readonly energy?: Pick<Drawn, 'device' | 'settings'>
  /** false: a model without a known price is not called while a budget in money is set. */
  readonly allowUnknownPrice: boolean
  readonly retryBaseMs?: number
  /** Of the tier; where an attempt asks for more, this is what is sent and held. The exchange keeps what was asked: another tier may answer it again. */
  readonly max_output_tokens?: number | undefined
  /** Turns before this one are in the recording, or something differs: no model is asked for them. */
  readonly recordedUntil?: number
}

export function meteredProvider(ports: MeterPorts, provider: Provider, options: MeterOptions): Provider {
  return {
    ...provider,
    async answer(request, place, signal, onProgress) {
      const outbound = maskRequest(ports.mask, request)
      const sha = requestSha(outbound)
      const known = await ports.recall(place, sha)
      if (known) return known
      if (place.turn < (options.recordedUntil ?? 0))
        throw new VpError(
          'model.recording_differs',
          `${place.task}, turn ${place.turn}: the request is not the one that was recorded, so what comes after it would be no fork`,
          {
            next: ['vp replay RUN'],
            data: { ...place, field: 'request' },
          },
        )
      await ports.gate?.(outbound)
      if (!options.price && !options.allowUnknownPrice)
        throw new VpError('budget.price_unknown', `the price of ${provider.name}:${provider.model} is unknown, so no budget could hold`, {
          next: [`add "prices" for ${provider.model} to the user configuration (vp config show)`, 'vp model list'],
        })
      const asked = { ...outbound, max_tokens: Math.min(outbound.max_tokens, options.max_output_tokens ?? Infinity) }
      const worst = worstCase(asked, options.price, provider.marksCache === true)
      const call: HeldCall = { place, request_sha: sha, max_tokens: asked.max_tokens, usage: priced(worst.usage, provider, options, 0, null) }
      let hold: string | null = await ports.hold(worst, signal, call)
      let sent: Promise<KeptBody>[] = []
      const startedAt = ports.monotonic()
      const reading = staysHere(provider.endpoint) ? ports.power?.() : undefined
      const cost = (usage: ModelUsage, ms: number, metered: Metered | null) => priced(usage, provider, options, ms, metered)
      const done = async (answer: ModelAnswer | null, error: VpError | null) => {
        const duration_ms = Math.round(ports.monotonic() - startedAt)
        const { usage, usage_source } = answer ?? spentBy(error, worst)
        return ports.settle(hold, {
          place,
          request: outbound,
          max_tokens: asked.max_tokens,
          request_sha: sha,
          answer,
          error,
          usage: cost(usage, duration_ms, (await reading?.()) ?? null),
          usage_source,
          duration_ms,
          sent: await Promise.all(sent),
        })
      }
      const failed = async (error: VpError, attempt: number, delay_ms: number | null) => {
        if (delay_ms === null || hold === null) return
        const { usage, usage_source } = spentBy(error, worst)
        const spent = usage_source ? { usage: cost(usage, 0, null), usage_source } : null
        await ports.failedTry(hold, { place, error, attempt, delay_ms, spent, sent: await Promise.all(sent) })
        // A cancel while the next try is waited for has sent nothing.
        sent = []
        if (spent) hold = null
      }
      try {
        const retry: RetryPorts = { sleep: ports.sleep, chance: ports.chance, onFailure: failed }
        const ask = async () => {
          // A try that cost something has given its hold back: the next one has to fit again.
          hold ??= await ports.hold(worst, signal, call)
          return ports.maskAnswer(await provider.answer(asked, place, signal, onProgress, (body) => void sent.push(ports.keep(body))))
        }
        const answer = await withRetry(retry, signal, ask, options.retryBaseMs)
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

interface WorstCase {
  readonly tokens: number
  readonly usage: ModelUsage
  readonly micro_usd: number
}

/** The longest answer, with the cache cold: all that is sent is written to it where it is marked. */
function worstCase(request: ModelRequest, price: Price | null, marksCache: boolean): WorstCase {
  const tokens_in = mostTokens(JSON.stringify(request))
  // All of the answer may be thinking, where that costs more.
  const isThought = (price?.think_per_million_usd ?? 0) > (price?.out_per_million_usd ?? 0)
  const usage: ModelUsage = {
    ...NOTHING,
    tokens_in,
    [isThought ? 'tokens_think' : 'tokens_out']: request.max_tokens,
    ...(marksCache ? { tokens_cache_write: tokens_in } : {}),
  }
  return { tokens: tokens_in + request.max_tokens, usage, micro_usd: costMicroUsd(price, usage) ?? 0 }
}

const NOTHING: ModelUsage = { tokens_in: 0, tokens_out: 0, tokens_think: 0, tokens_cached: 0, tokens_tool_use: 0 }

/** A call that failed: what the server said of it, else the worst case where it had begun, else nothing. */
function spentBy(error: VpError | null, worst: WorstCase): { readonly usage: ModelUsage; readonly usage_source: UsageSource | null } {
  const spent = error?.details.data?.['spent'] as SpentByFailure | undefined
  // A fault of vp's own with the answer in its hands: somebody was asked.
  if (spent === undefined && error?.code === 'internal') return { usage: worst.usage, usage_source: 'worst_case' }
  if (spent === undefined || spent === 'nothing') return { usage: NOTHING, usage_source: null }
  if (spent !== 'unknown') return { usage: spent, usage_source: 'provider' }
  return { usage: worst.usage, usage_source: 'worst_case' }
}

function priced(usage: ModelUsage, { model, endpoint }: Provider, options: MeterOptions, durationMs: number, metered: Metered | null): Usage {
  const energy_kwh = energyOf({ tier: options.tier, local: staysHere(endpoint), model, ...options.energy }, durationMs, usage, metered)
  return {
    ...usage,
    cost_micro_usd: usage === NOTHING ? 0 : costMicroUsd(options.price, usage),
    energy_kwh,
    carbon_kg: carbonOf(energy_kwh, options.energy?.settings),
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

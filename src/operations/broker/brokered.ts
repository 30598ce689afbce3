/**
 * The model of one attempt, or of the planning of a project, as the broker gives it: chosen with a receipt, and passed on to
 * another by the policy's order where it fails. Never without a word: another may cost more, or be elsewhere.
 */
import { isVpError, type VpError } from '../../core/errors.ts'
import type { Json } from '../../core/json.ts'
import { appendReceipt } from '../../ledger/receipts.ts'
import type { Provider } from '../../models/contract.ts'
import type { Kit } from '../kit.ts'
import type { Broker, Chosen, Wanted } from './broker.ts'

export interface BrokeredPorts {
  /** What is asked for, and what is left for it, now. */
  wanted(): Promise<Wanted>
  /** The metered provider of a choice. */
  meter(chosen: Chosen): Provider
  /** For whoever looks on. */
  onSwitch?: ((words: string) => void) | undefined
}

/** Throws `model.no_eligible_tier`, `budget.policy`. */
export async function brokeredProvider(kit: Kit, broker: Broker, at: Choice, { wanted, meter, onSwitch }: BrokeredPorts): Promise<Provider> {
  const asked = await wanted()
  const first = await broker.choose(asked).catch(async (thrown: unknown) => {
    if (isNoChoice(thrown)) await recordRefusal(kit, at, thrown, broker.policy_version)
    throw thrown
  })
  const why = whyNotTheCheapest(first, asked) ?? whyNotHigher(first)
  await recordChoice(kit, at, first, broker.policy_version, { key: null, why })
  if (why !== null) onSwitch?.(`${first.provider.model} at ${first.provider.endpoint.host} is taken: ${why}`)
  return switchingProvider({
    first,
    meter,
    next: async (tried, from, error) => {
      try {
        const next = await broker.choose({ ...(await wanted()), before: undefined, tried })
        await recordChoice(kit, at, next, broker.policy_version, { key: from.key, why: `${error.code}: ${error.message}` })
        onSwitch?.(`${next.provider.model} at ${next.provider.endpoint.host} goes on: ${error.code}`)
        return next
      } catch (thrown) {
        // Nobody else may or can: the error of the one that was asked stands.
        if (isNoChoice(thrown)) return null
        throw thrown
      }
    },
  })
}

const isNoChoice = (thrown: unknown): thrown is VpError => isVpError(thrown) && (thrown.code === 'model.no_eligible_tier' || thrown.code === 'budget.policy')

function whyNotTheCheapest({ tier, dropped: [passed] }: Chosen, { before }: Wanted): string | null {
  if (passed) return `${passed.model} ${passed.reason}`
  return before?.escalate === true && tier !== before.tier ? `${before.tier} failed its gates` : null
}

/** An escalation that was due and that nothing higher may or can answer. */
function whyNotHigher({ tier, not_higher: [refused] }: Chosen): string | null {
  return refused ? `${tier} failed its gates, and ${refused.tier} ${refused.model} ${refused.reason}` : null
}

/** For an attempt of a run's task, or for the planning of a project. */
interface Choice {
  readonly run_id?: string
  readonly task_id?: string
  readonly attempt: number
  readonly project?: number
}

/** `model.select` for the first of an attempt, `model.switch` for one that takes another's place. */
async function recordChoice(
  kit: Kit,
  { project, ...at }: Choice,
  chosen: Chosen,
  policyVersion: string,
  /** `key`: in whose place; null for the first of an attempt. `why` null: it is the cheapest. */
  from: { readonly key: string | null; readonly why: string | null },
): Promise<void> {
  const detail: Json = {
    ...(project === undefined ? {} : { project }),
    tier: chosen.tier,
    model: chosen.key,
    by: chosen.by,
    kind: chosen.kind,
    expected_micro_usd: chosen.expected_micro_usd,
    policy_version: policyVersion,
    dropped: [...chosen.not_higher, ...chosen.dropped].map((one) => ({ ...one })),
    ...(from.key === null ? {} : { from: from.key }),
    ...(from.why === null ? {} : { why: from.why }),
  }
  await kit.store.transaction((tx) =>
    appendReceipt(tx, kit, {
      op: from.key === null ? 'model.select' : 'model.switch',
      actor: 'operator',
      surface: 'engine',
      ...at,
      outcome: 'ok',
      summary: `${from.key === null ? '' : `${from.key} → `}${[chosen.key, ...(from.key === null ? [`${chosen.tier}, ${chosen.by.replaceAll('_', ' ')}`] : []), ...(from.why === null ? [] : [kit.redactText(from.why)])].join(' · ')}`,
      detail,
    }),
  )
}

/** Nothing was chosen: the reason of each model of each tier. */
async function recordRefusal(kit: Kit, { project, ...at }: Choice, { code, message, details }: VpError, policyVersion: string): Promise<void> {
  const { kind = null, dropped = [] } = (details.data ?? {}) as { kind?: Json; dropped?: Json }
  await kit.store.transaction((tx) =>
    appendReceipt(tx, kit, {
      op: 'model.select',
      actor: 'operator',
      surface: 'engine',
      ...at,
      outcome: 'refused',
      error: { code, message },
      summary: kit.redactText(details.why ?? message),
      detail: { ...(project === undefined ? {} : { project }), kind, policy_version: policyVersion, dropped },
    }),
  )
}

/** What another model may do better at: its server, its key, its quota. Not the request, the money or the person. */
const PASSES_ON = /^model\.(unreachable|rate_limited|server|stalled|cut|protocol|auth|quota|not_found|truncated|too_large)$/

interface Switching {
  readonly first: Chosen
  /** The metered provider of a choice. */
  meter(chosen: Chosen): Provider
  /** Another, or null; writes its receipt. */
  next(tried: ReadonlySet<string>, from: Chosen, error: VpError): Promise<Chosen | null>
}

/** Goes on with another model where one fails, within one attempt and by the policy's order. */
function switchingProvider({ first, meter, next }: Switching): Provider {
  let current = { chosen: first, provider: meter(first) }
  const tried = new Set<string>()
  return {
    get name() {
      return current.provider.name
    },
    get model() {
      return current.provider.model
    },
    get endpoint() {
      return current.provider.endpoint
    },
    async answer(request, place, signal, onProgress) {
      for (;;) {
        try {
          return await current.provider.answer(request, place, signal, onProgress)
        } catch (error) {
          if (!isVpError(error) || !PASSES_ON.test(error.code) || signal.aborted) throw error
          tried.add(current.chosen.key)
          const other = await next(tried, current.chosen, error)
          if (other === null) throw error
          current = { chosen: other, provider: meter(other) }
        }
      }
    },
  }
}

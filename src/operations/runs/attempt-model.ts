/** The metered model of one attempt: the one that a person named, or what the broker chooses, goes on from and escalates to. */
import { isVpError, VpError } from '../../core/errors.ts'
import { parseReceipt } from '../../ledger/receipts.ts'
import type { Drop } from '../../models/broker/select.ts'
import type { Provider } from '../../models/contract.ts'
import { meteredProvider } from '../../models/meter.ts'
import type { Retry } from '../../models/retry.ts'
import { tokensOf } from '../../pas/embedded/reducer/budget.ts'
import type { RunState, Shortfall, TaskState } from '../../pas/embedded/reducer/state.ts'
import { requireRun } from '../../pas/embedded/run-store.ts'
import type { Broker, Chosen, Wanted } from '../broker/broker.ts'
import type { SnapshotSource } from '../broker/snapshot.ts'
import type { Kit } from '../kit.ts'
import type { Masking } from '../masking.ts'
import type { OpenModel } from '../models.ts'
import type { Asker } from '../wrapper/approval.ts'
import { withinTime } from './lane-time.ts'
import { meterPorts, type Purse } from './spend.ts'

export interface AttemptModel {
  readonly model: OpenModel
  /** Who is asked where a request may not leave without a yes. */
  readonly asker: Asker
  readonly onRetry: (retry: Retry) => void
  readonly onSwitch?: ((words: string) => void) | undefined
}

export async function attemptProvider(
  kit: Kit,
  { run_id, project_id, caps, fork }: RunState,
  task: TaskState,
  mask: Masking,
  how: AttemptModel,
): Promise<Provider> {
  const { model, onRetry } = how
  const purse = { kind: 'run', run_id, task_id: task.task_id, attempt: task.attempt } as const
  // Of the whole attempt: another model in its middle has what is left.
  const begun = kit.clock.monotonic()
  const meter = (
    chosen: Pick<Chosen, 'provider' | 'tier' | 'price' | 'rates' | 'task_cap' | 'energy' | 'max_output_tokens'> & { readonly source: SnapshotSource | null },
    mayBeUnknown: boolean,
  ) => {
    const capped = withCap(purse, chosen.task_cap, begun)
    return meteredProvider(
      meterPorts(
        kit,
        capped,
        { provider: chosen.provider, mask, rates: chosen.rates, source: chosen.source, asker: how.asker, onDrift: how.onSwitch, project: project_id },
        onRetry,
      ),
      withinTime(kit, chosen.provider, capped.until),
      {
        price: chosen.price,
        tier: chosen.tier,
        energy: chosen.energy,
        max_output_tokens: chosen.max_output_tokens,
        allowUnknownPrice: mayBeUnknown || caps.micro_usd === null,
        ...(fork && task.attempt === 1 ? { recordedUntil: fork.turn } : {}),
      },
    )
  }
  const { broker } = model
  if (broker === null) return meter({ ...model, rates: null, task_cap: {}, source: model.snapshot, energy: {} }, kit.config.allow_unknown_price)
  const { brokeredProvider } = await import('../broker/brokered.ts')
  try {
    return await brokeredProvider(
      kit,
      broker,
      { run_id, task_id: task.task_id, attempt: task.attempt },
      {
        wanted: () => wantedFor(kit, run_id, task, broker),
        meter: (chosen) => meter(chosen, broker.allowUnknownPrice),
        onSwitch: how.onSwitch,
      },
    )
  } catch (error) {
    throw isVpError(error) && error.code === 'model.no_eligible_tier' ? await withRaise(kit, run_id, error) : error
  }
}

/** Where the run's budget alone stands in the way of some tier, the error says what to raise it to. */
async function withRaise(kit: Kit, runId: RunState['run_id'], error: VpError): Promise<VpError> {
  const dropped = (error.details.data?.['dropped'] ?? []) as readonly Drop[]
  const [short] = dropped.flatMap((drop) => drop.short ?? []).toSorted((a, b) => (a.cap === b.cap ? a.needs - b.needs : a.cap === 'micro_usd' ? -1 : 1))
  if (!short) return error
  const state = await kit.store.read((tx) => requireRun(tx, runId))
  const [cap, used] = short.cap === 'tokens' ? [state.caps.tokens, tokensOf(state)] : [state.caps.micro_usd, state.micro_usd]
  // Else it is the policy's own figure.
  if (cap === null || cap - used >= short.needs) return error
  const shortfall: Shortfall = { cap: short.cap, needs: used + short.needs }
  return new VpError(error.code, error.message, { ...error.details, data: { ...error.details.data, shortfall } })
}

function withCap(purse: Extract<Purse, { kind: 'run' }>, cap: Chosen['task_cap'], begun: number): Extract<Purse, { kind: 'run' }> {
  const { ms, ...task_cap } = cap
  return { ...purse, task_cap, ...(ms === undefined ? {} : { until: { monotonic: begun + ms, ms } }) }
}

/** What the task is and what is left for it, now. */
async function wantedFor(kit: Kit, runId: RunState['run_id'], task: TaskState, broker: Broker): Promise<Wanted> {
  const { state, last } = await kit.store.read(async (tx) => ({
    state: await requireRun(tx, runId),
    last: await tx.get<{ body: string }>(
      "SELECT body FROM receipts WHERE run_id = ? AND task_id = ? AND op IN ('model.select', 'model.switch') AND outcome = 'ok' ORDER BY seq DESC LIMIT 1",
      runId,
      task.task_id,
    ),
  }))
  const detail = last ? (parseReceipt(last).detail as { tier?: unknown } | undefined) : undefined
  const tier = typeof detail?.tier === 'string' ? detail.tier : null
  const failed = task.why === 'gate' ? task.attempt - 1 : 0
  return {
    lane: task.card.lane,
    files: task.card.payload.files.length,
    complexity: task.card.payload.complexity,
    left: {
      micro_usd: state.caps.micro_usd === null ? null : state.caps.micro_usd - state.micro_usd,
      tokens: state.caps.tokens === null ? null : state.caps.tokens - tokensOf(state),
    },
    before: tier !== null && failed > 0 ? { tier, escalate: broker.escalateAfter > 0 && failed % broker.escalateAfter === 0 } : undefined,
  }
}

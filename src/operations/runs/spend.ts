/**
 * Money and tokens of model calls: the worst case is held before a call, shared by all processes, and settled
 * after it together with the exchange, the receipt and the run's event.
 */
import { VpError } from '../../core/errors.ts'
import { hex, type RunId, type TaskId } from '../../core/ids.ts'
import { canonicalJson, type Json } from '../../core/json.ts'
import type { Usage } from '../../core/usage.ts'
import { appendReceipt } from '../../ledger/receipts.ts'
import type { Use } from '../../models/broker/windows.ts'
import type { CallPlace, ModelAnswer, Provider } from '../../models/contract.ts'
import type { ModelFacts } from '../../models/facts.ts'
import { bodyKeeper, type BodyRow, type KeptBody } from '../../models/kept-body.ts'
import type { FailedTry, HeldCall, Mask, MeterPorts, Settlement } from '../../models/meter.ts'
import { answerSha } from '../../models/recorded.ts'
import { MAX_TRIES, type Retry } from '../../models/retry.ts'
import { appendEvents, loadRun } from '../../pas/embedded/run-store.ts'
import type { Tx } from '../../store/contract.ts'
import { beginCall, endCall, modelKey } from '../broker/calls.ts'
import { keepFacts } from '../broker/facts.ts'
import { factsByNow, snapshotJson, snapshotOf, type SnapshotSource } from '../broker/snapshot.ts'
import type { Kit } from '../kit.ts'
import { requireTime } from './lane-time.ts'
import { maskedAnswer, maskedCounts, type Masking } from '../masking.ts'
import type { Asker } from '../wrapper/approval.ts'
import { haltAtSecrets } from './halt.ts'
import { writeBodies } from './kept-bodies.ts'
import { requireProject, saveProject } from '../projects/project.ts'
import { addPolicySpend, minuteIsFull, refuseOverCap, refuseOverPolicy, type Rates } from './spend-caps.ts'

/** Whose money: a run's, or a project's before it has been approved. */
export type Purse =
  | {
      readonly kind: 'run'
      readonly run_id: RunId
      readonly task_id: TaskId
      readonly attempt: number
      /** What the lane allows this one task, by the policy. */
      readonly task_cap?: { readonly micro_usd?: number; readonly tokens?: number }
      readonly until?: { readonly monotonic: number; readonly ms: number }
    }
  | { readonly kind: 'project'; readonly project_id: number; readonly cap_micro_usd: number }
  /** Of one `vp model test`: its own cap, and what it has spent of it. */
  | { readonly kind: 'test'; readonly id: string; readonly cap_micro_usd: number; readonly spent: { micro_usd: number; tokens: number } }

export interface MeterOutlet extends Pick<Outlet, 'provider' | 'mask' | 'rates' | 'source'> {
  /** Who is asked where a request may not leave without a yes. */
  readonly asker: Asker
  /** Told when the model behind the name is another than before. */
  readonly onDrift?: ((words: string) => void) | undefined
  readonly project: number | null
}

export function meterPorts(kit: Kit, purse: Purse, outlet: MeterOutlet, onRetry?: (retry: Retry) => void): MeterPorts {
  const { provider, mask, rates, source } = outlet
  const scope = scopeOf(purse)
  const [bodies, requests] = [bodyKeeper(), bodyKeeper()]
  return {
    monotonic: () => kit.clock.monotonic(),
    chance: () => (kit.random.bytes(1)[0] ?? 128) / 255,
    sleep: (ms, signal) => kit.sleep(ms, signal),
    mask,
    maskAnswer: (answer) => maskedAnswer(mask, answer),
    gate: kit.config.secrets.on_hit === 'halt' ? (request) => haltAtSecrets(kit, outlet, request) : undefined,
    ...(kit.power() === null ? {} : { power: () => kit.power()?.begin() ?? (() => Promise.resolve(null)) }),
    recall: (place, sha) => recall(kit, scope, place, sha),
    keep: async (sent) => {
      await new Promise((resolve) => setImmediate(resolve)) // behind the request itself
      return bodies.keep(sent)
    },
    hold: async (worst, signal, call) => {
      if (purse.kind === 'run') requireTime(purse.until, kit.clock.monotonic())
      for (;;) {
        const held = await kit.store.transaction(async (tx) => {
          const now = kit.clock.now()
          const wait = await minuteIsFull(tx, rates, worst, now)
          if (wait > 0) return wait
          await refuseOverCap(tx, purse, scope, worst)
          await refuseOverPolicy(tx, rates, worst)
          const id = hex(kit.random, 8)
          const open: OpenCall = { ...call, purse, provider: provider.name, model: provider.model, host: provider.endpoint.host, cap: rates?.cap ?? null }
          await tx.run(
            'INSERT INTO holds (id, scope, micro_usd, tokens, worker, call) VALUES (?, ?, ?, ?, ?, ?)',
            id,
            scope,
            worst.micro_usd,
            worst.tokens,
            kit.worker,
            canonicalJson(open as never),
          )
          await beginCall(tx, { id, tier: rates?.tier ?? '', model: modelKey(provider), now, ...worst })
          return id
        })
        if (typeof held === 'string') {
          // Behind the request itself, and told by the time of its answer.
          void kit.sleep(1).then(() => source?.facts())
          return held
        }
        await kit.sleep(held, signal)
      }
    },
    settle: async (hold, settlement) => {
      // Who has not said by now what the model is, is not waited for.
      const facts = source === null ? null : await factsByNow(kit, source)
      const request = requests.keep({ body: Buffer.from(canonicalJson(settlement.request)) })
      const drift = await kit.store.transaction(async (tx) => {
        kit.point('model.settle')
        if (hold !== null) {
          await tx.run('DELETE FROM holds WHERE id = ?', hold)
          await endCall(tx, hold, { ...callUse(settlement.usage), ms: settlement.duration_ms, error: settlement.error })
        }
        return writeSettlement(tx, kit, { purse, scope, provider, mask, rates, source }, { ...settlement, kept: request }, facts)
      })
      bodies.written(settlement.sent)
      requests.written([request])
      if (drift !== null) outlet.onDrift?.(drift)
    },
    failedTry: async (hold, failed) => {
      onRetry?.({ code: failed.error.code, host: provider.endpoint.host, wait_ms: failed.delay_ms, next: failed.attempt + 1, of: MAX_TRIES })
      await kit.store.transaction(async (tx) => {
        if (failed.spent) {
          await tx.run('DELETE FROM holds WHERE id = ?', hold)
          await endCall(tx, hold, { ...callUse(failed.spent.usage), ms: 0, error: failed.error })
          await writeSpent(tx, kit, purse, failed.spent.usage)
          await addPolicySpend(tx, rates?.cap ?? null, failed.spent.usage.cost_micro_usd ?? 0)
        }
        await writeFailedTry(tx, kit, { purse, scope, provider, mask }, failed)
      })
      bodies.written(failed.sent)
    },
  }
}

function callUse(usage: Usage): Use {
  return { tokens: usage.tokens_in + usage.tokens_out + usage.tokens_think, micro_usd: usage.cost_micro_usd ?? 0 }
}

async function writeFailedTry(
  tx: Tx,
  kit: Kit,
  { purse, scope, provider, mask }: Pick<Outlet, 'purse' | 'scope' | 'provider' | 'mask'>,
  failed: FailedTry,
): Promise<void> {
  const { error, spent } = failed
  await writeBodies(tx, scope, 'sent', failed.place, failed.sent)
  await appendReceipt(tx, kit, {
    ...receiptPlace(purse, failed.place),
    op: 'model.call',
    actor: 'operator',
    surface: 'engine',
    outcome: 'retry',
    ...(spent ? { usage: spent.usage } : {}),
    error: { code: error.code, message: mask.text(error.message) },
    summary: `${provider.model} · ${error.code}, again in ${Math.round(failed.delay_ms / 100) / 10}s`,
    detail: {
      ...projectOf(purse),
      try: failed.attempt,
      delay_ms: failed.delay_ms,
      provider: provider.name,
      model: provider.model,
      host: provider.endpoint.host,
      sent: sentJson(mask, failed.sent),
      ...(spent ? { usage_source: spent.usage_source } : {}),
    },
  })
}

async function recall(kit: Kit, scope: string, place: CallPlace, sha: string): Promise<ModelAnswer | null> {
  const row = await kit.store.read((tx) =>
    tx.get<{ response: string }>(
      'SELECT response FROM exchanges WHERE run_id = ? AND task = ? AND attempt = ? AND turn = ? AND request_sha = ?',
      scope,
      place.task,
      place.attempt,
      place.turn,
      sha,
    ),
  )
  return row ? (JSON.parse(row.response) as ModelAnswer) : null
}

function receiptPlace(purse: Purse, place: CallPlace): { run_id?: string; task_id?: string; attempt: number; turn: number } {
  return purse.kind === 'run'
    ? { run_id: purse.run_id, task_id: purse.task_id, attempt: purse.attempt, turn: place.turn }
    : { attempt: place.attempt, turn: place.turn }
}

/** What went over the wire, in the order in which it did: none is a call that nothing left for. */
function sentJson(mask: Mask, sent: readonly KeptBody[]): Json {
  return sent.map(({ host, path, body, sha }) => ({ host, path: mask.text(path), bytes: body.length, sha256: sha }))
}

/** Calls before there is a run are found by their project. */
function projectOf(purse: Purse): { project?: number } {
  return purse.kind === 'project' ? { project: purse.project_id } : {}
}

/** Where exchanges and holds of a purse are kept. */
export function scopeOf(purse: PurseName): string {
  return purse.kind === 'run' ? purse.run_id : purse.kind === 'test' ? `test:${purse.id}` : `project:${purse.project_id}`
}

type PurseName = Pick<PurseOf<'run'>, 'kind' | 'run_id'> | Pick<PurseOf<'test'>, 'kind' | 'id'> | Pick<PurseOf<'project'>, 'kind' | 'project_id'>
type PurseOf<Kind extends Purse['kind']> = Extract<Purse, { kind: Kind }>

interface Outlet {
  readonly purse: Purse
  readonly scope: string
  readonly provider: Provider
  readonly mask: Mask & Pick<Masking, 'unnumbered'>
  /** Of the tier by whose policy the model is called; null for one that a person named. */
  readonly rates: Rates | null
  /** What is known of the model besides its name; null where nothing is to be said. */
  readonly source: SnapshotSource | null
}

/** Returns the words of a drift that was noticed with it, or null. */
async function writeSettlement(
  tx: Tx,
  kit: Kit,
  { purse, scope, provider, mask, rates, source }: Outlet,
  settlement: Settlement & { readonly kept: BodyRow },
  facts: ModelFacts | null,
): Promise<string | null> {
  const { place, answer, error, usage } = settlement
  // What left is kept also where no answer came: `vp egress show`. Nobody recalls null.
  await tx.run(
    'INSERT INTO exchanges (run_id, task, attempt, turn, request_sha, request, response) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id, task, attempt, turn) DO UPDATE SET request_sha = excluded.request_sha, request = excluded.request, response = excluded.response',
    scope,
    place.task,
    place.attempt,
    place.turn,
    settlement.request_sha,
    '', // in every ledger from before its bodies were kept it is here
    // In its own order: what is recalled goes out again with the very bytes that a server has in its cache.
    JSON.stringify(answer),
  )
  await writeBodies(tx, scope, 'request', place, [settlement.kept])
  await writeBodies(tx, scope, 'sent', place, settlement.sent)
  if (answer || settlement.usage_source) {
    await writeSpent(tx, kit, purse, usage)
    await addPolicySpend(tx, rates?.cap ?? null, usage.cost_micro_usd ?? 0)
  }
  const before = facts === null ? null : await keepFacts(tx, modelKey(provider), facts, kit.clock.now())
  const drift = before !== null && facts !== null ? await writeDrift(tx, kit, { purse, provider }, place, { was: before, is: facts.digest ?? '' }) : null
  const left = answer?.not_as_asked ?? []
  const asked = { temperature: left.includes('temperature') ? null : settlement.request.temperature, max_tokens: settlement.max_tokens }
  const detail: Json = {
    ...projectOf(purse),
    provider: provider.name,
    model: provider.model,
    host: provider.endpoint.host,
    sent: sentJson(mask, settlement.sent),
    request_sha: settlement.request_sha,
    masked: maskedCounts(settlement.request.messages),
    calls: answer?.calls.map((call) => call.name) ?? [],
    finish: answer?.finish ?? null,
    usage_source: settlement.usage_source,
    ...asked,
    ...(provider.marksCache ? { caching: true } : {}),
    ...(left.length > 0 ? { not_as_asked: [...left] } : {}),
    ...(source && facts ? { snapshot: snapshotJson(snapshotOf(provider, source, facts, asked)) } : {}),
  }
  await appendReceipt(tx, kit, {
    ...receiptPlace(purse, place),
    op: 'model.call',
    actor: 'operator',
    surface: 'engine',
    outcome: error ? 'error' : 'ok',
    input_sha: settlement.request_sha,
    ...(answer ? { output_sha: answerSha(answer) } : {}),
    usage,
    duration_ms: settlement.duration_ms,
    ...(error ? { error: { code: error.code, message: mask.text(error.message) } } : {}),
    summary: error ? `${provider.model} · ${error.code}` : `${provider.model} · ${usage.tokens_in + usage.tokens_out + usage.tokens_think} tok`,
    detail,
  })
  return drift
}

/** The name stayed and the model did not: told once, where it was noticed, and returned in words. */
async function writeDrift(
  tx: Tx,
  kit: Kit,
  { purse, provider }: Pick<Outlet, 'purse' | 'provider'>,
  place: CallPlace,
  digests: { readonly was: string; readonly is: string },
): Promise<string> {
  const summary = `${provider.model} is another model than before: ${digests.was.slice(0, 12)} → ${digests.is.slice(0, 12)}`
  await appendReceipt(tx, kit, {
    ...receiptPlace(purse, place),
    op: 'model.drift',
    actor: 'operator',
    surface: 'engine',
    outcome: 'drift',
    summary,
    detail: { model: modelKey(provider), ...digests },
  })
  return summary
}

async function writeSpent(tx: Tx, kit: Kit, purse: Purse, usage: Usage): Promise<void> {
  const cost = usage.cost_micro_usd
  if (purse.kind === 'run')
    await appendEvents(tx, kit.clock.now(), purse.run_id, [
      {
        type: 'spent',
        ...(usage.tokens_in + usage.tokens_out + usage.tokens_think > 0 ? { micro_wh: microWh(usage.energy_kwh) } : {}),
        task_id: purse.task_id,
        micro_usd: cost,
        tokens: {
          in: usage.tokens_in,
          out: usage.tokens_out,
          think: usage.tokens_think,
          tool_use: usage.tokens_tool_use,
        },
      },
    ])
  else if (purse.kind === 'test') {
    purse.spent.micro_usd += cost ?? 0
    purse.spent.tokens += callUse(usage).tokens
  } else if (cost) {
    const record = await requireProject(tx, purse.project_id)
    await saveProject(tx, { ...record, spent_before_approval_micro_usd: record.spent_before_approval_micro_usd + cost })
  }
}

function microWh({ lo, hi }: { readonly lo: number; readonly hi: number }): { lo: number; hi: number } {
  return { lo: Math.round(lo * 1e9), hi: Math.round(hi * 1e9) }
}

/** What a hold says of its call. */
interface OpenCall extends HeldCall {
  readonly purse: Purse
  readonly provider: string
  readonly model: string
  readonly host: string
  readonly cap: Rates['cap']
}

/** A process that died had calls open: their providers may bill them, so each counts with its worst case, and has a receipt that says so. */
export async function settleDeadHolds(kit: Kit): Promise<void> {
  await kit.store.transaction(async (tx) => {
    for (const { id, worker, call } of await tx.all<{ id: string; worker: string; call: string | null }>('SELECT id, worker, call FROM holds')) {
      if (worker === kit.worker || kit.isAlive(worker)) continue
      await tx.run('DELETE FROM holds WHERE id = ?', id)
      if (call === null) continue
      const open = JSON.parse(call) as OpenCall
      await endCall(tx, id, { ...callUse(open.usage), ms: 0, error: new VpError('cancelled', 'vp was killed') })
      await writeLost(tx, kit, open)
    }
  })
}

async function writeLost(tx: Tx, kit: Kit, { purse, place, usage, cap, ...call }: OpenCall): Promise<void> {
  if (purse.kind === 'run' && !(await loadRun(tx, purse.run_id))) return
  // Of a test nobody is left who counts; the policy's cap and the ledger do.
  if (purse.kind !== 'test') await writeSpent(tx, kit, purse, usage)
  await addPolicySpend(tx, cap, usage.cost_micro_usd ?? 0)
  await appendReceipt(tx, kit, {
    ...receiptPlace(purse, place),
    op: 'model.call',
    actor: 'operator',
    surface: 'engine',
    outcome: 'error',
    input_sha: call.request_sha,
    usage,
    error: { code: 'model.cut', message: 'vp was killed while this call was open; its worst case counts' },
    summary: `${call.model} · open when vp was killed`,
    detail: { ...projectOf(purse), ...call, usage_source: 'worst_case' },
  })
}

/**
 * egress.show: what left this machine for a model in a run, request by request, as it was recorded when it left: in vp's own
 * form, of which the wire's is a translation. Each is held against the receipt of its call; nothing is asked again.
 */
import * as z from 'zod/mini'
import { once } from '../core/once.ts'
import { sha256 } from '../core/json.ts'
import { MACHINE_CHAIN, parseReceipt, type Receipt } from '../ledger/receipts.ts'
import type { ModelRequest } from '../models/contract.ts'
import type { RunState } from '../pas/embedded/reducer/state.ts'
import { maskedCounts, type Masking } from './masking.ts'
import { operation } from './operation.ts'
import { chosenState } from './runs/chosen-run.ts'
import { scopeOf } from './runs/spend.ts'

const count = once(() => z.int())
const callShape = once(() =>
  z.object({
    task: z.string(),
    attempt: count(),
    turn: count(),
    ts: z.nullable(z.number()),
    host: z.nullable(z.string()),
    model: z.nullable(z.string()),
    outcome: z.string(),
    /** Of the bytes; null where they were replaced by those of a later call at this place. */
    sha256: z.string(),
    bytes: z.nullable(count()),
    /** Tries of this very request. */
    sends: count(),
    masked: count(),
    /** What would be masked today and was not then: it became known later. */
    unmasked: count(),
    /** The bytes have the hash that the receipt of the call names. */
    proved: z.boolean(),
    request: z.nullable(z.unknown()),
  }),
)
const egressShape = once(() =>
  z.object({
    run_id: z.string(),
    calls: z.array(callShape()),
    requests: count(),
    bytes: count(),
    masked: count(),
    unmasked: count(),
    hosts: z.array(z.string()),
    proved: z.boolean(),
  }),
)
export type Egress = z.infer<ReturnType<typeof egressShape>>
type EgressCall = z.infer<ReturnType<typeof callShape>>

export const egressShow = operation({
  name: 'egress.show',
  summary: 'what left this machine in a run, held against its receipts',
  params: () => z.strictObject({ run: z.optional(z.string()) }),
  result: () => egressShape(),
  effect: 'read',
  scope: 'audit.read',
  async handler(params, scene) {
    const { kit, tree } = scene
    const state = await chosenState(scene, params.run)
    const { project_id } = state
    const [run, plan] = await kit.store.read(async (tx) => {
      const begin = (await tx.get<{ seq: number | null }>('SELECT MIN(seq) AS seq FROM receipts WHERE run_id = ?', state.run_id))?.seq ?? Infinity
      const ofScope = async (scope: string, chain: string) => ({
        exchanges: await tx.all<Exchanged>('SELECT task, attempt, turn, request_sha, request FROM exchanges WHERE run_id = ?', scope),
        receipts: (
          await tx.all<{ body: string; isBefore: 0 | 1 }>(
            "SELECT body, seq < ? AS isBefore FROM receipts WHERE run_id = ? AND op = 'model.call' ORDER BY n",
            begin,
            chain,
          )
        ).map((row) => ({ ...parseReceipt(row), isBefore: row.isBefore === 1 })),
      })
      return [await ofScope(state.run_id, state.run_id), await ofScope(scopeOf({ kind: 'project', project_id }), MACHINE_CHAIN)]
    })
    const ofProject = plan.receipts.filter((one) => (one.detail as { project?: number } | undefined)?.project === project_id)
    const before = callsBefore(state, plan.exchanges, ofProject, tree.masking())
    return { run_id: state.run_id, ...summed([...before, ...egressCalls(state, run.exchanges, run.receipts, tree.masking())]) }
  },
  say: (_params, egress) => `${egress.requests} requests, ${egress.bytes} bytes`,
})

export interface Exchanged {
  readonly task: string
  readonly attempt: number
  readonly turn: number
  readonly request_sha: string
  readonly request: string
}

/** Of a project's plans: a plan that was made after the run began is of a later run. By the order of the ledger: a clock may be set back. */
export function callsBefore(
  state: Pick<RunState, 'tasks'>,
  exchanges: readonly Exchanged[],
  receipts: readonly (Receipt & { readonly isBefore: boolean })[],
  masking: Pick<Masking, 'spans'>,
): EgressCall[] {
  const before = receipts.filter(({ isBefore }) => isBefore)
  const known = new Set(before.map(({ input_sha }) => input_sha))
  const later = new Set(receipts.flatMap(({ isBefore, input_sha }) => (isBefore || known.has(input_sha) ? [] : [input_sha])))
  return egressCalls(
    state,
    exchanges.filter(({ request_sha }) => !later.has(request_sha)),
    before,
    masking,
  )
}

/** In the order in which they left; what no receipt knows comes last. */
export function egressCalls(
  state: Pick<RunState, 'tasks'>,
  exchanges: readonly Exchanged[],
  receipts: readonly Receipt[],
  masking: Pick<Masking, 'spans'>,
): EgressCall[] {
  const taskOf = ({ task_id }: Receipt): string =>
    task_id === undefined ? PLAN : `T${Object.values(state.tasks).find((task) => task.task_id === task_id)?.card.payload.n ?? '?'}`
  const placeOf = (task: string, attempt: number | undefined, turn: number | undefined): string => `${task}#${attempt ?? 0}#${turn ?? 0}`
  const tries = Map.groupBy(
    receipts.filter((one) => one.outcome === 'retry'),
    (one) => placeOf(taskOf(one), one.attempt, one.turn),
  )
  const left = new Map(exchanges.map((one) => [placeOf(one.task, one.attempt, one.turn), one]))
  const calls = receipts
    .filter((one) => one.outcome !== 'retry')
    .map((receipt): EgressCall => {
      const place = placeOf(taskOf(receipt), receipt.attempt, receipt.turn)
      const exchange = left.get(place)
      const isKept = exchange !== undefined && exchange.request_sha === receipt.input_sha
      if (isKept) left.delete(place)
      const { host, model } = (receipt.detail ?? {}) as { host?: string; model?: string }
      return {
        task: taskOf(receipt),
        attempt: receipt.attempt ?? 0,
        turn: receipt.turn ?? 0,
        ts: receipt.ts,
        host: host ?? null,
        model: model ?? null,
        outcome: receipt.error?.code ?? receipt.outcome,
        sends: 1 + (tries.get(place)?.length ?? 0),
        ...(isKept ? bytesOf(exchange, receipt.input_sha, masking) : { ...NO_BYTES, sha256: receipt.input_sha ?? '' }),
      }
    })
  const unknown = [...left.values()].map((exchange): EgressCall => ({
    task: exchange.task,
    attempt: exchange.attempt,
    turn: exchange.turn,
    ts: null,
    host: null,
    model: null,
    outcome: 'no receipt',
    sends: 1,
    ...bytesOf(exchange, undefined, masking),
  }))
  return [...calls, ...unknown]
}

/** As calls that make a plan name their task. */
const PLAN = 'plan'

const NO_BYTES = { bytes: null, masked: 0, unmasked: 0, proved: true, request: null }

function bytesOf(
  exchange: Exchanged,
  named: string | undefined,
  masking: Pick<Masking, 'spans'>,
): Pick<EgressCall, 'sha256' | 'bytes' | 'masked' | 'unmasked' | 'proved' | 'request'> {
  const found = sha256(exchange.request)
  const request = readRequest(exchange.request)
  return {
    sha256: found,
    bytes: Buffer.byteLength(exchange.request),
    masked: Object.values(maskedCounts(request) ?? {}).reduce((sum, one) => sum + one, 0),
    unmasked: request?.messages.reduce((sum, message) => sum + masking.spans(message.text).length, 0) ?? 0,
    proved: found === named,
    request,
  }
}

function readRequest(text: string): ModelRequest | null {
  try {
    return JSON.parse(text) as ModelRequest
  } catch {
    return null // altered, which its hash says
  }
}

function summed(calls: EgressCall[]): Omit<Egress, 'run_id'> {
  const sum = (of: (call: EgressCall) => number) => calls.reduce((total, call) => total + of(call), 0)
  return {
    calls,
    requests: sum((call) => call.sends),
    bytes: sum((call) => (call.bytes ?? 0) * call.sends),
    masked: sum((call) => call.masked),
    unmasked: sum((call) => call.unmasked),
    hosts: [...new Set(calls.flatMap((call) => call.host ?? []))],
    proved: calls.every((call) => call.proved),
  }
}

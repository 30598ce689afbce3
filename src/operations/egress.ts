/**
 * egress.show: what left for a model in a run, body by body, to the byte. Each is held against the receipts that name it by its
 * hash; nothing is asked again, and nothing is made up where the bytes are not here.
 */
import * as z from 'zod/mini'
import { once } from '../core/once.ts'
import { sha256 } from '../core/json.ts'
import { MACHINE_CHAIN, parseReceipt, type Receipt } from '../ledger/receipts.ts'
import type { CallPlace } from '../models/contract.ts'
import type { RunState } from '../pas/embedded/reducer/state.ts'
import { maskedCounts, type Masking } from './masking.ts'
import { operation } from './operation.ts'
import { chosenState } from './runs/chosen-run.ts'
import { readBodies, type FoundBody } from './runs/kept-bodies.ts'
import { bodiesNamed, type NamedBody } from './runs/sent-bodies.ts'
import { scopeOf } from './runs/spend.ts'

const count = once(() => z.int())
const callShape = once(() =>
  z.object({
    task: z.string(),
    attempt: count(),
    turn: count(),
    ts: z.nullable(z.number()),
    model: z.nullable(z.string()),
    outcome: z.string(),
    /** How often this very body was sent; 0: nothing left this process for the call. */
    sends: count(),
    host: z.nullable(z.string()),
    path: z.nullable(z.string()),
    /** Of what is here, else what the receipt names; null where no receipt does (of calls before vp kept bodies) or nothing left. */
    sha256: z.nullable(z.string()),
    bytes: z.nullable(count()),
    masked: count(),
    /** What would be masked today and was not then: it became known later. */
    unmasked: count(),
    /** Something is kept here for it. */
    kept: z.boolean(),
    /** The receipt names the hash of the bytes that are here, or says that nothing left. */
    proved: z.boolean(),
    body: z.nullable(z.string()),
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
    /** Bodies that left and are not here. */
    missing: count(),
    /** Nothing is missing, and nothing contradicts. */
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
        bodies: await readBodies(tx, scope, 'sent'),
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
    const before = callsBefore(state, plan.bodies, ofProject, tree.masking())
    return { run_id: state.run_id, ...summed([...before, ...egressCalls(state, run.bodies, run.receipts, tree.masking())]) }
  },
  say: (_params, egress) => `${egress.requests} requests, ${egress.bytes} bytes`,
})

/** Of a project's plans: a plan that was made after the run began is of a later run. By the order of the ledger: a clock may be set back. */
export function callsBefore(
  state: Pick<RunState, 'tasks'>,
  bodies: readonly FoundBody[],
  receipts: readonly (Receipt & { readonly isBefore: boolean })[],
  masking: Pick<Masking, 'spans'>,
): EgressCall[] {
  const before = receipts.filter(({ isBefore }) => isBefore)
  const [known, all] = [before, receipts].map((some) => new Set(some.flatMap((one) => bodiesNamed(one)?.map((sent) => sent.sha256) ?? [])))
  return egressCalls(
    state,
    bodies.filter(({ sha }) => known?.has(sha) || !all?.has(sha)),
    before,
    masking,
  )
}

/** In the order in which they left; what no receipt names comes last. */
export function egressCalls(
  state: Pick<RunState, 'tasks'>,
  bodies: readonly FoundBody[],
  receipts: readonly Receipt[],
  masking: Pick<Masking, 'spans'>,
): EgressCall[] {
  const here = new Map(bodies.map((one) => [one.sha, one]))
  const sendings = sendingsOf(state, receipts)
  const named = new Set(sendings.map(({ sent }) => sent?.sha256))
  const calls = [...Map.groupBy(sendings, ({ same }) => same).values()].map((tries) => callOf(tries, here, masking))
  const unknown = bodies.filter(({ sha }) => !named.has(sha))
  return [
    ...calls,
    ...unknown.map((body): EgressCall => {
      const { task, attempt, turn } = body
      return { task, attempt, turn, ts: null, model: null, outcome: 'no receipt', sends: 1, host: null, path: null, ...contentOf(body, null, masking) }
    }),
  ]
}

interface Sending extends CallPlace {
  readonly receipt: Receipt
  readonly sent: NamedBody | null
  readonly left: 'known' | 'unknown' | 'nothing'
  readonly outcome: string
  /** Equal for one body that one call sent again. */
  readonly same: string
}

function sendingsOf(state: Pick<RunState, 'tasks'>, receipts: readonly Receipt[]): Sending[] {
  const calls = new Map<string, number>()
  return receipts.flatMap((receipt): Sending[] => {
    const task = taskOf(state, receipt)
    const [attempt, turn] = [receipt.attempt ?? 0, receipt.turn ?? 0]
    const place = `${task}#${attempt}#${turn}`
    const call = calls.get(place) ?? 0
    if (receipt.outcome !== 'retry') calls.set(place, call + 1)
    const outcome = receipt.error?.code ?? receipt.outcome
    const of = (sent: NamedBody | null, left: Sending['left'], words = outcome): Sending => {
      const same = `${place}#${call}#${left}#${sent === null ? '' : `${sent.host}${sent.path}#${sent.sha256}`}`
      return { task, attempt, turn, receipt, sent, left, outcome: words, same }
    }
    const all = bodiesNamed(receipt)
    if (all === null) return [of(null, 'unknown')]
    if (all.length === 0) return [of(null, 'nothing')]
    return all.map((sent, index) => of(sent, 'known', index < all.length - 1 ? REFUSED : outcome))
  })
}

/** As calls that make a plan name their task. */
const PLAN = 'plan'
/** A server that wants something left out is asked at once without it: both bodies belong to one try. */
const REFUSED = 'asked otherwise'

function taskOf(state: Pick<RunState, 'tasks'>, { task_id }: Receipt): string {
  return task_id === undefined ? PLAN : `T${Object.values(state.tasks).find((task) => task.task_id === task_id)?.card.payload.n ?? '?'}`
}

function callOf(tries: readonly Sending[], here: ReadonlyMap<string, FoundBody>, masking: Pick<Masking, 'spans'>): EgressCall {
  const { task, attempt, turn, receipt, sent, left, outcome } = tries.at(-1) as Sending
  const { host = null, model = null } = (receipt.detail ?? {}) as { host?: string; model?: string }
  const call = { task, attempt, turn, ts: receipt.ts, model, outcome }
  if (left === 'nothing') return { ...call, ...NOTHING }
  const body = sent === null ? undefined : here.get(sent.sha256)
  return { ...call, sends: tries.length, host: sent?.host ?? host, path: sent?.path ?? null, ...contentOf(body, sent, masking) }
}

type Content = Pick<EgressCall, 'sha256' | 'bytes' | 'masked' | 'unmasked' | 'kept' | 'proved' | 'body'>

const NO_BODY = { masked: 0, unmasked: 0, body: null }
/** Which the receipt itself says. */
const NOTHING = { sends: 0, host: null, path: null, sha256: null, bytes: 0, kept: false, proved: true, ...NO_BODY }

function contentOf(found: FoundBody | undefined, sent: NamedBody | null, masking: Pick<Masking, 'spans'>): Content {
  if (!found?.body) return { sha256: sent?.sha256 ?? null, bytes: sent?.bytes ?? null, kept: found !== undefined, proved: false, ...NO_BODY }
  const hash = sha256(found.body)
  const body = found.body.toString('utf8')
  return {
    sha256: hash,
    bytes: found.body.length,
    masked: Object.values(maskedCounts(body) ?? {}).reduce((sum, one) => sum + one, 0),
    unmasked: textsIn(body).reduce((sum, text) => sum + masking.spans(text).length, 0),
    kept: true,
    proved: hash === sent?.sha256,
    body,
  }
}

/** Every text of a document of JSON, as it was before it was written as one; what is none is one text. */
function textsIn(body: string): string[] {
  const texts: string[] = []
  try {
    JSON.parse(body, (_key, value: unknown) => {
      if (typeof value === 'string') texts.push(value)
      return value
    })
    return texts
  } catch {
    return [body]
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
    missing: calls.filter((call) => call.sends > 0 && !call.kept).length,
    proved: calls.every((call) => call.proved),
  }
}

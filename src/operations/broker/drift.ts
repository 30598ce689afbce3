/**
 * Whether the model that a recording was made with is still the one behind its name. A server of this machine is asked, if it
 * answers; where nobody can say, the last that was seen here holds, and whose server was silent is told.
 */
import { VpError } from '../../core/errors.ts'
import { endpointOf } from '../../models/choose.ts'
import { modelFacts } from '../../models/facts.ts'
import { parseReceipt, type ReceiptRow } from '../../ledger/receipts.ts'
import type { Kit } from '../kit.ts'
import { fileDigest } from '../file-digest.ts'
import { modelFile } from '../in-process.ts'
import { modelKey } from './calls.ts'
import { knownFacts } from './facts.ts'
import type { Snapshot } from './snapshot.ts'

export interface Drift {
  readonly model: string
  readonly was: string
  readonly is: string
}

export interface Compared {
  readonly drifts: readonly Drift[]
  /** Keys of models whose server could not be asked what they are now. */
  readonly unasked: readonly string[]
}

/** Of every model of the run whose digest was recorded: another within the run, or now. */
export async function driftOf(kit: Kit, receipts: readonly Pick<ReceiptRow, 'op' | 'body'>[], signal: AbortSignal): Promise<Compared> {
  const first = new Map<string, string>()
  const files = new Map<string, string>()
  const servers = new Map<string, Snapshot>()
  const drifts: Drift[] = []
  for (const row of receipts) {
    if (row.op !== 'model.call') continue
    const snapshot = (parseReceipt(row).detail as { snapshot?: Snapshot } | undefined)?.snapshot
    if (!snapshot?.model_digest) continue
    const key = modelKey({ name: snapshot.provider, model: snapshot.model, endpoint: { host: snapshot.endpoint.host, loopback: true } })
    const was = first.get(key)
    if (snapshot.provider === 'llama_cpp') files.set(key, modelFile(kit, snapshot.model))
    else if (snapshot.endpoint.class === 'loopback') servers.set(key, snapshot)
    if (was === undefined) first.set(key, snapshot.model_digest)
    else if (was !== snapshot.model_digest && !drifts.some((one) => one.model === key)) drifts.push({ model: key, was, is: snapshot.model_digest })
  }
  const unasked: string[] = []
  const seen = await kit.store.read(async (tx) =>
    Promise.all([...first].map(async ([key, was]) => ({ key, was, is: (await knownFacts(tx, key))?.digest ?? null }))),
  )
  const now = async (key: string, known: string | null): Promise<string | null> => {
    const server = servers.get(key)
    // Where this machine never saw the model, the address is a stranger's word: nothing is asked there.
    if (server === undefined || known === null) return known
    const { digest } = await modelFacts(placeOf(server), signal)
    if (digest === null) unasked.push(key)
    return digest ?? known
  }
  // A file of this machine is looked at itself; one that is gone, or may not be read, says nothing.
  const known = await Promise.all(
    seen.map(async (one) => ({ ...one, is: (await fileDigest(kit, files.get(one.key) ?? '').catch(() => null)) ?? (await now(one.key, one.is)) })),
  )
  for (const { key, was, is } of known) if (is !== null && is !== was && !drifts.some((one) => one.model === key)) drifts.push({ model: key, was, is })
  return { drifts, unasked }
}

/** By what a snapshot keeps of its place: host and port. */
function placeOf({ provider, model, endpoint }: Snapshot): Parameters<typeof modelFacts>[0] {
  const baseUrl = `http://${endpoint.host}${provider === 'ollama' ? '' : '/v1'}`
  return { baseUrl, model, endpoint: endpointOf(baseUrl) }
}

interface Refusing {
  /** What the person typed, without `--allow-drift`. */
  readonly command: string
  /** Only this model; absent: every one of the recording. */
  readonly only?: string
  readonly signal: AbortSignal
}

/** Returns the models whose server could not be asked. Throws `replay.drift`, naming the model and both digests. */
export async function refuseDrift(
  kit: Kit,
  receipts: readonly Pick<ReceiptRow, 'op' | 'body'>[],
  { command, only, signal }: Refusing,
): Promise<readonly string[]> {
  const { drifts, unasked } = await driftOf(kit, receipts, signal)
  const [first, ...others] = drifts.filter(({ model }) => only === undefined || model === only)
  if (!first) return unasked
  throw new VpError(
    'replay.drift',
    `${first.model} is another model now than the recording was made with${others.length > 0 ? `, and ${others.length} more` : ''}`,
    {
      why: `digest was ${first.was.slice(0, 12)}, is ${first.is.slice(0, 12)}`,
      next: [`${command} --allow-drift`, 'vp model show'],
      data: { drift: [first, ...others] },
    },
  )
}

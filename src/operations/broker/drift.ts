/** Whether the model that a recording was made with is still the one behind its name, from what is known without asking. */
import { VpError } from '../../core/errors.ts'
import { parseReceipt, type ReceiptRow } from '../../ledger/receipts.ts'
import type { Kit } from '../kit.ts'
import { fileDigest } from '../file-digest.ts'
import { modelFile } from '../models.ts'
import { modelKey } from './calls.ts'
import { knownFacts } from './facts.ts'
import type { Snapshot } from './snapshot.ts'

export interface Drift {
  readonly model: string
  readonly was: string
  readonly is: string
}

/** Of every model of the run whose digest was recorded: another within the run, or the last that was seen here. */
export async function driftOf(kit: Kit, receipts: readonly Pick<ReceiptRow, 'op' | 'body'>[]): Promise<Drift[]> {
  const first = new Map<string, string>()
  const files = new Map<string, string>()
  const drifts: Drift[] = []
  for (const row of receipts) {
    if (row.op !== 'model.call') continue
    const snapshot = (parseReceipt(row).detail as { snapshot?: Snapshot } | undefined)?.snapshot
    if (!snapshot?.model_digest) continue
    const key = modelKey({ name: snapshot.provider, model: snapshot.model, endpoint: { host: snapshot.endpoint.host, loopback: true } })
    const was = first.get(key)
    if (snapshot.provider === 'llama_cpp') files.set(key, modelFile(kit, snapshot.model))
    if (was === undefined) first.set(key, snapshot.model_digest)
    else if (was !== snapshot.model_digest && !drifts.some((one) => one.model === key)) drifts.push({ model: key, was, is: snapshot.model_digest })
  }
  const seen = await kit.store.read(async (tx) =>
    Promise.all([...first].map(async ([key, was]) => ({ key, was, is: (await knownFacts(tx, key))?.digest ?? null }))),
  )
  // A file of this machine is looked at itself; one that is gone, or may not be read, says nothing.
  const known = await Promise.all(seen.map(async (one) => ({ ...one, is: (await fileDigest(kit, files.get(one.key) ?? '').catch(() => null)) ?? one.is })))
  for (const { key, was, is } of known) if (is !== null && is !== was && !drifts.some((one) => one.model === key)) drifts.push({ model: key, was, is })
  return drifts
}

/** Throws `replay.drift`, naming the model and both digests. */
export async function refuseDrift(kit: Kit, receipts: readonly Pick<ReceiptRow, 'op' | 'body'>[]): Promise<void> {
  const [first, ...others] = await driftOf(kit, receipts)
  if (!first) return
  throw new VpError(
    'replay.drift',
    `${first.model} is another model now than the recording was made with${others.length > 0 ? `, and ${others.length} more` : ''}`,
    {
      why: `digest was ${first.was.slice(0, 12)}, is ${first.is.slice(0, 12)}`,
      next: ['vp replay RUN --allow-drift', 'vp model show'],
      data: { drift: [first, ...others] },
    },
  )
}

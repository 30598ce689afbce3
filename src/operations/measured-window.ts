/** What `model.probe` found, kept by endpoint, model and digest: a model that is pulled anew is measured anew. */
import { canonicalJson, type Json } from '../core/json.ts'
import type { ModelSpec } from '../models/choose.ts'
import type { Tx } from '../store/contract.ts'
import type { Kit } from './kit.ts'

export interface MeasuredWindow {
  readonly window_tokens: number
}

/** `digest` '' where the server tells none. */
export function windowKey({ provider, model, endpoint }: Pick<ModelSpec, 'provider' | 'model' | 'endpoint'>, digest: string): string {
  return `window/${canonicalJson([provider, endpoint.host, model, digest])}`
}

/** Tokens, or null where nobody measured. */
export async function measuredWindow(kit: Pick<Kit, 'store'>, spec: ModelSpec, digest: string): Promise<number | null> {
  const row = await kit.store.read((tx) => tx.get<{ body: string }>('SELECT body FROM measurements WHERE key = ?', windowKey(spec, digest)))
  const tokens = row ? (JSON.parse(row.body) as Partial<MeasuredWindow>).window_tokens : undefined
  return typeof tokens === 'number' && tokens > 0 ? tokens : null
}

export async function keepWindow(tx: Tx, key: string, receiptId: string, body: MeasuredWindow & Readonly<Record<string, Json>>): Promise<void> {
  await tx.run(
    'INSERT INTO measurements (key, receipt_id, body) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET receipt_id = excluded.receipt_id, body = excluded.body',
    key,
    receiptId,
    canonicalJson(body),
  )
}

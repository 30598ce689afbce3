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
  return row ? tokensIn(row.body) : null
}

/** Of the model of that name, whichever digest was measured last; for whoever does not want to ask the server. */
export async function lastMeasuredWindow(kit: Pick<Kit, 'store'>, spec: Pick<ModelSpec, 'provider' | 'model' | 'endpoint'>): Promise<number | null> {
  const prefix = windowKey(spec, '').replace(/""\]$/, '')
  const row = await kit.store.read((tx) =>
    tx.get<{ body: string }>(
      'SELECT m.body FROM measurements m JOIN receipts r ON r.id = m.receipt_id WHERE substr(m.key, 1, ?) = ? ORDER BY r.seq DESC LIMIT 1',
      prefix.length,
      prefix,
    ),
  )
  return row ? tokensIn(row.body) : null
}

function tokensIn(body: string): number | null {
  const tokens = (JSON.parse(body) as Partial<MeasuredWindow>).window_tokens
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

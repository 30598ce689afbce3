/** The last that servers said of their models, in the store: by it a changed model is noticed without asking. */
import type { ModelFacts } from '../../models/facts.ts'
import type { Tx } from '../../store/contract.ts'

/** Returns the digest before, where it was another: the model has drifted. What a server did not say replaces nothing. */
export async function keepFacts(tx: Tx, key: string, facts: ModelFacts, now: number): Promise<string | null> {
  if (facts.digest === null) return null
  const before = await knownFacts(tx, key)
  await tx.run(
    'INSERT INTO model_facts (model, body, seen_at) VALUES (?, ?, ?) ON CONFLICT (model) DO UPDATE SET body = excluded.body, seen_at = excluded.seen_at',
    key,
    JSON.stringify(facts),
    now,
  )
  return before?.digest != null && before.digest !== facts.digest ? before.digest : null
}

export async function knownFacts(tx: Tx, key: string): Promise<ModelFacts | null> {
  const row = await tx.get<{ body: string }>('SELECT body FROM model_facts WHERE model = ?', key)
  return row ? (JSON.parse(row.body) as ModelFacts) : null
}

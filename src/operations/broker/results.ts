/** Results of capability tests in the store, by what the model was and what the policy asked. */
import { testsOf } from '../../models/policy/load.ts'
import type { PolicyFile } from '../../models/policy/schema.ts'
import type { Tx } from '../../store/contract.ts'

/** One test of one model, with what it was seen to do. */
export interface CapabilityResult {
  readonly test: string
  readonly passed: boolean
  /** 0..1 */
  readonly score: number
  /** What was checked, in words, and how it went. */
  readonly evidence: readonly { readonly what: string; readonly ok: boolean; readonly saw: string }[]
  readonly receipts: readonly string[]
  readonly ms: number
  readonly tokens: number
}

export interface StoredResult extends CapabilityResult {
  readonly model: string
  readonly digest: string
  readonly at: number
}

/** Those that still count, the newest of each model and test. A model that was seen with another digest since is another model. */
export async function freshStored(tx: Tx, policy: PolicyFile, now: number): Promise<StoredResult[]> {
  const rows = await tx.all<{ model: string; digest: string; test: string; body: string; created_at: number }>(
    'SELECT model, digest, test, body, created_at FROM capability_results WHERE policy = ? ORDER BY rowid',
    policy.version,
  )
  const digests = new Map((await tx.all<{ model: string; body: string }>('SELECT model, body FROM model_facts')).map((row) => [row.model, digestIn(row.body)]))
  const tests = testsOf(policy)
  const newest = new Map<string, StoredResult>()
  for (const row of rows) {
    const ttl = tests[row.test]?.ttl_hours
    if (ttl === undefined || row.created_at + ttl * 3_600_000 <= now) continue
    const known = digests.get(row.model)
    if (known !== undefined && known !== row.digest) continue
    newest.set(`${row.model}\n${row.test}`, { ...(JSON.parse(row.body) as CapabilityResult), model: row.model, digest: row.digest, at: row.created_at })
  }
  return [...newest.values()]
}

function digestIn(body: string): string {
  return (JSON.parse(body) as { digest?: string | null }).digest ?? ''
}

/** Model → test → whether it passed. */
export async function freshResults(tx: Tx, policy: PolicyFile, now: number): Promise<ReadonlyMap<string, Readonly<Record<string, boolean>>>> {
  const all = new Map<string, Record<string, boolean>>()
  for (const { model, test, passed } of await freshStored(tx, policy, now)) all.set(model, { ...all.get(model), [test]: passed })
  return all
}

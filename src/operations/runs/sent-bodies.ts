/** What left, as receipts name it, and what is kept of it held against them: `vp verify`. */
import { sha256 } from '../../core/json.ts'
import { parseReceipt, type Receipt } from '../../ledger/receipts.ts'
import type { LedgerProblem } from '../../ledger/verify.ts'
import type { Tx } from '../../store/contract.ts'
import { readBodies } from './kept-bodies.ts'

/** What a receipt says of one body. */
export interface NamedBody {
  readonly host: string
  readonly path: string
  readonly bytes: number
  readonly sha256: string
}

/** Of a `model.call`. Empty: nothing left for it. Null: the receipt is from before vp kept bodies. */
export function bodiesNamed({ detail }: Receipt): readonly NamedBody[] | null {
  return (detail as { sent?: readonly NamedBody[] } | undefined)?.sent ?? null
}

/**
 * Bodies that are not what they were, and those whose receipt is missing; with null of everything here. A body that is gone is
 * no lie: its hash stays in the receipt.
 */
export async function wrongBodies(tx: Tx, run: string | null): Promise<LedgerProblem[]> {
  const scopes =
    run === null ? (await tx.all<{ run_id: string }>("SELECT DISTINCT run_id FROM kept_bodies WHERE kind = 'sent'")).map((row) => row.run_id) : [run]
  const receipts = await tx.all<{ body: string }>("SELECT body FROM receipts WHERE op = 'model.call' AND (run_id = ? OR ? = '')", run ?? '', run ?? '')
  const named = new Set(receipts.flatMap((row) => bodiesNamed(parsed(row)) ?? []).map((one) => one.sha256))
  const altered: string[] = []
  const unnamed: string[] = []
  for (const scope of scopes)
    for (const { task, turn, sha, body } of await readBodies(tx, scope, 'sent')) {
      const place = `of ${scope}, ${task}, turn ${turn}`
      if (body === null || sha256(body) !== sha) altered.push(place)
      else if (!named.has(sha)) unnamed.push(place)
    }
  return [
    ...problem('altered', 'what is kept as sent to a model is not what was sent', altered),
    ...problem('incomplete', 'what was sent to a model has no receipt', unnamed),
  ]
}

function problem(kind: LedgerProblem['kind'], words: string, [first, ...more]: readonly string[]): LedgerProblem[] {
  if (first === undefined) return []
  return [{ kind, detail: `${words}: ${first}${more.length > 0 ? `, and ${more.length} more` : ''}`, since: null, next: ['vp egress show'] }]
}

/** An altered receipt is the chain's to tell. */
function parsed(row: { readonly body: string }): Receipt {
  try {
    return parseReceipt(row)
  } catch {
    return {} as Receipt
  }
}

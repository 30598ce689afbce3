/** What becomes of an attempt's conversation besides its turns: receipts of it, with counts and ids and no content,
 * and of calls that reached no operation. */
import type { RefusedCall } from '../../agent/calls.ts'
import { pinsAt, type Compaction, type Context } from '../../agent/context/context.ts'
import type { Json } from '../../core/json.ts'
import { appendReceipt, type ReceiptDraft } from '../../ledger/receipts.ts'
import type { Kit } from '../kit.ts'
import type { FoundInstructions } from './instructions.ts'

interface Place {
  readonly run_id: string
  readonly task_id: string
  readonly attempt: number
}

/** Before the request that is the first of the new conversation. */
export async function recordCompaction(kit: Kit, place: Place, compaction: Compaction, context: Context): Promise<void> {
  const { turn, reason, kept_turn, before_tokens, after_tokens, items, dropped } = compaction
  const pins = pinsAt(context, turn).length
  await append(kit, place, {
    op: 'context.compact',
    turn,
    summary: `${before_tokens} → ${after_tokens} tokens, ${pins} pins kept, ${dropped.length} left out`,
    detail: {
      reason,
      kept_turn,
      before_tokens,
      after_tokens,
      pins,
      rag_citations: items.map(({ id }) => id),
      items: items as unknown as Json,
      dropped: dropped as unknown as Json,
    },
  })
}

/** The model's own fault, which is told to it: what reached no operation has no other receipt. */
export async function recordRefusal(kit: Kit, place: Place, { turn, index, name, words }: RefusedCall): Promise<void> {
  const message = kit.redactText(words).slice(0, 300)
  await append(kit, place, {
    op: 'tool.call',
    actor: 'agent',
    surface: 'agent',
    turn,
    ...(index > 0 ? { call: index } : {}),
    outcome: 'error',
    error: { code: 'usage.params', message },
    summary: message,
    detail: { tool: name === null ? null : kit.redactText(name.slice(0, 40)) },
  })
}

/** All that the model knows of, as they stand: before the first turn, and after each that was told another. */
export async function recordInstructions(kit: Kit, place: Place & { readonly turn?: number }, { files, unread }: FoundInstructions): Promise<void> {
  const named = files.filter(({ isNamed }) => isNamed)
  await append(kit, place, {
    op: 'context.instructions',
    summary: [...named, ...unread].map(({ path }) => path).join(', '),
    detail: {
      files: named.map(({ path, sha256, characters, shown }) => ({ path, sha256, characters, shown: shown.length })),
      ...(unread.length === 0 ? {} : { unread: unread.map(({ path, bytes }) => ({ path, bytes })) }),
    },
  })
}

async function append(kit: Kit, place: Place, receipt: Partial<ReceiptDraft> & { op: string; summary: string; detail: Json }): Promise<void> {
  await kit.store.transaction((tx) =>
    appendReceipt(tx, kit, {
      actor: 'operator',
      surface: 'engine',
      outcome: 'ok',
      ...place,
      ...receipt,
      summary: kit.redactText(receipt.summary).slice(0, 300),
    }),
  )
}

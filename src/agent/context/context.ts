/**
 * The messages of every turn, as a fold over the story of an attempt. They only grow, so that providers' caches hold; when
 * they fill the window to the hard stop they are built anew once: the goal, every pin in its own bytes, what fits of the
 * rest, and the last turns as they were. Deterministic: the same story gives the same bytes. Source: contracts/rag.md
 * section 4. Pure.
 */
import { VpError } from '../../core/errors.ts'
import { canonicalJson } from '../../core/json.ts'
import type { Message, ToolSpec } from '../../models/contract.ts'
import { estimateTokens } from '../../models/prices.ts'
import { PROMPTS } from '../prompts.ts'
import { pack, type Dropped, type PackedItem } from './pack.ts'
import { holdsAt, pinsOf, pinWords, type Pin } from './pins.ts'
import type { Entry, Opening, Result } from './story.ts'

export interface WindowPolicy {
  /** Of the model, whole. */
  readonly window_tokens: number
  /** What a compaction may fill of what the answer, the system prompt and the tools leave. */
  readonly fraction: number
  /** Over this part of it the conversation is built anew. */
  readonly hard_stop: number
}

/** Of a run whose events name none. */
export const WINDOW_POLICY: WindowPolicy = { window_tokens: 32_768, fraction: 0.5, hard_stop: 0.75 }

export interface Compaction {
  /** Its request is the first of the new conversation. */
  readonly turn: number
  readonly reason: string
  /** From this turn on everything stays as it was. */
  readonly kept_turn: number
  readonly before_tokens: number
  readonly after_tokens: number
  readonly items: readonly PackedItem[]
  readonly dropped: readonly Dropped[]
}

export interface Context {
  readonly opening: Opening
  readonly policy: WindowPolicy
  /** Tokens that messages may take: the window without the answer, the system prompt and the tools. */
  readonly room: number
  readonly entries: readonly Entry[]
  readonly messages: readonly Message[]
  /** Of the messages, without the system prompt. */
  readonly tokens: number
  readonly compactions: readonly Compaction[]
}

/** What one answer may take: never more than a quarter of a small window. */
export function answerTokens(policy: WindowPolicy, most: number): number {
  return Math.min(most, Math.floor(policy.window_tokens / 4))
}

export function openContext(opening: Opening, policy: WindowPolicy, fixed: { readonly tools: readonly ToolSpec[]; readonly answer: number }): Context {
  const system: Message = { role: 'system', text: opening.system }
  const goal: Message = { role: 'user', text: opening.goal }
  const room = Math.max(0, policy.window_tokens - fixed.answer - tokensOf([system]) - estimateTokens(canonicalJson(fixed.tools)))
  return { opening, policy, room, entries: [], messages: [system, goal], tokens: tokensOf([goal]), compactions: [] }
}

/** With what happened since. What a person says right after other words of theirs stands in one message with them. */
export function extended(context: Context, entries: readonly Entry[]): Context {
  const messages = [...context.messages]
  for (const entry of entries) append(messages, entry)
  return { ...context, entries: [...context.entries, ...entries], messages, tokens: tokensOf(messages.slice(1)) }
}

/**
 * Ready for the request of `turn`: as it is, or built anew where it is over the hard stop. Throws `model.too_large` where
 * what may not be dropped does not fit.
 */
export function readied(context: Context, turn: number): Context {
  const { room, policy, tokens } = context
  const stop = Math.floor(room * policy.hard_stop)
  if (tokens <= stop) return context
  const built = compacted(context, turn, `${tokens} of ${room} tokens, over ${policy.hard_stop} of the window's room`)
  if (built.tokens > stop)
    throw new VpError('model.too_large', `what may not be dropped takes ${built.tokens} tokens, ${stop} of a window of ${policy.window_tokens} are for it`, {
      why: 'the goal, the pins and the last turn are never cut',
      data: { turn, tokens: built.tokens, stop },
    })
  return built
}

/** The whole story again, turn by turn: what `vp context show` and a test hold against what was sent. */
export function contextAt(opened: Context, entries: readonly Entry[], turn: number): Context {
  let context = opened
  for (let at = 1; at <= turn; at++) {
    // Of an earlier turn everything, of this one only what came before its request.
    const fresh = entries.filter((entry) => (isBefore(entry) ? entry.turn === at : entry.turn === at - 1))
    context = readied(extended(context, fresh), at)
  }
  return context
}

/** Whether an entry's turn is that of the request which first holds it. */
const isBefore = (entry: Entry): boolean => entry.kind === 'told'

/** Pins that the request of `turn` holds. */
export function pinsAt(context: Pick<Context, 'opening' | 'entries'>, turn: number): Pin[] {
  return pinsOf(context.opening, context.entries).filter((pin) => holdsAt(pin, turn))
}

function compacted(context: Context, turn: number, reason: string): Context {
  const { opening, policy, room, entries } = context
  const budget = Math.floor(room * policy.fraction)
  const at = tailStart(entries, Math.floor(budget / 2))
  const [head, tail] = [entries.slice(0, at), entries.slice(at)]
  const system = context.messages.slice(0, 1)
  const last: Message[] = []
  for (const entry of tail) append(last, entry)
  const inTail = new Set(tail.map((entry) => entry.turn))
  const pins = pinsOf(opening, entries).filter((pin) => holdsAt(pin, turn) && !isOf(pin, inTail, tail))
  const instructions = head.flatMap((entry) => (entry.kind === 'instructions' ? [entry.text] : []))
  const kept = [opening.goal, ...instructions, PROMPTS.compacted, ...pinWords(pins)]
  const fixed = tokensOf([{ role: 'user', text: kept.join('\n\n') }, ...last])
  const packed = pack(head, opening.files, Math.max(0, budget - fixed - tokensOf([{ role: 'user', text: `\n\n${EARLIER}` }])))
  const text = [...kept, ...(packed.text === '' ? [] : [`${EARLIER}\n${packed.text}`])].join('\n\n')
  const messages: Message[] = [...system, { role: 'user', text }, ...last]
  const tokens = tokensOf(messages.slice(1))
  const { items, dropped } = packed
  return {
    ...context,
    messages,
    tokens,
    compactions: [
      ...context.compactions,
      { turn, reason, kept_turn: tail[0]?.turn ?? turn, before_tokens: context.tokens, after_tokens: tokens, items, dropped },
    ],
  }
}

const EARLIER = 'Earlier results, shortened where they were long:'

/** What the last turns say themselves is not told twice. */
function isOf(pin: Pin, turns: ReadonlySet<number>, tail: readonly Entry[]): boolean {
  if (pin.cite === 'goal') return false
  const told = /^told (\d+)$/.exec(pin.cite)
  if (told) return tail.some((entry) => entry.kind === 'told' && entry.n === Number(told[1]))
  return turns.has(Number(/^t(\d+)c/.exec(pin.cite)?.[1] ?? Number.NaN))
}

/** Index of the first entry that stays as it was: the last answer and what came of it, and answers before it as far as they fit. */
function tailStart(entries: readonly Entry[], maxTokens: number): number {
  const starts = entries.flatMap((entry, index) => (entry.kind === 'answer' ? [index] : []))
  const fits = (start: number) => {
    const messages: Message[] = []
    for (const entry of entries.slice(start)) append(messages, entry)
    return tokensOf(messages) <= maxTokens
  }
  const last = starts.at(-1) ?? entries.length
  const reversed = starts.toReversed()
  const over = reversed.findIndex((start) => !fits(start))
  return over === 0 ? last : (reversed[over < 0 ? reversed.length - 1 : over - 1] ?? last)
}

const NO_WORDS = '(nothing)'

function append(messages: Message[], entry: Entry): void {
  switch (entry.kind) {
    case 'told':
      return say(messages, `${PROMPTS.told}\n${entry.text}`)
    case 'note':
    case 'instructions':
      return say(messages, entry.text)
    case 'answer': {
      // Servers refuse a message of no words in what they are sent next.
      const isEmpty = entry.calls.length === 0 && entry.text.trim() === ''
      messages.push({ role: 'assistant', text: isEmpty ? NO_WORDS : entry.text, calls: entry.calls })
      return
    }
    default:
      messages.push(resultMessage(entry))
  }
}

const resultMessage = ({ call, text }: Result): Message => ({ role: 'tool', call_id: call.id, name: call.name, text })

/** Two messages of the person in a row are one: some servers want the roles to take turns. */
function say(messages: Message[], text: string): void {
  const last = messages.at(-1)
  if (last?.role === 'user') messages[messages.length - 1] = { role: 'user', text: `${last.text}\n\n${text}` }
  else messages.push({ role: 'user', text })
}

function tokensOf(messages: readonly Message[]): number {
  return messages.reduce(
    (sum, message) =>
      sum + estimateTokens(message.text) + (message.role === 'assistant' && message.calls.length > 0 ? estimateTokens(canonicalJson(message.calls)) : 0) + 4,
    0,
  )
}

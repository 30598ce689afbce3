/**
 * Recordings without what they say twice: a conversation only grows, so of a request is kept what it adds to the one of the
 * turn before. What comes back is the very request, which its hash proves. Pure.
 */
import { canonicalJson } from '../core/json.ts'
import type { Message, ModelRequest } from './contract.ts'
import type { Exchange } from './recorded.ts'

export type Kept = Exchange | (Omit<Exchange, 'request'> & { readonly added: readonly Message[] })

/** In the order of their places; others stay whole. */
export function withoutRepeats(exchanges: readonly Exchange[]): Kept[] {
  return exchanges.map((exchange, index): Kept => {
    const before = exchanges[index - 1]
    const added = before && isNextOf(before, exchange) ? addedTo(before.request, exchange.request) : null
    const { request: _, ...rest } = exchange
    return added === null ? exchange : { ...rest, added }
  })
}

/** A part whose turn before is missing is none. */
export function withRepeats(kept: readonly Kept[]): Exchange[] {
  const whole: Exchange[] = []
  for (const one of kept) {
    const before = whole.at(-1)
    if ('request' in one) whole.push(one)
    else if (before && isNextOf(before, one)) {
      const { added, ...rest } = one
      whole.push({ ...rest, request: { ...before.request, messages: [...before.request.messages, ...added] } })
    }
  }
  return whole
}

type Place = Pick<Exchange, 'task' | 'attempt' | 'turn'>
const isNextOf = (before: Place, now: Place): boolean => before.task === now.task && before.attempt === now.attempt && before.turn + 1 === now.turn

/** The messages behind those of `before`; null where it is no beginning of `now`. */
function addedTo({ messages: first, ...before }: ModelRequest, { messages, ...now }: ModelRequest): readonly Message[] | null {
  if (canonicalJson(before as never) !== canonicalJson(now as never) || first.length > messages.length) return null
  const isBeginning = first.every((message, index) => canonicalJson(message as never) === canonicalJson(messages[index] as never))
  return isBeginning ? messages.slice(first.length) : null
}

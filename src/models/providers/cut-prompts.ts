/** Holds what a server counted of each prompt against what was sent of the same conversation. State: the last turn of each. */
import type { CallPlace, Endpoint, ModelAnswer } from '../contract.ts'
import { isTruncated, type Counted } from '../window.ts'
import { truncated } from './failures.ts'

/** `window` in tokens, or null where nobody knows. Throws `model.truncated` with both numbers. */
export type PromptWatch = (place: CallPlace, characters: number, answer: ModelAnswer, window: number | null) => void

export function promptWatch(endpoint: Endpoint): PromptWatch {
  const counts = new Map<string, Counted>()
  return (place, characters, { usage, usage_source }, window) => {
    if (usage_source !== 'provider') return
    const conversation = `${place.task}#${place.attempt}`
    const now = { characters, tokens: usage.tokens_in }
    if (isTruncated(now, counts.get(conversation) ?? null, window)) throw truncated(endpoint, now, usage)
    counts.set(conversation, now)
  }
}

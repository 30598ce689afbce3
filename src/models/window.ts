/**
 * Whether a server read the whole prompt, from its own count against what was sent. Ollama cuts at its window with a 200
 * and counts what is left (ollama/ollama#17427, #17889). Pure; says nothing where the count can be explained otherwise.
 */
export interface Counted {
  /** Of all that was sent, as JSON. */
  readonly characters: number
  /** The server's own count of the prompt, what it had cached included. */
  readonly tokens: number
}

/** Under this much a prompt fits every window there is. */
const LEAST_CHARACTERS = 8000
/** More characters than this hardly make one token, four times as many never do. */
const MOST_A_TOKEN = 6
/** Servers that count only what is new to them fall much further than to half a window. */
const HALF_A_WINDOW = 0.4

/** A conversation that grows keeps its characters a token: what it must come to now is known this well. */
const SURE = 0.85

/** `before`: the turn before of the same conversation, which only grows. `window`: in tokens, where it is known. */
export function isTruncated(now: Counted, before: Counted | null, window: number | null = null): boolean {
  if (now.characters < LEAST_CHARACTERS || now.tokens <= 0) return false
  const fewest = now.characters / MOST_A_TOKEN
  if (before === null) return now.tokens < fewest / 4
  const due = before.tokens * (now.characters / before.characters)
  if (window !== null && due * SURE > window && now.tokens <= window) return true
  if (now.tokens > before.tokens || now.tokens < before.tokens * HALF_A_WINDOW) return false
  const hasGrown = now.characters > before.characters * 1.1
  return now.tokens < fewest / 4 || (hasGrown && now.tokens < fewest)
}

/**
 * The window that a server really gives a model, by measurement: prompts of known length with marker words in them, and
 * the server's own count against what was sent. What a server says of itself is only where the search begins.
 */
import { isVpError, VpError } from '../../core/errors.ts'
import type { ModelAnswer, ModelRequest } from '../contract.ts'

/** Tokens to ask the server for; `stock`: nothing is asked for, as by any other client. */
export type AskedWindow = number | 'stock'

export interface WindowPorts {
  /** Throws `model.*`. */
  ask(request: ModelRequest, window: AskedWindow): Promise<ModelAnswer>
  /** A word nobody could guess, another for each number. */
  marker(n: number): string
}

export interface WindowLook {
  readonly window: AskedWindow
  /** Tokens, by what shorter prompts of the same lines came to. */
  readonly sent: number
  /** What the server counted; null where it refused, which is no cut. */
  readonly seen: number | null
  /** Numbers of the markers that came back. */
  readonly back: readonly number[]
  readonly isWhole: boolean
}

export interface MeasuredWindow {
  /** Without being asked for anything (`tokens` null: refused); null where the window cannot be set, and all looks are without. */
  readonly stock: { readonly tokens: number | null; readonly look: WindowLook } | null
  readonly effectiveTokens: number
  /** The largest prompt that came through whole. */
  readonly whole: WindowLook
  readonly looks: readonly WindowLook[]
}

export const MARKERS = 16
/** For the answer, which stands in the window too. */
const ANSWER_TOKENS = 400
const [FEW_LINES, MORE_LINES] = [16, 40]
const LINE = '    total = total + price[index] * count[index]  # one more line of an ordinary program\n'
const MOST_LOOKS = 10
/** Below this, counts of equal prompts may differ: a template's date, a cache's edge. */
const SLACK_TOKENS = 64

export interface WindowOptions {
  /** The largest window that is tried. */
  readonly wantedTokens: number
  readonly canSet: boolean
}

/** Throws `model.*`; `model.protocol` where the server's count says nothing. */
export async function measureWindow(ports: WindowPorts, { wantedTokens, canSet }: WindowOptions): Promise<MeasuredWindow> {
  const asked = (tokens: number): AskedWindow => (canSet ? tokens : 'stock')
  const [few, more] = [await counted(ports, FEW_LINES, asked(4096)), await counted(ports, MORE_LINES, asked(4096))]
  const aLine = (more - few) / (MORE_LINES - FEW_LINES)
  if (!(aLine >= 4))
    throw new VpError('model.protocol', `the server counts ${few} tokens for ${FEW_LINES} lines and ${more} for ${MORE_LINES}: its count says nothing`, {
      next: ['vp model list', 'a newer version of the server'],
    })
  const looks: WindowLook[] = []
  const look = async (window: AskedWindow, tokens: number): Promise<WindowLook> => {
    const lines = Math.max(MORE_LINES, Math.floor((tokens - ANSWER_TOKENS - more) / aLine) + MORE_LINES)
    const one = await lookAt(ports, window, lines, Math.round(more + (lines - MORE_LINES) * aLine))
    looks.push(one)
    return one
  }
  const search = async (asks: (tokens: number) => AskedWindow): Promise<{ tokens: number; whole: WindowLook | null }> => {
    let [good, bad] = [more + ANSWER_TOKENS, wantedTokens]
    let whole: WindowLook | null = null
    const first = await look(asks(bad), bad)
    if (first.isWhole) return { tokens: bad, whole: first }
    // Where half a window is what is left (ollama/ollama#17427), twice the count is the window.
    let hints = first.seen === null ? [] : [first.seen * 2, first.seen]
    while (looks.length < MOST_LOOKS && bad - good > Math.max(256, good * 0.03)) {
      hints = hints.filter((tokens) => tokens > good && tokens < bad)
      const next = hints.shift() ?? (good + bad) >> 1
      const one = await look(asks(next), next)
      if (one.isWhole) [good, whole] = [next, one]
      else bad = next
      // One prompt that is whole where the count stood still says it all.
      if (one.isWhole && first.seen !== null && (next === first.seen || next === first.seen * 2)) return { tokens: next, whole }
    }
    // Nobody said a number: sure is only what came through.
    return { tokens: whole?.sent ?? good, whole }
  }
  const found = await search(asked)
  const whole = found.whole ?? (await look(asked(found.tokens), found.tokens))
  if (!canSet) return { stock: null, effectiveTokens: found.tokens, whole, looks }
  const plain = await look('stock', found.tokens)
  return { stock: { tokens: plain.isWhole ? found.tokens : plain.seen, look: plain }, effectiveTokens: found.tokens, whole, looks }
}

async function counted(ports: WindowPorts, lines: number, window: AskedWindow): Promise<number> {
  const { usage, usage_source } = await ports.ask(requestOf(ports, lines, 8), window)
  if (usage_source !== 'provider') throw new VpError('model.protocol', 'the server does not count tokens, so nothing can be measured')
  return usage.tokens_in
}

async function lookAt(ports: WindowPorts, window: AskedWindow, lines: number, sent: number): Promise<WindowLook> {
  const base = { window, sent }
  try {
    const { usage, text } = await ports.ask(requestOf(ports, lines, ANSWER_TOKENS - 8), window)
    const words = new Set(text.split(/[^\w-]+/))
    const back = numbers().filter((n) => words.has(ports.marker(n)))
    const isCounted = usage.tokens_in >= sent * 0.97 - SLACK_TOKENS
    return { ...base, seen: usage.tokens_in, back, isWhole: isCounted && !lacksABlock(back) }
  } catch (error) {
    if (isVpError(error) && error.code === 'model.too_large') return { ...base, seen: null, back: [], isWhole: false }
    const tokens = isVpError(error) && error.code === 'model.truncated' ? error.details.data?.['tokens'] : null
    if (typeof tokens === 'number') return { ...base, seen: tokens, back: [], isWhole: false }
    throw error
  }
}

const numbers = (): number[] => Array.from({ length: MARKERS }, (_, index) => index + 1)

/**
 * Markers that are missing in one row, a quarter of them or more, while others came back: cut before the count, as a
 * shifted context is. A weak model forgets here and there, or gives none at all, and says nothing by it.
 */
function lacksABlock(back: readonly number[]): boolean {
  if (back.length < MARKERS / 4 || back.length > (MARKERS * 3) / 4) return false
  const gaps = [...back, MARKERS + 1].map((n, index) => n - (back[index - 1] ?? 0) - 1)
  return gaps.filter((gap) => gap > 0).length === 1
}

/** The markers stand evenly, the first before all lines and the last after them. */
function requestOf(ports: WindowPorts, lines: number, max_tokens: number): ModelRequest {
  const every = lines / (MARKERS - 1)
  const parts = numbers().map((n) => {
    const from = Math.round((n - 1) * every)
    const to = Math.min(lines, Math.round(n * every))
    return `# marker ${ports.marker(n)}\n${LINE.repeat(n === MARKERS ? 0 : to - from)}`
  })
  return {
    messages: [
      { role: 'system', text: 'You repeat the marker words of a text, in their order, one a line, and nothing else.' },
      { role: 'user', text: `${parts.join('')}\nWrite the word of each line that begins with "# marker", all ${MARKERS}, from the first to the last.` },
    ],
    tools: [],
    max_tokens,
    temperature: 0,
  }
}

/**
 * The story of an attempt as the ledger tells it: from its recorded exchanges, its receipts and the run's events, and from
 * nothing else. Of an exchange only what its turn added is read, so what was sent can be held against what the story gives.
 */
import { PROMPTS } from '../../agent/prompts.ts'
import type { Entry, Opening, Result } from '../../agent/context/story.ts'
import type { ErrorCode } from '../../core/errors.ts'
import type { Receipt } from '../../ledger/receipts.ts'
import type { Message, ModelAnswer, ModelRequest } from '../../models/contract.ts'
import type { Said } from './told.ts'

export interface Turn {
  readonly turn: number
  readonly request: ModelRequest
  readonly answer: ModelAnswer | null
}

export interface Story {
  readonly opening: Opening
  readonly entries: readonly Entry[]
  /** The last request. */
  readonly turn: number
  readonly last: ModelRequest
}

/** `turns`: of one attempt, from the first on; what comes behind a gap is left out. Null where there is none. */
export function storyOf(
  turns: readonly Turn[],
  receipts: readonly Receipt[],
  heard: (turn: number) => readonly Said[],
  task: { readonly words: readonly string[]; readonly files: readonly string[] },
): Story | null {
  const known = turns.filter(({ turn }, index) => turn === index + 1)
  const [first] = known
  const last = known.at(-1)
  if (!first || !last) return null
  const codes = codesOf(receipts)
  const entries: Entry[] = []
  for (const [index, one] of known.entries()) {
    entries.push(...heard(one.turn).map(({ n, text }): Entry => ({ kind: 'told', turn: one.turn, n, text })))
    const next = known[index + 1]
    if (next) entries.push(...addedBy(one, next.request.messages, codes, heard(next.turn)))
  }
  const [system, goal] = first.request.messages
  const opening = { system: system?.text ?? '', goal: withoutTold(goal?.text ?? '', heard(1)), ...task }
  return { opening, entries, turn: last.turn, last: last.request }
}

function addedBy({ turn, answer }: Turn, next: readonly Message[], codes: ReadonlyMap<string, ErrorCode | null>, said: readonly Said[]): Entry[] {
  const at = next.findLastIndex((message) => message.role === 'assistant')
  const asked = next[at]
  if (asked?.role !== 'assistant') return []
  const results = next.slice(at + 1).flatMap((message) => (message.role === 'tool' ? [message] : []))
  const isEmpty = asked.calls.length === 0
  const words = next.at(-1)
  const beside = !isEmpty && words?.role === 'user' && words.text.startsWith(PROMPTS.instructions) ? withoutTold(words.text, said) : null
  return [
    { kind: 'answer', turn, text: isEmpty && (answer?.text.trim() ?? '') === '' ? '' : asked.text, calls: asked.calls },
    ...asked.calls.flatMap((call, index): Result[] => {
      const message = results[index]
      const code = codes.get(`${turn}#${index + 1}`)
      return message ? [{ kind: 'result', turn, index: index + 1, call, text: message.text, code: code === undefined ? 'usage.params' : code }] : []
    }),
    ...(beside === null ? [] : [{ kind: 'instructions', turn, text: beside } as const]),
    ...(isEmpty ? [{ kind: 'note', turn, text: answer?.finish === 'length' ? PROMPTS.cutShort : PROMPTS.nudge } as const] : []),
  ]
}

/** Turn and call → how its first operation ended; none where the call reached none. */
function codesOf(receipts: readonly Receipt[]): Map<string, ErrorCode | null> {
  const codes = new Map<string, ErrorCode | null>()
  for (const { turn, call, error } of receipts) {
    if (turn === undefined || call === undefined || codes.has(`${turn}#${call}`)) continue
    codes.set(`${turn}#${call}`, (error?.code as ErrorCode | undefined) ?? null)
  }
  return codes
}

function withoutTold(goal: string, said: readonly Said[]): string {
  const suffix = said.map(({ text }) => `\n\n${PROMPTS.told}\n${text}`).join('')
  return suffix !== '' && goal.endsWith(suffix) ? goal.slice(0, -suffix.length) : goal
}

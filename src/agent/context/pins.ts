/**
 * Pins: what must never be forgotten, taken from the story of an attempt. The text of a pin is verbatim a part of what the
 * conversation already holds, so until a compaction it costs nothing, and after one it is told again, byte for byte. Pure.
 */
import { callTitle, changedFiles, citeOf, failedLines, isWhole, testWords, type Entry, type Opening, type Result } from './story.ts'

export const PIN_KINDS = ['words', 'decision', 'failed', 'identifier', 'violation'] as const

export interface Pin {
  readonly kind: (typeof PIN_KINDS)[number]
  readonly text: string
  /** What it is of: `goal`, `told 2`, `t4c1`. With the receipts of that call it names its source. */
  readonly cite: string
  /** In one line, where the text alone does not say it. */
  readonly about: string
  /** The first turn whose request holds it. */
  readonly from: number
  /** The first turn whose request need not hold it any more: a violation that was closed. */
  readonly until: number | null
}

/** Of a refusal or a failed test, at most. */
const MAX_WORDS = 300

export function pinsOf(opening: Pick<Opening, 'words'>, entries: readonly Entry[]): Pin[] {
  const pins: Pin[] = opening.words.map((text) => ({ kind: 'words', text, cite: 'goal', about: '', from: 1, until: null }))
  let violations: Pin[] = []
  let changed: Result[] = []
  const add = (pin: Pin) => {
    if (pin.text !== '' && !pins.some((one) => one.kind === pin.kind && one.text === pin.text && one.about === pin.about)) pins.push(pin)
  }
  for (const entry of entries) {
    if (entry.kind === 'told') add({ kind: 'words', text: entry.text, cite: `told ${entry.n}`, about: '', from: entry.turn, until: null })
    if (entry.kind !== 'result') continue
    const at = { cite: citeOf(entry), from: entry.turn + 1, until: null }
    const kind = refusalKind(entry.code)
    if (kind) add({ kind, text: entry.text.slice(0, MAX_WORDS), about: callTitle(entry.call), ...at })
    const files = changedFiles(entry)
    for (const text of files) add({ kind: 'identifier', text, about: '', ...at })
    if (files.length > 0) changed.push(entry)
    const words = testWords(entry)
    if (words === null) continue
    const failed = failedLines(words).map((line) => line.slice(0, MAX_WORDS))
    if (isWhole(entry.call)) {
      pins.push(...violations.filter(({ text }) => !failed.includes(text)).map((pin) => ({ ...pin, until: at.from })))
      violations = violations.filter(({ text }) => failed.includes(text))
    }
    for (const text of failed) if (!violations.some((one) => one.text === text)) violations.push({ kind: 'violation', text, about: '', ...at })
    const [first] = failed
    if (first !== undefined && changed.length > 0)
      add({ kind: 'failed', text: first, about: `${changed.map(tried).slice(-3).join(', ')}, then the tests`, ...at })
    changed = []
  }
  return [...pins, ...violations].toSorted((a, b) => a.from - b.from)
}

const tried = (result: Result): string => `${callTitle(result.call)} (${citeOf(result)})`

/** What a rule refuses stays refused, and so does what a person refused: another try of it is wasted. */
function refusalKind(code: Result['code']): 'decision' | 'failed' | null {
  if (code === null) return null
  if (code === 'approval.denied') return 'decision'
  return /^(policy|path)\./.test(code) && code !== 'path.not_found' ? 'failed' : null
}

/** Whether the request of `turn` has to hold it. */
export function holdsAt(pin: Pin, turn: number): boolean {
  return pin.from <= turn && (pin.until === null || turn < pin.until)
}

const HEADINGS: Readonly<Record<Pin['kind'], string>> = {
  words: 'The person said, in these words:',
  decision: 'A person decided:',
  failed: 'Tried already, and it failed or is not allowed:',
  identifier: 'Files changed so far:',
  violation: 'Tests that fail as far as measured:',
}

/** For the model, each text verbatim; what the goal says itself stands above already. */
export function pinWords(pins: readonly Pin[]): string[] {
  return PIN_KINDS.flatMap((kind) => {
    const lines = pins
      .filter((pin) => pin.kind === kind && pin.cite !== 'goal')
      .map(({ about, cite, text }) => `- ${about === '' ? '' : `${about} [cite:${cite}] → `}${text}`)
    return lines.length === 0 ? [] : [[HEADINGS[kind], ...lines].join('\n')]
  })
}

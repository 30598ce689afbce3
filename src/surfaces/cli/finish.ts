/**
 * From a renderer's marked lines to what is written: signs, wrapping under hanging indents, right-hand columns,
 * colours, plain sentences. Content from outside has gone through `clean` before it reached a renderer, so nothing
 * here can be steered by it. Piped lines are never wrapped or cut.
 */
import { bare, cells } from './cells.ts'
import { MARK, RESET, SEQUENCES, signs, type Look, type Looks } from './style.ts'

/** What a command shows: marked lines, not yet finished. */
export interface Screen {
  readonly stdout: readonly string[]
  readonly stderr: readonly string[]
}

/** C0 but line feed and tab, C1, DEL, and what turns the direction of text or hides in it. */
const UNSAFE = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu
const LONE = /[\ud800-\udfff]/gu

/** Without what could steer a terminal; tabs stay. */
export function steerless(text: string): string {
  return text.replace(UNSAFE, '').replace(LONE, '\ufffd')
}

export function cleanText(text: string): string {
  return steerless(text).replaceAll('\t', '  ')
}

/** A deep copy whose every string carries no control byte but the line feed. */
export function clean<View>(view: View): View {
  if (typeof view === 'string') return cleanText(view) as View
  if (Array.isArray(view)) return view.map(clean) as View
  if (typeof view !== 'object' || view === null) return view
  return Object.fromEntries(Object.entries(view).map(([key, value]) => [key, clean(value)])) as View
}

/** A renderer whose view is cleaned first. All of `screens/` is made with it. */
export function renderer<View>(draw: (view: View, look: Look) => Partial<Screen>): (view: View, look: Look) => Screen {
  return (view, look) => {
    const drawn = draw(clean(view), look)
    return { stdout: drawn.stdout ?? [], stderr: drawn.stderr ?? [] }
  }
}

/** Both streams' text, each line ended. `next` lines are left out where nobody sits at both streams. */
export function paint(screen: Screen, looks: Pick<Looks, 'out' | 'err'>): { stdout: string; stderr: string } {
  const piped = !looks.out.tty || !looks.err.tty
  const talk = piped ? withoutNext(screen.stderr) : screen.stderr
  return { stdout: joined(looks.out, screen.stdout), stderr: joined(looks.err, talk) }
}

/** `next` and what hangs under it. */
function withoutNext(lines: readonly string[]): string[] {
  let within = false
  return lines.filter((line) => {
    within = line.startsWith('next ') || (within && line.startsWith('       '))
    return !within
  })
}

function joined(look: Look, lines: readonly string[]): string {
  return lines
    .flatMap((line) => finish(look, line))
    .map((line) => `${line}\n`)
    .join('')
}

/**
 * Content that was asked for, a file's line or a program's: never wrapped, cut or put in other signs. Piped it keeps
 * every byte; on a terminal it loses what could steer one.
 */
export function raw(look: Look, line: string): string {
  return MARK.raw + (look.tty ? line.replace(UNSAFE, '').replace(LONE, '\ufffd') : line)
}

/** One marked line as the lines that are written. */
export function finish(look: Look, line: string): string[] {
  if (line.startsWith(MARK.raw)) return [line.slice(1)]
  const single = look.plain ? line.replace(/[\n\x07]/g, ' ') : line.replaceAll('\n', ' ')
  // The dot is what lines are broken at; it gets its sign last, as its ASCII form may stand in a command.
  const [text, aside] = splitColumn(signs(look, look.plain ? single : single.replaceAll('·', MARK.dot)))
  if (look.plain) return [plainSentence(text), ...(aside === null ? [] : [plainSentence(aside.rest)])].map((part) => signs(look, part))
  if (aside === null) return wrap(look, text).map((part) => colour(look, part.trimEnd()))
  return placed(look, text, aside)
    .flatMap((part) => wrap(look, part))
    .map((part) => colour(look, part.trimEnd()))
}

interface Aside {
  readonly at: number
  readonly rest: string
}

function splitColumn(text: string): [string, Aside | null] {
  const mark = text.indexOf(MARK.column)
  if (mark === -1) return [text, null]
  const [, at, rest] = /^(\d+):(.*)$/su.exec(text.slice(mark + 1)) ?? [undefined, '0', '']
  return [text.slice(0, mark), { at: Number(at), rest: rest ?? '' }]
}

/** The aside begins at its column, further right after a longer text, and on a line of its own where neither fits. */
function placed(look: Look, text: string, aside: Aside): string[] {
  const width = cells(text)
  const room = look.tty ? look.width : Number.POSITIVE_INFINITY
  const own = cells(aside.rest)
  if (width + 2 + own > room) return [text, ' '.repeat(hangOf(text) ?? 0) + aside.rest]
  const start = Math.max(aside.at, width + 2)
  return [text + ' '.repeat(Math.min(start, room - own) - width) + aside.rest]
}

function hangOf(text: string): number | null {
  const at = text.indexOf(MARK.hang)
  return at === -1 ? null : cells(text.slice(0, at))
}

/** `rest` from a column on. */
export function column(at: number, rest: string): string {
  return `${MARK.column}${at}:${rest}`
}

function wrap(look: Look, text: string): string[] {
  const flat = text.replaceAll(MARK.hang, '')
  if (!look.tty || cells(flat) <= look.width) return [flat]
  const indent = hangOf(text) ?? indentOf(flat)
  return wrapWords(flat, look.width, indent >= look.width / 2 ? 2 : indent)
}

function indentOf(text: string): number {
  return text.length - text.trimStart().length
}

/** Breaks at ` · ` where that fills at least half a line, else at spaces. A word wider than the line stays whole. */
function wrapWords(text: string, width: number, indent: number): string[] {
  const lines: string[] = []
  let line = ''
  let empty = true
  for (const word of text.trimStart().split(/ +(?!%)/)) {
    const gap = gapBefore(text, line, word)
    if (empty) line = begun(word, lines.length === 0 ? indentOf(text) : indent, width)
    else if (cells(line) + gap.length + cells(word) <= width) line += gap + word
    else if (word === MARK.dot) {
      lines.push(line)
      line = ''
      empty = true
      continue
    } else {
      const [kept, moved] = splitAtDot(line, width)
      lines.push(kept)
      line = begun(moved === '' ? word : `${moved} ${word}`, indent, width)
    }
    empty = false
  }
  return reopen([...lines, line])
}

/** A line's first words at their indent; a command that would stand out begins at the left, where most of it fits. */
function begun(words: string, indent: number, width: number): string {
  const standsOut = words.includes(MARK.blank) && indent + cells(words) > width
  return ' '.repeat(standsOut ? Math.min(indent, 2) : indent) + words
}

/** Labels keep their column: the first gap of a line is kept as it was. */
function gapBefore(text: string, line: string, word: string): string {
  const gap = /^ {2,}/.exec(text.slice(line.length))?.[0]
  return text.startsWith(line) && gap !== undefined && text.slice(line.length + gap.length).startsWith(word) ? gap : ' '
}

function splitAtDot(line: string, width: number): [kept: string, moved: string] {
  if (line.endsWith(` ${MARK.dot}`)) return [line.slice(0, -2), '']
  const dot = line.lastIndexOf(` ${MARK.dot} `)
  if (dot === -1 || cells(line.slice(0, dot)) < width / 2) return [line, '']
  return [line.slice(0, dot), line.slice(dot + 3)]
}

/** Colour that is open where a line was broken is closed there and opened again on the next. */
function reopen(lines: string[]): string[] {
  let open = ''
  return lines.map((line) => {
    const text = open === '' ? line : line.replace(/^ */, (spaces) => spaces + open)
    open = ''
    // oxlint-disable-next-line no-control-regex
    for (const mark of text.matchAll(/\x01.|\x02/gu)) open = mark[0] === MARK.close ? '' : mark[0]
    return open === '' ? text : text + MARK.close
  })
}

function colour(look: Look, text: string): string {
  const shown = text.replaceAll(MARK.dot, signs(look, '·')).replaceAll(MARK.blank, ' ')
  if (!look.colour) return bare(shown)
  // oxlint-disable-next-line no-control-regex
  return shown.replace(/\x01(.)|\x02/gu, (_, letter: string | undefined) => (letter === undefined ? RESET : (SEQUENCES[letter] ?? '')))
}

const SIGN_WORDS: readonly (readonly [RegExp, string])[] = [
  [/^✓ */u, 'Good: '],
  [/^✗ */u, 'Failed: '],
  [/^▸ */u, 'Running: '],
  [/^↻ */u, 'Again: '],
  [/^◌ */u, 'Queued: '],
  [/^\? +/u, 'Waits: '],
  [/^! +/u, 'Attention: '],
  [/^- +/u, 'Skipped: '],
  [/ [✓✗] /gu, ', '],
  [/(?<=[\d.)a-z])–(?=[$\d])/gu, ' to '],
  [/ → /gu, ' to '],
  [/±/gu, 'plus or minus '],
  [/× ?/gu, 'times '],
  [/[“”]/gu, '"'],
  [/[─├┤●█░]/gu, ''],
  [/(?<![\w-]|undo |task )T(\d+)(?![\w-])/g, 'Task $1'],
  [/ · /gu, ', '],
  [/ {2,}(?=\S)/gu, ', '],
]

/** Talk whose first word says what it is; it ends without a full stop, as a command may stand there. */
const TALK = /^(next|note|warn|error|paused)\b/
const STRONG = /\x01s([^\x02]*)\x02/u

/** Label first, one sentence a line, no signs. What is marked strong, commands to copy above all, keeps its bytes. */
function plainSentence(line: string): string {
  const hangAt = line.indexOf(MARK.hang)
  const label = hangAt === -1 ? '' : inWords(bare(line.slice(0, hangAt)).trim())
  const body = line
    .slice(hangAt + 1)
    .trim()
    .split(new RegExp(STRONG, 'gu'))
    .map((part, index) => (index % 2 === 1 ? part : part === ' · ' ? ' or ' : inWords(bare(part), index === 0)))
    .join('')
  const open = STRONG.test(line) && line.endsWith(MARK.close)
  const talk = TALK.test(label === '' ? body : label)
  const sentence = label === '' ? body : `${capital(label)}${/[:.?]$/.test(label) ? '' : talk ? ':' : '.'} ${body}`
  return talk || open || sentence === '' || /[.?!:\]]$/.test(sentence) ? sentence : `${sentence}.`
}

function inWords(text: string, first = true): string {
  let words = first ? text.trimStart() : text
  for (const [sign, word] of SIGN_WORDS) words = words.replace(sign, word)
  return words
}

/** A label that is a word; a path or a number stays as it is. */
function capital(label: string): string {
  return /^[a-z][a-z -]*:?$/.test(label) ? label.charAt(0).toUpperCase() + label.slice(1) : label
}

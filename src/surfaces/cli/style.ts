/**
 * How a terminal wants to be written to: width, colour, signs, plainness; and the marks that renderers put into
 * text. Pure over given values; built-ins only, as it is on the way of `vp --version`. design/cli.md sections 1 and 2.
 */

export interface Look {
  /** Columns to lay out for: the terminal's, at most 100, 80 when unknown. */
  readonly width: number
  readonly colour: boolean
  readonly ascii: boolean
  /** One sentence a line, for screen readers and braille. */
  readonly plain: boolean
  readonly tty: boolean
}

export interface Looks {
  readonly out: Look
  readonly err: Look
  /** What asked for plain output, for the first line: `--plain`, `VP_PLAIN`, `ACCESSIBLE`, `the configuration`. */
  readonly plainBy: string | null
  /** No redrawing: one line an event. */
  readonly lines: boolean
}

export interface StreamFacts {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
}

export interface LookFlags {
  readonly plain?: boolean | undefined
  readonly json?: boolean | undefined
  /** `plain` of the user's configuration. */
  readonly configPlain?: boolean | undefined
}

export type LookEnvironment = Readonly<Record<string, string | undefined>>

const MAX_WIDTH = 100
const UNKNOWN_WIDTH = 80
const MIN_WIDTH = 20

/** Flag before environment before configuration; `0` is off. */
export function lookFrom(env: LookEnvironment, streams: { readonly stdout: StreamFacts; readonly stderr: StreamFacts }, flags: LookFlags = {}): Looks {
  const plainBy = flags.json ? null : plainSource(env, flags)
  const plain = plainBy !== null
  const ascii = wantsAscii(env)
  const colourless = isSet(env['NO_COLOR']) || env['TERM'] === 'dumb' || flags.json === true || plain
  const look = (stream: StreamFacts): Look => {
    const tty = stream.isTTY === true
    return { width: widthOf(stream, tty), colour: tty && !colourless, ascii, plain, tty }
  }
  const err = look(streams.stderr)
  return {
    out: look(streams.stdout),
    err,
    plainBy,
    lines: !err.tty || isSet(env['CI']) || env['TERM'] === 'dumb' || plain,
  }
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== ''
}

function plainSource(env: LookEnvironment, flags: LookFlags): string | null {
  if (flags.plain !== undefined) return flags.plain ? '--plain' : null
  for (const name of ['VP_PLAIN', 'ACCESSIBLE']) {
    const value = env[name]
    if (isSet(value)) return value === '0' ? null : name
  }
  return flags.configPlain ? 'the configuration' : null
}

/** Without UTF-8, on the Linux console, and where some signs are two cells wide. `VP_ASCII` decides before that. */
function wantsAscii(env: LookEnvironment): boolean {
  if (env['VP_ASCII'] === '0') return false
  if (isSet(env['VP_ASCII'])) return true
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || ''
  return env['TERM'] === 'linux' || !/utf-?8/i.test(locale) || /^(zh|ja|ko)/i.test(locale)
}

function widthOf(stream: StreamFacts, tty: boolean): number {
  const columns = stream.columns
  if (!tty || columns === undefined || !Number.isInteger(columns) || columns <= 0) return UNKNOWN_WIDTH
  return Math.max(MIN_WIDTH, Math.min(columns, MAX_WIDTH))
}

/** Tables turn into `field: value` lines below this, and in plain output. */
export function isNarrow(look: Look): boolean {
  return look.plain || look.width < 60
}

const GLYPHS: Readonly<Record<string, string>> = {
  '✓': '+',
  '✗': 'x',
  '▸': '>',
  '↻': '~',
  '◌': '.',
  '…': '...',
  '–': '-',
  '·': '|',
  '→': '->',
  '─': '-',
  '├': '|',
  '┤': '|',
  '●': 'o',
  '█': '#',
  '░': '.',
  '“': '"',
  '”': '"',
  '±': '+-',
  '×': 'x',
}
const GLYPH = new RegExp(`[${Object.keys(GLYPHS).join('')}]`, 'gu')

/** The text in the signs this terminal can show. To be called before anything is measured. */
export function signs(look: Look, text: string): string {
  return look.ascii ? text.replace(GLYPH, (sign) => GLYPHS[sign] ?? sign) : text
}

// Marks inside renderers' lines; `finish` turns them into escapes, hanging indents and columns, or drops them.
// `clean` takes these bytes out of everything that comes from outside, so that no content can carry one.
export const MARK = { open: '\x01', close: '\x02', hang: '\x03', column: '\x04', raw: '\x05', dot: '\x06', blank: '\x07' } as const

export type Role = 'good' | 'bad' | 'attention' | 'strong'
const role = (letter: string) => (text: string) => (text === '' ? '' : `${MARK.open}${letter}${text}${MARK.close}`)
export const good = role('g')
export const bad = role('b')
export const attention = role('a')
export const strong = role('s')
/** A command to copy: strong, never broken, on a line of its own where it does not fit behind others. */
export const toCopy = (text: string) => strong(text.replaceAll(' ', MARK.blank))

/** Cyan, bold red, bold yellow, bold: the terminal's own 16 colours, never a background. */
export const SEQUENCES: Readonly<Record<string, string>> = {
  g: '\x1b[36m',
  b: '\x1b[1;31m',
  a: '\x1b[1;33m',
  s: '\x1b[1m',
}
export const RESET = '\x1b[0m'

/** A label that wrapped text hangs under: `hang('tasks', 9)`. A label that ends in no space keeps one. */
export function hang(label: string, width: number): string {
  // oxlint-disable-next-line no-control-regex
  const length = label.replace(/\x01.|[\x02-\x04]/gu, '').length
  return `${label}${' '.repeat(Math.max(length === 0 || label.endsWith(' ') ? 0 : 1, width - length))}${MARK.hang}`
}

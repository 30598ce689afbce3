/**
 * The ways in which models, and the way to us, spoil a good diff: each a pure function of a case. Where a way is about
 * the file (line ends, mark, encoding), the file and its wanted result are changed and the patch stays.
 * Leaves out damage that takes knowledge away, such as a lost removed line: nothing could be exact then.
 */
import { eachHeader, file, hunksOf, inBodies, inPatch, indented, shortened, unspoiled, type Case, type Spoil } from './spoil-kit.ts'

/** Sixteen ways; some have more than one form, and every form is tried on every case. */
export const WAYS: Readonly<Record<string, Readonly<Record<string, Spoil>>>> = {
  'line numbers': {
    'wrong line numbers': eachHeader((header, chance) => header.replaceAll(/([-+])\d+/g, (_all, sign: string) => `${sign}${1 + Math.floor(chance() * 400)}`)),
    'no line numbers': eachHeader((header) => header.replace(/^@@ .*? @@/, '@@ @@')),
  },
  counts: {
    'wrong counts': eachHeader((header, chance) =>
      header.replaceAll(/([-+]\d+)(?:,\d+)?(?=.* @@)/g, (_all, start: string) => `${start},${1 + Math.floor(chance() * 12)}`),
    ),
    'no counts': eachHeader((header) => header.replaceAll(/([-+]\d+),\d+(?=.* @@)/g, '$1')),
  },
  'bare hunk headers': { '@@ alone': eachHeader(() => '@@'), '@@ ... @@': eachHeader(() => '@@ ... @@') },
  prefixes: { 'no a/ and b/': inPatch((patch) => patch.replace(/^(--- )a\//m, '$1').replace(/^(\+\+\+ )b\//m, '$1')) },
  headers: { 'no headers': (one) => ({ ...unspoiled(one), patch: hunksOf(one.patch).hunks.join(''), path: one.path }) },
  'blank context': { 'blank context without its blank': inPatch((patch) => inBodies(patch, (line) => (line === ' ' ? '' : line))) },
  'fence and prose': { 'fence and prose around': inPatch(inProse) },
  order: { 'hunks out of order': inPatch(reordered) },
  'short context': { 'one line of context': inPatch((patch) => hunksOf(patch).head + hunksOf(patch).hunks.map(shortened).join('')) },
  'trailing blanks': { 'trailing blanks lost': trailingBlanksLost },
  indentation: {
    'tabs for blanks in context': inPatch((patch) => indented(patch, (indent) => (indent.includes('\t') ? null : '\t'.repeat(Math.ceil(indent.length / 4))))),
    'blanks for tabs in context': inPatch((patch) => indented(patch, (indent) => (indent.includes('\t') ? indent.replaceAll('\t', '    ') : null))),
    'half the blanks in context': inPatch((patch) => indented(patch, (indent) => (/^(?: {2})+$/.test(indent) ? indent.slice(indent.length / 2) : null))),
  },
  'line ends': {
    'CRLF file': file((text) => Buffer.from(text.replaceAll('\n', '\r\n'))),
    'CR file': file((text) => Buffer.from(text.replaceAll('\n', '\r'))),
    'CRLF patch': inPatch((patch, one) => ((one.before + one.after).includes('\r') ? null : patch.replaceAll('\n', '\r\n'))),
  },
  mark: { 'byte-order mark': file((text) => Buffer.from(`\uFEFF${text}`)) },
  encoding: { 'Latin-1 file': latin1 },
  'final newline': { 'no final newline': finalNewlineLost },
  'context off': { 'one token off in context': tokenOff },
}

/** Every form under its own name, and the diff as git writes it. */
export const FORMS: Readonly<Record<string, Spoil>> = { 'as git writes it': unspoiled, ...Object.assign({}, ...Object.values(WAYS)) }

function inProse(patch: string): string {
  return `I looked at the file. Here is the change:\n\n\`\`\`diff\n${patch}\`\`\`\n\nIt does two things:\n- it mends the cause\n- it keeps the rest\n`
}

function reordered(patch: string): string | null {
  const { head, hunks } = hunksOf(patch)
  return hunks.length < 2 || patch.includes('\\ No newline') ? null : head + hunks.toReversed().join('')
}

/** The file has blanks at the end of a line that the patch shows as context, and the patch has not. */
function trailingBlanksLost(one: Case): ReturnType<Spoil> {
  const shown = one.patch
    .split('\n')
    .find((line) => /^ .*\w{4}.*\S$/.test(line))
    ?.slice(1)
  if (shown === undefined || !isOnce(one.before, shown) || !isOnce(one.after, shown)) return null
  const blanked = (text: string) => Buffer.from(text.replace(`\n${shown}\n`, () => `\n${shown}  \t\n`))
  return { patch: one.patch, before: blanked(one.before), after: blanked(one.after) }
}

/** A line that the patch does not show gets a character that is no UTF-8. */
function latin1(one: Case): ReturnType<Spoil> {
  if (/[^\0-\u00ff]/.test(one.before + one.after)) return null
  const hidden = one.before.split('\n').find((line) => line.length > 8 && !one.patch.includes(line) && isOnce(one.before, line) && isOnce(one.after, line))
  if (hidden === undefined) return null
  const marked = (text: string) => {
    const changed = text.replace(`\n${hidden}\n`, () => `\n${hidden} \u00e9\n`)
    return Buffer.from(changed, 'latin1')
  }
  return { patch: one.patch, before: marked(one.before), after: marked(one.after) }
}

function finalNewlineLost(one: Case): ReturnType<Spoil> {
  const open = (text: string) => Buffer.from(text.replace(/\r?\n$/, ''))
  const isClosed = (text: string) => /[^\r\n]\r?\n$/.test(text)
  return isClosed(one.before) && isClosed(one.after) ? { patch: one.patch, before: open(one.before), after: open(one.after) } : null
}

/** Strictness and leniency at once: exact and refused are both right here; refused still counts against the share. */
function tokenOff(one: Case, chance: () => number): ReturnType<Spoil> {
  const lines = one.patch.split('\n')
  const places = lines.flatMap((line, index) => (/^ .*\b\w{3,}\b/.test(line) ? [index] : []))
  const at = places[Math.floor(chance() * places.length)]
  if (at === undefined) return null
  lines[at] = (lines[at] ?? '').replace(/\b\w{3,}\b/, (word) => `${word}s`)
  return { ...unspoiled(one), patch: lines.join('\n') }
}

function isOnce(text: string, line: string): boolean {
  return text.split(`\n${line}\n`).length === 2
}

/**
 * NOTICES.md: for every upstream of the slice its copyright lines, and every distinct licence text once, as the licences
 * ask of whoever passes the texts on. Texts are the files that the packages ship, their lines and blanks as they are.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Source } from './list.ts'

export interface Upstream {
  readonly source: Source
  readonly root: string
}

const LICENCE_FILE = /^(?:LICEN[CS]E|COPYING|COPYRIGHT)(?:\.(?:md|txt|rst))?$/i
const NAMED = { MIT: /^LICENSE-MIT$/i, 'BSD-3-Clause': /^LICENSE\.BSD$/i } as Readonly<Record<string, RegExp>>
const COPYRIGHT_LINE = /^\W*(?:(?:Portions )?Copyright\b.*(?:\d{4}|©|\(c\))|©).*$/gim
/** Where a tree is made of parts, their notices lie in them. */
const PARTS = ['', 'cli', 'engine', 'libnetwork', 'swarmkit']

interface LicenceText {
  readonly whole: string
  readonly names: Set<string>
}

export function notices(upstreams: readonly Upstream[]): string {
  const texts = new Map<string, LicenceText>()
  for (const { source, root } of upstreams)
    for (const whole of licenceTexts(source, root)) {
      const key = keyOf(whole)
      texts.set(key, { whole: texts.get(key)?.whole ?? whole, names: new Set([...(texts.get(key)?.names ?? []), source.name]) })
    }
  const keys = [...texts.keys()]
  const sections = upstreams.map(({ source, root }) => {
    const own = licenceTexts(source, root)
    const numbers = own.map((whole) => keys.indexOf(keyOf(whole)) + 1)
    // A text of one upstream only is printed whole, its copyright lines where they belong.
    const shared = own.filter((whole) => (texts.get(keyOf(whole))?.names.size ?? 0) > 1)
    const copyrights = shared.flatMap((whole) => whole.match(COPYRIGHT_LINE) ?? []).map((line) => line.trim())
    const lines = [...new Set(copyrights), ...(source.kind === 'debian' ? packagers(root) : []), ...noticeFiles(root)]
    const versions = source.kind === 'npm' ? source.versions.join(', ') : source.version
    return `### ${source.kind} ${source.name}\n\n${versions}. ${source.licence}, text ${[...new Set(numbers)].join(' and ')}.\n${lines.length === 0 ? '' : `\n${fenced(lines.join('\n'))}\n`}`
  })
  const bodies = [...texts.values()].map(({ whole, names }, at) => {
    const text = names.size > 1 ? whole.replace(COPYRIGHT_LINE, '').replaceAll(/\n{3,}/g, '\n\n') : whole
    return `### Text ${at + 1}: ${[...names].join(', ')}\n\n${fenced(text.replaceAll(/^\n+|\s+$/g, ''))}\n`
  })
  return `# Notices\n\n${INTRODUCTION}\n\n## Upstreams\n\n${sections.join('\n')}\n## Licence texts\n\n${bodies.join('\n')}`
}

/** What is the same but for blanks, punctuation, who holds the copyright, and how to apply it (the appendix of Apache-2.0). */
function keyOf(whole: string): string {
  const terms = whole.replace(COPYRIGHT_LINE, '').replace(/END OF TERMS AND CONDITIONS[^]*$/, '')
  return terms
    .replaceAll(/https?:|\W+/g, ' ')
    .replaceAll(/ +/g, ' ')
    .toLowerCase()
    .trim()
}

const INTRODUCTION = `\`slice.jsonl.br\` holds single files of the projects below, each before and after one of their changes, for measuring the patch
engine only. None of it is part of the program or its package. Where a licence leaves a choice, the first named one is used.
\`table.tsv\` says which file is from where. Made by \`rebuild.ts\`.`

function licenceTexts(source: Source, root: string): string[] {
  const first = NAMED[source.licence.split(' OR ')[0] ?? '']
  const files = PARTS.flatMap((part) => filesIn(join(root, part)))
  const named = files.filter((file) => first?.test(basename(file)))
  const chosen = named.length > 0 ? named : files.filter((file) => LICENCE_FILE.test(basename(file)))
  if (chosen.length === 0) throw new Error(`${source.name}: no licence file in ${root}`)
  const texts = chosen.map((file) => readFileSync(file, 'utf8').replaceAll('\r\n', '\n').replaceAll('\f', ''))
  return [...new Set(texts)]
}

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => !entry.isDirectory())
  return entries.map((entry) => join(folder, entry.name)).toSorted()
}

/** Who wrote the packaging, and so maybe the patch: the `debian/*` paragraph of debian/copyright. */
function packagers(root: string): string[] {
  const paragraphs = readFileSync(join(root, 'debian', 'copyright'), 'utf8').split(/\n\s*\n/)
  return paragraphs
    .filter((paragraph) => /^Files:\s*debian\/(?:\*|patches)/m.test(paragraph))
    .map(
      (paragraph) =>
        `Patches: ${paragraph
          .replace(/^Files:.*\n/m, '')
          .replaceAll(/\n\s+/g, '\n  ')
          .trim()}`,
    )
}

/** Apache-2.0, 4 (d). */
function noticeFiles(root: string): string[] {
  return PARTS.map((part) => join(root, part, 'NOTICE'))
    .filter((file) => existsSync(file))
    .map((file) => `NOTICE:\n${readFileSync(file, 'utf8').trim()}`)
}

function fenced(text: string): string {
  return `~~~text\n${text.replaceAll(/[ \t]+$/gm, '')}\n~~~`
}

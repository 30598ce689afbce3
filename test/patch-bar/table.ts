/**
 * table.tsv, one case a row: those of the slice (`slice`), and the public one-file commits of the full measurement
 * (`full`), of which only what names them is kept: repository, commit, path, licence.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Row {
  readonly set: 'slice' | 'full'
  readonly lang: string
  /** `npm:NAME`, `debian:NAME` or `github:OWNER/NAME`. */
  readonly source: string
  readonly version: string
  /** A commit, or a patch of the Debian series. */
  readonly change: string
  readonly path: string
  readonly licence: string
}

const FILE = join(import.meta.dirname, 'table.tsv')
const COLUMNS = ['set', 'lang', 'source', 'version', 'change', 'path', 'licence'] as const

export function readTable(): Row[] {
  const [, ...lines] = readFileSync(FILE, 'utf8').trimEnd().split('\n')
  return lines.map((line) => {
    const [set, lang = '', source = '', version = '', change = '', path = '', licence = ''] = line.split('\t')
    return { set: set === 'full' ? 'full' : 'slice', lang, source, version, change, path, licence }
  })
}

export function writeTable(rows: readonly Row[]): void {
  const lines = rows.map((row) => COLUMNS.map((column) => row[column]).join('\t'))
  writeFileSync(FILE, `${COLUMNS.join('\t')}\n${lines.join('\n')}\n`)
}

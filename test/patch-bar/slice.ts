/**
 * The committed slice: three hundred real changes of one file, with the text before and after, packed with brotli.
 * Where each came from is in table.tsv, under which terms in NOTICES.md; rebuild.ts makes all three.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'
import type { Case } from './spoil-kit.ts'

export interface SliceCase extends Case {
  /** `npm:NAME` or `debian:NAME`. */
  readonly source: string
  /** The published version, or the pair of them. */
  readonly version: string
  /** The patch of the Debian series; empty for a pair of versions. */
  readonly change: string
  readonly licence: string
}

const FIELDS: readonly (keyof SliceCase)[] = ['source', 'version', 'change', 'licence', 'lang', 'path', 'before', 'after', 'patch']
const FILE = join(import.meta.dirname, 'slice.jsonl.br')

export function readSlice(): SliceCase[] {
  return brotliDecompressSync(readFileSync(FILE))
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as SliceCase)
}

/** The largest window finds a file's later version in its earlier one; that is most of what there is to save. */
export function writeSlice(cases: readonly SliceCase[]): void {
  const text = Buffer.from(cases.map((one) => `${JSON.stringify(one, [...FIELDS])}\n`).join(''))
  const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: text.length }
  writeFileSync(FILE, brotliCompressSync(text, { params }))
}

export function nameOf(one: SliceCase): string {
  return [one.source, one.version, one.change, one.path].filter((part) => part !== '').join(' ')
}

/**
 * Whether a text still reads as YAML, templates and all: what is no YAML before a change says nothing after it. Keys that
 * stand twice are no question of syntax. A text that nests deeper than any file does is not read, since the parser recurses.
 */
import { LineCounter, parseAllDocuments } from 'yaml'
import type { ReadText } from './syntax.ts'

const MAX_CHARACTERS = 200_000
const MAX_DEPTH = 200

export const readYaml: ReadText = (text) => {
  if (text.length > MAX_CHARACTERS || nestsDeep(text)) return 'unknown'
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { uniqueKeys: false, logLevel: 'silent', prettyErrors: false, lineCounter: lines })
  const error = Array.isArray(documents) ? documents.flatMap((document) => document.errors)[0] : undefined
  return error ? { line: lines.linePos(error.pos[0]).line, message: error.message.slice(0, 120) } : 'reads'
}

/** Brackets, also those in texts, and dashes in a row; nesting by indentation cannot be deep in a text of bounded length. */
function nestsDeep(text: string): boolean {
  let depth = 0
  let inARow = 0
  for (const [sign] of text.matchAll(/[[\]{}]|[-?:][ \t]|\n/g)) {
    if (sign === '[' || sign === '{') depth++
    else if (sign === ']' || sign === '}') depth--
    inARow = sign === '\n' ? 0 : inARow + 1
    if (depth > MAX_DEPTH || (inARow > MAX_DEPTH && !/[[\]{}]/.test(sign))) return true
  }
  return false
}

/**
 * Whether a text still reads as a language that tree-sitter has a grammar for. Its parser repairs what it cannot read, so
 * that the first repair is the problem. How long it may take is counted in its own steps and in what it reads: the same
 * text has the same answer everywhere. Texts made to be slow or to break it are the caller's to end.
 */
import type { Node, Parser } from 'web-tree-sitter'
import type { Reading, SyntaxProblem } from './syntax.ts'

const MAX_CHARACTERS = 200_000
const CHUNK = 4096

/** `name` for a person. `hasMacros`: what stands near one may read once it is expanded. */
export interface Language {
  readonly name: string
  readonly hasMacros?: boolean
}

/** Twice what the slowest of a thousand files took that are no attack: 0.016 steps for a character, every character twelve times. */
const stepsFor = (text: string) => 500 + text.length / 32
const readsFor = (text: string) => 100 + 24 * (text.length / CHUNK)

/** Throws what the parser throws, which is then not to be asked again. */
export function readWith(parser: Parser, language: Language, text: string): Reading {
  if (text.length > MAX_CHARACTERS) return 'unknown'
  let steps = stepsFor(text)
  let reads = readsFor(text)
  // A scanner cannot be told to stop: it meets the end of the text, and what came of it is not asked for.
  const read = (index: number) => (--reads < 0 ? '' : text.slice(index, index + CHUNK))
  const tree = parser.parse(read, null, { progressCallback: () => --steps < 0 || reads < 0 })
  try {
    if (!tree || reads < 0) return 'unknown'
    return tree.rootNode.hasError ? problemOf(firstRepair(tree.rootNode), language, text) : 'reads'
  } finally {
    tree?.delete()
  }
}

/** The first node, in the order of the text, that the parser put in or could not place. */
function firstRepair(root: Node): Node {
  const cursor = root.walk()
  try {
    while (!cursor.currentNode.isError && !cursor.currentNode.isMissing && cursor.gotoFirstChild())
      while (!cursor.currentNode.hasError && cursor.gotoNextSibling());
    return cursor.currentNode
  } finally {
    cursor.delete()
  }
}

function problemOf(node: Node, { name, hasMacros }: Language, text: string): SyntaxProblem | 'unknown' {
  const lines = text.trimEnd().split('\n')
  if (hasMacros && mayBeMacro(lines, node.startPosition.row, node.endPosition.row)) return 'unknown'
  // What is missing at the end stands behind the last line.
  const line = Math.min(node.startPosition.row + 1, lines.length)
  return { line, message: node.isMissing ? `the parser for ${name} misses ${node.type}` : `the parser does not read this as ${name}` }
}

const NEAR_LINES = 2

/**
 * Whether the preprocessor may make something else of a place (rows `first` to `last`, 0-based): a name that is written as
 * macros are stands near, or the file has parts for some compilers only, as braces then open in one and close in another.
 */
export function mayBeMacro(lines: readonly string[], first: number, last: number): boolean {
  const near = lines.slice(Math.max(0, first - NEAR_LINES), last + NEAR_LINES + 1)
  return lines.some((line) => /^\s*#\s*if/.test(line)) || near.some((line) => /\b_*[A-Z]{2}\w*/.test(line))
}

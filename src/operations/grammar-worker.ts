/**
 * The thread in which tree-sitter reads: a text with its language, and what came of it or null. A program of its own,
 * started by `grammars.ts`. After null its memory is not to be trusted.
 */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { parentPort } from 'node:worker_threads'
import { Language as Grammar, Parser } from 'web-tree-sitter'
import { type Language, readWith } from '../patch/grammar-syntax.ts'
import type { Reading } from '../patch/syntax.ts'

export interface GrammarQuestion {
  /** As the package of the grammars names it. */
  readonly grammar: string
  readonly language: Language
  readonly text: string
}

const require = createRequire(import.meta.url)
const folder = dirname(require.resolve('@vscode/tree-sitter-wasm'))
const parsers = new Map<string, Promise<Parser>>()

async function load(grammar: string): Promise<Parser> {
  await Parser.init()
  return new Parser().setLanguage(await Grammar.load(join(folder, `tree-sitter-${grammar}.wasm`)))
}

async function answer({ grammar, language, text }: GrammarQuestion): Promise<Reading | null> {
  const loading = parsers.get(grammar) ?? load(grammar)
  parsers.set(grammar, loading)
  try {
    const parser = await loading
    parser.reset()
    return readWith(parser, language, text)
  } catch {
    return null
  }
}

parentPort?.on('message', (question: GrammarQuestion) => void answer(question).then((reading) => parentPort?.postMessage(reading)))

/**
 * Parsers for the languages that Node cannot read, each loaded when a patched file is written in it. Those of tree-sitter
 * run in a thread of their own, since some texts make them run for minutes or break their memory: it is ended, and the
 * next question has a new one. Where they cannot be loaded, nothing is said about such a file.
 */
import { once as nextEvent } from 'node:events'
import { extname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { once } from '../core/once.ts'
import type { Language } from '../patch/grammar-syntax.ts'
import type { Reading, ReadText } from '../patch/syntax.ts'
import type { GrammarQuestion } from './grammar-worker.ts'

const CPP = { name: 'C or C++', hasMacros: true }

/** A language goes on, and its grammar follows later. */
const DOUBT = 'the parser may be behind the language'

/** Extension → its grammar, as the package names it. A header (`.h`) is for macros to make something of. */
const GRAMMARS: Readonly<Record<string, readonly [grammar: string, language: Language]>> = {
  '.bash': ['bash', { name: 'Bash' }],
  '.c': ['cpp', CPP],
  '.cc': ['cpp', CPP],
  '.cpp': ['cpp', CPP],
  '.cs': ['c-sharp', { name: 'C#' }],
  '.css': ['css', { name: 'CSS' }],
  '.cxx': ['cpp', CPP],
  '.go': ['go', { name: 'Go' }],
  '.hh': ['cpp', CPP],
  '.hpp': ['cpp', CPP],
  '.java': ['java', { name: 'Java' }],
  '.jsx': ['javascript', { name: 'JSX' }],
  '.php': ['php', { name: 'PHP' }],
  '.py': ['python', { name: 'Python' }],
  '.pyi': ['python', { name: 'Python' }],
  '.rb': ['ruby', { name: 'Ruby' }],
  '.rs': ['rust', { name: 'Rust' }],
  '.sh': ['bash', { name: 'Bash' }],
  '.tsx': ['tsx', { name: 'TSX' }],
}

/**
 * Of the processor, as a busy machine is no reason. The slowest of a thousand files took 80 ms, a thread and a grammar take
 * 100: what takes longer was made to.
 */
const MOST_MS = 2000
const MOST_MS_OF_A_PATCH = 3000
const LOOK_AGAIN_MS = 200

/** What the files of one patch may take together; what is asked after it, or after the signal, has no answer. */
export interface ReadBudget {
  /** Milliseconds of the processor's time. */
  leftMs: number
  readonly signal: AbortSignal
}

export const readBudget = (signal: AbortSignal): ReadBudget => ({ leftMs: MOST_MS_OF_A_PATCH, signal })

/** Undefined where no parser knows the language of `path`. What it finds is in doubt. */
export async function readerFor(path: string, budget: ReadBudget): Promise<ReadText | undefined> {
  const extension = extname(path).toLowerCase()
  if (extension === '.yml' || extension === '.yaml') return doubting(paidHere((await import('../patch/yaml-syntax.ts')).readYaml, budget))
  const known = GRAMMARS[extension]
  return known && doubting((text) => thread().ask({ grammar: known[0], language: known[1], text }, budget))
}

const doubting =
  (read: ReadText): ReadText =>
  async (text) => {
    const reading = await read(text)
    return typeof reading === 'string' ? reading : { ...reading, doubt: DOUBT }
  }

/** In this thread, where nothing can be ended. */
const paidHere =
  (read: ReadText, budget: ReadBudget): ReadText =>
  async (text) => {
    if (isSpent(budget)) return 'unknown'
    const begun = process.threadCpuUsage()
    const reading = await read(text)
    budget.leftMs -= inMs(process.threadCpuUsage(begun))
    return reading
  }

const isSpent = ({ leftMs, signal }: ReadBudget) => leftMs <= 0 || signal.aborted
const inMs = ({ user, system }: { readonly user: number; readonly system: number }) => (user + system) / 1000

const thread = once(() => new GrammarThread())

/** One question at a time: one that has to be ended takes no other with it. */
class GrammarThread {
  private worker: Worker | null = null
  private last: Promise<unknown> = Promise.resolve()

  ask(question: GrammarQuestion, budget: ReadBudget): Promise<Reading> {
    const reading = this.last.then(() => this.answerTo(question, budget))
    this.last = reading
    return reading
  }

  /** Never fails: that the patch was applied is true without it. */
  private async answerTo(question: GrammarQuestion, budget: ReadBudget): Promise<Reading> {
    if (isSpent(budget)) return 'unknown'
    const worker = (this.worker ??= startWorker())
    worker.ref()
    worker.postMessage(question)
    const most = Math.min(MOST_MS, budget.leftMs)
    const used = usedSince(worker)
    const answered = new AbortController()
    const signal = AbortSignal.any([answered.signal, budget.signal])
    const answer = nextEvent(worker, 'message', { signal }) as Promise<[Reading | null]>
    const [reading] = await Promise.race([answer, usedUp(used, most, signal)]).catch(() => [null])
    answered.abort()
    if (reading !== null) budget.leftMs -= (await used()) ?? 0
    else if (!budget.signal.aborted) budget.leftMs -= most
    worker.unref()
    if (reading !== null) return reading
    this.worker = null
    worker.on('error', () => undefined) // of a thread that nobody asks any more
    await worker.terminate()
    return 'unknown'
  }
}

/** Milliseconds since the first that were counted; null before the thread runs, and after. */
function usedSince(worker: Worker): () => Promise<number | null> {
  let begun: number | null = null
  return () =>
    worker.cpuUsage().then(
      (usage) => inMs(usage) - (begun ??= inMs(usage)),
      () => null,
    )
}

/** Settles when the thread has had its time, or is gone. */
async function usedUp(used: () => Promise<number | null>, most: number, signal: AbortSignal): Promise<[null]> {
  let isBegun = false
  for (;;) {
    const ms = await used()
    if (ms === null ? isBegun : ms > most) return [null]
    isBegun ||= ms !== null
    await delay(LOOK_AGAIN_MS, undefined, { signal })
  }
}

const startWorker = () => new Worker(new URL(import.meta.url.endsWith('.ts') ? './grammar-worker.ts' : '../grammar-worker.mjs', import.meta.url))

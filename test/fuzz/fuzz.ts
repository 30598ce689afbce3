/**
 * Coverage-guided fuzzing without native tools: inputs that reach new blocks are kept and changed further; each is held to
 * the target's promises. Seeded; bounded by processor time. A finding is the input itself, made smaller.
 */
import { chanceFrom, mutate } from './mutate.ts'
import { startCoverage } from './coverage.ts'

export interface Target {
  readonly name: string
  /** Folders or files below `src` whose blocks count. */
  readonly watched: readonly string[]
  readonly seeds: readonly string[]
  readonly words: readonly string[]
  /** Throws where a promise is broken, whatever it throws. */
  check(input: string): void
}

export interface Finding {
  readonly input: string
  readonly error: string
}

export interface Figures {
  readonly inputs: number
  readonly blocks: number
  readonly blocksOfSeeds: number
  readonly kept: number
  readonly findings: readonly Finding[]
  readonly cpuS: number
}

export interface FuzzOptions {
  readonly seed: number
  /** Of processor time, so that a busy machine does not make it shorter. */
  readonly cpuMs: number
  readonly maxFindings?: number
  readonly say?: (line: string) => void
}

/** Coverage is looked at once for so many inputs: looking costs more than running. */
const BATCH = 32
/** Of processor time; a fixed part for whatever the machine does beside, and a part by length: more is not linear. */
const ALLOWED_MS = 400
const ALLOWED_MS_A_KILOBYTE = 8

export function fuzz(target: Target, { seed, cpuMs, maxFindings = 20, say = () => undefined }: FuzzOptions): Figures {
  const chance = chanceFrom(seed)
  const coverage = startCoverage(target.watched)
  const corpus = [...target.seeds]
  const findings: Finding[] = []
  let begun = process.cpuUsage()
  const usedMs = () => {
    const { user, system } = process.cpuUsage(begun)
    return (user + system) / 1000
  }
  const hold = (input: string) => {
    const error = brokenBy(target, input)
    if (error === null || findings.some((one) => one.error === error)) return
    findings.push({ input: smaller(target, input, error), error })
    say(`finding: ${error}`)
  }
  let inputs = 0
  try {
    coverage.newBlocks(() => corpus.forEach(hold))
    const blocksOfSeeds = coverage.size
    begun = process.cpuUsage()
    while (usedMs() < cpuMs && findings.length < maxFindings) {
      const batch = Array.from({ length: BATCH }, () => mutate(chance.of(corpus), { corpus, words: target.words, chance }))
      inputs += batch.length
      if (!coverage.wouldBeNew(() => batch.forEach(hold))) continue
      for (const input of batch) if (coverage.newBlocks(() => void brokenBy(target, input)) > 0) corpus.push(input)
    }
    return { inputs, blocks: coverage.size, blocksOfSeeds, kept: corpus.length - target.seeds.length, findings, cpuS: usedMs() / 1000 }
  } finally {
    coverage.stop()
  }
}

function brokenBy(target: Target, input: string): string | null {
  const before = process.threadCpuUsage()
  try {
    target.check(input)
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] ?? error.name) : String(error)
  }
  const { user, system } = process.threadCpuUsage(before)
  const usedMs = (user + system) / 1000
  return usedMs > ALLOWED_MS + (ALLOWED_MS_A_KILOBYTE * input.length) / 1024 ? 'it takes too long for its length' : null
}

/** Halves, then quarters, and so on, are left out as long as the same promise stays broken. */
function smaller(target: Target, input: string, error: string): string {
  let best = input
  for (let size = best.length >> 1; size >= 1; size >>= 1)
    for (let at = 0; at < best.length;) {
      const tried = best.slice(0, at) + best.slice(at + size)
      if (brokenBy(target, tried) === error) best = tried
      else at += size
    }
  return best
}

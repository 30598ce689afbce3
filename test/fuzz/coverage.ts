/**
 * Which blocks of the product ran, by V8's own block coverage of this very process. Counts since the last look only.
 * Leaves out how often a block ran: a new block is what makes an input worth keeping.
 */
import { Session } from 'node:inspector'

interface Block {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}
interface Taken {
  readonly result: readonly { readonly url: string; readonly functions: readonly { readonly ranges: readonly Block[] }[] }[]
}

export interface Coverage {
  /** Runs, and answers the blocks of the watched files that ran and are new; they are remembered. */
  newBlocks(run: () => void): number
  /** As `newBlocks`, without remembering. */
  wouldBeNew(run: () => void): boolean
  readonly size: number
  stop(): void
}

/** `watched` are folders or files below `src`. */
export function startCoverage(watched: readonly string[]): Coverage {
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  const seen = new Set<string>()
  const take = (): string[] => {
    let blocks: string[] = []
    session.post('Profiler.takePreciseCoverage', (error, taken) => {
      if (error) throw error
      blocks = (taken as Taken).result
        .filter(({ url }) => watched.some((part) => url.includes(`/src/${part}`)))
        .flatMap(({ url, functions }) =>
          functions.flatMap(({ ranges }) => ranges.filter(({ count }) => count > 0).map(({ startOffset, endOffset }) => `${url}:${startOffset}-${endOffset}`)),
        )
    })
    return blocks
  }
  const fresh = (run: () => void): string[] => {
    run()
    return take().filter((block) => !seen.has(block))
  }
  take()
  return {
    newBlocks(run) {
      const found = fresh(run)
      for (const block of found) seen.add(block)
      return found.length
    },
    wouldBeNew: (run) => fresh(run).length > 0,
    get size() {
      return seen.size
    },
    stop: () => session.disconnect(),
  }
}

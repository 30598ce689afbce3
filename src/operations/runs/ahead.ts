/**
 * What a change will be held against, measured while the model still works on the change: most small changes wait for
 * nothing else as long. A measurement that failed is made again where it is needed, and told there.
 */
import type { Evidence } from '../../pas/embedded/kpi/judge.ts'

export interface Ahead {
  /** Of one key once at a time; what comes of it is kept by whoever measures. */
  begin(key: string, measure: () => Promise<Evidence>): void
  /** What is being measured under the key; null where nothing is, or where it failed. */
  taken(key: string): Promise<Evidence | null>
  /** When nothing is being measured any more. */
  over(): Promise<void>
}

export function openAhead(): Ahead {
  const begun = new Map<string, Promise<Evidence | null>>()
  return {
    begin(key, measure) {
      if (begun.has(key)) return
      begun.set(
        key,
        measure()
          .catch(() => null) // the gate measures it again, and says what is wrong
          .finally(() => begun.delete(key)),
      )
    },
    taken: async (key) => (await begun.get(key)) ?? null,
    over: async () => void (await Promise.all(begun.values())),
  }
}

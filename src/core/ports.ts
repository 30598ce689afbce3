/**
 * The two effects that everything may want and nothing may take by itself: time and chance.
 * Built once in compose; a replay hands in recorded ones.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch, may jump. */
  now(): number
  /** Milliseconds from an arbitrary start, never goes back. */
  monotonic(): number
}

export interface Random {
  bytes(count: number): Uint8Array
}

/** ISO-8601 UTC with milliseconds, `Z`. */
export function isoUtc(epochMs: number): string {
  return new Date(epochMs).toISOString()
}

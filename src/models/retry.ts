/**
 * Tries again what may pass by itself: rate limits, server errors, a cut or stalled stream. The server's own hint
 * beats the backoff and is never asked before; those who wait for the same hint come back spread. Source:
 * contracts/pas.md section 7. Sleep and chance come from outside.
 */
import { isVpError, VpError } from '../core/errors.ts'

export interface RetryPorts {
  sleep(ms: number, signal: AbortSignal): Promise<void>
  /** 0..1 */
  chance(): number
  /** Every failed try is told, so that it has a receipt. Must not throw. */
  onFailure(error: VpError, attempt: number, delayMs: number | null): Promise<void>
}

/** A failed try that another follows, for whoever looks on. */
export interface Retry {
  readonly code: string
  readonly host: string
  readonly wait_ms: number
  /** The try that comes, of all. */
  readonly next: number
  readonly of: number
}

const TRANSIENT = new Set(['model.rate_limited', 'model.server', 'model.stalled', 'model.cut', 'model.unreachable'])
export const MAX_TRIES = 3
/** No longer wait than this: whoever asks for more is told to the person instead. */
const LONGEST_MS = 60_000

export async function withRetry<Result>(ports: RetryPorts, signal: AbortSignal, body: () => Promise<Result>, baseMs = 2000): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await body()
    } catch (error) {
      if (!isVpError(error)) throw error
      const delayMs = mayPass(error, attempt) ? delayOf(error, attempt, ports.chance(), baseMs) : null
      // Nobody is kept waiting for longer than a minute, and nobody asks before the server wants.
      const isTooLong = delayMs !== null && delayMs > LONGEST_MS
      await ports.onFailure(error, attempt, isTooLong ? null : delayMs)
      if (delayMs === null) throw error
      if (isTooLong) throw comeBack(error, delayMs)
      await ports.sleep(delayMs, signal)
    }
  }
}

/** A refused connection does not heal within seconds: the person is told at once. */
function mayPass(error: VpError, attempt: number): boolean {
  if (error.code === 'model.unreachable' && attempt >= 2) return false
  return TRANSIENT.has(error.code) && attempt < MAX_TRIES && error.details.data?.['retry'] !== false
}

function delayOf(error: VpError, attempt: number, chance: number, baseMs: number): number {
  const hint = error.details.data?.['retry_after_ms']
  if (typeof hint === 'number') return hint > LONGEST_MS ? hint : Math.min(LONGEST_MS, Math.round(hint * (1 + 0.2 * chance)))
  return Math.min(LONGEST_MS, baseMs * 2 ** (attempt - 1) * (0.8 + 0.4 * chance))
}

function comeBack(error: VpError, delayMs: number): VpError {
  const seconds = Math.ceil(delayMs / 1000)
  const asked = seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`
  return new VpError(error.code, `${error.message}, next try in ${asked}`, {
    ...error.details,
    cause: error.cause,
    why: `the server asks to wait ${asked}; vp waits ${LONGEST_MS / 1000} s at most`,
    next: ['vp resume'],
  })
}

/**
 * Tries again what may pass by itself: rate limits, server errors, a cut or stalled stream. The server's own hint
 * beats the backoff. Source: contracts/pas.md section 7. Sleep and chance come from outside.
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

/** No longer wait than this: whoever asks for more is told to the person instead. */
const MAX_WAIT_MS = 60_000
const TRANSIENT = new Set(['model.rate_limited', 'model.server', 'model.stalled', 'model.cut', 'model.unreachable'])
export const MAX_TRIES = 3

export async function withRetry<Result>(ports: RetryPorts, signal: AbortSignal, body: () => Promise<Result>, baseMs = 2000): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await body()
    } catch (error) {
      if (!isVpError(error)) throw error
      const hint = error.details.data?.['retry_after_ms']
      if (typeof hint === 'number' && hint > MAX_WAIT_MS) {
        await ports.onFailure(error, attempt, null)
        throw tooLong(error, hint)
      }
      // A refused connection does not heal within seconds: the person is told at once.
      const again = TRANSIENT.has(error.code) && attempt < MAX_TRIES && !(error.code === 'model.unreachable' && attempt >= 2)
      const backoff = Math.min(MAX_WAIT_MS, baseMs * 2 ** (attempt - 1)) * (0.8 + 0.4 * ports.chance())
      const delayMs = again ? (typeof hint === 'number' ? hint : backoff) : null
      await ports.onFailure(error, attempt, delayMs)
      if (delayMs === null) throw error
      await ports.sleep(delayMs, signal)
    }
  }
}

function tooLong(error: VpError, hintMs: number): VpError {
  const seconds = Math.ceil(hintMs / 1000)
  const asked = seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`
  return new VpError(error.code, `${error.message}, next try in ${asked}`, {
    ...error.details,
    why: `the server asks to wait ${asked}; vp waits ${MAX_WAIT_MS / 1000} s at most`,
    cause: error,
  })
}

/**
 * Tries again what may pass by itself: rate limits, server errors, a cut or stalled stream. The server's own hint
 * beats the backoff. Source: contracts/pas.md section 7. Sleep and chance come from outside.
 */
import { isVpError, type VpError } from '../core/errors.ts'

export interface RetryPorts {
  sleep(ms: number, signal: AbortSignal): Promise<void>
  /** 0..1 */
  chance(): number
  /** Every failed try is told, so that it has a receipt. Must not throw. */
  onFailure(error: VpError, attempt: number, delayMs: number | null): Promise<void>
}

const TRANSIENT = new Set(['model.rate_limited', 'model.server', 'model.stalled', 'model.cut', 'model.unreachable'])
export const MAX_TRIES = 3

export async function withRetry<Result>(ports: RetryPorts, signal: AbortSignal, body: () => Promise<Result>, baseMs = 2000): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await body()
    } catch (error) {
      if (!isVpError(error)) throw error
      // A refused connection does not heal within seconds: the person is told at once.
      const again = TRANSIENT.has(error.code) && attempt < MAX_TRIES && !(error.code === 'model.unreachable' && attempt >= 2)
      const hint = error.details.data?.['retry_after_ms']
      const backoff = Math.min(60_000, baseMs * 2 ** (attempt - 1)) * (0.8 + 0.4 * ports.chance())
      const delayMs = again ? Math.min(60_000, typeof hint === 'number' ? hint : backoff) : null
      await ports.onFailure(error, attempt, delayMs)
      if (delayMs === null) throw error
      await ports.sleep(delayMs, signal)
    }
  }
}

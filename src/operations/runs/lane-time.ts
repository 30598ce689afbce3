/** The time that a lane of the policy allows one task. */
import { isVpError, VpError } from '../../core/errors.ts'
import type { Provider } from '../../models/contract.ts'
import type { Kit } from '../kit.ts'

export interface LaneTime {
  /** By the monotonic clock. */
  readonly monotonic: number
  /** All that the lane allows, for the words. */
  readonly ms: number
}

/** Throws `limit.reached` where the lane's time for one task is over. */
export function requireTime(until: LaneTime | undefined, now: number): void {
  if (until !== undefined && now > until.monotonic) throw over(until)
}

/** A call that is open when the time is over is cut then, with `limit.reached`; what it cost is told as of any call that is cancelled. */
export function withinTime(kit: Pick<Kit, 'clock'>, provider: Provider, until: LaneTime | undefined): Provider {
  if (until === undefined) return provider
  return {
    ...provider,
    async answer(request, place, signal, onProgress, onSent) {
      const now = kit.clock.monotonic()
      requireTime(until, now)
      const late = AbortSignal.timeout(Math.max(1, Math.ceil(until.monotonic - now)))
      try {
        return await provider.answer(request, place, AbortSignal.any([signal, late]), onProgress, onSent)
      } catch (thrown) {
        if (!late.aborted || signal.aborted) throw thrown
        throw over(until, isVpError(thrown) ? thrown.details.data?.['spent'] : undefined)
      }
    },
  }
}

function over({ ms }: LaneTime, spent?: unknown): VpError {
  return new VpError('limit.reached', `the lane allows ${ms / 1000} s a task, and they are over`, {
    next: ['raise timeout_seconds of the lane in the policy: vp model set POLICY.json'],
    ...(spent === undefined ? {} : { data: { spent } }),
  })
}

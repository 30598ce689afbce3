/** The time that a lane of the policy allows one task. */
import { VpError } from '../../core/errors.ts'

/** Throws `limit.reached` where the lane's time for one task is over. */
export function requireTime(until: { readonly monotonic: number; readonly ms: number } | undefined, now: number): void {
  if (until !== undefined && now > until.monotonic)
    throw new VpError('limit.reached', `the lane allows ${until.ms / 1000} s a task, and they are over`, {
      next: ['raise timeout_seconds of the lane in the policy: vp model set POLICY.json'],
    })
}

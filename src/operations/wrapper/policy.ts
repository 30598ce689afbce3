/** Step 4: what the policy says of this very call. */
import { VpError } from '../../core/errors.ts'
import { shownCommand } from '../../policy/shown.ts'
import type { Step } from './call.ts'

export const policy: Step = async (call) => {
  const { operation, scene, params } = call
  call.decision = (await operation.decide?.(params, scene)) ?? {
    effect: 'allow',
    rule: `scope/${operation.scope}`,
    reason: 'allowed to whoever holds the scope',
  }
  const argv = (params as { argv?: readonly string[] } | null)?.argv
  const explained = argv === undefined ? {} : { next: [`vp policy explain -- ${shownCommand(argv)}`] }
  if (call.decision.effect === 'deny')
    throw new VpError('policy.denied', call.decision.reason, {
      rule: call.decision.rule,
      ...(call.decision.next ? { next: [...call.decision.next] } : explained),
      ...(call.decision.nearest ? { why: `nearest allowed: ${call.decision.nearest}` } : {}),
    })
}

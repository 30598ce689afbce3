/** Step 3: the caller holds the operation's scope. */
import { VpError } from '../../core/errors.ts'
import type { Step } from './call.ts'

export const scope: Step = async (call) => {
  const { caller } = call.scene
  if (caller.scopes.has(call.operation.scope)) return
  call.decision = {
    effect: 'deny',
    rule: `scope/${call.operation.scope}`,
    reason: `${caller.actor} does not hold ${call.operation.scope}`,
  }
  throw new VpError('policy.scope', `Missing scope: ${call.operation.scope}`, { rule: call.decision.rule })
}

/** Step 3: the caller holds the operation's scope. */
import { VpError } from '../../core/errors.ts'
import { asksRaw } from '../operation.ts'
import type { Step } from './call.ts'

export const scope: Step = async (call) => {
  const { caller } = call.scene
  const missing = [call.operation.scope, ...(asksRaw(call.params) ? ['secrets.read'] : [])].find((one) => !caller.scopes.has(one))
  if (missing === undefined) return
  call.decision = { effect: 'deny', rule: `scope/${missing}`, reason: `${caller.actor} does not hold ${missing}` }
  throw new VpError('policy.scope', `Missing scope: ${missing}`, { rule: call.decision.rule })
}

/** Step 7: secrets are masked in the result and in the error, whoever asked; the result is as it is for who may see secrets and asks for it raw. */
import { maskedCounts, maskedError } from '../masking.ts'
import { asksRaw } from '../operation.ts'
import type { Step } from './call.ts'

export const redact: Step = async (call) => {
  const { kit, notes } = call.scene
  await call.scene.inTurn
  if (call.error) call.error = maskedError(call.error, { text: kit.redactText, json: kit.redactJson })
  else if (!call.replayed && !asksRaw(call.params)) {
    call.result = kit.redactJson(call.result)
    const masked = maskedCounts(call.result)
    if (masked) notes['masked'] = masked
  }
}

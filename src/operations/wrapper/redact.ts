/** Step 7: secrets are masked in the result and in the error, whoever asked. */
import { VpError } from '../../core/errors.ts'
import type { Step } from './call.ts'

export const redact: Step = async (call) => {
  const { kit } = call.scene
  if (call.error) {
    const { details } = call.error
    call.error = new VpError(call.error.code, kit.redactText(call.error.message), {
      ...(kit.redactJson(details) as typeof details),
      ...(details.next ? { next: details.next } : {}),
      ...(call.error.cause === undefined ? {} : { cause: call.error.cause }),
    })
  } else if (!call.replayed) call.result = kit.redactJson(call.result)
}

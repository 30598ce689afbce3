/** Step 1: the parameters are what the schema says, and nothing else. */
import { VpError } from '../../core/errors.ts'
import type { Step } from './call.ts'

export const validate: Step = async (call) => {
  const parsed = call.operation.params.safeParse(call.params ?? {})
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const at = issue?.path.join('.') ?? ''
    throw new VpError('usage.params', `${call.operation.name}: ${at === '' ? '' : `${at}: `}${issue?.message ?? 'invalid parameters'}`, {
      data: {
        issues: parsed.error.issues.slice(0, 5).map((one) => ({ path: one.path.join('.'), message: one.message })),
      },
    })
  }
  call.params = parsed.data
}

/** Step 1: the parameters are what the schema says, and nothing else. */
import { VpError } from '../../core/errors.ts'
import { wordsOfIssue } from '../../core/schema-issue.ts'
import type { Step } from './call.ts'

export const validate: Step = async (call) => {
  const parsed = call.operation.params().safeParse(call.params ?? {})
  if (!parsed.success) {
    const { issues } = parsed.error
    throw new VpError('usage.params', `${call.operation.name}: ${wordsOfIssue(issues[0], call.params ?? {})}`, {
      data: {
        issues: issues.slice(0, 5).map((one) => ({ path: one.path.join('.'), message: wordsOfIssue(one, call.params ?? {}) })),
      },
    })
  }
  call.params = parsed.data
}

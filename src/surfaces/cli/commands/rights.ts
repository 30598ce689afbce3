/** `vp policy check` and `vp token create|list|revoke`: rights that a person keeps. */
import { resolve } from 'node:path'
import { pathsFrom } from '../../../config/paths.ts'
import { VpError } from '../../../core/errors.ts'
import { checkPolicyFiles } from '../../../operations/policy-check.ts'
import { SHIPPED_LANES } from '../../../policy/shipped-lanes.ts'
import { checkExamples } from '../../../policy/lane-file.ts'
import { findRepositoryRoot } from '../../../workspace/human-repository.ts'
import type { Command } from '../command.ts'
import { policyCheckScreen } from '../screens/rights.ts'

export const policyCheckCommand: Command = {
  name: 'policy check',
  group: 'rights',
  summary: 'whether every lane file and your configuration hold',
  usage: 'vp policy check [FILE…]',
  examples: ['vp policy check', 'vp policy check .vp/lanes/code-impl.yaml', 'vp policy check --json | jq .result.files'],
  flags: {},
  needsKit: false,
  exits: [0, 2],
  json: 'files[]{file, of, ok, rules, examples, error?{message,line}, cut[]{what,line}}, shipped{lanes,examples}',
  async run(context) {
    const { cwd, env, positionals } = context
    const place = { env, paths: pathsFrom(env), root: findRepositoryRoot(cwd) ?? cwd }
    const named = positionals.map((file) => resolve(cwd, file))
    const files = checkPolicyFiles(place, named)
    const rules = Object.values(SHIPPED_LANES).flatMap((lane) => lane.commands.allow)
    const wrong = rules.map(checkExamples).find((problem) => problem !== null)
    if (wrong !== undefined) throw new VpError('internal', wrong ?? '')
    const examples = rules.reduce((sum, rule) => sum + (rule.match?.length ?? 0) + (rule.notMatch?.length ?? 0), 0)
    const result = { files, shipped: { lanes: Object.keys(SHIPPED_LANES).length, examples } }
    const first = files.find(({ ok }) => !ok)
    return {
      result,
      ...(first
        ? {
            exit: 2,
            error: new VpError(
              'policy.invalid',
              `${first.file}${first.error?.line === undefined ? '' : `:${first.error.line}`}: ${first.error?.message ?? ''}`,
            ),
          }
        : {}),
      screen: (look) => policyCheckScreen(result, look),
    }
  },
}

/** `vp policy check` and `vp token create|list|revoke`: rights that a person keeps. */
import { resolve } from 'node:path'
import { pathsFrom } from '../../../config/paths.ts'
import { VpError } from '../../../core/errors.ts'
import { tokenId } from '../../../core/ids.ts'
import { checkPolicyFiles } from '../../../operations/policy-check.ts'
import { newToken, tokenCreate, tokenList, tokenRevoke, tokenSha, type TokenView } from '../../../operations/tokens.ts'
import { SHIPPED_LANES } from '../../../policy/shipped-lanes.ts'
import { checkExamples } from '../../../policy/lane-file.ts'
import { findRepositoryRoot } from '../../../workspace/human-repository.ts'
import type { Command } from '../command.ts'
import { textFlag } from '../parse.ts'
import { policyCheckScreen, tokenCreatedScreen, tokenListScreen, tokenRevokedScreen } from '../screens/rights.ts'

export const policyCheckCommand: Command = {
  name: 'policy check',
  group: 'rights',
  summary: 'whether every lane file and your configuration hold',
  usage: 'vp policy check [FILE…]',
  takes: 'words',
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

export const tokenCreateCommand: Command = {
  name: 'token create',
  group: 'rights',
  summary: 'rights for a program, for a time; the token is shown once',
  usage: 'vp token create --scope S [--scope S]… [--expires 1h] [--for ci|remote]',
  examples: [
    'vp token create --scope fs.read --scope search --expires 1h',
    'VP_TOKEN=$(vp token create --scope run.exec --json | jq -r .result.token) vp rpc',
    'vp token create --scope git.push --expires 7d --for remote',
  ],
  flags: {
    scope: { type: 'string', multiple: true, help: 'what its holder may do; nothing else' },
    expires: { type: 'string', help: 'how long, as 90s, 30m, 1h, 7d (1h)' },
    for: { type: 'string', help: 'who holds it: ci or remote (ci)' },
  },
  needsKit: true,
  exits: [0, 2, 4],
  json: 'id, token, actor, scopes[], state, created_at, expires_at',
  async run(context) {
    const named = context.flags['scope']
    const scopes = Array.isArray(named) ? (named as readonly string[]) : []
    if (scopes.length === 0)
      throw new VpError('usage.flag', 'vp token create takes at least one --scope', {
        next: ['vp token create --scope fs.read --expires 1h', 'vp help token create'],
      })
    const actor = textFlag(context.flags, 'for') ?? 'ci'
    if (actor !== 'ci' && actor !== 'remote')
      throw new VpError('usage.flag', '--for is ci or remote; an agent has no token', { next: ['vp help token create'] })
    const token = newToken(context.ports.random.bytes(32))
    const answer = await context.call(tokenCreate, {
      id: tokenId(context.ports.random),
      sha: tokenSha(token),
      actor,
      scopes,
      lifetime_ms: lifetimeOf(textFlag(context.flags, 'expires') ?? '1h'),
    })
    const view = answer.result as TokenView
    return { result: { ...view, token }, receipt: answer.receipt, screen: (look) => tokenCreatedScreen({ ...view, token }, look) }
  },
}

export const tokenListCommand: Command = {
  name: 'token list',
  group: 'rights',
  summary: 'which programs hold rights, and until when',
  usage: 'vp token list',
  examples: ['vp token list', 'vp token list --json | jq .result.tokens', 'vp token list --plain'],
  flags: {},
  needsKit: true,
  exits: [0, 2],
  json: 'tokens[]{id, actor, scopes[], state, created_at, expires_at}',
  async run(context) {
    const { tokens } = (await context.call(tokenList, {})).result as { tokens: readonly TokenView[] }
    return { result: { tokens }, screen: (look) => tokenListScreen({ tokens }, look) }
  },
}

export const tokenRevokeCommand: Command = {
  name: 'token revoke',
  group: 'rights',
  summary: 'take the rights of a token back, now',
  usage: 'vp token revoke ID',
  takes: 1,
  examples: ['vp token revoke tk_4h2k9x', 'vp token revoke tk_4h2k9x --json', 'vp token list'],
  flags: {},
  needsKit: true,
  exits: [0, 2],
  json: 'id, actor, scopes[], state, created_at, expires_at',
  async run(context) {
    const [id] = context.positionals
    if (id === undefined) throw new VpError('usage.flag', 'vp token revoke takes the id of a token', { next: ['vp token list'] })
    const answer = await context.call(tokenRevoke, { id })
    const view = answer.result as TokenView
    return { result: view, receipt: answer.receipt, screen: (look) => tokenRevokedScreen(view, look) }
  },
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Throws `usage.flag`. */
function lifetimeOf(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const ms = Number(count) * (UNIT_MS[unit ?? ''] ?? Number.NaN)
  if (!(ms >= 1000 && ms <= 366 * 86_400_000))
    throw new VpError('usage.flag', '--expires is a time from 1s to 366d, as 90s, 30m, 1h or 7d', { next: ['vp token create --scope fs.read --expires 1h'] })
  return ms
}

/** `vp rpc`: the operations for another program, as JSON-RPC 2.0 on stdin and stdout. */
import { VpError } from '../../../core/errors.ts'
import { invoke } from '../../../operations/invoke.ts'
import { maskedError } from '../../../operations/masking.ts'
import type { Caller, Stream } from '../../../operations/operation.ts'
import { openCheckout } from '../../../operations/projects/checkout.ts'
import { OPERATIONS } from '../../../operations/table.ts'
import { acceptToken } from '../../../operations/tokens.ts'
import { scopeNamed, scopesOfStdio } from '../../../policy/scopes.ts'
import { createRpcServer } from '../../rpc/server.ts'
import { serveStdio } from '../../rpc/stdio.ts'
import type { Command, CommandContext, Flags } from '../command.ts'

export const rpcCommand: Command = {
  name: 'rpc',
  group: 'surfaces',
  summary: 'JSON-RPC 2.0 on stdin and stdout, for other programs',
  usage: 'vp rpc [--scope S]… [--cwd DIR]',
  examples: [
    `echo '{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}' | vp rpc`,
    'vp rpc --cwd ../shop',
    'vp rpc --scope fs.read --scope search     (a client that only looks)',
  ],
  flags: {
    scope: { type: 'string', multiple: true, help: 'what the client may do; absent: all but projects.approve and budget.override, which stay with you' },
  },
  needsKit: true,
  exits: [0, 2, 130],
  json: 'none: stdout carries the protocol, a document a line or Content-Length frames',
  async run(context) {
    if (context.json) throw new VpError('usage.flag', 'vp rpc speaks JSON-RPC on stdout, so it takes no --json', { next: ['vp rpc'] })
    const kit = context.kit()
    await rightsOf(context) // a token that is none is said now
    openCheckout(kit, context.cwd).close() // a workspace that cannot be opened is said now, not by every request
    const server = createRpcServer({
      operations: OPERATIONS,
      version: context.version,
      async call(operation, params, options, follow) {
        // Asked again for each call, and each event: a token may expire or be revoked while the session is open.
        const caller: Caller = { surface: 'rpc', ...(await rightsOf(context)), follow: (stream) => follow(whileAllowed(context, stream)) }
        // A scene of its own for each call: another one may make or change the project meanwhile.
        const checkout = openCheckout(kit, context.cwd)
        try {
          return await invoke(kit, operation, params, caller, checkout, options)
        } finally {
          checkout.close()
        }
      },
      tellable: (error) => maskedError(error, { text: kit.redactText, json: kit.redactJson }),
      say: (line) => context.talk(line),
    })
    if (await serveStdio(server, context.streams, AbortSignal.any([context.pause, context.stop]))) return null
    return { result: null, exit: context.pause.aborted ? 130 : 0, screen: () => ({ stdout: [], stderr: [] }) }
  },
}

/** Ends by throwing `token.refused` before the first event that the caller may not see any more. */
function whileAllowed(context: CommandContext, stream: Stream): Stream {
  return {
    ...stream,
    async *items(signal) {
      for await (const item of stream.items(signal)) {
        await rightsOf(context)
        yield item
      }
    },
  }
}

/** A token's own rights, which --scope may narrow; without a token those of whoever starts it. Throws `token.refused`. */
async function rightsOf({ env, flags, caller, kit }: CommandContext): Promise<Pick<Caller, 'actor' | 'scopes'>> {
  const named = grantedScopes(flags)
  const token = env['VP_TOKEN']
  if (token === undefined) return { actor: caller.actor, scopes: scopesOfStdio(caller.actor === 'ci' ? 'ci' : 'human', named) }
  const { actor, scopes } = await acceptToken(kit(), token, 'rpc')
  const wanted = named.map(scopeNamed)
  return { actor, scopes: named.length === 0 ? scopes : new Set([...scopes].filter((scope) => wanted.includes(scope))) }
}

/** Throws `usage.flag` for a word that is no scope. */
function grantedScopes(flags: Flags): readonly string[] {
  const named = flags['scope']
  const scopes = Array.isArray(named) ? (named as readonly string[]) : []
  const unknown = scopes.find((scope) => scopeNamed(scope) === null)
  if (unknown !== undefined) throw new VpError('usage.flag', `${JSON.stringify(unknown.slice(0, 40))} is no scope`, { next: ['vp help rpc'] })
  return scopes
}

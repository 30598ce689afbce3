/**
 * Opens a pull request, or finds the open one: the same call again changes nothing. The token comes from the
 * environment or from the command that the user configured, and is in no receipt, error or log.
 */
import { VpError } from '../../core/errors.ts'
import type { Kit } from '../kit.ts'
import { printedSecret } from '../printed-secret.ts'
import { FORGES } from './apis.ts'
import type { ForgeRepository, Proposal, Proposed } from './forge.ts'
import { forgeHttp } from './http.ts'

/** The variable that holds a token, or the first word of the command that prints one; null when there is neither. */
export function tokenSource(kit: Kit, at: ForgeRepository): string | null {
  if (at.tokenCommand) return at.tokenCommand[0] ?? null
  return FORGES[at.kind].tokenNames(at.host).find((name) => (kit.env[name] ?? '') !== '') ?? null
}

/** `root`: the repository, whose programs are not the user's. Throws `forge.*`. */
export async function propose(
  kit: Kit,
  at: ForgeRepository,
  proposal: Proposal,
  root: string,
  signal: AbortSignal,
): Promise<Proposed & { readonly made: boolean }> {
  const from = tokenSource(kit, at) ?? ''
  const token = at.tokenCommand
    ? await printedSecret(kit, { argv: at.tokenCommand, root, what: 'token', code: 'forge.auth' }, signal)
    : (kit.env[from] ?? '').trim()
  // It becomes a header.
  if (!/^[\x21-\x7e]{4,4096}$/.test(token)) throw new VpError('forge.auth', `what ${from} holds is no token`, { next: ['vp git pr --dry-run'] })
  const api = FORGES[at.kind]
  const http = forgeHttp({ api: at.api, headers: api.headers(token), token, userAgent: `vp/${kit.version}`, proxyEnv: kit.env, tokenFrom: from, signal })
  const open = await api.find(http, at, proposal)
  if (open) return { ...open, made: false }
  const made = await api.create(http, at, proposal)
  if (made) return { ...made, made: true }
  const meanwhile = await api.find(http, at, proposal)
  if (meanwhile) return { ...meanwhile, made: false }
  throw new VpError('forge.refused', `${at.host} says that there is a pull request already, and shows none that is open`, { next: ['vp git pr --dry-run'] })
}

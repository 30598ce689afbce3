/**
 * What a forge is to `vp git pr`: a place where one branch can be proposed to another. Types, and which forge an
 * address belongs to. A token goes only to a host that is well known or that the user configured: an address comes from
 * the repository, and a name such as `gitlab.example.org` proves nothing.
 */
import type { Config } from '../../config/config.ts'
import { VpError } from '../../core/errors.ts'
import type { ForgeHttp } from './http.ts'

export type ForgeKind = 'github' | 'gitlab' | 'gitea'

export interface ForgeRepository {
  readonly kind: ForgeKind
  /** `github.com`, `127.0.0.1:8080`. */
  readonly host: string
  /** `https://api.github.com`, without a slash at the end. */
  readonly api: string
  /** Where people look: `https://github.com`. */
  readonly web: string
  /** `owner/name`; on GitLab with its groups. */
  readonly path: string
  readonly tokenCommand: readonly string[] | null
}

export interface Proposal {
  readonly title: string
  readonly body: string
  readonly base: string
  readonly head: string
  readonly draft: boolean
}

export interface Proposed {
  readonly number: number
  readonly url: string
}

/** One forge's API. Throws `forge.auth`, `forge.rate_limited`, `forge.refused`, `forge.failed`. */
export interface ForgeApi {
  /** The open proposal of head to base, or null. */
  find(http: ForgeHttp, at: ForgeRepository, proposal: Proposal): Promise<Proposed | null>
  /** Null: there is one already. */
  create(http: ForgeHttp, at: ForgeRepository, proposal: Proposal): Promise<Proposed | null>
  headers(token: string): Readonly<Record<string, string>>
  /** Where a person can open it by hand. */
  compareUrl(at: ForgeRepository, proposal: Pick<Proposal, 'base' | 'head'>): string
  /** Variables of the environment that may hold a token, the first that is set counts. */
  readonly tokenNames: (host: string) => readonly string[]
}

const WELL_KNOWN: Config['forges'] = [
  { host: 'github.com', kind: 'github', api: 'https://api.github.com' },
  { host: 'gitlab.com', kind: 'gitlab' },
  { host: 'gitea.com', kind: 'gitea' },
  { host: 'codeberg.org', kind: 'gitea' },
]
const API_PATH: Readonly<Record<ForgeKind, string>> = { github: '/api/v3', gitlab: '/api/v4', gitea: '/api/v1' }

/** Null when the address belongs to no forge that is known here. Throws `config.invalid` for an API in clear text. */
export function forgeOf(url: string, configured: Config['forges']): ForgeRepository | null {
  const address = addressOf(url)
  if (!address) return null
  const known = [...configured, ...WELL_KNOWN].find(({ host }) => host.toLowerCase() === address.host)
  if (!known || (known.kind !== 'gitlab' && address.path.split('/').length !== 2)) return null
  const web = `${isLoopback(address.host) ? 'http' : 'https'}://${address.host}`
  const api = (known.api ?? `${web}${API_PATH[known.kind]}`).replace(/\/+$/, '')
  requireSafeApi(api)
  return { kind: known.kind, host: address.host, api, web, path: address.path, tokenCommand: known.token_command ?? null }
}

/** `https://`, `ssh://` and `user@host:path`; of a port only that of the web counts. */
function addressOf(url: string): { host: string; path: string } | null {
  const scp = /^(?:[\w.-]+@)?([A-Za-z0-9][\w.-]*):(?!\/)(.+)$/.exec(url)
  const full = /^(https?|ssh):\/\/(?:[^@/]*@)?([A-Za-z0-9][\w.-]*)(:\d+)?\/(.+)$/i.exec(url)
  const host = full ? `${full[2]}${full[1]?.toLowerCase() === 'ssh' ? '' : (full[3] ?? '')}` : scp?.[1]
  const path = (full ? full[4] : scp?.[2])?.replace(/\/+$/, '').replace(/\.git$/, '')
  if (!host || !path || !/^[\w.~-]+(\/[\w.~-]+)+$/.test(path) || path.split('/').some((part) => /^\.+$/.test(part))) return null
  return { host: host.toLowerCase(), path }
}

const isLoopback = (host: string): boolean => /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host)

function requireSafeApi(api: string): void {
  const url = URL.canParse(api) ? new URL(api) : null
  if (url && url.username === '' && (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.host)))) return
  throw new VpError('config.invalid', `forges: ${JSON.stringify(api.slice(0, 100))} is no https address`, { next: ['vp config show'] })
}

/**
 * Tokens: rights for a program that is started later, given by a person, kept as a digest. No operation here ever sees
 * the token itself, so it stands in no receipt, log or table. An agent has none: it acts with its run's rights.
 */
import * as z from 'zod/mini'
import { once } from '../core/once.ts'
import { VpError } from '../core/errors.ts'
import { nodeCrypto } from '../core/node-crypto.ts'
import { appendReceipt } from '../ledger/receipts.ts'
import { scopeNamed, scopesOfToken, type Scope } from '../policy/scopes.ts'
import type { Kit } from './kit.ts'
import { operation, type Caller } from './operation.ts'

/** Who holds a token: another machine's program, or one at a distance. */
export type TokenActor = 'ci' | 'remote'

const DAY_MS = 86_400_000
const LONGEST_MS = 366 * DAY_MS
/** What a person decides, overrides or sees with their own eyes: in a token only if they say so at a terminal. */
const PERSONAL: readonly Scope[] = ['projects.approve', 'budget.override', 'secrets.read']

interface TokenRow {
  readonly id: string
  readonly sha: string
  readonly actor: TokenActor
  readonly scopes: string
  readonly created_at: number
  readonly expires_at: number
  readonly revoked_at: number | null
}

const actor = once(() => z.enum(['ci', 'remote']))
const tokenShape = once(() =>
  z.object({
    id: z.string(),
    actor: actor(),
    scopes: z.array(z.string()),
    state: z.enum(['valid', 'expired', 'revoked']),
    created_at: z.string(),
    expires_at: z.string(),
  }),
)
export type TokenView = z.infer<ReturnType<typeof tokenShape>>

export const tokenCreate = operation({
  name: 'token.create',
  summary: 'give a program rights of its own',
  params: () =>
    z.strictObject({
      id: z.string().check(z.regex(/^tk_[0-9a-z]{6}$/)),
      /** SHA-256 of the token, in hex. */
      sha: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
      actor: actor(),
      scopes: z.array(z.string()).check(z.minLength(1), z.maxLength(32)),
      lifetime_ms: z.int().check(z.gte(1000), z.lte(LONGEST_MS)),
    }),
  result: () => tokenShape(),
  effect: 'write',
  scope: 'policy.set',
  async handler(params, scene) {
    const { kit, caller } = scene
    const scopes = grantable(params.scopes, caller)
    const now = kit.clock.now()
    const row: TokenRow = {
      id: params.id,
      sha: params.sha,
      actor: params.actor,
      scopes: JSON.stringify(scopes),
      created_at: now,
      expires_at: now + params.lifetime_ms,
      revoked_at: null,
    }
    scene.notes['token'] = row.id
    scene.notes['scopes'] = [...scopes]
    // Beside the receipt, or not at all.
    scene.onReceipt.push(
      async (tx) =>
        void (await tx.run(
          'INSERT INTO tokens (id, sha, actor, scopes, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)',
          row.id,
          row.sha,
          row.actor,
          row.scopes,
          row.created_at,
          row.expires_at,
        )),
    )
    return viewOf(row, now)
  },
  say: (params, result) => `${result.id} · ${result.scopes.join(' ')} · until ${result.expires_at}`,
})

export const tokenList = operation({
  name: 'token.list',
  summary: 'which programs have rights of their own',
  params: () => z.strictObject({}),
  result: () => z.object({ tokens: z.array(tokenShape()) }),
  effect: 'read',
  scope: 'policy.set',
  async handler(_params, { kit }) {
    const rows = await kit.store.read((tx) => tx.all<TokenRow>('SELECT * FROM tokens ORDER BY rowid'))
    return { tokens: rows.map((row) => viewOf(row, kit.clock.now())) }
  },
})

export const tokenRevoke = operation({
  name: 'token.revoke',
  summary: 'take the rights of a program back',
  params: () => z.strictObject({ id: z.string().check(z.maxLength(40)) }),
  result: () => tokenShape(),
  effect: 'write',
  scope: 'policy.set',
  async handler({ id }, scene) {
    const { kit } = scene
    const row = await kit.store.read((tx) => tx.get<TokenRow>('SELECT * FROM tokens WHERE id = ?', id))
    if (!row) throw new VpError('token.not_found', `there is no token ${JSON.stringify(id)}`, { next: ['vp token list'] })
    const now = kit.clock.now()
    scene.notes['token'] = row.id
    scene.onReceipt.push(async (tx) => void (await tx.run('UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL', now, row.id)))
    return viewOf({ ...row, revoked_at: row.revoked_at ?? now }, now)
  },
  say: (_params, result) => result.id,
})

/** The scopes meant, each once. Throws `usage.flag` for a word that is none, `policy.scope` for more than the caller may give. */
function grantable(named: readonly string[], caller: Caller): readonly Scope[] {
  const scopes = named.map((name) => {
    const scope = scopeNamed(name)
    if (scope === null) throw new VpError('usage.flag', `${JSON.stringify(name.slice(0, 40))} is no scope`, { next: ['vp help token create'] })
    return scope
  })
  const beyond = scopes.find((scope) => !caller.scopes.has(scope))
  if (beyond !== undefined) throw new VpError('policy.scope', `${caller.actor} does not hold ${beyond} and cannot give it`, { rule: `scope/${beyond}` })
  const personal = scopes.find((scope) => PERSONAL.includes(scope))
  if (personal !== undefined && (caller.actor !== 'human' || caller.confirm === undefined))
    throw new VpError('policy.scope', `${personal} is given by a person at a terminal only`, {
      rule: `scope/${personal}`,
      next: ['vp token create without --json and --no-input'],
    })
  return [...new Set(scopes)]
}

export interface AcceptedToken {
  readonly id: string
  readonly actor: TokenActor
  readonly scopes: ReadonlySet<Scope>
}

/**
 * What a token lets its holder do, and nothing else. Throws `token.refused` where it is unknown, expired or revoked, and
 * keeps a receipt of that; which of the three is told to whoever reads the ledger, not to the holder.
 */
export async function acceptToken(kit: Kit, token: string, surface: string): Promise<AcceptedToken> {
  const sha = tokenSha(token)
  const rows = await kit.store.read((tx) => tx.all<TokenRow>('SELECT * FROM tokens'))
  // Every row is compared, whole and in the same time, so that the time says nothing of how much was right.
  const row = rows.reduce<TokenRow | null>((found, one) => (isSame(one.sha, sha) ? one : found), null)
  const why = row === null ? 'unknown' : viewOf(row, kit.clock.now()).state
  if (row !== null && why === 'valid') return { id: row.id, actor: row.actor, scopes: scopesOfToken(row.actor, scopesIn(row)) }
  await kit.store.transaction((tx) =>
    appendReceipt(tx, kit, {
      op: 'token.use',
      actor: row?.actor ?? 'remote',
      surface,
      outcome: 'error',
      error: { code: 'token.refused', message: `a token that is ${why}` },
      detail: { token: row?.id ?? null, why },
    }),
  )
  throw new VpError('token.refused', 'VP_TOKEN holds no token that is valid here', { next: ['vp token list', 'vp token create --scope fs.read --expires 1h'] })
}

/** 32 random bytes in the form that a person can copy. */
export function newToken(bytes: Uint8Array): string {
  return `vp_${Buffer.from(bytes).toString('base64url')}`
}

export function tokenSha(token: string): string {
  return nodeCrypto().hash('sha256', token)
}

function isSame(a: string, b: string): boolean {
  return a.length === b.length && nodeCrypto().timingSafeEqual(Buffer.from(a), Buffer.from(b))
}

function scopesIn(row: TokenRow): string[] {
  return (JSON.parse(row.scopes) as unknown[]).filter((scope) => typeof scope === 'string')
}

function viewOf(row: TokenRow, now: number): TokenView {
  return {
    id: row.id,
    actor: row.actor,
    scopes: scopesIn(row),
    state: row.revoked_at !== null ? 'revoked' : row.expires_at <= now ? 'expired' : 'valid',
    created_at: new Date(row.created_at).toISOString(),
    expires_at: new Date(row.expires_at).toISOString(),
  }
}

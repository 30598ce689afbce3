/**
 * Opening the ledger: built-ins only, since `vp status` and `vp` alone do nothing else. The signing key is read
 * when something is signed, not before.
 */
import { openSigningKey, type SigningKey } from '../ledger/keys.ts'
import { openAnchor } from '../store/anchor.ts'
import { openSqlite, type SqliteStore } from '../store/sqlite.ts'
import type { Paths } from '../config/paths.ts'

export interface OpenLedger {
  readonly store: SqliteStore
  key(): SigningKey
}

export function openLedger(paths: Paths): OpenLedger {
  let key: SigningKey | null = null
  const open = () => (key ??= openSigningKey(paths.key))
  const anchor = openAnchor(paths.anchor, {
    sign: (bytes) => open().sign(bytes),
    verify: (bytes, signature) => open().verify(bytes, signature),
  })
  return { store: openSqlite(paths.ledger, { anchor }), key: open }
}

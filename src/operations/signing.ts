/**
 * Which commits the human's key signs, and with which: `git.sign` of the user's configuration and the key of their
 * git. Asked by the operator, outside the sandbox; no model and no repository can ask.
 */
import { join } from 'node:path'
import { VpError } from '../core/errors.ts'
import type { SignBytes } from '../workspace/commit-object.ts'
import { humanKey } from '../workspace/signing.ts'
import type { Kit } from './kit.ts'

export interface Signing {
  /** `merge`: what `vp complete` adds, and commits by hand; `each`: the commits of tasks too. */
  readonly when: 'merge' | 'each' | 'never'
  readonly format: 'ssh' | 'openpgp' | null
  readonly sign: SignBytes | undefined
  /** Why nothing is signed although nobody said so. */
  readonly note: string | null
}

/** `present`: a passphrase may be asked for. Throws `sign.unsupported` for a configured key that cannot be used. */
export async function signingOf(kit: Kit, request: { readonly root: string; readonly present: boolean; readonly signal: AbortSignal }): Promise<Signing> {
  const wanted = kit.config.git.sign
  const none = { when: 'never', format: null, sign: undefined } as const
  if (wanted === 'never') return { ...none, note: null }
  const key = await humanKey(kit.git, { ...request, env: kit.env, tmp: join(kit.paths.state, 'tmp') })
  if (key.kind === 'key') return { when: wanted ?? 'merge', format: key.format, sign: key.sign, note: null }
  if (wanted === null) return { ...none, note: key.why }
  throw new VpError('sign.unsupported', `git.sign is ${wanted}, but ${key.why}`, {
    next: key.named ? ['git config --global gpg.format ssh', 'vp config show'] : ['git config --global user.signingkey KEY', 'vp config show'],
    changed: 'your branch, index and files stay as they are',
  })
}

/** Signs nothing of use, to learn before any money is spent that the key answers. */
export async function trySigning(signing: Signing): Promise<void> {
  await signing.sign?.(Buffer.from('vp asks whether the key answers\n'))
}

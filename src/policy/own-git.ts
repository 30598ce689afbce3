/**
 * git that writes or sends. A command sees git's data read-only and has no network, so these can never succeed as one,
 * whatever a lane allows; vp does them itself, under their own right.
 */
import type { Decision } from './argv.ts'
import { programOf } from './program-name.ts'
import type { Scope } from './scopes.ts'

export interface OwnGit extends Decision {
  readonly effect: 'deny'
  /** Without it the operation would be refused too. */
  readonly scope?: Scope
  readonly next: readonly string[]
}

const WRITES = { effect: 'deny', rule: 'global/git-data', reason: 'commands see the git data read-only' } as const
const COMMIT: OwnGit = { ...WRITES, nearest: 'vp git commit -m MESSAGE PATH', next: ['vp git commit'] }
const PUSH: OwnGit = {
  effect: 'deny',
  rule: 'global/git-push',
  reason: 'commands have no network, so none can push',
  nearest: 'vp git push, by a person with the scope git.push',
  scope: 'git.push',
  next: ['vp git push'],
}

export function ownGit(argv: readonly string[]): OwnGit | null {
  if (programOf(argv) !== 'git') return null
  if (argv[1] === 'push') return PUSH
  return argv[1] === 'add' || argv[1] === 'stage' || argv[1] === 'commit' ? COMMIT : null
}

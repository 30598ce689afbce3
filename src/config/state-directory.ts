/** Where a `VP_STATE_DIR` that a person typed leads. */
import { existsSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { VpError } from '../core/errors.ts'
import type { Environment } from './paths.ts'

/**
 * A relative `VP_STATE_DIR` is taken from `cwd`, and only where that is in no repository: what vp keeps there is neither for
 * the agent's eyes nor for a commit. Throws `usage.flag`.
 */
export function resolvedStateDirectory(env: Environment, cwd: string): Environment {
  const named = env['VP_STATE_DIR']
  if (named === undefined || isAbsolute(named)) return env
  const state = resolve(cwd, named)
  for (let at = state; ; at = dirname(at)) {
    if (existsSync(join(at, '.git')))
      throw new VpError('usage.flag', `VP_STATE_DIR=${named} lies in the repository ${at}; the ledger and its key never do`, { next: ['unset VP_STATE_DIR'] })
    if (dirname(at) === at) return { ...env, VP_STATE_DIR: state }
  }
}

/**
 * Where things lie on this machine. Built-ins only: the fast path needs it. Source: the XDG base directory
 * specification; architecture, "State on disk".
 */
import { existsSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { VpError } from '../core/errors.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** What vp itself reads, and where a home is looked for. */
const OURS = /^(VP|XDG|PLMS|PAS)_|^(HOME|TMPDIR|GNUPGHOME)$/

/** The one rule for all of them: set and empty is unset, and so is an XDG directory that is relative. */
export function settledEnvironment(env: Environment): Environment {
  return Object.fromEntries(
    Object.entries(env).filter(([name, value]) => !OURS.test(name) || (value !== '' && (!/^XDG_.*_(HOME|DIR)$/.test(name) || isAbsolute(value ?? '')))),
  )
}

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

export interface Paths {
  readonly state: string
  readonly ledger: string
  readonly anchor: string
  readonly key: string
  readonly runs: string
  readonly views: string
  readonly blobs: string
  readonly environments: string
  readonly cache: string
  readonly configFile: string
  /** The user's own lane files. */
  readonly lanes: string
}

export function pathsFrom(env: Environment): Paths {
  const home = env['HOME'] ?? '/nonexistent'
  const base = (name: string, fallback: string) => {
    const value = env[name]
    return value && isAbsolute(value) ? value : join(home, fallback)
  }
  const state = env['VP_STATE_DIR'] ?? join(base('XDG_STATE_HOME', '.local/state'), 'vp')
  return {
    state,
    ledger: join(state, 'ledger.db'),
    anchor: join(state, 'ledger.head'),
    key: join(state, 'keys', 'ledger.pem'),
    runs: join(state, 'runs'),
    views: join(state, 'views'),
    blobs: join(state, 'blobs'),
    environments: join(state, 'environments'),
    cache: join(base('XDG_CACHE_HOME', '.cache'), 'vp'),
    configFile: env['VP_CONFIG'] ?? join(base('XDG_CONFIG_HOME', '.config'), 'vp', 'config.json'),
    lanes: join(base('XDG_CONFIG_HOME', '.config'), 'vp', 'lanes'),
  }
}

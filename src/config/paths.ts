/**
 * Where things lie on this machine. Built-ins only: the fast path needs it. Source: the XDG base directory
 * specification; architecture, "State on disk".
 */
import { dirname, isAbsolute, join } from 'node:path'

export type Environment = Readonly<Record<string, string | undefined>>

/** What vp itself reads, and where a home is looked for. */
const OURS = /^(VP|XDG|PLMS|PAS)_|^(HOME|TMPDIR|GNUPGHOME)$/

/** The one rule for all of them: set and empty is unset, and so is an XDG directory that is relative. */
export function settledEnvironment(env: Environment): Environment {
  return Object.fromEntries(
    Object.entries(env).filter(([name, value]) => !OURS.test(name) || (value !== '' && (!/^XDG_.*_(HOME|DIR)$/.test(name) || isAbsolute(value ?? '')))),
  )
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
  /** GGUFs that were pulled. */
  readonly models: string
  readonly configFile: string
  /** The model policy that a person set: `vp model set FILE`. */
  readonly modelPolicy: string
  /** The user's own lane files. */
  readonly lanes: string
  /** The user's own templates of projects. */
  readonly templates: string
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
    models: join(base('XDG_DATA_HOME', '.local/share'), 'vp', 'models'),
    configFile: env['VP_CONFIG'] ?? join(base('XDG_CONFIG_HOME', '.config'), 'vp', 'config.json'),
    modelPolicy: join(dirname(env['VP_CONFIG'] ?? join(base('XDG_CONFIG_HOME', '.config'), 'vp', 'config.json')), 'model-policy.json'),
    lanes: join(base('XDG_CONFIG_HOME', '.config'), 'vp', 'lanes'),
    templates: join(base('XDG_CONFIG_HOME', '.config'), 'vp', 'templates'),
  }
}

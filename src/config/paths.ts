/**
 * Where things lie on this machine. Built-ins only: the fast path needs it. Source: the XDG base directory
 * specification; architecture, "State on disk".
 */
import { dirname, isAbsolute, join, normalize } from 'node:path'

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

/** One name below a directory: `join` reads every letter anew, which a start would do seventeen times. */
const below = (directory: string, name: string): string => (directory.endsWith('/') ? directory + name : `${directory}/${name}`)

function baseFrom(env: Environment, name: string, fallback: string): string {
  const value = env[name]
  return value && isAbsolute(value) ? normalize(value) : join(env['HOME'] ?? '/nonexistent', fallback)
}

/** As `pathsFrom`; alone, since nothing else is needed before the program is loaded. */
export function cacheFrom(env: Environment): string {
  return below(baseFrom(env, 'XDG_CACHE_HOME', '.cache'), 'vp')
}

export function pathsFrom(env: Environment): Paths {
  const state = env['VP_STATE_DIR'] ?? below(baseFrom(env, 'XDG_STATE_HOME', '.local/state'), 'vp')
  const inState = (name: string) => below(state, name)
  const config = below(baseFrom(env, 'XDG_CONFIG_HOME', '.config'), 'vp')
  const configFile = env['VP_CONFIG'] ?? below(config, 'config.json')
  return {
    state,
    ledger: inState('ledger.db'),
    anchor: inState('ledger.head'),
    key: inState('keys/ledger.pem'),
    runs: inState('runs'),
    views: inState('views'),
    blobs: inState('blobs'),
    environments: inState('environments'),
    cache: cacheFrom(env),
    models: below(baseFrom(env, 'XDG_DATA_HOME', '.local/share'), 'vp/models'),
    configFile,
    modelPolicy: join(dirname(configFile), 'model-policy.json'),
    lanes: below(config, 'lanes'),
    templates: below(config, 'templates'),
  }
}

/**
 * What a lane is, and how a repository's lane narrows the user's. Values only; reading files is `lane-file.ts`.
 */
import { VpError } from '../core/errors.ts'

/** Tokens: literal, `*` inside an argument, a final bare `*` for the rest, `word?` optional. contracts/policy.md section 3. */
export type ArgvPattern = readonly string[]

export interface CommandRule {
  /** `lane/name`, shown in every decision. */
  readonly id: string
  readonly argv: ArgvPattern
  /** `ask` is an allow that a person confirms. Ignored in a deny list. */
  readonly effect?: 'allow' | 'ask'
  /** Prepares the environment: never for an agent. */
  readonly isSetup?: true
  readonly match?: readonly (readonly string[])[]
  readonly notMatch?: readonly (readonly string[])[]
  readonly where?: { readonly file: string; readonly line: number }
}

export interface LaneLimits {
  readonly maxCpuPct?: number
  readonly maxMemMb?: number
  readonly maxExecSeconds: number
  readonly maxParallel?: number
}

export interface Lane {
  readonly name: string
  readonly slug: string
  readonly description: string
  readonly workspaceRoots: readonly string[]
  readonly fileGlobs: { readonly allow: readonly string[]; readonly deny: readonly string[] }
  readonly commands: { readonly allow: readonly CommandRule[]; readonly deny: readonly CommandRule[] }
  readonly network: { readonly outbound: boolean }
  readonly limits: LaneLimits
  /** An agent's command may be given the value behind a placeholder. Absent: as the wider lane says, else no. */
  readonly restoreSecrets?: boolean
  readonly fsOps: { readonly patchOnly: boolean; readonly requireUnifiedDiff: boolean; readonly backups: boolean }
  /** Its file and the line of its list of what is allowed; absent: shipped with vp. */
  readonly where?: { readonly file: string; readonly line: number }
  /** The wider lane that must allow as well. */
  readonly within?: Lane
}

export const LANE_NAMES = ['Code-Impl', 'Code-API-Design', 'Data-Schema', 'Data-Loader', 'Vector-Ops', 'Graph-Ops', 'Narrative'] as const
export type LaneName = (typeof LANE_NAMES)[number]

export function isLaneName(name: string): name is LaneName {
  return (LANE_NAMES as readonly string[]).includes(name)
}

export function slugOf(name: string): string {
  return name.toLowerCase()
}

/**
 * The file of a lane among those of a lanes directory: `code-impl.yaml`, or the lane's own name in whatever case, `.yml` too; null
 * where it has none. Throws `policy.invalid` for a file that is no lane's, and for two of one lane: what nobody reads holds nothing back.
 */
export function laneFileAmong(names: readonly string[], lane: LaneName, shown: (name: string) => string): string | null {
  const files = names.filter((name) => /\.ya?ml$/i.test(name))
  const laneOf = (name: string) => LANE_NAMES.find((one) => slugOf(one) === slugOf(name.replace(/\.ya?ml$/i, '')))
  const stray = files.find((name) => laneOf(name) === undefined)
  if (stray !== undefined) throw unread(shown(stray), `it is named for no lane; the lanes are ${LANE_NAMES.join(', ')}`)
  const own = files.filter((name) => laneOf(name) === lane)
  if (own.length > 1) throw unread(shown(own[1] ?? ''), `the lane ${lane} has ${own[0]} too`)
  return own[0] ?? null
}

function unread(file: string, why: string): VpError {
  return new VpError('policy.invalid', `${file}:1: ${why}`, { where: { file, line: 1 }, next: ['vp policy check'] })
}

/** The repository's lane inside the user's: both must allow, every denial counts, every smaller limit holds. */
export function narrow(user: Lane, repository: Lane): Lane {
  const roots = repository.workspaceRoots.filter((root) => user.workspaceRoots.some((wide) => isBelow(root, wide)))
  return {
    ...repository,
    workspaceRoots: roots.length > 0 ? roots : user.workspaceRoots,
    network: { outbound: user.network.outbound && repository.network.outbound },
    limits: smallerLimits(user.limits, repository.limits),
    fsOps: {
      patchOnly: user.fsOps.patchOnly || repository.fsOps.patchOnly,
      requireUnifiedDiff: user.fsOps.requireUnifiedDiff || repository.fsOps.requireUnifiedDiff,
      backups: user.fsOps.backups || repository.fsOps.backups,
    },
    restoreSecrets: user.restoreSecrets === true && repository.restoreSecrets !== false,
    within: user,
  }
}

function isBelow(root: string, wide: string): boolean {
  return wide === '.' || root === wide || root.startsWith(`${wide}/`)
}

function smallerLimits(a: LaneLimits, b: LaneLimits): LaneLimits {
  const least = (x: number | undefined, y: number | undefined): number | undefined => (x === undefined ? y : y === undefined ? x : Math.min(x, y))
  const cpu = least(a.maxCpuPct, b.maxCpuPct)
  const mem = least(a.maxMemMb, b.maxMemMb)
  const parallel = least(a.maxParallel, b.maxParallel)
  return {
    maxExecSeconds: Math.min(a.maxExecSeconds, b.maxExecSeconds),
    ...(cpu === undefined ? {} : { maxCpuPct: cpu }),
    ...(mem === undefined ? {} : { maxMemMb: mem }),
    ...(parallel === undefined ? {} : { maxParallel: parallel }),
  }
}

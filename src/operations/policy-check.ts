/**
 * Every file that rights come from, read as it is read when it counts: the user's lanes and configuration, the
 * repository's lanes. A broken one is a line of the answer, not an error, so that all of them are told at once.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative } from 'node:path'
import { loadConfig } from '../config/config.ts'
import type { Environment, Paths } from '../config/paths.ts'
import { asVpError, VpError } from '../core/errors.ts'
import { parseLaneYaml } from '../policy/lane-file.ts'
import { isLaneName, laneFileAmong, LANE_NAMES, slugOf, type Lane, type LaneName } from '../policy/lane.ts'
import { SHIPPED_LANES } from '../policy/shipped-lanes.ts'
import { widenings } from '../policy/widening.ts'
import { namesInRepository, readRepositoryFile } from '../workspace/repository-file.ts'

export interface CheckedFile {
  readonly file: string
  readonly of: 'user' | 'repository' | 'configuration'
  readonly ok: boolean
  readonly rules: number
  readonly examples: number
  readonly error?: { readonly message: string; readonly line?: number }
  /** What it asks for beyond the user's lane; cut when it is used. */
  readonly cut: readonly { readonly what: string; readonly line?: number }[]
}

/** What is needed of a machine, without opening its ledger: it has to work where nothing else does. */
export interface PolicyPlace {
  readonly paths: Pick<Paths, 'lanes' | 'configFile'>
  readonly env: Environment
  readonly root: string
}

const REPOSITORY_LANES = '.vp/lanes'

/** `files` (absolute) alone, or all that there are. Those below the root are the repository's. */
export function checkPolicyFiles(place: PolicyPlace, files: readonly string[] = []): readonly CheckedFile[] {
  const { paths } = place
  const chosen = files.length > 0 ? files : existsSync(paths.lanes) ? lanesAmong(paths.lanes, readdirSync(paths.lanes).toSorted()) : []
  const lanes = [
    ...chosen.filter((file) => file !== paths.configFile).map((file) => checkLane(place, file)),
    ...(files.length > 0 ? [] : checkRepository(place)),
  ]
  const isAsked = files.length === 0 || chosen.includes(paths.configFile)
  return isAsked && existsSync(paths.configFile) ? [checkConfiguration(place), ...lanes] : lanes
}

function checkRepository(place: PolicyPlace): readonly CheckedFile[] {
  try {
    return lanesAmong(join(place.root, REPOSITORY_LANES), namesInRepository(place.root, REPOSITORY_LANES)).map((file) => checkLane(place, file))
  } catch (thrown) {
    return [broken(REPOSITORY_LANES, 'repository', problem(thrown, REPOSITORY_LANES))]
  }
}

function checkLane({ paths, root }: PolicyPlace, file: string): CheckedFile {
  const isOwn = !isBelow(root, file)
  const shown = isOwn ? file : relative(root, file)
  const of = isOwn ? 'user' : 'repository'
  try {
    // A file of the user's own may be a link: theirs.
    const lane = parseLaneYaml(String(isOwn ? readFileSync(file) : present(readRepositoryFile(root, shown), shown)), shown)
    const misplaced = misplacement(file, lane)
    if (misplaced !== null) return broken(shown, of, { message: misplaced, line: 1 })
    const cut = isOwn || !isLaneName(lane.name) ? [] : widenings(userLane(paths.lanes, lane.name), lane)
    return { file: shown, of, ok: true, ...counts(lane), cut }
  } catch (thrown) {
    return broken(shown, of, problem(thrown, shown))
  }
}

/** A user's lane that is broken itself is told on its own line; the shipped one stands in for it here. */
function userLane(directory: string, name: LaneName): Lane {
  try {
    const file = existsSync(directory) ? laneFileAmong(readdirSync(directory), name, (one) => one) : null
    return file === null ? SHIPPED_LANES[name] : parseLaneYaml(readFileSync(join(directory, file), 'utf8'), file)
  } catch {
    return SHIPPED_LANES[name]
  }
}

function misplacement(file: string, lane: Lane): string | null {
  if (!isLaneName(lane.name)) return `there is no lane ${lane.name}; the lanes are ${LANE_NAMES.join(', ')}`
  try {
    const among = existsSync(dirname(file)) ? readdirSync(dirname(file)) : [basename(file)]
    return laneFileAmong(among, lane.name, (one) => one) === basename(file) ? null : `the lane ${lane.name} is looked for in ${slugOf(lane.name)}.yaml`
  } catch (thrown) {
    return asVpError(thrown).message.replace(/^[^:]*:1: /, '')
  }
}

function checkConfiguration({ paths, env }: PolicyPlace): CheckedFile {
  const file = paths.configFile
  try {
    loadConfig(file, env)
    return { file, of: 'configuration', ok: true, rules: 0, examples: 0, cut: [] }
  } catch (thrown) {
    return broken(file, 'configuration', problem(thrown, file))
  }
}

function broken(file: string, of: CheckedFile['of'], error: NonNullable<CheckedFile['error']>): CheckedFile {
  return { file, of, ok: false, rules: 0, examples: 0, error, cut: [] }
}

function problem(thrown: unknown, file: string): NonNullable<CheckedFile['error']> {
  const { message, details } = asVpError(thrown)
  const line = details.where?.line
  const place = `${file}:${line ?? 0}: `
  return { message: message.startsWith(place) ? message.slice(place.length) : message, ...(line === undefined ? {} : { line }) }
}

function counts(lane: Lane): { readonly rules: number; readonly examples: number } {
  const rules = [...lane.commands.allow, ...lane.commands.deny]
  return { rules: rules.length, examples: rules.reduce((sum, rule) => sum + (rule.match?.length ?? 0) + (rule.notMatch?.length ?? 0), 0) }
}

function lanesAmong(directory: string, names: readonly string[]): string[] {
  return names.filter((name) => /\.ya?ml$/.test(name)).map((name) => join(directory, name))
}

function present(bytes: Buffer | null, shown: string): Buffer {
  if (bytes === null) throw new VpError('path.not_found', `${shown} does not exist`)
  return bytes
}

function isBelow(root: string, file: string): boolean {
  const way = relative(root, file)
  return way !== '' && !way.startsWith('..') && !isAbsolute(way)
}

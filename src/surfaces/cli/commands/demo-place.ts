/**
 * Where the demo plays: a copy of the sample as a repository of its own, and where its ledger lies. Without
 * `VP_DEMO_DIR` both are in one temporary directory, so that nothing of it is in the person's own ledger; a directory
 * that they named is a project of theirs like any other.
 */
import { copyFileSync, cpSync, existsSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
import { loadConfig } from '../../../config/config.ts'
import { pathsFrom } from '../../../config/paths.ts'
import { isVpError, VpError } from '../../../core/errors.ts'
import { makeDirectory } from '../../../store/make-directory.ts'
import type { Identity } from '../../../workspace/git.ts'
import { humanIdentity, openHumanRepository } from '../../../workspace/human-repository.ts'
import { commitAll, initRepository, setIdentity } from '../../../workspace/new-repository.ts'
import type { CommandContext, Edges, Place } from '../command.ts'

export const SAMPLE = 'calculator-api'
const RECORDING = 'recording.jsonl'

export interface DemoPlace extends Place {
  /** What a person who did not keep it elsewhere may throw away; null with `VP_DEMO_DIR`. */
  readonly temporary: string | null
  readonly state: string
  /** As it is named from `cwd`; null for a live model. */
  readonly recording: string | null
}

/** Directory and environment of one demo. Throws `usage.project`, `install.damaged`, `config.invalid`; then nothing was changed. */
export function makeDemoPlace(context: CommandContext, live: boolean): DemoPlace {
  const examples = join(context.packageRoot, 'examples')
  if (!existsSync(join(examples, SAMPLE, 'PRD.md')))
    throw new VpError('install.damaged', 'the sample of the demo is missing', { where: { file: examples }, next: ['npm ci'] })
  const { sandbox } = loadConfig(pathsFrom(context.env).configFile, context.env).config
  const { cwd, temporary } = context.env['VP_DEMO_DIR'] ? namedDirectory(context, context.env['VP_DEMO_DIR']) : temporaryDirectory(context.env)
  try {
    cpSync(join(examples, SAMPLE), cwd, { recursive: true })
    const packed = join(examples, 'calculator-demo', RECORDING)
    // Beside the copy it has a short name, and outlives an upgrade of the program.
    if (temporary !== null) copyFileSync(packed, join(temporary, RECORDING))
    const recording = temporary === null ? packed : join('..', RECORDING)
    const own = context.env['VP_STATE_DIR']
    const state = own ? resolve(context.cwd, own) : temporary ? join(temporary, 'state') : pathsFrom(context.env).state
    const settings = live ? {} : recordedSettings(resolve(cwd, recording), state, sandbox)
    return { cwd, temporary, state, recording: live ? null : recording, env: { ...context.env, VP_STATE_DIR: state, ...settings } }
  } catch (error) {
    if (temporary !== null) rmSync(temporary, { recursive: true, force: true })
    throw error
  }
}

/** The words were recorded under the shipped settings: other limits would ask for other words. The sandbox stays the person's. */
function recordedSettings(recording: string, state: string, sandbox: string | null): Readonly<Record<string, string>> {
  return { VP_MODEL: `recorded:${recording}`, VP_CONFIG: join(state, 'demo.json'), ...(sandbox ? { VP_SANDBOX: sandbox } : {}) }
}

function namedDirectory(context: CommandContext, name: string): { cwd: string; temporary: null } {
  const cwd = resolve(context.cwd, name)
  try {
    makeDirectory(cwd)
    if (readdirSync(cwd).length === 0) return { cwd, temporary: null }
  } catch (cause) {
    throw new VpError('usage.project', `VP_DEMO_DIR names ${cwd}, where no directory can be`, { cause, next: ['vp demo'] })
  }
  throw new VpError('usage.project', `VP_DEMO_DIR names ${cwd}, which is not empty`, { next: [`VP_DEMO_DIR=${quoted(`${cwd}-2`)} vp demo`, 'vp demo'] })
}

function temporaryDirectory(env: Place['env']): { cwd: string; temporary: string } {
  const parent = env['TMPDIR'] && isAbsolute(env['TMPDIR']) ? env['TMPDIR'] : '/tmp'
  try {
    const temporary = mkdtempSync(join(realpathSync(parent), 'vp-demo-'))
    return { cwd: join(temporary, SAMPLE), temporary }
  } catch (cause) {
    throw new VpError('usage.project', `no directory can be made in ${parent}`, { cause, next: ['VP_DEMO_DIR=DIR vp demo'] })
  }
}

export function removeDemoPlace(place: DemoPlace): void {
  if (place.temporary !== null) rmSync(place.temporary, { recursive: true, force: true, maxRetries: 5 })
}

const NOBODY: Identity = { name: 'vp demo', email: 'demo@localhost' }

/** Makes the copy a repository and commits it as the person, or as the demo where git knows nobody. Returns who commits. */
export async function startRepository(demo: Edges): Promise<Identity> {
  const { git, paths, env, clock } = demo.kit()
  await initRepository(git, demo.cwd)
  const author = await humanIdentity(git, await openHumanRepository(git, demo.cwd, paths.views), env).catch(async (error: unknown) => {
    if (!isVpError(error) || error.code !== 'usage.identity') throw error
    await setIdentity(git, demo.cwd, NOBODY)
    return NOBODY
  })
  await commitAll(git, demo.cwd, { message: 'feat: a calculator over HTTP\n', author, epochMs: clock.now() })
  return author
}

/** Commands that lead from the person's shell, wherever it is, to the demo with its ledger. */
export function wayThere(context: CommandContext, place: DemoPlace): string[] {
  const isKnown = place.state === pathsFrom(context.env).state
  return [`cd ${quoted(place.cwd)}`, ...(isKnown ? [] : [`export VP_STATE_DIR=${quoted(place.state)}`])]
}

/** What makes `vp` this program in that shell; empty where it is. */
export function wayToVp(context: CommandContext): string[] {
  return isOnPath(context) ? [] : [`export PATH=${quoted(join(context.packageRoot, 'bin'))}:"$PATH"`]
}

/** There, goes on with a run under the same model. */
export function resumeCommand(context: CommandContext, place: DemoPlace): string {
  const vp = isOnPath(context) ? 'vp' : quoted(join(context.packageRoot, 'bin', 'vp'))
  return `${place.recording === null ? '' : `VP_MODEL=recorded:${quoted(place.recording)} `}${vp} resume`
}

/** Whether `vp` typed in the person's shell is this program. What npm adds to PATH is gone when npm is. */
function isOnPath(context: CommandContext): boolean {
  const own = realpathSync(join(context.packageRoot, 'bin', 'vp'))
  return (context.env['PATH'] ?? '')
    .split(delimiter)
    .filter((directory) => isAbsolute(directory) && !directory.endsWith('node_modules/.bin'))
    .some((directory) => existsSync(join(directory, 'vp')) && realpathSync(join(directory, 'vp')) === own)
}

/** One word for a shell. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

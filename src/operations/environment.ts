/**
 * What a project needs beside its tracked files: directories of the human's checkout shown read-only at the same
 * place, or, when the lock file differs, a set-up of their own that a person granted, cached per lock file. A missing
 * environment is said as such: never a failed gate, never a retry of the model.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, sep } from 'node:path'
import { VpError } from '../core/errors.ts'
import { hex } from '../core/ids.ts'
import { canonicalJson, sha256 } from '../core/json.ts'
import { appendReceipt } from '../ledger/receipts.ts'
import type { ProjectFile } from '../plms/contract/types.ts'
import { npmInstalledFits } from '../workspace/installed.ts'
import { readWithinRepository } from '../workspace/repository-file.ts'
import { execute, type Execution } from './execution.ts'
import type { Kit } from './kit.ts'
import type { TreeScene } from './scene.ts'
import { answerTo, type Asker, type Matter } from './wrapper/approval.ts'

type Environment = ProjectFile['environment']

const LOCKED_MS = 200
const MAX_LOCK_BYTES = 64 * 1024 * 1024

/** Digest of the lock files of a tree: which environment it needs. */
function lockDigest(root: string, lockFiles: readonly string[]): string {
  return sha256(canonicalJson(lockFiles.map((name) => [name, fileDigest(root, name)])))
}

/** Null for what is absent or no plain file: that is part of the digest too. */
function fileDigest(root: string, name: string): string | null {
  const bytes = readWithinRepository(root, name, MAX_LOCK_BYTES)
  return bytes && sha256(bytes)
}

/**
 * The directory whose `reuse` folders fit this tree as it is now: the human's checkout when the lock files are equal and the
 * folders are there, else the cache, else a set-up made now if a person said yes to it.
 * Throws `environment.missing`, `environment.setup_failed`.
 */
export async function environmentFor(kit: Kit, tree: TreeScene, asker: Asker, signal: AbortSignal): Promise<string> {
  const environment = tree.project?.environment
  if (!environment || environment.reuse.length === 0) return tree.home
  const lock = lockDigest(tree.root, environment.lock_files)
  const isChanged = lock !== lockDigest(tree.home, environment.lock_files)
  if (!isChanged && environment.reuse.every((name) => isInstalled(tree.home, name))) return tree.home
  const cached = join(kit.paths.environments, await cacheKey(kit, tree, lock))
  if (existsSync(cached)) return cached
  mkdirSync(kit.paths.environments, { recursive: true, mode: 0o700 })
  return alone(kit, `${cached}.lock`, signal, async () => {
    if (existsSync(cached)) return cached
    await requireYes(kit, tree, asker, { environment, lock, isChanged })
    await setUp(kit, tree, asker, { environment, lock, cached }, signal)
    return cached
  })
}

/** A directory of the checkout itself: a link may lead to any place of the machine, and a repository may bring one. */
function isInstalled(home: string, name: string): boolean {
  const at = join(home, name)
  if (!statSync(at, { throwIfNoEntry: false })?.isDirectory()) return false
  const [lock, installed] = ['package-lock.json', `${name}/.package-lock.json`].map((path) =>
    readWithinRepository(home, path, MAX_LOCK_BYTES)?.toString('utf8'),
  )
  if (lock && installed && !npmInstalledFits(lock, installed)) return false
  return realpathSync(at).startsWith(realpathSync(home) + sep)
}

/** By the lock files, the commands, and the program that made it: an interpreter that is gone takes its packages along. */
async function cacheKey(kit: Kit, tree: TreeScene, lock: string): Promise<string> {
  const setup = tree.project?.environment.setup ?? []
  const maker = await kit.toolchain(setup[0]?.[0] ?? '', tree.root).then(
    ({ program }) => realpathSync(program),
    () => null, // then set-up itself says so
  )
  return sha256(canonicalJson([lock, setup, maker])).slice(0, 32)
}

/** One process and one task at a time; the file names its holder, and what a dead one held is taken over. */
async function alone<Result>(kit: Kit, file: string, signal: AbortSignal, body: () => Promise<Result>): Promise<Result> {
  while (!isTaken(kit, file)) await kit.sleep(LOCKED_MS, signal)
  try {
    return await body()
  } finally {
    rmSync(file, { force: true })
  }
}

function isTaken(kit: Kit, file: string): boolean {
  try {
    writeFileSync(file, kit.worker, { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const holder = readOrNull(file)
  if (holder !== null && !kit.isAlive(holder)) rmSync(file, { force: true })
  return false
}

function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null // not there, or gone meanwhile
  }
}

interface Needed {
  readonly environment: Environment
  readonly lock: string
  readonly isChanged: boolean
}

/** A yes is bound to project, lock files and commands, whichever task or process needs just this; one for a call is used up by the set-up. */
async function requireYes(kit: Kit, tree: TreeScene, asker: Asker, needed: Needed): Promise<void> {
  const { environment, lock, isChanged } = needed
  const commands = environment.setup.map((argv) => argv.join(' '))
  const what = isChanged ? `the packages of the changed ${environment.lock_files.join(', ')} are` : `${environment.reuse.join(', ')} is`
  // By hand a person can only install what their own lock file says.
  const byHand = isChanged ? [] : commands
  const missing = (why: string, approval: string | null) =>
    new VpError('environment.missing', `${what} not installed${byHand.length === 0 ? '' : ` (${byHand.join(', then ')})`}`, {
      why,
      ...(approval === null ? {} : { approval }),
      next: [...(approval === null ? [] : [`vp approve ${approval}`]), ...byHand],
    })
  const why = 'the tests need it, and a run has no network'
  if (commands.length === 0) throw missing('.vp/project.json names no set-up', null)
  if (kit.offline) throw missing('--offline, and set-up needs the network', null)
  const project = tree.project?.project_id ?? null
  const matter: Matter = {
    operation: 'environment.setup',
    project,
    sha: sha256(canonicalJson(['environment.setup', project, lock, environment.setup])),
    ask: {
      wants: commands.join('\n'),
      reaches: 'a copy of this tree, in the sandbox, with the network',
      undo: 'the packages: all. Not: what left through the network',
      fullyUndoable: false,
      maxExtent: 'project',
    },
    decision: { effect: 'ask', rule: 'project/environment', reason: `${what} not installed` },
  }
  const { kind, approval } = await answerTo(kit, asker, matter)
  if (kind === 'no') throw missing('a person said no to the set-up', null)
  if (kind === 'later') throw missing(why, approval)
}

interface SetUp {
  readonly environment: Environment
  readonly lock: string
  readonly cached: string
}

/** In a copy of the tree; what it made is put into place in one step. Throws `environment.setup_failed`. */
async function setUp(kit: Kit, tree: TreeScene, asker: Asker, { environment, lock, cached }: SetUp, signal: AbortSignal): Promise<void> {
  sweep(cached)
  const place = `${cached}.${hex(kit.random, 4)}`
  const [work, made] = [join(place, 'tree'), join(place, 'made')]
  const own = environment.reuse.map((name) => join(tree.root, name))
  mkdirSync(made, { recursive: true, mode: 0o700 })
  cpSync(tree.root, work, { recursive: true, verbatimSymlinks: true, filter: (source) => !own.includes(source) })
  const files = kit.openFiles(work)
  try {
    for (const argv of environment.setup) {
      const run = await execute(kit, { ...tree, root: work, files: () => files }, { argv, lane: tree.lane, setUp: true }, signal)
      await recordSetUp(kit, asker, { argv, lock, run })
      if (run.exit_code !== 0)
        throw new VpError('environment.setup_failed', `${argv.join(' ')} ended with ${run.exit_code ?? run.ended_by}: ${lastWords(kit, run)}`, {
          next: ['vp resume', argv.join(' ')],
        })
    }
    for (const name of environment.reuse) {
      mkdirSync(dirname(join(made, name)), { recursive: true })
      // Where set-up made none, an empty one: a task must not be able to put its own there.
      if (existsSync(join(work, name))) renameSync(join(work, name), join(made, name))
      else mkdirSync(join(made, name))
    }
    renameSync(made, cached)
  } finally {
    files.close()
    rmSync(place, { recursive: true, force: true })
  }
}

/** What a killed set-up left; its lock is ours now. */
function sweep(cached: string): void {
  const left = readdirSync(dirname(cached)).filter((name) => name.startsWith(`${basename(cached)}.`) && !name.endsWith('.lock'))
  for (const name of left) rmSync(join(dirname(cached), name), { recursive: true, force: true })
}

async function recordSetUp(kit: Kit, asker: Asker, { argv, lock, run }: { argv: readonly string[]; lock: string; run: Execution }): Promise<void> {
  await kit.store.transaction((tx) =>
    appendReceipt(tx, kit, {
      op: 'environment.setup',
      actor: 'operator',
      surface: 'engine',
      run_id: asker.runId,
      task_id: asker.taskId,
      outcome: run.exit_code === 0 ? 'ok' : 'failed',
      sandbox: run.backend,
      duration_ms: run.duration_ms,
      summary: `${argv.join(' ')} · exit ${run.exit_code ?? run.ended_by}`,
      detail: { argv: [...argv], lock, network: 'host' },
    }),
  )
}

/** The lines that tell of an error, as programs of this kind end with hints and the names of their logs; else the last ones. */
function lastWords(kit: Kit, run: Execution): string {
  const lines = run.output
    .replaceAll(run.root, '/workspace')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const telling = lines.filter((line) => /error|fail|cannot|no such|not found/i.test(line))
  return kit.redactText((telling.length > 0 ? telling : lines.slice(-3)).join(' · ')).slice(0, 300)
}

/** A digest of the environment in force, for the measurement's key: its place does not matter, its lock files do. */
export function environmentDigest(tree: TreeScene, home: string): string {
  const environment = tree.project?.environment
  if (!environment || environment.reuse.length === 0) return 'none'
  const present = environment.reuse.map((name) => {
    const at = join(home, name)
    return [name, existsSync(at) ? readdirSync(at).length + statSync(at).mtimeMs : null]
  })
  return sha256(canonicalJson([lockDigest(tree.root, environment.lock_files), present]))
}

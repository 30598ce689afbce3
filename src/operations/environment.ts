/**
 * What a project needs beside its tracked files: directories of the human's checkout shown read-only at the same
 * place, or, when the lock file differs, a set-up of their own, cached per lock file. A missing environment is said
 * as such: never a failed gate, never a retry of the model.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { VpError } from '../core/errors.ts'
import { canonicalJson, sha256 } from '../core/json.ts'
import { execute } from './execution.ts'
import type { Kit } from './kit.ts'
import type { TreeScene } from './scene.ts'

/** Digest of the lock files of a tree: which environment it needs. */
export function lockDigest(root: string, lockFiles: readonly string[]): string {
  return sha256(canonicalJson(lockFiles.map((name) => [name, readOrNull(join(root, name))])))
}

function readOrNull(path: string): string | null {
  try {
    return sha256(readFileSync(path))
  } catch {
    return null // an absent lock file is part of the digest
  }
}

/**
 * The directory whose `reuse` folders fit this tree: the human's checkout when the lock files are equal and the
 * folders are there, else the cache, else a set-up run now if `granted` allows it. Throws `environment.missing`.
 */
export async function environmentFor(kit: Kit, tree: TreeScene, granted: boolean, signal: AbortSignal): Promise<string> {
  const environment = tree.project?.environment
  if (!environment || environment.reuse.length === 0) return tree.home
  const wanted = lockDigest(tree.root, environment.lock_files)
  const complete = (at: string) => environment.reuse.every((name) => existsSync(join(at, name)))
  if (wanted === lockDigest(tree.home, environment.lock_files) && complete(tree.home)) return tree.home
  const cached = join(kit.paths.environments, sha256(canonicalJson([wanted, environment.setup])).slice(0, 32))
  if (complete(cached)) return cached
  const commands = environment.setup.map((argv) => argv.join(' '))
  if (!granted || environment.setup.length === 0) {
    const changed = wanted !== lockDigest(tree.home, environment.lock_files)
    throw new VpError(
      'environment.missing',
      changed
        ? `${environment.lock_files.join(', ')} changed, and its packages are not installed`
        : `${environment.reuse.join(', ')} is not installed in this checkout`,
      {
        why: 'tests cannot run without it, and a run has no network',
        next: changed ? ['vp config environment allow   (lets set-up use the network, once per lock file)', ...commands] : commands,
      },
    )
  }
  await setUp(kit, tree, cached, signal)
  return cached
}

async function setUp(kit: Kit, tree: TreeScene, cached: string, signal: AbortSignal): Promise<void> {
  const environment = tree.project?.environment
  if (!environment) return
  const work = `${cached}.${process.pid}`
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { recursive: true, mode: 0o700 })
  cpSync(tree.root, work, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (source) => !environment.reuse.some((name) => source === join(tree.root, name)),
  })
  try {
    for (const argv of environment.setup) {
      const run = await execute(
        kit,
        { ...tree, root: work, files: () => kit.openFiles(work) },
        { argv, lane: tree.lane, network: 'host', withoutEnvironment: true },
        signal,
      )
      if (run.exit_code !== 0)
        throw new VpError('environment.setup_failed', `${argv.join(' ')} ended with exit ${run.exit_code ?? run.ended_by}`, {
          why: run.output.trim().split('\n').slice(-3).join(' · ').slice(0, 300),
          next: [argv.join(' ')],
        })
    }
    mkdirSync(cached, { recursive: true, mode: 0o700 })
    for (const name of environment.reuse) if (existsSync(join(work, name)) && !existsSync(join(cached, name))) renameSync(join(work, name), join(cached, name))
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** A digest of the environment in force, for the measurement's key: its place does not matter, its lock files do. */
export function environmentDigest(tree: TreeScene): string {
  const environment = tree.project?.environment
  if (!environment || environment.reuse.length === 0) return 'none'
  const home = tree.environmentHome()
  const present = environment.reuse.map((name) => [
    name,
    existsSync(join(home, name)) ? readdirSync(join(home, name)).length + statSync(join(home, name)).mtimeMs : null,
  ])
  return sha256(canonicalJson([lockDigest(tree.root, environment.lock_files), present]))
}

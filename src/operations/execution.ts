/**
 * One command of a tree, in the sandbox: toolchain found outside the workspace, environment directories shown
 * read-only, limits of the lane. Every `run.*`, `search.code` and gate goes through here.
 */
import { lstatSync, rmSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { VpError } from '../core/errors.ts'
import { hex } from '../core/ids.ts'
import type { CommandRun } from '../pas/embedded/kpi/measure.ts'
import type { Limits, Mount, SandboxResult } from '../sandbox/contract.ts'
import { killOrphans } from '../sandbox/processes.ts'
import { readRepositoryFile } from '../workspace/repository-file.ts'
import { textPath, type Survey } from '../workspace/survey.ts'
import { guardTree, type GuardedTree, type Settled } from './guarded.ts'
import type { Kit } from './kit.ts'
import { programOf } from './program.ts'
import { sandboxGit } from './sandbox-git.ts'
import type { Change, TreeScene } from './scene.ts'
import { makeScratch, sweepScratch } from './scratch.ts'

export interface ExecutionRequest {
  readonly argv: readonly string[]
  readonly lane: string
  readonly cwd?: string
  readonly timeoutMs?: number
  readonly writable?: boolean
  /** A file under the scratch directory that is read back; the command is told of it as `reportPath` says. */
  readonly reportFile?: string
  /** A granted set-up of the environment: with the network, which nothing else has, and without an environment from elsewhere. */
  readonly setUp?: boolean
  /** An absolute program of ours (ripgrep), instead of one of the human's. */
  readonly program?: Mount
  readonly runId?: string | undefined
  readonly withoutEnvironment?: boolean
  /** Fills the scratch directory, `/tmp/vp` for the command. */
  readonly prepare?: (scratch: string) => Promise<void>
  readonly env?: Readonly<Record<string, string>>
  readonly mounts?: readonly Mount[]
  readonly path?: readonly string[]
  /** Tests and the like: what it leaves behind is no work of the task. */
  readonly measures?: boolean
  /** Sees the tree as it is before the command. */
  readonly onBefore?: (before: Survey) => void
}

export interface Execution extends CommandRun {
  readonly signal: string | null
  readonly output: string
  readonly truncated: boolean
  readonly backend: string
  readonly duration_ms: number
  readonly settled: Settled
}

const MIB = 1024 * 1024
const NOTHING: Settled = { writes: [], directories: [], isWhole: true, breaches: [] }
const CACHES = { npm_config_cache: '/tmp/vp/npm', npm_config_store_dir: '/tmp/vp/pnpm', XDG_CACHE_HOME: '/tmp/vp/cache' }

/** Where a command finds the report file that it was asked for. */
export function reportPath(name: string): string {
  return `/tmp/vp/${name}`
}

/** Throws `sandbox.unavailable`, `sandbox.program_missing`, `environment.missing`; whatever the command itself does is a value. */
export async function execute(kit: Kit, tree: TreeScene, request: ExecutionRequest, signal: AbortSignal): Promise<Execution> {
  const { backend } = await kit.sandbox()
  const lane = kit.lane(request.lane, tree.home)
  const home = request.setUp || request.withoutEnvironment ? tree.root : await tree.environmentHome(signal)
  const own = request.program
  const { path, mounts, binDirs } = own ? { path: own.sandboxPath, mounts: [own], binDirs: [] } : await programOf(kit, tree, request.argv[0] ?? '', home)
  const scratch = makeScratch(kit, 'run')
  const gitDirectory = makeScratch(kit, 'git')
  const isWritable = request.writable ?? true
  // A set-up fills a directory of vp's own with packages.
  let guard: GuardedTree | null = null
  let settled: Settled = NOTHING
  try {
    await request.prepare?.(scratch)
    if (isWritable && !request.setUp) guard = guardTree(tree.root, { mounts: backend.name !== 'landlock', held: () => makeScratch(kit, 'held') })
    if (guard) request.onBefore?.(guard.before)
    const git = await sandboxGit(kit, tree, { backend: backend.name, program: request.argv[0] ?? '', at: gitDirectory })
    const limits = limitsOf(lane.limits, request.timeoutMs)
    const running = backend.run(
      {
        argv: [path, ...request.argv.slice(1)],
        workspace: tree.root,
        writable: isWritable,
        protect: [...(guard?.protect ?? []), ...tree.foreignFolders],
        cwd: request.cwd ?? '',
        mounts: dedupe([...(home === tree.root ? [] : environmentMounts(tree, home)), ...mounts, ...git.mounts, ...(request.mounts ?? [])]),
        // Downloads need more room than the home in memory has.
        env: { ...git.env, ...(request.setUp ? CACHES : {}), ...request.env },
        path: [...new Set([...binDirs, ...(request.path ?? [])])],
        network: request.setUp ? 'host' : 'none',
        limits,
        scratch,
        marker: markerOf(kit),
      },
      signal,
    )
    // However it ended: nothing of the command runs any more.
    const result = await running.finally(() => (settled = guard?.settle() ?? NOTHING))
    tree.breached(settled.breaches)
    if (settled.writes.length > 0 || settled.directories.length > 0 || !settled.isWhole || settled.breaches.length > 0)
      tree.touched(changeOf(settled, request.measures !== true))
    if (signal.aborted) throw new VpError('cancelled', 'the command was cancelled')
    return toExecution(result, settled, { root: tree.root, limits, report: request.reportFile ? readReport(scratch, request.reportFile) : null })
  } finally {
    guard?.release()
    rmSync(scratch, { recursive: true, force: true })
    rmSync(gitDirectory, { recursive: true, force: true })
  }
}

/** A name that is no text is one that is not told. */
function changeOf({ writes, directories, isWhole }: Settled, isMade: boolean): Change {
  const paths = [...writes, ...directories].map(textPath)
  return { paths: paths.filter((path) => path !== null), isMade, isPart: !isWhole || paths.includes(null) }
}

/** Of one command alone: what ends with it must not take the others of this process with it. */
function markerOf(kit: Kit): string {
  return `${kit.worker}-${hex(kit.random, 6)}`
}

/**
 * Kills the commands of processes that died without ending them, should what stands above a command have died with
 * its owner; then what they had open is removed.
 */
export function endOrphans(kit: Kit): void {
  killOrphans((marker) => {
    const worker = /^(.+)-[0-9a-f]{12}$/.exec(marker)?.[1]
    return worker !== undefined && !kit.isAlive(worker)
  })
  sweepScratch(kit)
}

/** Mounts of the environment for a tree; in a checkout the directories are in place. */
function environmentMounts(tree: TreeScene, home: string): Mount[] {
  return (tree.project?.environment.reuse ?? []).map((name) => ({ hostPath: join(home, name), sandboxPath: `/workspace/${name}` }))
}

/** A program that ignores the signal of a file that is too large fails by itself, and leaves it as large as it may be. */
function endedBy({ endedBy, exitCode }: SandboxResult, hasFullFile: () => boolean): string {
  if (endedBy !== 'exit' && endedBy !== 'signal') return endedBy
  return exitCode !== 0 && hasFullFile() ? 'file_size' : 'exit'
}

function sizeOf(path: string): number {
  try {
    return lstatSync(path).size
  } catch {
    return 0 // removed, or with a name that no text says
  }
}

interface At {
  readonly root: string
  readonly limits: Limits
  readonly report: string | null
}

function toExecution(result: SandboxResult, settled: Settled, { root, limits, report }: At): Execution {
  const stdout = result.stdout.toString('utf8')
  const stderr = result.stderr.toString('utf8')
  return {
    exit_code: result.exitCode,
    signal: result.signal,
    ended_by: endedBy(result, () => settled.writes.some((path) => sizeOf(join(root, path)) === limits.fileBytes)),
    stdout,
    stderr,
    report,
    root,
    output: [stdout, stderr].filter((text) => text !== '').join('\n'),
    truncated: result.truncated,
    backend: result.backend,
    duration_ms: result.durationMs,
    settled,
  }
}

function limitsOf(lane: { maxExecSeconds: number; maxMemMb?: number }, timeoutMs: number | undefined): Limits {
  const wallMs = Math.min(lane.maxExecSeconds * 1000, timeoutMs ?? Infinity)
  const memory = (lane.maxMemMb ?? 4096) * MIB
  return {
    wallMs,
    cpuS: Math.ceil(wallMs / 1000),
    // Above what all have together: a process that meets its own ends with an error that nobody else is told of, while the
    // look at the sum says why. Node 26 reserves some 450 MiB that it never touches.
    dataBytes: memory + Math.max(memory / 4, 1024 * MIB),
    totalMemoryBytes: memory,
    tasks: 256,
    fileBytes: 1024 * MIB,
    writtenBytes: 8192 * MIB,
    tmpBytes: 256 * MIB,
    outputBytes: MIB,
  }
}

function dedupe(mounts: readonly Mount[]): Mount[] {
  return mounts.filter((mount, index) => isAbsolute(mount.hostPath) && mounts.findIndex((other) => other.sandboxPath === mount.sandboxPath) === index)
}

/** Null where the runner wrote none, which the measurement says. The command may have put anything there: no link of it is followed. */
function readReport(scratch: string, name: string): string | null {
  try {
    return readRepositoryFile(scratch, name, 64 * MIB)?.toString('utf8') ?? null
  } catch {
    return null
  }
}

/**
 * What a command sees of the disk, as a list of steps that bwrap and the box carry out alike: the system read-only,
 * an empty home and temporary directory, toolchains, and the tree at /workspace. Nothing else of the host is there.
 */
import { lstatSync, mkdirSync, readlinkSync, realpathSync, rmdirSync, statSync, symlinkSync, unlinkSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { VpError } from '../core/errors.ts'
import type { SandboxRequest } from './contract.ts'
import { ETC_NETWORK, ETC_PATHS, etcMounts } from './etc.ts'

export const WORKSPACE = '/workspace'
export const SCRATCH = '/tmp/vp'

export type ViewStep =
  | { readonly do: 'ro' | 'rw'; readonly from: string; readonly at: string }
  | { readonly do: 'tmpfs'; readonly at: string; readonly bytes: number }
  | { readonly do: 'link'; readonly target: string; readonly at: string }
  | { readonly do: 'dir' | 'proc' | 'dev'; readonly at: string }

const ROOT_NAMES = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']
/** Files of /proc that uid 0 may write whatever its capabilities: measured for `sys`, the others by the same rule. */
const PROC_COVERED = ['sys', 'sysrq-trigger', 'irq', 'bus', 'fs', 'acpi', 'scsi'].map((name) => `/proc/${name}`)
const HOME_BYTES = 64 * 1024 * 1024

export interface View {
  readonly steps: readonly ViewStep[]
  readonly cwd: string
  /** Empty directories made in the tree as mount points; to be called after the run. */
  cleanUp(): void
}

/** `base` is a directory of vp's own that outlives a run. Throws `policy.invalid` for a request that no backend may carry out, and `path.denied` for a mount point behind a symlink. */
export function buildView(request: SandboxRequest, base: string): View {
  const tree = realTree(request.workspace)
  const inTree = request.mounts.filter(({ sandboxPath }) => isBelow(WORKSPACE, sandboxPath))
  const outside = request.mounts.filter((mount) => !inTree.includes(mount))
  const made = makeMountPoints(
    tree,
    inTree.map(({ sandboxPath, hostPath }) => ({ name: relative(WORKSPACE, sandboxPath), hostPath })),
  )
  const ro = (from: string, at: string): ViewStep => ({ do: 'ro', from, at })
  const steps: ViewStep[] = [
    ro('/usr', '/usr'),
    ...ROOT_NAMES.flatMap(rootEntry),
    ...etcMounts([...ETC_PATHS, ...(request.network === 'host' ? ETC_NETWORK : [])], base).map(([from, at]) => ro(from, at)),
    { do: 'proc', at: '/proc' },
    ...PROC_COVERED.filter(exists).map((path) => ro(path, path)),
    { do: 'dev', at: '/dev' },
    { do: 'tmpfs', at: '/dev/shm', bytes: request.limits.tmpBytes },
    { do: 'tmpfs', at: '/tmp', bytes: request.limits.tmpBytes },
    { do: 'dir', at: '/home' },
    { do: 'tmpfs', at: '/home/vp', bytes: HOME_BYTES },
    { do: 'dir', at: '/run' },
    { do: 'dir', at: '/var/tmp' },
    ...outside.filter(({ sandboxPath }) => !isBelow('/usr', sandboxPath)).map((mount) => ro(realpathSync(mount.hostPath), checkedTarget(mount.sandboxPath))),
    { do: request.writable ? 'rw' : 'ro', from: tree, at: WORKSPACE },
    ...protectedPaths(tree, request.protect).map((name) => ro(join(tree, name), join(WORKSPACE, name))),
    ...inTree.map((mount) => ro(realpathSync(mount.hostPath), mount.sandboxPath)),
    ...(request.scratch === undefined ? [] : [{ do: 'rw', from: realpathSync(request.scratch), at: SCRATCH } as const]),
  ]
  return { steps, cwd: join(WORKSPACE, checkedCwd(request.cwd)), cleanUp: () => made.forEach(removeDir) }
}

/** The real path of the tree. Throws `policy.invalid` for the root of the disk or one of its top directories. */
export function realTree(workspace: string): string {
  const tree = realpathSync(workspace)
  if (tree.split(sep).filter(Boolean).length < 2) throw new VpError('policy.invalid', `${tree} is too wide to be a workspace`)
  return tree
}

/** Those names that exist, without a symlink on the way: what cannot be a mount point is not one. */
export function protectedPaths(tree: string, names: readonly string[]): readonly string[] {
  return names.filter((name) => isPlainPath(tree, name))
}

export function checkedCwd(cwd: string): string {
  if (cwd.startsWith('/') || cwd.split('/').includes('..') || cwd.includes('\0'))
    throw new VpError('policy.invalid', 'the directory of a command lies outside the workspace')
  return cwd
}

/** A mount may add a place, not replace one that the sandbox itself stands on. */
function checkedTarget(path: string): string {
  const isTaken = ['/proc', '/sys', '/dev', '/etc', '/tmp'].some((top) => isBelow(top, path)) && !isBelow('/tmp/', path)
  if (!path.startsWith('/') || path === '/' || path.split('/').includes('..') || isTaken)
    throw new VpError('policy.invalid', `${path} cannot be a mount of the sandbox`)
  return path
}

export function isBelow(top: string, path: string): boolean {
  return path === top || path.startsWith(top.endsWith('/') ? top : `${top}/`)
}

function rootEntry(name: string): ViewStep[] {
  const at = `/${name}`
  const found = lstatSync(at, { throwIfNoEntry: false })
  if (!found) return []
  return found.isSymbolicLink() ? [{ do: 'link', target: readlinkSync(at), at }] : [{ do: 'ro', from: at, at }]
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

function isPlainPath(tree: string, name: string): boolean {
  let at = tree
  for (const part of name.split('/')) {
    if (part === '' || part === '.' || part === '..') return false
    at = join(at, part)
    const found = lstatSync(at, { throwIfNoEntry: false })
    if (!found || found.isSymbolicLink()) return false
  }
  return true
}

interface MountPoint {
  readonly name: string
  readonly hostPath: string
}

/** Makes the missing ones as empty directories. Returns them, deepest first. */
function makeMountPoints(tree: string, points: readonly MountPoint[]): readonly string[] {
  const made: string[] = []
  for (const { name, hostPath } of points) {
    if (!statSync(hostPath).isDirectory()) throw new VpError('policy.invalid', `${hostPath} is not a directory and cannot be mounted in the tree`)
    walkDown(tree, name, (at) => {
      mkdirSync(at)
      made.unshift(at)
    })
  }
  return made
}

/** Throws `path.denied` when a component of `name` is not a directory of its own. */
function walkDown(tree: string, name: string, make: (at: string) => void): void {
  let at = tree
  for (const part of name.split('/')) {
    if (part === '' || part === '..') throw new VpError('policy.invalid', `${name} cannot be a mount in the tree`)
    at = join(at, part)
    const found = lstatSync(at, { throwIfNoEntry: false })
    if (!found) make(at)
    else if (!found.isDirectory()) throw new VpError('path.denied', `${name} cannot be mounted: ${part} is not a directory`)
  }
}

function removeDir(at: string): void {
  try {
    rmdirSync(at)
  } catch {
    // Not empty: the command made something of it, and the check after the run will say so.
  }
}

/** For landlock, which mounts nothing: symlinks in the tree to the mounts. Returns what removes them. */
export function linkMounts(tree: string, points: readonly MountPoint[]): () => void {
  const made: string[] = []
  const links: (readonly [at: string, to: string])[] = []
  for (const { name, hostPath } of points) {
    const parent = dirname(name)
    if (parent !== '.')
      walkDown(tree, parent, (at) => {
        mkdirSync(at)
        made.unshift(at)
      })
    const at = join(tree, name)
    const found = lstatSync(at, { throwIfNoEntry: false })
    if (found?.isDirectory()) removeDir(at)
    else if (found) throw new VpError('path.denied', `${name} cannot be mounted: it is not a directory`)
    // A directory with something in it stays: the tree's own files win where nothing can be mounted over them.
    if (lstatSync(at, { throwIfNoEntry: false })) continue
    symlinkSync(realpathSync(hostPath), at)
    links.push([at, realpathSync(hostPath)])
  }
  return () => {
    for (const [at, to] of links) if (isLinkTo(at, to)) unlinkSync(at)
    made.forEach(removeDir)
  }
}

function isLinkTo(at: string, to: string): boolean {
  const found = lstatSync(at, { throwIfNoEntry: false })
  return found?.isSymbolicLink() === true && readlinkSync(at) === to
}

/**
 * For backends that mount nothing: the command sees the real paths of the host. Its argv and environment are written in
 * them, its output is written back to those of the sandbox, and mounts in the tree are symlinks as long as it runs.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { SandboxRequest } from './contract.ts'
import type { Replacement } from './output.ts'
import { isBelow, linkMounts, realTree, SCRATCH, WORKSPACE } from './view.ts'

export interface RealPaths {
  readonly tree: string
  /** Private to the run, writable. */
  readonly tmp: string
  readonly home: string
  readonly scratch: readonly string[]
  /** Where mounts in the tree are linked, relative to it. */
  readonly links: readonly string[]
  /** A text with the paths of the sandbox in it, in those of the host. */
  real(text: string): string
  /** The other way, for what the command prints. */
  readonly rewrite: readonly Replacement[]
  /** After the run. */
  cleanUp(): void
}

/** In the letters that the disk has: most disks of Macs take others for them, and rules and output do not. */
export const onDisk = (path: string): string => realpathSync.native(path)

/** Makes the directories and links of one run, below `tmpBase` and in the tree. Throws `policy.invalid`, `path.denied`. */
export function realPaths(request: SandboxRequest, tmpBase: string): RealPaths {
  const tree = onDisk(realTree(request.workspace))
  const inTree = request.mounts.filter(({ sandboxPath }) => isBelow(WORKSPACE, sandboxPath))
  const place = mkdtempSync(join(onDisk(tmpBase), 'run-'))
  const tmp = join(place, 'tmp')
  const home = join(place, 'home')
  mkdirSync(tmp)
  mkdirSync(home)
  const points = inTree.map(({ sandboxPath, hostPath }) => ({ name: relative(WORKSPACE, sandboxPath), hostPath }))
  const unlink = linkMounts(tree, points)
  const scratch = request.scratch === undefined ? [] : [onDisk(request.scratch)]
  const moved = request.mounts.filter((mount) => !inTree.includes(mount)).map(({ hostPath, sandboxPath }) => [onDisk(hostPath), sandboxPath] as const)
  const places: readonly Replacement[] = [
    [tree, WORKSPACE],
    ...scratch.map((path) => [path, SCRATCH] as const),
    [tmp, '/tmp'],
    [home, '/home/vp'],
    // Also those that keep their path: a program below the real /tmp is not one of the private /tmp.
    ...moved,
  ]
  return {
    tree,
    tmp,
    home,
    scratch,
    links: points.map(({ name }) => name),
    real: (text) => toHost(text, places),
    // Programs print the real path of what a symlink in the tree leads to.
    rewrite: [...places, ...inTree.map(({ hostPath, sandboxPath }) => [onDisk(hostPath), sandboxPath] as const)],
    cleanUp() {
      unlink()
      rmSync(place, { recursive: true, force: true })
    },
  }
}

/** Paths of the sandbox as whole path prefixes: at the start, or after `=`, `:` or `,`. The longest wins. */
function toHost(text: string, places: readonly Replacement[]): string {
  const byInside = new Map(places.map(([host, inside]) => [inside, host]))
  const names = [...byInside.keys()].toSorted((a, b) => b.length - a.length).map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return text.replace(
    new RegExp(`(^|[=:,])(${names.join('|')})(?=$|[/:,])`, 'g'),
    (whole, before: string, inside: string) => before + (byInside.get(inside) ?? whole),
  )
}

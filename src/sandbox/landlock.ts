/**
 * The sandbox where no namespace can be made: Landlock for files, seccomp for the network, /proc for leftovers. The
 * command sees real paths; its argv and environment are written in them, and its output is written back to /workspace.
 * Leaves out: write protection inside the tree, hiding of processes, a loopback of its own.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Clock } from '../core/ports.ts'
import { launchFailure } from './box.ts'
import type { Launcher, SandboxRequest } from './contract.ts'
import { buildEnvironment, MARKER_NAME } from './environment.ts'
import { ETC_NETWORK, ETC_PATHS } from './etc.ts'
import { limitArgv } from './limits.ts'
import type { LandlockOrders, LandlockRule } from './orders.ts'
import type { Replacement } from './output.ts'
import { killLeftovers, markedProcesses, threadsOf } from './processes.ts'
import { seccompFilter, type FilterArch } from './seccomp.ts'
import { backendOf, type Prepared, type PreparingBackend } from './supervise.ts'
import { checkedCwd, isBelow, linkMounts, realTree, SCRATCH, WORKSPACE } from './view.ts'

export interface LandlockParts {
  readonly clock: Clock
  readonly launcher: Launcher
  readonly prlimit: string
  readonly arch: FilterArch
  readonly uid: number
  /** A private directory of vp: each run gets its temporary directory and home below it. */
  readonly tmpBase: string
}

export function landlockBackend(parts: LandlockParts): PreparingBackend {
  return backendOf('landlock', parts.clock, (request) => prepareLandlock(parts, request))
}

const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/proc', '/dev/random', '/dev/urandom', ...ETC_PATHS]
/** What the same user may start meanwhile: here the kernel counts all of it together. */
const OTHERS = 256
const DEVICES = ['/dev/null', '/dev/zero', '/dev/full']

export function prepareLandlock(parts: LandlockParts, request: SandboxRequest): Prepared {
  const tree = realTree(request.workspace)
  const inTree = request.mounts.filter(({ sandboxPath }) => isBelow(WORKSPACE, sandboxPath))
  const place = mkdtempSync(join(realpathSync(parts.tmpBase), 'run-'))
  const tmp = join(place, 'tmp')
  const home = join(place, 'home')
  mkdirSync(tmp)
  mkdirSync(home)
  const unlink = linkMounts(
    tree,
    inTree.map(({ sandboxPath, hostPath }) => ({ name: relative(WORKSPACE, sandboxPath), hostPath })),
  )
  const scratch = request.scratch === undefined ? [] : [[realpathSync(request.scratch), SCRATCH] as const]
  const moved = request.mounts.filter((mount) => !inTree.includes(mount)).map(({ hostPath, sandboxPath }) => [realpathSync(hostPath), sandboxPath] as const)
  const places: readonly Replacement[] = [
    [tree, WORKSPACE],
    ...scratch,
    [tmp, '/tmp'],
    [home, '/home/vp'],
    // Also those that keep their path: a program below the real /tmp is not one of the private /tmp.
    ...moved,
  ]
  const real = (text: string) => toHost(text, places)
  const orders: LandlockOrders = {
    kind: 'landlock',
    rules: landlockRules(request, { tree, tmp, home, scratch: scratch.map(([path]) => path) }),
    cwd: join(tree, checkedCwd(request.cwd)),
    argv: [
      ...limitArgv(parts.prlimit, request.limits, {
        processes: parts.uid === 0 ? null : threadsOf(parts.uid) + request.limits.tasks + OTHERS,
      }),
      ...request.argv.map(real),
    ],
    env: Object.fromEntries(Object.entries(buildEnvironment(request)).map(([name, value]) => [name, real(value)])),
    filter: seccompFilter(parts.arch, { inet: request.network === 'host', keepDumpable: true }).toString('base64'),
    refusesTcp: request.network === 'none',
  }
  return {
    backend: 'landlock',
    file: parts.launcher.node,
    args: parts.launcher.argv,
    env: { [MARKER_NAME]: request.marker },
    orders: Buffer.from(JSON.stringify(orders)),
    // Programs print the real path of what a symlink in the tree leads to.
    rewrite: [...places, ...inTree.map(({ hostPath, sandboxPath }) => [realpathSync(hostPath), sandboxPath] as const)],
    capsProcesses: parts.uid === 0,
    signalsAsCodes: false,
    setUpFailure: launchFailure,
    strays: () => markedProcesses(request.marker),
    cleanUp() {
      killLeftovers(request.marker)
      unlink()
      rmSync(place, { recursive: true, force: true })
    },
  }
}

interface Places {
  readonly tree: string
  readonly tmp: string
  readonly home: string
  readonly scratch: readonly string[]
}

function landlockRules(request: SandboxRequest, { tree, tmp, home, scratch }: Places): LandlockRule[] {
  const reads = [
    ...SYSTEM,
    ...(request.network === 'host' ? ETC_NETWORK : []),
    ...request.mounts.map(({ hostPath }) => realpathSync(hostPath)),
    ...(request.writable ? [] : [tree]),
  ]
  const writes = [...DEVICES, tmp, home, ...scratch, ...(request.writable ? [tree] : [])]
  return [
    ...reads.filter((path) => statSync(path, { throwIfNoEntry: false })).map((path) => ({ path, access: 'read' }) as const),
    ...writes.map((path) => ({ path, access: 'write' }) as const),
  ]
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

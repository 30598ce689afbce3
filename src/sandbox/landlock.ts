/**
 * The sandbox where no namespace can be made: Landlock for files, seccomp for the network, a supervisor for what it leaves. The
 * command sees real paths; its argv and environment are written in them, and its output is written back to /workspace.
 * Leaves out: write protection inside the tree, hiding of processes, a loopback of its own.
 */
import { realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../core/ports.ts'
import { launchFailure } from './box.ts'
import type { Launcher, SandboxRequest } from './contract.ts'
import { buildEnvironment, MARKER_NAME } from './environment.ts'
import { ETC_NETWORK, ETC_PATHS } from './etc.ts'
import { limitArgv } from './limits.ts'
import { SUPERVISE, type LandlockOrders, type LandlockRule } from './orders.ts'
import { killLeftovers, threadsOf } from './processes.ts'
import { seccompFilter, type FilterArch } from './seccomp.ts'
import { realPaths, type RealPaths } from './real-paths.ts'
import { backendOf, type Prepared, type PreparingBackend } from './supervise.ts'
import { checkedCwd } from './view.ts'
import { watchProc } from './watch.ts'

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
  const paths = realPaths(request, parts.tmpBase)
  const orders: LandlockOrders = {
    kind: 'landlock',
    rules: landlockRules(request, paths),
    cwd: join(paths.tree, checkedCwd(request.cwd)),
    argv: [
      ...limitArgv(parts.prlimit, request.limits, {
        processes: parts.uid === 0 ? null : threadsOf(parts.uid) + request.limits.tasks + OTHERS,
      }),
      ...request.argv.map(paths.real),
    ],
    env: Object.fromEntries(Object.entries(buildEnvironment(request)).map(([name, value]) => [name, paths.real(value)])),
    filter: seccompFilter(parts.arch, { inet: request.network === 'host', seesHost: true }).toString('base64'),
    refusesTcp: request.network === 'none',
  }
  return {
    backend: 'landlock',
    file: parts.launcher.node,
    args: [...parts.launcher.argv, SUPERVISE],
    env: { [MARKER_NAME]: request.marker },
    orders: Buffer.from(JSON.stringify(orders)),
    rewrite: paths.rewrite,
    capsProcesses: parts.uid === 0,
    signalsAsCodes: true,
    endsOnHangUp: true,
    setUpFailure: launchFailure,
    watch: watchProc,
    strays: () => [],
    cleanUp() {
      // Should the supervisor itself have been killed.
      killLeftovers(request.marker)
      paths.cleanUp()
    },
  }
}

function landlockRules(request: SandboxRequest, { tree, tmp, home, scratch }: RealPaths): LandlockRule[] {
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

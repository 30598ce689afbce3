/**
 * The sandbox of macOS: sandbox-exec with a profile made for the run. The command sees real paths, as on Landlock.
 * Experimental: never run on a Mac; the tests drive all but the profile itself with a stand-in for sandbox-exec.
 * Leaves out: a loopback of its own, limits on memory and threads that the kernel holds, processes that leave their group
 * and their parent between two looks.
 */
import { join } from 'node:path'
import { VpError } from '../core/errors.ts'
import type { Clock } from '../core/ports.ts'
import { launchFailure } from './box.ts'
import type { Limits, SandboxRequest } from './contract.ts'
import { buildEnvironment } from './environment.ts'
import { BESIDE } from './limits.ts'
import { LAUNCHED } from './orders.ts'
import { processesOf, psWatch } from './ps.ts'
import { onDisk, realPaths, type RealPaths } from './real-paths.ts'
import { seatbeltProfile, type Profile } from './seatbelt-profile.ts'
import { kill } from './processes.ts'
import { backendOf, type Prepared, type PreparingBackend } from './supervise.ts'
import { checkedCwd } from './view.ts'

export interface SeatbeltParts {
  readonly clock: Clock
  readonly sandboxExec: string
  readonly bash: string
  readonly ps: string
  readonly uid: number
  /** A private directory of vp: each run gets its temporary directory and home below it. */
  readonly tmpBase: string
}

export function seatbeltBackend(parts: SeatbeltParts): PreparingBackend {
  return backendOf('seatbelt', parts.clock, (request) => prepareSeatbelt(parts, request))
}

/**
 * Runs inside the profile and becomes the command: fixed text, what varies is $1 and following. A guard in the same group
 * waits for descriptor 4 to close, which it does when vp is gone, and then kills the group; it is no child
 * of the command, which may wait for all it has. bash counts files in KiB.
 * The limit on processes is only ever lowered: where the machine's own is below it, that one holds.
 */
const BECOME = `ulimit -c 0 && ulimit -n 4096 && ulimit -f "$1" && ulimit -S -t "$2" && ulimit -H -t "$3" || exit 125
ulimit -u "$4" 2>/dev/null
cd -- "$5" || exit 125
( ( trap '' HUP INT TERM; read -r _ <&4; kill -KILL 0 ) </dev/null >/dev/null 2>&1 3>&- & )
shift 5
unset OLDPWD
printf '${LAUNCHED.trim()}\\n' >&3
exec 3>&- 4<&-
exec "$@"`

/** What the command's user may start meanwhile: the kernel counts all of it together. */
const OTHERS = 256

export function prepareSeatbelt(parts: SeatbeltParts, request: SandboxRequest): Prepared {
  // All that may throw comes before the first directory is made.
  const environment = Object.entries(buildEnvironment(request))
  const cwd = checkedCwd(request.cwd)
  request.protect.forEach(checkName)
  const limits = limitWords(request.limits, processesOf(parts.ps, parts.uid))
  const paths = realPaths(request, parts.tmpBase)
  const counted = psWatch(parts.ps)
  const profile = profileOf(paths, request)
  return {
    backend: 'seatbelt',
    file: parts.sandboxExec,
    args: [
      '-p',
      profile.text,
      ...profile.parameters.flatMap(([name, value]) => ['-D', `${name}=${value}`]),
      parts.bash,
      '--noprofile',
      '--norc',
      '-c',
      BECOME,
      'vp',
      ...limits,
      join(paths.tree, cwd),
      ...request.argv.map(paths.real),
    ],
    env: Object.fromEntries(environment.map(([name, value]) => [name, paths.real(value)])),
    orders: Buffer.alloc(0),
    rewrite: paths.rewrite,
    signalsAsCodes: false,
    setUpFailure: launchFailure,
    capsProcesses: false,
    endsGroup: true,
    watch: counted.watch,
    strays: counted.strays,
    cleanUp() {
      counted.strays().forEach(kill)
      paths.cleanUp()
    },
  }
}

/** File blocks, CPU seconds twice, processes: $1 to $4. */
function limitWords({ fileBytes, cpuS, tasks }: Limits, others: number): string[] {
  const whole = (value: number) => String(Math.max(1, Math.floor(value)))
  return [whole(fileBytes / 1024), whole(cpuS), whole(cpuS + 1), whole(others + OTHERS + tasks + BESIDE)]
}

function profileOf(paths: RealPaths, request: SandboxRequest): Profile {
  const { tree } = paths
  return seatbeltProfile({
    tree,
    isTreeWritable: request.writable,
    writable: [paths.tmp, paths.home, ...paths.scratch],
    readable: request.mounts.map(({ hostPath }) => onDisk(hostPath)),
    protect: [...request.protect, ...paths.links].map((name) => join(tree, name)),
    network: request.network,
  })
}

function checkName(name: string): void {
  if (name.includes('\0') || name.split('/').some((part) => part === '' || part === '.' || part === '..'))
    throw new VpError('policy.invalid', `${JSON.stringify(name)} cannot be protected: it is no path of the tree`)
}

/**
 * The sandbox without bubblewrap: util-linux makes the namespaces, our launcher lays out the same view as bwrap's and
 * becomes the command. Needs user namespaces (or root) and Linux 5.12.
 */
import type { Clock } from '../core/ports.ts'
import type { Launcher, SandboxRequest } from './contract.ts'
import { buildEnvironment, MARKER_NAME } from './environment.ts'
import { limitArgv } from './limits.ts'
import { LAUNCH_FAILED, LAUNCHED, type BoxOrders } from './orders.ts'
import { seccompFilter, type FilterArch } from './seccomp.ts'
import { backendOf, type Prepared, type PreparingBackend } from './supervise.ts'
import { buildView } from './view.ts'
import { watchProc } from './watch.ts'

export interface BoxParts {
  readonly clock: Clock
  readonly launcher: Launcher
  readonly setpriv: string
  readonly unshare: string
  readonly prlimit: string
  readonly arch: FilterArch
  readonly isRoot: boolean
  /** A directory of vp's own that outlives a run. */
  readonly tmpBase: string
  /** Root without the right to make namespaces (a container) needs a user namespace too. */
  readonly needsUserNamespace: boolean
}

export function boxBackend(parts: BoxParts): PreparingBackend {
  return backendOf('box', parts.clock, (request) => prepareBox(parts, request))
}

/**
 * As the first process the command itself could not be stopped by most signals, and orphans would stay as zombies that
 * count. Fixed text: waits for the command, reaps what it left, hands on its signal as 128 + n, says nothing itself.
 */
const FIRST_PROCESS = ['/bin/sh', '-c', 'exec 3>&2 2>/dev/null; "$@" 2>&3 3>&-; exit $?', 'sh']

export function prepareBox(parts: BoxParts, request: SandboxRequest): Prepared {
  const view = buildView(request, parts.tmpBase)
  const orders: BoxOrders = {
    kind: 'box',
    steps: view.steps,
    cwd: view.cwd,
    argv: [...FIRST_PROCESS, ...limitArgv(parts.prlimit, request.limits, { processes: parts.isRoot ? null : request.limits.tasks }), ...request.argv],
    env: buildEnvironment(request),
    filter: seccompFilter(parts.arch, { inet: true, seesHost: false }).toString('base64'),
    hasOwnNetwork: request.network === 'none',
  }
  return {
    backend: 'box',
    file: parts.setpriv,
    args: [
      '--pdeathsig',
      'KILL',
      parts.unshare,
      ...(parts.needsUserNamespace ? ['-U', '-c', '--keep-caps'] : []),
      '-m',
      '-p',
      '-i',
      '-u',
      '-f',
      '--kill-child',
      ...(request.network === 'none' ? ['-n'] : []),
      parts.launcher.node,
      ...parts.launcher.argv,
    ],
    env: { [MARKER_NAME]: request.marker },
    orders: Buffer.from(JSON.stringify(orders)),
    rewrite: [],
    capsProcesses: parts.isRoot,
    signalsAsCodes: true,
    setUpFailure: launchFailure,
    watch: watchProc,
    strays: () => [],
    cleanUp: view.cleanUp,
  }
}

/** The launcher's own account; without its word that it got as far as the command, that of what started it. */
export function launchFailure({ orders, stderr }: Parameters<Prepared['setUpFailure']>[0]): string | null {
  const at = orders.indexOf(LAUNCH_FAILED)
  if (at !== -1) return orders.slice(at + LAUNCH_FAILED.length, at + 300)
  if (orders.startsWith(LAUNCHED)) return null
  return stderr.split('\n')[0]?.slice(0, 300) || 'the launcher ended without a word'
}

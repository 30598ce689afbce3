/**
 * The sandbox on the system's bubblewrap: one argv, no shell, no temporary file. The filter goes in on descriptor 3,
 * bubblewrap's own account of the run comes out on descriptor 4.
 */
import type { Clock } from '../core/ports.ts'
import type { SandboxRequest } from './contract.ts'
import { buildEnvironment, MARKER_NAME } from './environment.ts'
import { loadLibc } from './launcher-libc.ts'
import { limitArgv } from './limits.ts'
import { seccompFilter, type FilterArch } from './seccomp.ts'
import { backendOf, type Prepared, type PreparingBackend } from './supervise.ts'
import { buildView, type ViewStep } from './view.ts'
import { watchProc } from './watch.ts'

export interface BwrapParts {
  readonly clock: Clock
  readonly bwrap: string
  readonly prlimit: string
  readonly arch: FilterArch
  readonly isRoot: boolean
  /** A directory of vp's own that outlives a run. */
  readonly tmpBase: string
}

/** Throws where node:ffi is missing: then descriptors that vp itself inherited would reach the command. */
export function bwrapBackend(parts: BwrapParts): PreparingBackend {
  loadLibc().sealDescriptors()
  return backendOf('bwrap', parts.clock, (request) => prepareBwrap(parts, request))
}

const ISOLATE = ['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try']
const HARDEN = ['--disable-userns', '--hostname', 'vp', '--die-with-parent', '--new-session', '--cap-drop', 'ALL', '--clearenv']

export function prepareBwrap(parts: BwrapParts, request: SandboxRequest): Prepared {
  const view = buildView(request, parts.tmpBase)
  const args = [
    ...ISOLATE,
    ...(request.network === 'none' ? ['--unshare-net'] : []),
    ...HARDEN,
    ...view.steps.flatMap(stepArgs),
    '--remount-ro',
    '/',
    '--chdir',
    view.cwd,
    ...Object.entries(buildEnvironment(request)).flatMap(([name, value]) => ['--setenv', name, value]),
    '--seccomp',
    '3',
    '--json-status-fd',
    '4',
    '--',
    // A user namespace of its own counts only its own processes, but for root nothing is counted.
    ...limitArgv(parts.prlimit, request.limits, { processes: parts.isRoot ? null : request.limits.tasks }),
    ...request.argv,
  ]
  return {
    backend: 'bwrap',
    file: parts.bwrap,
    args,
    env: { [MARKER_NAME]: request.marker },
    orders: seccompFilter(parts.arch, { inet: true, seesHost: false }),
    rewrite: [],
    capsProcesses: parts.isRoot,
    signalsAsCodes: true,
    // Its account ends with the command's exit status; without that the command never ran.
    setUpFailure: ({ status, stderr, code }) => (code === 0 || status.includes('"exit-code"') ? null : firstLine(stderr)),
    watch: watchProc,
    strays: () => [],
    cleanUp: view.cleanUp,
  }
}

function firstLine(text: string): string {
  return text.split('\n')[0]?.slice(0, 300) || 'it ended without a word'
}

function stepArgs(step: ViewStep): string[] {
  switch (step.do) {
    case 'ro':
      return ['--ro-bind', step.from, step.at]
    case 'rw':
      return ['--bind', step.from, step.at]
    case 'tmpfs':
      return ['--perms', step.at.startsWith('/home') ? '0755' : '1777', '--size', String(step.bytes), '--tmpfs', step.at]
    case 'link':
      return ['--symlink', step.target, step.at]
    case 'dir':
      return ['--dir', step.at]
    case 'proc':
      return ['--proc', step.at]
    case 'dev':
      return ['--dev', step.at]
  }
}

/**
 * Whether a backend holds what it promises on this very machine, tried for real: one hostile run, and one run whose
 * parent is killed. Fails closed: whatever does not answer as expected is a reason not to use the backend.
 */
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DEFAULT_LIMITS, type BackendName, type SandboxRequest } from './contract.ts'
import { buildEnvironment } from './environment.ts'
import { probeArgv, type ProbeReport } from './probe.ts'
import { isThere } from '../core/is-there.ts'
import { killGroup, killLeftovers, markedProcesses, namedProcesses } from './processes.ts'
import type { PreparingBackend } from './supervise.ts'

/** Goes into the cache key: raise it when a check is added. */
export const SELF_TEST_VERSION = 5

export interface SelfTestPlace {
  /** The Node that runs the probe, and this process's id, which the box must not reach. */
  readonly node: string
  readonly hostPid: number
  /** A directory of vp, outside every workspace. */
  readonly tmpBase: string
  /** Two fresh ones. */
  readonly markers: readonly [string, string]
}

const LINUX: readonly BackendName[] = ['bwrap', 'box', 'landlock']
const ALL: readonly BackendName[] = [...LINUX, 'seatbelt']

/** What each attempt of the probe must come to, on the backends that can do it. */
const MUST_WORK: readonly (readonly [string, readonly BackendName[]])[] = [
  ['read', ALL],
  ['write', ALL],
  ['temp', ALL],
  ['loopback', ['bwrap', 'box']],
]
const MUST_FAIL: readonly (readonly [string, readonly BackendName[]])[] = [
  ...['canary', 'set_id', 'truncate', 'outside', 'listing', 'tcp', 'unix'].map((name) => [name, ALL] as const),
  ...['core_pattern', 'sysrq', 'host_environ', 'unshare', 'abstract'].map((name) => [name, LINUX] as const),
  ...['git', 'git_moved'].map((name) => [name, ['bwrap', 'box', 'seatbelt']] as const),
  ['kill_host', ['seatbelt']],
]

/** null when all holds, else the first thing that does not. */
export async function selfTest(backend: PreparingBackend, place: SelfTestPlace): Promise<string | null> {
  const dir = realpathSync(mkdtempSync(join(place.tmpBase, 'self-test-')))
  try {
    return (await hostileRun(backend, place, dir)) ?? (await KILLED_PARENT[backend.name](backend, place, dir))
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    for (const marker of place.markers) killLeftovers(marker)
    rmSync(dir, { recursive: true, force: true })
  }
}

function request(dir: string, place: SelfTestPlace, argv: readonly string[], marker: string): SandboxRequest {
  const node = realpathSync(place.node)
  return {
    argv,
    workspace: join(dir, 'tree'),
    writable: true,
    protect: ['.git'],
    cwd: '',
    mounts: [{ hostPath: node, sandboxPath: node }],
    env: {},
    path: [],
    network: 'none',
    limits: { ...DEFAULT_LIMITS, wallMs: 15_000 },
    marker,
  }
}

async function hostileRun(backend: PreparingBackend, place: SelfTestPlace, dir: string): Promise<string | null> {
  mkdirSync(join(dir, 'tree/.git'), { recursive: true })
  writeFileSync(join(dir, 'tree/file'), 'inside')
  writeFileSync(join(dir, 'canary'), 'canary')
  const [marker] = place.markers
  const abstract = backend.name === 'seatbelt' ? null : `\0vp-${marker}`
  const listeners = await listen(join(dir, 'socket'), abstract)
  try {
    const orders = {
      canary: join(dir, 'canary'),
      outside: dir,
      ...listeners.ports,
      unix: join(dir, 'socket'),
      abstract,
      hostPid: place.hostPid,
    }
    const wanted = request(dir, place, [realpathSync(place.node), ...probeArgv(orders)], marker)
    const result = await backend.run(wanted)
    if (result.endedBy !== 'exit' || result.exitCode !== 0)
      return `the probe ended by ${result.endedBy} ${result.signal ?? result.exitCode}: ${result.stderr.toString().slice(0, 200)}`
    const report = JSON.parse(result.stdout.toString()) as ProbeReport
    // Its own number only where the probe sees those of the machine; what it left in a session of its own is a weakness there.
    if (backend.name === 'seatbelt' && report.left > 1) killGroup(report.left)
    return judge(report, backend.name, new Set(Object.keys(buildEnvironment(wanted)))) ?? judgeOutside(dir, listeners.heard()) ?? (await survivors(marker))
  } finally {
    listeners.close()
  }
}

async function listen(path: string, abstract: string | null) {
  let isHeard = false
  const hear = () => (isHeard = true)
  const tcp = createServer(hear).listen(0, '127.0.0.1')
  const servers = [tcp, ...[path, ...(abstract === null ? [] : [abstract])].map((at) => createServer(hear).listen(at))]
  const udp = createSocket('udp4', hear)
  udp.bind(0, '127.0.0.1')
  await Promise.all([...servers, udp].map((server) => once(server, 'listening')))
  return {
    ports: { tcp: (tcp.address() as AddressInfo).port, udp: udp.address().port },
    heard: () => isHeard,
    close() {
      for (const server of servers) server.close()
      udp.close()
    },
  }
}

/** By bash, and by the library that Node starts with; neither of the host. */
const SET_BY_MACOS = new Set(['_', 'SHLVL', '__CF_USER_TEXT_ENCODING'])

function judge(report: ProbeReport, name: BackendName, allowed: ReadonlySet<string>): string | null {
  for (const [attempt, backends] of MUST_WORK)
    if (backends.includes(name) && report.attempts[attempt] !== 'done') return `${attempt} does not work inside: ${report.attempts[attempt]}`
  for (const [attempt, backends] of MUST_FAIL)
    if (backends.includes(name) && (report.attempts[attempt] ?? 'done') === 'done') return `${attempt} is possible from inside`
  const stray = report.variables.find((variable) => !allowed.has(variable) && !(name === 'seatbelt' && SET_BY_MACOS.has(variable)))
  if (stray) return `the variable ${stray} is visible inside`
  if (name === 'seatbelt') return null
  for (const line of ['Seccomp:\t2', 'NoNewPrivs:\t1', 'CapEff:\t0000000000000000'])
    if (!report.status.includes(`${line}\n`)) return `/proc/self/status lacks ${line.replace('\t', ' ')}`
  return null
}

function judgeOutside(dir: string, isHeard: boolean): string | null {
  if (isHeard) return 'a listener outside was reached'
  return readFileSync(join(dir, 'canary'), 'utf8') === 'canary' ? null : 'a file outside was changed'
}

/** By their environment, and those that have none by an argument. */
async function survivors(marker: string): Promise<string | null> {
  return (await until(1000, () => markedProcesses(marker).length + namedProcesses(marker).length === 0)) ? null : 'a process outlived the run'
}

/** Starts the run below a process of its own, as vp would, and kills that process. It ends by itself when vp is killed meanwhile. */
const PARENT = `
const o = JSON.parse(process.argv[1])
const child = require('child_process').spawn(o.file, o.args, { env: o.env, cwd: '/', detached: true, stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] })
child.stdio[3].on('error', () => {}).end(Buffer.from(o.orders, 'base64'))
process.stdin.resume().on('end', () => process.exit())
`

const LEAVING = 'env -i setsid -f /bin/sh -c "sleep 31; :" "$1"; setsid sleep 31 & sleep 31'

async function killedParent(backend: PreparingBackend, place: SelfTestPlace, dir: string): Promise<string | null> {
  const marker = place.markers[1]
  return underParent(backend, place, request(dir, place, ['/bin/sh', '-c', LEAVING, 'sh', marker], marker), {
    hasStarted: () => appears(marker, 'sleep\x0031'),
    isLeft: async () => (await survivors(marker)) !== null,
  })
}

/** Without /proc: the command says its own number. What left its group is not looked for. */
async function killedParentByNumber(backend: PreparingBackend, place: SelfTestPlace, dir: string): Promise<string | null> {
  const said = join(dir, 'tree', 'number')
  const number = () => Number(readFileSync(said, 'utf8'))
  return underParent(backend, place, request(dir, place, ['/bin/sh', '-c', 'echo $$ >number.new; mv number.new number; exec sleep 31'], place.markers[1]), {
    hasStarted: () => until(5000, () => existsSync(said)),
    // One that has ended is there until the machine has reaped it.
    isLeft: async () => !(await until(4000, () => !isThere(number()))),
  })
}

const KILLED_PARENT: Readonly<Record<BackendName, typeof killedParent>> = {
  bwrap: killedParent,
  box: killedParent,
  landlock: killedParent,
  seatbelt: killedParentByNumber,
}

interface Seen {
  hasStarted(): Promise<boolean>
  isLeft(): Promise<boolean>
}

async function underParent(backend: PreparingBackend, place: SelfTestPlace, wanted: SandboxRequest, { hasStarted, isLeft }: Seen): Promise<string | null> {
  const prepared = backend.prepare(wanted)
  const { file, args, env } = prepared
  const spec = JSON.stringify({ file, args, env, orders: prepared.orders.toString('base64') })
  const parent = spawn(place.node, ['-e', PARENT, spec], { env: {}, stdio: ['pipe', 'ignore', 'ignore'] })
  try {
    const closed = once(parent, 'close')
    if (!(await hasStarted())) return 'the run with a parent to kill did not start'
    parent.kill('SIGKILL')
    await closed
    return (await isLeft()) ? 'a process outlived its killed parent' : null
  } finally {
    parent.kill('SIGKILL')
    prepared.cleanUp()
  }
}

async function until(mostMs: number, isSo: () => boolean): Promise<boolean> {
  for (let waited = 0; waited < mostMs; waited += 20) {
    if (isSo()) return true
    await sleep(20)
  }
  return false
}

async function appears(marker: string, command: string): Promise<boolean> {
  for (let waited = 0; waited < 5000; waited += 10) {
    const isThere = (pid: number) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith(command)
      } catch {
        // Gone again.
        return false
      }
    }
    if (markedProcesses(marker).filter(isThere).length >= 2) return true
    await sleep(10)
  }
  return false
}

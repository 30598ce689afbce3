/**
 * Which sandbox runs commands on this machine: bwrap, else the box, else landlock; on macOS seatbelt alone. Each only after
 * its self-test. The answer is cached with everything it depends on. None passes: refused, with what to do about it.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { dirname, join } from 'node:path'
import { VpError } from '../core/errors.ts'
import { canonicalJson, sha256 } from '../core/json.ts'
import type { Clock, Random } from '../core/ports.ts'
import { boxBackend } from './box.ts'
import { bwrapBackend } from './bwrap.ts'
import type { Backend, BackendName, Launcher } from './contract.ts'
import { landlockBackend } from './landlock.ts'
import type { FilterArch } from './seccomp.ts'
import { seatbeltBackend } from './seatbelt.ts'
import { SELF_TEST_VERSION, selfTest } from './self-test.ts'
import type { PreparingBackend } from './supervise.ts'

export interface SelectOptions {
  readonly clock: Clock
  readonly random: Random
  readonly launcher: Launcher
  /** A private directory of vp for what runs leave for a moment; must exist or be makeable. */
  readonly tmpBase: string
  readonly cacheFile: string
  readonly platform: string
  readonly arch: string
  readonly uid: number
  readonly pid: number
  /** Only this one; then nothing else is tried. */
  readonly pin?: BackendName
  /** Where the system's programs are looked for. */
  readonly programDirs?: readonly string[]
}

export interface Tried {
  readonly name: BackendName
  readonly ok: boolean
  readonly reason?: string
}

export interface Selection {
  readonly backend: Backend
  readonly tried: readonly Tried[]
  /** What the backend in force cannot do, in words for `vp doctor` and receipts. */
  readonly weaknesses: readonly string[]
  readonly isCached: boolean
}

const CANDIDATES: Readonly<Record<string, readonly BackendName[]>> = { linux: ['bwrap', 'box', 'landlock'], darwin: ['seatbelt'] }
const PROGRAM_DIRS = ['/usr/bin', '/bin', '/usr/local/bin', '/usr/sbin', '/sbin']
const NEEDS = {
  bwrap: ['bwrap', 'prlimit'],
  box: ['setpriv', 'unshare', 'prlimit'],
  landlock: ['prlimit'],
  seatbelt: ['sandbox-exec', 'bash', 'ps'],
} as const
const CAP_SYS_ADMIN = 21n

export const WEAKNESSES: Readonly<Record<BackendName, readonly string[]>> = {
  bwrap: [],
  box: [],
  landlock: [
    'files inside the workspace cannot be protected from the command (.vp and policy files are checked after it instead)',
    'the command has no network at all, not even its own loopback: tests that start a server cannot run',
    'modes, times and group of your files outside can be changed by whoever knows their names (not content, owner, access lists or attributes)',
    'the temporary directory has no size of its own: what is written there counts only towards the disk that a run may take',
    'names of other processes are visible, and before Landlock ABI 6 (Linux 6.12) they can be signalled, the one too that ends what the command leaves',
  ],
  seatbelt: [
    'experimental: made from public documentation, never run on a Mac by those who made it',
    'the command has no network at all, not even its own loopback: tests that start a server cannot run',
    'whether a file outside is there, its size and its times can be asked for, not its content and not the names in a folder',
    'a process that leaves its group and its parent within 200 ms outlives the command, still inside its profile',
    'memory, processes and time are watched every 200 ms; the bytes that are written are not counted, and the temporary directory has no size of its own',
  ],
}
const ROOT_WEAKNESS = 'vp runs as root: the number of processes is held by a cgroup where there is one, else by a watchdog only'

/** Throws `sandbox.unavailable` (fixes in `next`), `platform.unsupported`. */
export async function selectBackend(options: SelectOptions): Promise<Selection> {
  const candidates = candidatesOf(options)
  mkdirSync(options.tmpBase, { recursive: true, mode: 0o700 })
  const programs = findPrograms(options.programDirs ?? PROGRAM_DIRS)
  const key = cacheKey(options, programs)
  const make = (name: BackendName) => makeBackend(name, { options, programs })
  const cached = readCache(options.cacheFile, key, candidates)
  const known = cached && make(cached.name)
  if (cached && known && typeof known !== 'string') return select(known, cached.tried, options, true)
  const tried: Tried[] = []
  for (const name of candidates) {
    const backend = make(name)
    const reason = typeof backend === 'string' ? backend : await selfTest(backend, testPlace(options))
    tried.push(reason === null ? { name, ok: true } : { name, ok: false, reason })
    if (reason !== null || typeof backend === 'string') continue
    writeCache(options, { key, name, tried })
    return select(backend, tried, options, false)
  }
  throw unavailable(tried, options.platform)
}

function select(backend: Backend, tried: readonly Tried[], { uid }: SelectOptions, isCached: boolean): Selection {
  return { backend, tried, weaknesses: [...WEAKNESSES[backend.name], ...(uid === 0 ? [ROOT_WEAKNESS] : [])], isCached }
}

/** Throws `platform.unsupported`, and `sandbox.unavailable` for one that is pinned and of another system. */
function candidatesOf({ platform, arch, pin }: SelectOptions): readonly BackendName[] {
  const candidates = CANDIDATES[platform]
  if (!candidates || (arch !== 'x64' && arch !== 'arm64'))
    throw new VpError('platform.unsupported', `vp has no sandbox for ${platform} on ${arch}; commands are refused`, {
      next: platform === 'win32' ? ['wsl --install'] : [],
    })
  if (!pin) return candidates
  if (candidates.includes(pin)) return [pin]
  const home = pin === 'seatbelt' ? 'macOS' : 'Linux'
  throw new VpError('sandbox.unavailable', `${pin} is a sandbox of ${home}; here vp has ${candidates.join(', ')}`, { next: ['unset VP_SANDBOX', 'vp config'] })
}

type Programs = Readonly<Record<string, string>>

function findPrograms(dirs: readonly string[]): Programs {
  const names = new Set<string>(Object.values(NEEDS).flat())
  const found: Record<string, string> = {}
  for (const name of names) {
    const path = dirs.map((dir) => join(dir, name)).find((path) => statSync(path, { throwIfNoEntry: false })?.isFile())
    if (path) found[name] = path
  }
  return found
}

interface Making {
  readonly options: SelectOptions
  readonly programs: Programs
}

/** The backend, or why it cannot even be tried. */
export function makeBackend(name: BackendName, { options, programs }: Making): PreparingBackend | string {
  const missing = NEEDS[name].find((program) => !programs[program])
  if (missing) return `${missing} is not installed`
  const { clock, launcher, tmpBase } = options
  const arch = options.arch as FilterArch
  const path = (program: string) => programs[program] as string
  const isRoot = options.uid === 0
  switch (name) {
    case 'bwrap':
      return bwrapBackend({ clock, arch, isRoot, tmpBase, bwrap: path('bwrap'), prlimit: path('prlimit') })
    case 'box': {
      const tools = {
        setpriv: path('setpriv'),
        unshare: path('unshare'),
        prlimit: path('prlimit'),
        timeout: path('timeout'),
      }
      return boxBackend({
        clock,
        launcher,
        arch,
        isRoot,
        tmpBase,
        ...tools,
        needsUserNamespace: !(isRoot && maySetUpNamespaces()),
      })
    }
    case 'landlock':
      return landlockBackend({ clock, launcher, arch, tmpBase, uid: options.uid, prlimit: path('prlimit') })
    case 'seatbelt':
      return seatbeltBackend({ clock, tmpBase, uid: options.uid, sandboxExec: path('sandbox-exec'), bash: path('bash'), ps: path('ps') })
  }
}

function maySetUpNamespaces(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0'
  return ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n
}

function testPlace({ launcher, pid, tmpBase, random }: SelectOptions) {
  const marker = () => Buffer.from(random.bytes(16)).toString('hex')
  return { node: launcher.node, hostPid: pid, tmpBase, markers: [marker(), marker()] as const }
}

function cacheKey(options: SelectOptions, programs: Programs): string {
  const facts = (path: string) => {
    const found = statSync(path, { throwIfNoEntry: false })
    return found ? [path, found.size, Math.round(found.mtimeMs)] : [path]
  }
  const { launcher, uid, arch, pin } = options
  const settings = ['max_user_namespaces', 'unprivileged_userns_clone', 'apparmor_restrict_unprivileged_userns'].map(readSetting)
  return sha256(
    canonicalJson({
      version: SELF_TEST_VERSION,
      kernel: release(),
      settings,
      uid,
      arch,
      pin,
      programs: Object.values(programs).map(facts),
      launcher: [...facts(launcher.node), ...launcher.argv],
    }),
  )
}

function readSetting(name: string): string {
  for (const path of [`/proc/sys/user/${name}`, `/proc/sys/kernel/${name}`]) if (existsSync(path)) return readFileSync(path, 'utf8').trim()
  return ''
}

interface Cached {
  readonly key: string
  readonly name: BackendName
  readonly tried: readonly Tried[]
}

function readCache(file: string, key: string, candidates: readonly BackendName[]): Cached | null {
  try {
    const cached = JSON.parse(readFileSync(file, 'utf8')) as Cached
    return cached.key === key && candidates.includes(cached.name) && Array.isArray(cached.tried) ? cached : null
  } catch {
    // Absent or damaged: then the test is made again.
    return null
  }
}

function writeCache({ cacheFile, pid }: SelectOptions, cached: Cached): void {
  mkdirSync(dirname(cacheFile), { recursive: true, mode: 0o700 })
  const next = `${cacheFile}.${pid}`
  writeFileSync(next, `${JSON.stringify(cached)}\n`, { mode: 0o600 })
  renameSync(next, cacheFile)
}

function unavailable(tried: readonly Tried[], platform: string): VpError {
  const reasons = tried.map(({ name, reason }) => `${name}: ${reason}`).join('; ')
  const next = platform === 'darwin' ? ['/usr/bin/sandbox-exec -p "(version 1)(allow default)" /usr/bin/true'] : linuxSteps()
  return new VpError('sandbox.unavailable', `no sandbox works on this machine, so vp runs no commands (${reasons})`, {
    next,
    data: { tried },
  })
}

function linuxSteps(): string[] {
  const next = ['apt-get install bubblewrap   (or: dnf install bubblewrap, pacman -S bubblewrap)']
  if (readSetting('max_user_namespaces') === '0') next.push('sysctl user.max_user_namespaces=15000')
  if (readSetting('unprivileged_userns_clone') === '0') next.push('sysctl kernel.unprivileged_userns_clone=1')
  if (readSetting('apparmor_restrict_unprivileged_userns') === '1')
    next.push("use the packaged /usr/bin/bwrap: Ubuntu's AppArmor profile allows it user namespaces")
  if (existsSync('/.dockerenv')) next.push('in Docker: docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined …')
  return next
}

/**
 * The few calls of libc that the launcher needs, through node:ffi. A failed call throws with its name; the error
 * number is a hint only. Imports built-ins only.
 */
import { createRequire } from 'node:module'

export interface Libc {
  mount(source: string | null, target: string, type: string | null, flags: number, data: string | null): void
  detach(target: string): void
  pivotIntoHere(): void
  /** Adds attributes to a mount, and to those below it when `isDeep`. */
  addMountAttributes(target: string, attributes: number, isDeep: boolean): void
  loopbackUp(): void
  setHostname(name: string): void
  dropCapabilities(): void
  dieWithParent(): void
  /** Orphans below this process become its children instead of the machine's. */
  becomeSubreaper(): void
  /** Confines this thread and what it starts to signals among themselves; false where the kernel cannot (Landlock ABI 6). */
  scopeSignals(): boolean
  /** SIGKILL, to all that may be reached for -1. A process that is gone or out of reach is no failure. */
  kill(pid: number): void
  /** Collects one child that has ended, with its status as a shell says it. */
  reap(): Reaped
  /** A descriptor that is readable once the child has ended. */
  openProcess(pid: number): number
  /** Which of them can be read or were closed at the other end; waits so long at most. */
  awaitReadable(fds: readonly number[], mostMs: number): readonly boolean[]
  /** Without the ceremonies of Node. */
  exitNow(status: number): void
  noNewPrivileges(): void
  installFilter(program: Buffer): void
  landlockAbi(): number
  landlock(attributes: Buffer, rules: readonly { readonly fd: number; readonly access: bigint }[]): void
  /** After execve descriptors 0 to 2 live on and no other, whatever vp itself was started with. */
  keepStandardStreamsOnly(): void
  /** Node ignores some signals, and what is ignored stays so after execve. */
  defaultSignals(): void
  /** Lets no descriptor that this process was started with reach a child; streams of a spawn are not affected. */
  sealDescriptors(): void
}

/** 'none' when there are no children at all. */
export type Reaped = { readonly pid: number; readonly status: number } | 'alive' | 'none'

export const MOUNT = { nosuid: 2, nodev: 4, noexec: 8, bind: 0x1000, rec: 0x4000, private: 0x40000 }
export const ATTR = { rdonly: 1, nosuid: 2, nodev: 4 }

/** Source: the kernel's tables for x86-64 and asm-generic (arm64). */
const NUMBERS = {
  x64: { pivot_root: 155, capset: 126, kill: 62, wait4: 61, ppoll: 271, exit_group: 231 },
  arm64: { pivot_root: 41, capset: 91, kill: 129, wait4: 260, ppoll: 73, exit_group: 94 },
} as const
const CLOSE_RANGE = 436
const CLOSE_RANGE_CLOEXEC = 4
const MOUNT_SETATTR = 442
const LANDLOCK_CREATE = 444
const LANDLOCK_ADD = 445
const LANDLOCK_RESTRICT = 446
const PIDFD_OPEN = 434
/** From this version on of Landlock signals can be scoped. */
const SCOPES_ABI = 6
const SCOPE_SIGNAL = 2n
const WNOHANG = 1
/** Children of `clone` too. */
const WALL = 0x40000000
const POLLIN = 1
const PR = { pdeathsig: 1, seccomp: 22, childSubreaper: 36, capbsetDrop: 24, noNewPrivs: 38, capAmbient: 47 }
const LAST_CAPABILITY = 63
const SIGKILL = 9
const SIGSTOP = 19
const SIGRTMAX = 64

export function loadLibc(): Libc {
  const ffi = createRequire(import.meta.url)('node:ffi') as typeof import('node:ffi')
  const numbers = NUMBERS[process.arch as keyof typeof NUMBERS]
  if (!numbers) throw new Error(`no system call numbers for ${process.arch}`)
  const lib = new ffi.DynamicLibrary('libc.so.6')
  const raw = lib.getFunction('syscall', {
    arguments: ['int64', 'int64', 'int64', 'int64', 'int64', 'int64'],
    return: 'int64',
  }) as unknown as (...values: bigint[]) => bigint
  const errno = lib.getFunction('__errno_location', { arguments: [], return: 'pointer' }) as unknown as () => bigint
  const signal = lib.getFunction('signal', { arguments: ['int32', 'pointer'], return: 'pointer' }) as unknown as (number: number, handler: bigint) => bigint
  // Buffers stay reachable through this list until the process becomes another.
  const alive: Buffer[] = []
  const pointer = (value: Buffer | string | null): bigint => {
    if (value === null) return 0n
    const bytes = typeof value === 'string' ? Buffer.from(`${value}\0`) : value
    alive.push(bytes)
    return ffi.getRawPointer(bytes)
  }
  const tryCall = (number: number, ...args: (number | bigint)[]): bigint => {
    const padded = [BigInt(number), ...args.map(BigInt)]
    while (padded.length < 6) padded.push(0n)
    return raw(...padded)
  }
  const call = (name: string, number: number, ...args: (number | bigint)[]): bigint => {
    const result = tryCall(number, ...args)
    if (result < 0n) throw new Error(`${name} failed (errno ${ffi.getInt32(errno())})`)
    return result
  }
  const arm = process.arch === 'arm64'
  const sys = arm
    ? { mount: 40, umount2: 39, socket: 198, ioctl: 29, sethostname: 161, prctl: 167, fcntl: 25, close: 57 }
    : { mount: 165, umount2: 166, socket: 41, ioctl: 16, sethostname: 170, prctl: 157, fcntl: 72, close: 3 }
  const AT_FDCWD = -100
  const waitTime = Buffer.alloc(16)
  const landlockAbi = () => Number(tryCall(LANDLOCK_CREATE, 0, 0, 1))
  const noNewPrivileges = () => void call('PR_SET_NO_NEW_PRIVS', sys.prctl, PR.noNewPrivs, 1, 0, 0, 0)
  const landlock: Libc['landlock'] = (attributes, rules) => {
    const ruleset = call('landlock_create_ruleset', LANDLOCK_CREATE, pointer(attributes), attributes.length, 0)
    for (const { fd, access } of rules) {
      const rule = Buffer.alloc(12)
      rule.writeBigUInt64LE(access, 0)
      rule.writeInt32LE(fd, 8)
      call('landlock_add_rule', LANDLOCK_ADD, ruleset, 1, pointer(rule), 0)
    }
    call('landlock_restrict_self', LANDLOCK_RESTRICT, ruleset, 0)
    call('close', sys.close, ruleset)
  }
  const seal = () => void call('close_range', CLOSE_RANGE, 3, 0x7fffffff, CLOSE_RANGE_CLOEXEC)
  return {
    mount: (source, target, type, flags, data) =>
      void call(`mount of ${target}`, sys.mount, pointer(source), pointer(target), pointer(type), flags, pointer(data)),
    detach: (target) => void call('umount2', sys.umount2, pointer(target), 2),
    pivotIntoHere: () => void call('pivot_root', numbers.pivot_root, pointer('.'), pointer('.')),
    addMountAttributes(target, attributes, isDeep) {
      const value = Buffer.alloc(32)
      value.writeBigUInt64LE(BigInt(attributes), 0)
      call(`mount_setattr of ${target}`, MOUNT_SETATTR, AT_FDCWD, pointer(target), isDeep ? 0x8000 : 0, pointer(value), 32)
    },
    loopbackUp() {
      const socket = call('socket', sys.socket, 2, 2 | 0o2000000, 0)
      const request = Buffer.alloc(40)
      request.write('lo')
      // IFF_UP and IFF_RUNNING; SIOCSIFFLAGS.
      request.writeUInt16LE(0x41, 16)
      call('bringing up lo', sys.ioctl, socket, 0x8914, pointer(request))
      call('close', sys.close, socket)
    },
    setHostname: (name) => void call('sethostname', sys.sethostname, pointer(name), Buffer.byteLength(name)),
    dropCapabilities() {
      tryCall(sys.prctl, PR.capAmbient, 4, 0, 0, 0)
      // Fails for a user who holds none, which is what is wanted.
      for (let capability = 0; capability <= LAST_CAPABILITY; capability++) tryCall(sys.prctl, PR.capbsetDrop, capability, 0, 0, 0)
      const header = Buffer.alloc(8)
      header.writeUInt32LE(0x20080522, 0)
      call('capset', numbers.capset, pointer(header), pointer(Buffer.alloc(24)))
    },
    dieWithParent: () => void call('PR_SET_PDEATHSIG', sys.prctl, PR.pdeathsig, SIGKILL, 0, 0, 0),
    becomeSubreaper: () => void call('PR_SET_CHILD_SUBREAPER', sys.prctl, PR.childSubreaper, 1, 0, 0, 0),
    scopeSignals() {
      if (landlockAbi() < SCOPES_ABI) return false
      const attributes = Buffer.alloc(24)
      attributes.writeBigUInt64LE(SCOPE_SIGNAL, 16)
      landlock(attributes, [])
      // Before anybody relies on it with a signal to everything: the parent is outside.
      return tryCall(numbers.kill, process.ppid, 0) < 0n
    },
    kill: (pid) => void tryCall(numbers.kill, pid, SIGKILL),
    reap() {
      const status = Buffer.alloc(4)
      const pid = Number(tryCall(numbers.wait4, -1, ffi.getRawPointer(status), WALL | WNOHANG, 0))
      if (pid <= 0) return pid === 0 ? 'alive' : 'none'
      const signal = status.readUInt8(0) & 0x7f
      return { pid, status: signal === 0 ? status.readUInt8(1) : 128 + signal }
    },
    openProcess: (pid) => Number(call('pidfd_open', PIDFD_OPEN, pid, 0)),
    awaitReadable(fds, mostMs) {
      const polled = Buffer.alloc(8 * (fds.length + 1))
      for (const [index, fd] of fds.entries()) {
        polled.writeInt32LE(fd, index * 8)
        polled.writeInt16LE(POLLIN, index * 8 + 4)
      }
      waitTime.writeBigUInt64LE(BigInt(mostMs * 1_000_000), 8)
      tryCall(numbers.ppoll, ffi.getRawPointer(polled), fds.length, ffi.getRawPointer(waitTime), 0, 0)
      return fds.map((_, index) => polled.readInt16LE(index * 8 + 6) !== 0)
    },
    exitNow: (status) => void tryCall(numbers.exit_group, status),
    noNewPrivileges,
    installFilter(program) {
      const fprog = Buffer.alloc(16)
      fprog.writeUInt16LE(program.length / 8, 0)
      fprog.writeBigUInt64LE(pointer(program), 8)
      call('PR_SET_SECCOMP', sys.prctl, PR.seccomp, 2, pointer(fprog), 0, 0)
    },
    landlockAbi,
    landlock,
    defaultSignals() {
      for (let number = 1; number < SIGRTMAX; number++) if (number !== SIGKILL && number !== SIGSTOP) signal(number, 0n)
    },
    sealDescriptors: seal,
    keepStandardStreamsOnly() {
      seal()
      for (const fd of [0, 1, 2]) tryCall(sys.fcntl, fd, 2, 0)
    },
  }
}

/**
 * The system-call filter of every run, as the bytes of a classic BPF program. Wrong architecture and x32 are killed;
 * new namespaces, mounts, tracing, keys, bpf, io_uring and odd socket families are refused. x64 is tested, arm64 not.
 * Sources: linux/seccomp.h, linux/audit.h, the kernel's syscall tables; design/sandbox.md appendix A.
 */
export type FilterArch = 'x64' | 'arm64'

export interface FilterOptions {
  /** False where no network namespace stands behind the filter (landlock): then AF_INET is refused too. */
  readonly inet: boolean
  /**
   * True where the command sees the processes of the host (landlock): it may then neither hide itself from /proc
   * (PR_SET_DUMPABLE) nor set limits of another, which would end its supervisor or vp. It sees the host's files too, and
   * Landlock has no right for attributes: none can be set, access lists among them, as on a disk that has none.
   */
  readonly seesHost: boolean
}

const LD = 0x20
const JEQ = 0x15
const JGE = 0x35
const JSET = 0x45
const RET = 0x06
const ALLOW = 0x7fff0000
const KILL = 0x80000000
const refuse = (errno: number) => 0x50000 | errno
const [EPERM, ENOSYS, EOPNOTSUPP, EAFNOSUPPORT] = [1, 38, 95, 97]
const AF_INET = 2
const AF_INET6 = 10
const PR_SET_DUMPABLE = 4
/** CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET. */
const CLONE_NEW = 0x7e020000
const TIOCSTI = 0x5412
const TIOCLINUX = 0x541c
/** Offsets in struct seccomp_data: number, architecture, and the low words of the arguments. */
const [AT_NR, AT_ARCH, AT_ARG0, AT_ARG1] = [0, 4, 16, 24]
const argument = (index: number) => AT_ARG0 + index * 8
/** S_ISUID and S_ISGID: a program left in the tree must not run with somebody else's rights. */
const SET_ID = 0o6000
/** O_CREAT and __O_TMPFILE: without one of them the mode is whatever the register held. */
const MAKES = 0x400040
/** Its arguments lie behind a pointer; whoever calls it falls back to openat. */
const OPENAT2 = 437
const FCHMODAT2 = 452

interface Table {
  readonly audit: number
  readonly socket: number
  readonly clone: number
  readonly ioctl: number
  readonly prctl: number
  readonly prlimit: number
  /** Calls that take a mode, and which argument it is; of those that open a file also where the flags are. */
  readonly modes: readonly (readonly [number: number, mode: number, flags?: number])[]
  readonly deny: readonly number[]
  /** set and remove, by path, by link and by descriptor. */
  readonly attributes: readonly number[]
}

const CLONE3 = 435
/** setxattrat, removexattrat. */
const ATTRIBUTES_NEW = [463, 466]
/** Equal on both: io_uring_*, open_tree, move_mount, fs*, pidfd_getfd, mount_setattr, quotactl_fd, open_tree_attr. */
const DENY_NEW = [425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442, 443, 467]

const TABLES: Readonly<Record<FilterArch, Table>> = {
  x64: {
    audit: 0xc000003e,
    socket: 41,
    clone: 56,
    ioctl: 16,
    prctl: 157,
    prlimit: 302,
    // chmod fchmod fchmodat creat mknod mknodat open openat
    modes: [
      [90, 1],
      [91, 1],
      [268, 2],
      [85, 1],
      [133, 1],
      [259, 2],
      [2, 2, 1],
      [257, 3, 2],
    ],
    // unshare setns mount umount2 pivot_root chroot ptrace process_vm_* add_key request_key keyctl bpf perf_event_open
    // userfaultfd *_handle_at *_module kexec_* reboot swap* syslog quotactl acct fanotify_init
    deny: [272, 308, 165, 166, 155, 161, 101, 310, 311, 248, 249, 250, 321, 298, 323, 303, 304, 175, 313, 176, 246, 320, 169, 167, 168, 103, 179, 163, 300],
    attributes: [188, 189, 190, 197, 198, 199],
  },
  arm64: {
    audit: 0xc00000b7,
    socket: 198,
    clone: 220,
    ioctl: 29,
    prctl: 167,
    prlimit: 261,
    modes: [
      [52, 1],
      [53, 2],
      [33, 2],
      [56, 3, 2],
    ],
    deny: [97, 268, 40, 39, 41, 51, 117, 270, 271, 217, 218, 219, 280, 241, 282, 264, 265, 105, 273, 106, 104, 294, 142, 224, 225, 116, 60, 89, 262],
    attributes: [5, 6, 7, 14, 15, 16],
  },
}

/** One `struct sock_filter` of 8 bytes an instruction, ready for `bwrap --seccomp` and PR_SET_SECCOMP. */
export function seccompFilter(arch: FilterArch, { inet, seesHost }: FilterOptions): Buffer {
  const table = TABLES[arch]
  const program: (readonly [code: number, jumpTrue: number, jumpFalse: number, k: number])[] = []
  const put = (code: number, jumpTrue: number, jumpFalse: number, k: number) => void program.push([code, jumpTrue, jumpFalse, k])
  put(LD, 0, 0, AT_ARCH)
  put(JEQ, 1, 0, table.audit)
  put(RET, 0, 0, KILL)
  put(LD, 0, 0, AT_NR)
  if (arch === 'x64') {
    put(JGE, 0, 1, 0x40000000)
    put(RET, 0, 0, KILL)
  }
  if (inet) {
    put(JEQ, 0, 5, table.socket)
    put(LD, 0, 0, AT_ARG0)
    put(JEQ, 2, 0, AF_INET)
    put(JEQ, 1, 0, AF_INET6)
    put(RET, 0, 0, refuse(EAFNOSUPPORT))
    put(RET, 0, 0, ALLOW)
  } else {
    put(JEQ, 0, 1, table.socket)
    put(RET, 0, 0, refuse(EAFNOSUPPORT))
  }
  put(JEQ, 0, 4, table.clone)
  put(LD, 0, 0, AT_ARG0)
  put(JSET, 0, 1, CLONE_NEW)
  put(RET, 0, 0, refuse(EPERM))
  put(RET, 0, 0, ALLOW)
  // Its flags lie behind a pointer no filter can read; libc falls back to clone.
  put(JEQ, 0, 1, CLONE3)
  put(RET, 0, 0, refuse(ENOSYS))
  put(JEQ, 0, 5, table.ioctl)
  put(LD, 0, 0, AT_ARG1)
  put(JEQ, 1, 0, TIOCSTI)
  put(JEQ, 0, 1, TIOCLINUX)
  put(RET, 0, 0, refuse(EPERM))
  put(RET, 0, 0, ALLOW)
  put(JEQ, 0, 1, OPENAT2)
  put(RET, 0, 0, refuse(ENOSYS))
  for (const [number, mode, flags] of [...table.modes, [FCHMODAT2, 2] as const]) {
    put(JEQ, 0, flags === undefined ? 4 : 6, number)
    if (flags !== undefined) {
      put(LD, 0, 0, argument(flags))
      put(JSET, 0, 3, MAKES)
    }
    put(LD, 0, 0, argument(mode))
    put(JSET, 0, 1, SET_ID)
    put(RET, 0, 0, refuse(EPERM))
    put(RET, 0, 0, ALLOW)
  }
  if (seesHost) {
    put(JEQ, 0, 4, table.prlimit)
    put(LD, 0, 0, AT_ARG0)
    put(JEQ, 1, 0, 0)
    put(RET, 0, 0, refuse(EPERM))
    put(RET, 0, 0, ALLOW)
    for (const number of [...table.attributes, ...ATTRIBUTES_NEW]) {
      put(JEQ, 0, 1, number)
      put(RET, 0, 0, refuse(EOPNOTSUPP))
    }
    put(JEQ, 0, 4, table.prctl)
    put(LD, 0, 0, AT_ARG0)
    put(JEQ, 0, 1, PR_SET_DUMPABLE)
    put(RET, 0, 0, refuse(EPERM))
    put(RET, 0, 0, ALLOW)
  }
  for (const number of [...table.deny, ...DENY_NEW]) {
    put(JEQ, 0, 1, number)
    put(RET, 0, 0, refuse(EPERM))
  }
  put(RET, 0, 0, ALLOW)
  const bytes = Buffer.alloc(program.length * 8)
  for (const [index, [code, jumpTrue, jumpFalse, k]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8)
    bytes[index * 8 + 2] = jumpTrue
    bytes[index * 8 + 3] = jumpFalse
    bytes.writeUInt32LE(k >>> 0, index * 8 + 4)
  }
  return bytes
}

/**
 * What every sandbox backend takes and gives. A backend promises that nothing of a run outlives it, that
 * the command sees the tree, its mounts and the system read-only, and that limits end it with a typed reason.
 */
export type BackendName = 'bwrap' | 'box' | 'landlock' | 'seatbelt'

/** Whether the command sees a disk of its own, with mounts and a loopback; else the real paths of the host. */
export function hasOwnView(name: string): boolean {
  return name === 'bwrap' || name === 'box'
}

export interface Limits {
  readonly wallMs: number
  /** CPU seconds of one process. */
  readonly cpuS: number
  /** Private writable memory of one process. */
  readonly dataBytes: number
  /** Resident memory of all processes together, looked at every 200 ms. */
  readonly totalMemoryBytes: number
  readonly tasks: number
  readonly fileBytes: number
  /** Of all processes together to disks, looked at every 200 ms. */
  readonly writtenBytes: number
  readonly tmpBytes: number
  /** stdout and stderr together. */
  readonly outputBytes: number
}

/** Read-only. `sandboxPath` may lie under /workspace. */
export interface Mount {
  readonly hostPath: string
  readonly sandboxPath: string
}

export interface SandboxRequest {
  /** argv[0] is an absolute path, resolved outside the workspace. */
  readonly argv: readonly string[]
  /** Host path of the tree. The command sees /workspace (bwrap, box), or the real path, and /workspace in its output (landlock, seatbelt). */
  readonly workspace: string
  readonly writable: boolean
  /** Relative paths of the tree that are read-only, where they exist. */
  readonly protect: readonly string[]
  /** Relative to the tree, '' is its root. */
  readonly cwd: string
  readonly mounts: readonly Mount[]
  /** The lane's fixed values, on top of an environment built from nothing. */
  readonly env: Readonly<Record<string, string>>
  /** Toolchain directories before /usr/bin:/bin. */
  readonly path: readonly string[]
  /** 'host' only for a granted environment set-up. */
  readonly network: 'none' | 'host'
  readonly limits: Limits
  /** Host directory, writable at /tmp/vp. In argv and env write /tmp/vp; landlock and seatbelt put the real path there. */
  readonly scratch?: string
  /** In the environment of every process of the run, so that leftovers can be found. 16 or more characters of [A-Za-z0-9_-]. */
  readonly marker: string
  readonly stdin?: Uint8Array
}

/**
 * The limit that ended the run, as far as it can be known from outside: what the watchdog ended, what the kernel ended with a
 * signal that says why, and a kill while the kernel was out of memory. A program that asks for more memory at once than
 * `dataBytes`, fills its temporary directory, or ignores the signal of a file too large, fails with an error and a status of its own: 'exit'.
 */
export type EndedBy = 'exit' | 'signal' | 'wall' | 'cpu' | 'memory' | 'processes' | 'output' | 'file_size' | 'disk' | 'cancelled'

export interface SandboxResult {
  readonly exitCode: number | null
  readonly signal: string | null
  readonly endedBy: EndedBy
  readonly stdout: Buffer
  readonly stderr: Buffer
  /** Output is missing from the middle of a stream. */
  readonly truncated: boolean
  readonly durationMs: number
  readonly backend: BackendName
}

export interface Backend {
  readonly name: BackendName
  /** Throws `sandbox.unavailable` when the box could not be set up; whatever the command did is a value. */
  run(request: SandboxRequest, signal?: AbortSignal, onOutput?: (chunk: Buffer) => void): Promise<SandboxResult>
}

/** How to start this program's own launcher: the pinned Node, and the arguments that lead to `launcherMain`. */
export interface Launcher {
  readonly node: string
  readonly argv: readonly string[]
}

export const DEFAULT_LIMITS: Limits = {
  wallMs: 120_000,
  cpuS: 120,
  dataBytes: 2 * 1024 ** 3,
  totalMemoryBytes: 4 * 1024 ** 3,
  tasks: 256,
  fileBytes: 1024 ** 3,
  writtenBytes: 8 * 1024 ** 3,
  tmpBytes: 256 * 1024 ** 2,
  outputBytes: 1024 ** 2,
}

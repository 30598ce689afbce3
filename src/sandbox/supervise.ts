/**
 * Runs one prepared process to its end: output within the cap, wall clock, cancellation, the watchdog, and the typed
 * reason it ended. Knows nothing of any backend; what must be killed at the end is handed in.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { VpError } from '../core/errors.ts'
import type { Clock } from '../core/ports.ts'
import { capTasks } from './cgroup.ts'
import type { Backend, BackendName, EndedBy, SandboxRequest, SandboxResult } from './contract.ts'
import { BESIDE, oomKills } from './limits.ts'
import { outcome, type Exit } from './outcome.ts'
import { headAndTail, rewriter, type Replacement } from './output.ts'
import { kill, killGroup } from './processes.ts'
import type { Watch } from './watch.ts'

export interface Prepared {
  readonly backend: BackendName
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Written to descriptor 3, then closed: a filter or a launcher's orders. */
  readonly orders: Buffer
  /** Shown instead of host paths. */
  readonly rewrite: readonly Replacement[]
  /** The wrapper reports a command's signal as 128 + n. */
  readonly signalsAsCodes: boolean
  /** What the set-up said on descriptors 3 and 4, once it ended: the reason it failed, or null when the command ran. */
  setUpFailure(said: { readonly orders: string; readonly status: string; readonly stderr: string; readonly code: number | null }): string | null
  /** Whoever is left in the group when the command has ended is killed at once: a guard that the backend put there. */
  readonly endsGroup?: true
  /** It kills all of the run and ends when vp closes descriptor 4; killed itself only if it does not. */
  readonly endsOnHangUp?: true
  /** True for root, whose processes no resource limit counts. */
  readonly capsProcesses: boolean
  readonly watch: Watch
  /** Processes of the run beside the descendants. */
  strays(): readonly number[]
  /** After the end, whatever it was. */
  cleanUp(): void
}

/** A backend that also shows its preparation, for the self-test of a killed parent. */
export interface PreparingBackend extends Backend {
  prepare(request: SandboxRequest): Prepared
}

/** The backend that supervises what `prepare` gives. */
export function backendOf(name: BackendName, clock: Clock, prepare: (request: SandboxRequest) => Prepared): PreparingBackend {
  return {
    name,
    prepare,
    run: async (request, signal, onOutput) => supervise(prepare(request), request, { clock, signal, onOutput }),
  }
}

export interface Watching {
  readonly clock: Clock
  readonly signal?: AbortSignal | undefined
  readonly onOutput?: ((chunk: Buffer) => void) | undefined
}

/** A background child may hold the pipes open; it is dead by then or killed at the end. */
const PIPES_AFTER_EXIT_MS = 250
/** For a wrapper that is asked to end: longer than it may take over it. */
const HANG_UP_MS = 15_000
const TAIL_OF_SAID = 65_536

export async function supervise(prepared: Prepared, request: SandboxRequest, watching: Watching): Promise<SandboxResult> {
  const started = watching.clock.monotonic()
  if (watching.signal?.aborted) throw new VpError('cancelled', 'cancelled before the command started')
  const uncap = prepared.capsProcesses ? await capTasks(request.limits.tasks + BESIDE) : null
  const child = start(prepared, request)
  const oomBefore = oomKills()
  const said = { orders: '', status: '' }
  collect(child.stdio[3], (text) => (said.orders = (said.orders + text).slice(-TAIL_OF_SAID)))
  collect(child.stdio[4], (text) => (said.status = (said.status + text).slice(-TAIL_OF_SAID)))
  let killedFor: EndedBy | null = null
  let late: NodeJS.Timeout | undefined
  const end = (reason: EndedBy) => {
    if (killedFor) return
    killedFor = reason
    if (!prepared.endsOnHangUp) return killAll(child, prepared)
    ;(child.stdio[4] as Readable | null)?.destroy()
    late = setTimeout(() => killAll(child, prepared), HANG_UP_MS)
  }
  const output = gather(child, { request, prepared, onOutput: watching.onOutput, onFull: () => end('output') })
  const wall = setTimeout(() => end('wall'), request.limits.wallMs)
  const watched = { limits: request.limits, tree: request.workspace, strays: prepared.strays, end }
  const stopWatching = child.pid === undefined ? () => {} : prepared.watch(child.pid, watched)
  if (prepared.endsGroup) child.once('exit', () => killGroup(child.pid ?? 0))
  const cancel = () => end('cancelled')
  watching.signal?.addEventListener('abort', cancel, { once: true })
  try {
    const exit = await exitOf(child)
    output.finish()
    const failure = killedFor ? null : prepared.setUpFailure({ ...said, stderr: output.stderr().toString(), code: exit.code })
    if (failure !== null)
      throw new VpError('sandbox.unavailable', `the ${prepared.backend} sandbox could not be set up: ${failure}`, {
        next: ['vp doctor'],
      })
    return {
      ...outcome(exit, { killedFor, signalsAsCodes: prepared.signalsAsCodes, isShortOfMemory: () => oomKills() > oomBefore }),
      stdout: output.stdout(),
      stderr: output.stderr(),
      truncated: output.isTruncated(),
      durationMs: Math.round(watching.clock.monotonic() - started),
      backend: prepared.backend,
    }
  } finally {
    clearTimeout(wall)
    clearTimeout(late)
    stopWatching()
    if (child.pid !== undefined) killGroup(child.pid)
    watching.signal?.removeEventListener('abort', cancel)
    prepared.cleanUp()
    uncap?.()
  }
}

function start(prepared: Prepared, request: SandboxRequest): ChildProcess {
  const child = spawn(prepared.file, [...prepared.args], {
    env: { ...prepared.env },
    cwd: '/',
    // A session of its own: no terminal to write into, and Ctrl-C reaches vp, which then ends the run.
    detached: true,
    stdio: [request.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
  })
  // A child that ends before it has read everything is its own affair.
  const ignore = () => {}
  const orders = child.stdio[3] as Writable
  // Nothing to write is not written: an error of a child that has closed it already would lose what the child said there.
  orders.on('error', ignore).end(prepared.orders.length > 0 ? prepared.orders : undefined)
  if (request.stdin && child.stdin) child.stdin.on('error', ignore).end(request.stdin)
  return child
}

function collect(stream: unknown, take: (text: string) => void): void {
  const readable = stream as Readable | null
  readable?.on('data', (chunk: Buffer) => take(chunk.toString('utf8')))
  readable?.on('error', () => {})
}

function killAll(child: ChildProcess, prepared: Prepared): void {
  if (child.pid === undefined) return
  killGroup(child.pid)
  for (const pid of prepared.strays()) kill(pid)
}

interface Gathering {
  readonly request: SandboxRequest
  readonly prepared: Prepared
  readonly onOutput: ((chunk: Buffer) => void) | undefined
  onFull(): void
}

function gather(child: ChildProcess, { request, prepared, onOutput, onFull }: Gathering) {
  const cap = request.limits.outputBytes
  let total = 0
  const open = (stream: Readable | null) => {
    const kept = headAndTail(cap)
    const rewrite = rewriter(prepared.rewrite)
    const take = (chunk: Buffer) => {
      if (chunk.length === 0) return
      kept.push(chunk)
      if (total <= cap) onOutput?.(chunk)
    }
    stream?.on('data', (chunk: Buffer) => {
      total += chunk.length
      take(rewrite.push(chunk))
      if (total > cap) onFull()
    })
    stream?.on('error', () => {})
    return { kept, finish: () => take(rewrite.end()) }
  }
  const out = open(child.stdout)
  const err = open(child.stderr)
  return {
    finish: () => [out, err].forEach(({ finish }) => finish()),
    stdout: () => out.kept.bytes(),
    stderr: () => err.kept.bytes(),
    isTruncated: () => out.kept.isTruncated || err.kept.isTruncated || total > cap,
  }
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    let late: NodeJS.Timeout | undefined
    child.once('error', (cause) =>
      reject(
        new VpError('sandbox.unavailable', `a program of the sandbox could not be started: ${cause.message}`, {
          cause,
        }),
      ),
    )
    child.once('exit', (code, signal) => {
      late = setTimeout(() => {
        for (const stream of child.stdio) stream?.destroy()
        resolve({ code, signal })
      }, PIPES_AFTER_EXIT_MS)
    })
    child.once('close', (code, signal) => {
      clearTimeout(late)
      resolve({ code, signal })
    })
  })
}

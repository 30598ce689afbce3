/**
 * Stands above a command where no namespace does: whatever the command starts stays below this process, and all of it is
 * dead before this process ends. It ends when the command does, or when vp closes descriptor 4 or is gone.
 * Its exit status is the command's, 128 + n for a signal. Built-ins only.
 */
import { spawn } from 'node:child_process'
import { readFileSync, writeSync } from 'node:fs'
import { loadLibc, type Libc } from './launcher-libc.ts'
import { LAUNCH_FAILED } from './orders.ts'

const ORDERS_FD = 3
const LIFELINE_FD = 4
/** How long an orphan that has ended stays in the list of processes. */
const REAP_EVERY_MS = 50
/** One in an uninterruptible call of the kernel runs no more code of its own, but may not be gone for long. */
const MOST_ENDING_MS = 10_000
const SIGKILL = 9

/** Takes over this process; the child reads the orders from the same descriptor 3. */
export function superviseMain(): void {
  try {
    const libc = loadLibc()
    libc.becomeSubreaper()
    libc.noNewPrivileges()
    libc.sealDescriptors()
    const isScoped = libc.scopeSignals()
    const [entry = ''] = process.argv.slice(1)
    const { pid } = spawn(process.execPath, [...process.execArgv, entry], { detached: true, stdio: [0, 1, 2, ORDERS_FD] })
    if (pid === undefined) throw new Error('the launcher could not be started')
    libc.dropCapabilities()
    const status = waitFor(libc, pid)
    if (!endDescendants(libc, isScoped)) writeSync(ORDERS_FD, `${LAUNCH_FAILED}processes of the run did not end`)
    libc.exitNow(status ?? 128 + SIGKILL)
  } catch (error) {
    writeSync(ORDERS_FD, LAUNCH_FAILED + (error instanceof Error ? error.message : String(error)))
    process.exitCode = 125
  }
}

/** The status of the command as a shell would say it, or null when vp wants an end before. Orphans are reaped meanwhile. */
function waitFor(libc: Libc, command: number): number | null {
  const ended = libc.openProcess(command)
  for (;;) {
    const isAsked = libc.awaitReadable([ended, LIFELINE_FD], REAP_EVERY_MS).at(1)
    for (let reaped = libc.reap(); typeof reaped === 'object'; reaped = libc.reap()) if (reaped.pid === command) return reaped.status
    if (isAsked) return null
  }
}

/**
 * Kills all that is below this process, which must be a subreaper, and reaps it. With signals scoped one call reaches
 * everything that ever came from here, and no fork can race it; else the children again and again, since those of a dead
 * child become ours. Only children are named by number: nobody else can reap them, so the number is still theirs.
 * False when something is left after a while.
 */
export function endDescendants(libc: Libc, isScoped: boolean): boolean {
  const started = performance.now()
  while (performance.now() - started < MOST_ENDING_MS) {
    if (isScoped) libc.kill(-1)
    else ownChildren().forEach(libc.kill)
    for (let reaped = libc.reap(); reaped !== 'alive'; reaped = libc.reap()) if (reaped === 'none') return true
    libc.awaitReadable([], 1)
  }
  return false
}

function ownChildren(): number[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number)
}

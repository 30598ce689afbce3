/**
 * Ends a run that passes the limits which the kernel does not hold for all its processes together. Here by /proc, as on
 * Linux; `ps.ts` has the same for macOS.
 */
import type { EndedBy, Limits } from './contract.ts'
import { BESIDE, diskWatch, measure, passedLimit, TRIP_EVERY_MS, WATCH_EVERY_MS } from './limits.ts'
import { descendants, threadsOnMachine } from './processes.ts'

export interface Watched {
  readonly limits: Limits
  readonly tree: string
  /** Processes of the run beside the descendants. */
  strays(): readonly number[]
  end(reason: EndedBy): void
}

/** Watches the process and what it starts until it is told to stop. */
export type Watch = (pid: number, watched: Watched) => () => void

/** The full count every 200 ms; a bomb also at once, when the machine's threads have grown by more than the run may have. */
export const watchProc: Watch = (pid, { limits, tree, strays, end }) => {
  const most = limits.tasks + BESIDE
  // Without the first, which is the sandbox's own.
  const below = () => {
    const pids = descendants(pid, most)
    pids.delete(pid)
    return pids
  }
  const trip = () => {
    if (measure(below()).threads > most) end('processes')
  }
  const look = () => {
    const pids = below()
    const reason = pids.size > most ? 'processes' : passedLimit(measure(new Set([...pids, ...strays()])), limits)
    if (reason) end(reason)
    else if (isDiskFull()) end('disk')
  }
  const atStart = threadsOnMachine()
  const isDiskFull = diskWatch(tree)
  const timers = [
    repeat(WATCH_EVERY_MS, look),
    repeat(TRIP_EVERY_MS, () => {
      if (threadsOnMachine() - atStart > limits.tasks) trip()
    }),
  ]
  return () => timers.forEach((stop) => stop())
}

/** Counts the pause from the end of one look to the next, so that slow looks on a busy machine leave room between. */
function repeat(everyMs: number, look: () => void): () => void {
  let timer = setTimeout(again, everyMs)
  function again() {
    timer = setTimeout(again, everyMs)
    look()
    timer.refresh()
  }
  return () => clearTimeout(timer)
}

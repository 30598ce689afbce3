/**
 * The process that becomes the command on box and landlock. Started by vp itself on the pinned Node; its orders come
 * as JSON on descriptor 3, where a failure is reported too. Built-ins only; it never returns on success.
 */
import { closeSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { enterBox } from './launcher-box.ts'
import { confine } from './launcher-landlock.ts'
import { loadLibc } from './launcher-libc.ts'
import { superviseMain } from './launcher-supervisor.ts'
import { LAUNCH_FAILED, LAUNCHED, SUPERVISE, type Orders } from './orders.ts'

const ORDERS_FD = 3
const STATUS_FD = 4

/** Takes over this process. Reports on descriptor 3 and exits with 125 when the sandbox cannot be made. */
export function launcherMain(): void {
  if (process.argv[2] === SUPERVISE) return superviseMain()
  try {
    const orders = JSON.parse(readFileSync(ORDERS_FD, 'utf8')) as Orders
    const libc = loadLibc()
    if (orders.kind === 'box') {
      closeSync(STATUS_FD)
      enterBox(libc, orders)
    } else {
      libc.dieWithParent()
      // Want of memory takes what the command started, never what stands above it; there the command may not write this.
      writeFileSync('/proc/self/oom_score_adj', '500')
    }
    process.chdir(orders.cwd)
    libc.dropCapabilities()
    libc.noNewPrivileges()
    if (orders.kind === 'landlock') confine(libc, orders)
    libc.installFilter(Buffer.from(orders.filter, 'base64'))
    libc.keepStandardStreamsOnly()
    libc.defaultSignals()
    writeSync(ORDERS_FD, LAUNCHED)
    const [program = '', ...rest] = orders.argv
    process.execve?.(program, [program, ...rest], { ...orders.env })
    throw new Error('execve is missing')
  } catch (error) {
    writeSync(ORDERS_FD, LAUNCH_FAILED + (error instanceof Error ? error.message : String(error)))
    process.exitCode = 125
  }
}

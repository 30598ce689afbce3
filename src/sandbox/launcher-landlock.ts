/**
 * Confines this very thread with Landlock before it becomes the command: only the named paths, no TCP, no signals to
 * the outside where the kernel can. Refuses kernels whose Landlock lets `truncate` through. Built-ins only.
 * Source: linux/landlock.h.
 */
import { fstatSync, openSync } from 'node:fs'
import type { Libc } from './launcher-libc.ts'
import type { LandlockOrders } from './orders.ts'

const O_PATH = 0o10000000
export const OLDEST_LANDLOCK_ABI = 3
const EXECUTE = 1n << 0n
const WRITE_FILE = 1n << 1n
const READ_FILE = 1n << 2n
const READ_DIR = 1n << 3n
const TRUNCATE = 1n << 14n
const IOCTL_DEV = 1n << 15n
const ALL_OF_ABI_3 = (1n << 15n) - 1n
/** Making character and block devices is for nobody. */
const MAKE_DEVICES = (1n << 6n) | (1n << 11n)
const FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
const READ = EXECUTE | READ_FILE | READ_DIR

/** Throws when Landlock is missing or too old. */
export function confine(libc: Libc, orders: LandlockOrders): void {
  const abi = libc.landlockAbi()
  if (abi < OLDEST_LANDLOCK_ABI) throw new Error(abi < 0 ? 'this kernel has no Landlock' : `Landlock ABI ${abi} is older than ${OLDEST_LANDLOCK_ABI}`)
  const handled = ALL_OF_ABI_3 | (abi >= 5 ? IOCTL_DEV : 0n)
  const attributes = Buffer.alloc(abi >= 6 ? 24 : abi >= 4 ? 16 : 8)
  attributes.writeBigUInt64LE(handled, 0)
  if (abi >= 4) attributes.writeBigUInt64LE(orders.refusesTcp ? 3n : 0n, 8)
  if (abi >= 6) attributes.writeBigUInt64LE(3n, 16)
  const rules = orders.rules.map(({ path, access }) => {
    const fd = openSync(path, O_PATH)
    const wanted = access === 'read' ? READ : handled & ~MAKE_DEVICES & ~IOCTL_DEV
    return { fd, access: fstatSync(fd).isDirectory() ? wanted : wanted & FILE_RIGHTS }
  })
  libc.landlock(attributes, rules)
}

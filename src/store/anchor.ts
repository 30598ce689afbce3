/**
 * The anchor: a small file beside the database that names, signed, the last transaction it must hold.
 * A write-ahead log whose tail was lost, or a file put back from an old copy, is a consistent database that
 * ends too early; only something outside it can tell. Two slots, written in turn after each commit, so a
 * torn write costs one step, never the anchor. It only ever rises: a lower transaction replaces no higher one.
 */
import { closeSync, fsyncSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { inDirectory } from './directory.ts'

const SLOT = 320

export interface Anchor {
  readonly tx: number
  readonly digest: string
}

/** Signs and checks with the machine's key; both pure over bytes. */
export interface AnchorKey {
  sign(bytes: Buffer): Buffer
  verify(bytes: Buffer, signature: Buffer): boolean
}

export interface AnchorFile {
  write(anchor: Anchor): void
  /** The newest anchor whose signature holds; null when there is none. One that says what `trusted` does needs no signature. */
  read(trusted?: Anchor): Anchor | null
  close(): void
}

interface Slot extends Anchor {
  readonly signature: string
}

function text(anchor: Anchor): string {
  return `vp-anchor 1 ${anchor.tx} ${anchor.digest}`
}

function parseSlot(bytes: Buffer): Slot | null {
  const [mark, version, tx, digest, signature] = bytes.toString('latin1').trimEnd().split(' ')
  if (mark !== 'vp-anchor' || version !== '1' || !tx || !digest || !signature) return null
  return { tx: Number(tx), digest, signature }
}

export function openAnchor(path: string, key: AnchorKey): AnchorFile {
  let fd: number | undefined
  const directory = dirname(path)
  const holds = (slot: Slot) => key.verify(Buffer.from(text(slot)), Buffer.from(slot.signature, 'base64url'))
  const write = (anchor: Anchor): void => {
    const isNew = fd === undefined && readOrNull(path) === null
    if (fd === undefined) {
      if (isNew) closeSync(openSync(path, 'a', 0o600))
      fd = openSync(path, 'r+')
    }
    const at = (anchor.tx % 2) * SLOT
    // Another process may have committed, and written, since: its anchor stays. Between this look and the write below
    // a third may do the same; then the anchor is one step behind until the next commit, and says nothing untrue.
    const there = Buffer.alloc(SLOT)
    const slot = parseSlot(there.subarray(0, readSync(fd, there, 0, SLOT, at)))
    if (slot && slot.tx >= anchor.tx && holds(slot)) return
    const line = `${text(anchor)} ${key.sign(Buffer.from(text(anchor))).toString('base64url')}`
    writeSync(fd, line.padEnd(SLOT - 1) + '\n', at, 'latin1')
    if (isNew) syncNew(path, fd) // from now on the database says that there is one, so it has to outlive a power cut
  }
  return {
    read: (trusted) =>
      inDirectory(directory, () => {
        const bytes = readOrNull(path)
        if (bytes === null) return null
        const slots = [0, SLOT].flatMap((at) => parseSlot(bytes.subarray(at, at + SLOT)) ?? []).toSorted((a, b) => b.tx - a.tx)
        const isTrusted = (slot: Slot) => slot.tx === trusted?.tx && slot.digest === trusted.digest
        const best = slots.find((slot) => isTrusted(slot) || holds(slot))
        return best ? { tx: best.tx, digest: best.digest } : null
      }),
    write: (anchor) => inDirectory(directory, () => write(anchor)),
    close() {
      if (fd !== undefined) closeSync(fd)
      fd = undefined
    },
  }
}

function syncNew(path: string, fd: number): void {
  fsyncSync(fd)
  const directory = openSync(dirname(path), 'r')
  fsyncSync(directory)
  closeSync(directory)
}

function readOrNull(path: string): Buffer | null {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

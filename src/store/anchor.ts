/**
 * The anchor: a small file beside the database that names, signed, the last transaction it must hold.
 * A write-ahead log whose tail was lost, or a file put back from an old copy, is a consistent database that
 * ends too early; only something outside it can tell. Two slots, written in turn after each commit, so a
 * torn write costs one step, never the anchor.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'

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
  /** The newest anchor whose signature holds; null when there is none yet. */
  read(): Anchor | null
  close(): void
}

function text(anchor: Anchor): string {
  return `vp-anchor 1 ${anchor.tx} ${anchor.digest}`
}

export function openAnchor(path: string, key: AnchorKey): AnchorFile {
  let fd: number | undefined
  let newest = 0
  const read = (): Anchor | null => {
    let bytes: Buffer
    try {
      bytes = readFileSync(path)
    } catch {
      return null // no anchor yet: the first commit writes it
    }
    let best: Anchor | null = null
    for (const at of [0, SLOT]) {
      const [mark, version, tx, digest, signature] = bytes
        .subarray(at, at + SLOT)
        .toString('latin1')
        .trimEnd()
        .split(' ')
      if (mark !== 'vp-anchor' || version !== '1' || !tx || !digest || !signature) continue
      const anchor = { tx: Number(tx), digest }
      if (key.verify(Buffer.from(text(anchor)), Buffer.from(signature, 'base64url')) && anchor.tx > (best?.tx ?? -1)) best = anchor
    }
    return best
  }
  return {
    read,
    write(anchor) {
      if (anchor.tx <= newest) return
      newest = anchor.tx
      fd ??= openSync(path, 'a+', 0o600) && openSync(path, 'r+')
      const line = `${text(anchor)} ${key.sign(Buffer.from(text(anchor))).toString('base64url')}`
      writeSync(fd, line.padEnd(SLOT - 1) + '\n', (anchor.tx % 2) * SLOT, 'latin1')
    },
    close() {
      if (fd !== undefined) closeSync(fd)
    },
  }
}

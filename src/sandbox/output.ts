/**
 * What a command printed: the head and the tail of each stream within one cap, and the host's paths in it replaced by
 * those of the sandbox, also across chunks. Pure but for its own buffers.
 */
export interface Kept {
  push(chunk: Buffer): void
  bytes(): Buffer
  readonly isTruncated: boolean
}

/** Keeps three quarters of the cap from the start and one quarter from the end, cut between lines. */
export function headAndTail(capBytes: number): Kept {
  const headCap = Math.floor((capBytes * 3) / 4)
  const tailCap = capBytes - headCap
  const head: Buffer[] = []
  let headSize = 0
  let tail = Buffer.alloc(0)
  let dropped = 0
  return {
    push(chunk) {
      const room = headCap - headSize
      if (room > 0) {
        const part = chunk.subarray(0, room)
        head.push(part)
        headSize += part.length
      }
      const rest = chunk.subarray(Math.max(room, 0))
      if (rest.length === 0) return
      const joined = Buffer.concat([tail, rest])
      dropped += Math.max(0, joined.length - tailCap)
      tail = Buffer.from(joined.subarray(Math.max(0, joined.length - tailCap)))
    },
    bytes() {
      if (dropped === 0) return Buffer.concat([...head, tail])
      const start = untilWord(Buffer.concat(head))
      const end = fromWord(tail)
      const left = dropped + headSize - start.length + tail.length - end.length
      return Buffer.concat([start, Buffer.from(`\n[${left} bytes left out]\n`), end])
    },
    get isTruncated() {
      return dropped > 0
    },
  }
}

/** How much is given up on each side of a cut: half of a secret would pass for none. */
const MAX_PARTIAL = 4096

/** Without the word, better the line, that the cut may have broken. */
function untilWord(bytes: Buffer): Buffer {
  const from = Math.max(0, bytes.length - MAX_PARTIAL)
  const part = bytes.subarray(from).toString('latin1')
  const at = part.lastIndexOf('\n') >= 0 ? part.lastIndexOf('\n') : part.search(/\s\S*$/)
  return bytes.subarray(0, from + Math.max(0, at))
}

function fromWord(bytes: Buffer): Buffer {
  const part = bytes.subarray(0, MAX_PARTIAL).toString('latin1')
  const line = part.indexOf('\n')
  const at = line >= 0 ? line : part.search(/\s/)
  return bytes.subarray(at >= 0 ? at + 1 : part.length)
}

export type Replacement = readonly [from: string, to: string]

/** Replaces as bytes flow; what may be the start of a match waits for the next chunk or `end`. */
export function rewriter(pairs: readonly Replacement[]) {
  const needles = pairs
    .map(([from, to]) => [Buffer.from(from).toString('latin1'), Buffer.from(to).toString('latin1')] as const)
    .toSorted(([a], [b]) => b.length - a.length)
  const replace = (text: string) => needles.reduce((done, [from, to]) => done.replaceAll(from, to), text)
  let held = ''
  return {
    push(chunk: Buffer): Buffer {
      if (needles.length === 0) return chunk
      const text = replace(held + chunk.toString('latin1'))
      const keep = longestStart(text, needles)
      held = text.slice(text.length - keep)
      return Buffer.from(text.slice(0, text.length - keep), 'latin1')
    },
    end(): Buffer {
      const rest = Buffer.from(held, 'latin1')
      held = ''
      return rest
    },
  }
}

/** The length of the longest end of `text` that begins one of the needles. */
function longestStart(text: string, needles: readonly (readonly [string, string])[]): number {
  let longest = 0
  for (const [from] of needles)
    for (let length = Math.min(from.length - 1, text.length); length > longest; length--) if (text.endsWith(from.slice(0, length))) longest = length
  return longest
}

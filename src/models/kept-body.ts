/**
 * Requests, and the bodies that they left in, as they are kept. A conversation repeats itself, so of each is kept what stands between the beginning and
 * the end that it shares with one kept before, deflated: 200 turns of 20 MB come to 0.3 MB. What comes back is proved by its hash.
 */
import { sha256 } from '../core/json.ts'
import type { SentBody } from './contract.ts'

/** How many bytes two bodies share at their beginning and, behind that, at their end; and the bytes between, which are new. */
export interface Spliced {
  readonly head: number
  readonly tail: number
  readonly added: Uint8Array
}

export function spliced(base: Buffer, whole: Buffer): Spliced {
  const shorter = Math.min(base.length, whole.length)
  const head = longest(shorter, (from, to) => base.compare(whole, from, to, from, to) === 0)
  const tail = longest(shorter - head, (from, to) => base.compare(whole, whole.length - to, whole.length - from, base.length - to, base.length - from) === 0)
  return { head, tail, added: whole.subarray(head, whole.length - tail) }
}

/** Null where the base is shorter than what was shared with it. */
export function joined(base: Buffer, { head, tail, added }: Spliced): Buffer | null {
  if (!(head >= 0 && tail >= 0 && head + tail <= base.length)) return null
  return Buffer.concat([base.subarray(0, head), added, base.subarray(base.length - tail)])
}

/** The largest n up to `most` for which all of 0..n is equal; halves what is left each time. */
function longest(most: number, isEqual: (from: number, to: number) => boolean): number {
  let [known, beyond] = [0, most]
  while (known < beyond) {
    const middle = Math.ceil((known + beyond) / 2)
    if (isEqual(known, middle)) known = middle
    else beyond = middle - 1
  }
  return known
}

/** A row of the table; `base` null: it stands alone, and `added` is all of it. */
export interface BodyRow {
  readonly sha: string
  readonly base: string | null
  readonly head: number
  readonly tail: number
  /** Deflated, RFC 1951. */
  readonly added: Uint8Array
}

interface Whole {
  readonly body: Buffer
}
export type KeptBody = BodyRow & SentBody

/** Of one conversation: `keep` builds on the last body of which `written` said that it is in the ledger. */
export interface BodyKeeper {
  keep<One extends Whole>(one: One): BodyRow & One
  written(bodies: readonly (BodyRow & Whole)[]): void
}

export function bodyKeeper(): BodyKeeper {
  let last: (BodyRow & Whole) | null = null
  return {
    keep(one) {
      const parts = last === null ? { head: 0, tail: 0, added: one.body } : spliced(last.body, one.body)
      const base = parts.head + parts.tail === 0 ? null : (last?.sha ?? null)
      return { ...one, ...parts, sha: sha256(one.body), base, added: zlib().deflateRawSync(parts.added) }
    },
    written(bodies) {
      last = bodies.at(-1) ?? last
    },
  }
}

/** The bodies by the hash that their rows name; null for one that cannot be put together. A row comes after its base. */
export function bodiesOf(rows: readonly BodyRow[]): Map<string, Buffer | null> {
  const bodies = new Map<string, Buffer | null>()
  for (const row of rows) bodies.set(row.sha, bodyOf(row, row.base === null ? Buffer.alloc(0) : (bodies.get(row.base) ?? null)))
  return bodies
}

const MAX_BODY = 64 * 1024 * 1024

function bodyOf({ head, tail, added }: BodyRow, base: Buffer | null): Buffer | null {
  if (base === null) return null
  try {
    return joined(base, { head, tail, added: zlib().inflateRawSync(added, { maxOutputLength: MAX_BODY }) })
  } catch {
    return null // altered, which whoever holds it against its hash says
  }
}

/** Loaded when there is a body: it costs a start of vp 5 ms. */
function zlib(): typeof import('node:zlib') {
  return process.getBuiltinModule('node:zlib')
}

/**
 * Bytes to documents and back: one JSON document a line, or `Content-Length` frames as in the Language Server
 * Protocol. The first line of a stream tells which. What is too long is refused as soon as that is known and skipped
 * without being kept; after garbage the next line or header counts again. Pure but for its own buffer.
 */
import { isUtf8 } from 'node:buffer'

export type Framing = 'lines' | 'frames'

export type Incoming =
  | { readonly kind: 'document'; readonly text: string; readonly framing: Framing }
  | { readonly kind: 'unreadable'; readonly why: 'too long' | 'not UTF-8' | 'no header' | 'cut off'; readonly framing: Framing }

export interface Decoder {
  push(chunk: Buffer): Incoming[]
  /** The stream has ended: a last line needs no line feed. */
  end(): Incoming[]
}

const LENGTH = /content-length[ \t]*:[ \t]*(\d{1,15})[ \t\r]*$/i
const CONTENT_TYPE = /^content-type[ \t]*:/i
const HEADER = /^[\w-]+[ \t]*:/
const LINE_FEED = 10

export function createDecoder(maxBytes: number): Decoder {
  let framing: Framing | null = null
  let kept: Buffer[] = []
  let size = 0
  /** Of the line or body under way: it is too long, which has been said. */
  let refused = false
  /** Bytes of the body still to come; null outside a body. */
  let missing: number | null = null
  /** From the headers under way; null before the first. */
  let length: number | null = null
  /** Within garbage, which is answered once. */
  let lost = false
  const out: Incoming[] = []

  const unreadable = (why: Extract<Incoming, { kind: 'unreadable' }>['why']) => out.push({ kind: 'unreadable', why, framing: framing ?? 'lines' })

  const keep = (bytes: Buffer) => {
    size += bytes.length
    if (refused) return
    if (size <= maxBytes) kept.push(bytes)
    else {
      kept = []
      refused = true
      unreadable('too long')
    }
  }

  const take = (): Buffer | null => {
    const bytes = refused ? null : Buffer.concat(kept)
    kept = []
    size = 0
    refused = false
    return bytes
  }

  const document = (bytes: Buffer) => {
    if (!isUtf8(bytes)) return void unreadable('not UTF-8')
    const text = bytes.toString('utf8').replace(/^\uFEFF/, '')
    if (text.trim() !== '') out.push({ kind: 'document', text, framing: framing ?? 'lines' })
  }

  const line = (bytes: Buffer | null) => {
    if (bytes === null) return
    const head = bytes.subarray(0, 4096).toString('latin1')
    const isJson = /^(\u00EF\u00BB\u00BF)?\s*[[{]/.test(head)
    if (framing === null && !isJson && (CONTENT_TYPE.test(head) || LENGTH.test(head))) framing = 'frames'
    if (framing !== 'frames') {
      if (isJson) framing = 'lines'
      return document(bytes)
    }
    header(head)
  }

  const header = (text: string) => {
    // After garbage without a line feed the header begins somewhere in the line.
    const found = LENGTH.exec(text)
    if (found) {
      length = Number(found[1])
      lost = false
    } else if (text.trim() === '') {
      if (length !== null) beginBody(length)
    } else if (!HEADER.test(text)) {
      if (!lost) unreadable('no header')
      lost = true
      length = null
    }
  }

  const beginBody = (bytes: number) => {
    length = null
    missing = bytes
    if (bytes > maxBytes) {
      refused = true
      unreadable('too long')
    }
    if (bytes === 0) missing = null
  }

  return {
    push(chunk) {
      for (let at = 0; at < chunk.length;) {
        if (missing !== null) {
          const part = chunk.subarray(at, at + missing)
          keep(part)
          at += part.length
          missing -= part.length
          if (missing > 0) continue
          missing = null
          const body = take()
          if (body) document(body)
          continue
        }
        const end = chunk.indexOf(LINE_FEED, at)
        keep(chunk.subarray(at, end < 0 ? chunk.length : end))
        at = end < 0 ? chunk.length : end + 1
        if (end >= 0) line(take())
      }
      return out.splice(0)
    },
    end() {
      if (missing !== null) unreadable('cut off')
      else if (size > 0) line(take())
      return out.splice(0)
    },
  }
}

/** A document as the bytes that carry it. */
export function encodeDocument(text: string, framing: Framing): Buffer {
  if (framing === 'lines') return Buffer.from(`${text}\n`)
  const body = Buffer.from(text)
  return Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body])
}

/**
 * Bytes to lines and back. `encode(decode(b))` equals `b` for any bytes: encoding, byte-order mark, each line's own
 * end and a missing final newline survive. Leaves out UTF-16 (it holds NUL, so it counts as binary).
 */
import { VpError } from '../core/errors.ts'
import type { LineEnd } from './types.ts'

export interface TextFile {
  readonly encoding: 'utf-8' | 'latin-1'
  readonly bom: boolean
  readonly lines: readonly string[]
  /** As long as `lines`; only the last may be `''`. */
  readonly ends: readonly LineEnd[]
}

export type LineEnds = 'lf' | 'crlf' | 'cr' | 'mixed' | 'none'

export function isBinary(bytes: Uint8Array): boolean {
  return bytes.includes(0)
}

/** By its byte-order mark, which every editor that writes UTF-16 writes. */
export function isUtf16(bytes: Uint8Array): boolean {
  return (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)
}

export function decode(bytes: Uint8Array): TextFile {
  const bom = bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  const body = bom ? bytes.subarray(3) : bytes
  const utf8 = decodeUtf8(body)
  if (utf8 !== null) return { encoding: 'utf-8', bom, ...splitLines(utf8) }
  // A byte-order mark before bytes that are not UTF-8 is three ordinary characters.
  return { encoding: 'latin-1', bom: false, ...splitLines(Buffer.from(bytes).toString('latin1')) }
}

/** A patch as text: where its bytes are no UTF-8, each is one character (`encoding`), and the file says what they mean. */
export function decodePatch(bytes: Uint8Array): { readonly text: string; readonly encoding?: 'latin-1' } {
  const text = decodeUtf8(bytes)
  return text === null ? { text: Buffer.from(bytes).toString('latin1'), encoding: 'latin-1' } : { text }
}

/** The characters that the bytes of a Latin-1 text are in UTF-8; null where they are none. */
export function asUtf8(text: string): string | null {
  return fitsLatin1(text) ? decodeUtf8(Buffer.from(text, 'latin1')) : null
}

/** Throws `patch.unsupported` when a line does not fit the file's encoding: nothing is ever replaced by `?`. */
export function encode(file: TextFile): Buffer {
  const text = joinLines(file)
  if (file.encoding === 'latin-1') {
    if (!fitsLatin1(text)) throw new VpError('patch.unsupported', 'the text has characters that the file encoding, Latin-1, lacks')
    return Buffer.from(text, 'latin1')
  }
  if (!text.isWellFormed()) throw new VpError('patch.unsupported', 'the text has half a character (a lone surrogate), which no UTF-8 file can hold')
  const body = Buffer.from(text, 'utf8')
  return file.bom ? Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), body]) : body
}

export function fitsEncoding(text: string, encoding: TextFile['encoding']): boolean {
  return encoding === 'latin-1' ? fitsLatin1(text) : text.isWellFormed()
}

export function joinLines(file: Pick<TextFile, 'lines' | 'ends'>): string {
  const parts: string[] = []
  for (let index = 0; index < file.lines.length; index++) parts.push(file.lines[index] ?? '', file.ends[index] ?? '')
  return parts.join('')
}

/** Splits at LF and CRLF; at CR only where the text has no LF at all, since else a CR is content, as for git. */
export function splitLines(text: string): { lines: string[]; ends: LineEnd[] } {
  const lines: string[] = []
  const ends: LineEnd[] = []
  const separator = text.includes('\n') ? '\n' : '\r'
  let from = 0
  while (from < text.length) {
    const at = text.indexOf(separator, from)
    if (at < 0) {
      lines.push(text.slice(from))
      ends.push('')
      break
    }
    const isCrlf = separator === '\n' && at > from && text.charCodeAt(at - 1) === 13
    lines.push(text.slice(from, isCrlf ? at - 1 : at))
    ends.push(isCrlf ? '\r\n' : separator)
    from = at + 1
  }
  return { lines, ends }
}

/** The most frequent end; LF for a file without any. */
export function dominantEnd(ends: readonly LineEnd[]): LineEnd {
  let crlf = 0
  let cr = 0
  let lf = 0
  for (const end of ends) {
    if (end === '\n') lf++
    else if (end === '\r\n') crlf++
    else if (end === '\r') cr++
  }
  if (crlf > lf) return '\r\n'
  return cr > lf ? '\r' : '\n'
}

export function lineEndsOf(file: TextFile): LineEnds {
  const kinds = new Set(file.ends.filter((end) => end !== ''))
  if (kinds.size === 0) return 'none'
  if (kinds.size > 1) return 'mixed'
  return kinds.has('\n') ? 'lf' : kinds.has('\r\n') ? 'crlf' : 'cr'
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    // Not UTF-8 is an expected answer here, and the decoder has no other way to give it.
    return null
  }
}

function fitsLatin1(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0xff) return false
  return true
}

/**
 * The data of server-sent events, as bytes come: pieces fall anywhere, also within a character or a line end.
 * Bounded: an event without an end is an error, not memory. Source: HTML Standard section 9.2.
 */
import { StringDecoder } from 'node:string_decoder'
import { VpError } from '../../core/errors.ts'

const MAX_EVENT = 4_000_000
const LINE_END = /[\r\n]/

/** Throws `model.protocol` where a line or an event passes 4 MB. */
export async function* eventData(bytes: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8')
  // A line in pieces is put together once, when its end is there.
  let pieces: string[] = []
  let open = 0
  let data: string[] = []
  let size = 0
  for await (const part of bytes) {
    const piece = decoder.write(part)
    const isSplit = pieces.at(-1)?.endsWith('\r') ?? false
    pieces.push(piece)
    open += piece.length
    if (open + size > MAX_EVENT) throw new VpError('model.protocol', 'one event of the answer is larger than 4 MB')
    if (!isSplit && !LINE_END.test(piece)) continue
    let rest = pieces.join('')
    for (;;) {
      const at = rest.search(LINE_END)
      // A CR at the end may be the first half of a line end.
      if (at < 0 || (rest[at] === '\r' && at === rest.length - 1)) break
      const line = rest.slice(0, at)
      rest = rest.slice(at + (rest.startsWith('\r\n', at) ? 2 : 1))
      if (line === '') {
        if (data.length > 0) yield data.join('\n')
        data = []
        size = 0
      } else if (line.startsWith('data:')) {
        const value = line.slice(line[5] === ' ' ? 6 : 5)
        size += value.length
        data.push(value)
      }
    }
    pieces = [rest]
    open = rest.length
  }
}

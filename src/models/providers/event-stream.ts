/**
 * A `fetch` that lets event streams through and nothing else, so that a portal's page is not read as an answer of no
 * words. Error statuses pass: they are the adapter's to tell. A line without an end is an error, not memory.
 */
import { VpError } from '../../core/errors.ts'
import { elsewhere } from './failures.ts'

/** The fetch throws `model.protocol`. */
export function eventStreamFetch(host: string): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    const type = response.headers.get('content-type') ?? ''
    if (!response.ok) return response
    if (type.includes('text/event-stream')) return new Response(response.body?.pipeThrough(boundedLines()) ?? null, response)
    throw elsewhere(`${host} answered ${type || 'without a content type'}, not as a model does`)
  }
}

const MAX_LINE = 4_000_000

function boundedLines(): TransformStream<Uint8Array, Uint8Array> {
  let open = 0
  return new TransformStream({
    transform(part, controller) {
      const first = part.indexOf(10)
      const longest = open + (first < 0 ? part.length : first)
      open = first < 0 ? longest : part.length - part.lastIndexOf(10) - 1
      if (longest > MAX_LINE) throw new VpError('model.protocol', 'one event of the answer is larger than 4 MB')
      controller.enqueue(part)
    },
  })
}

/**
 * A `fetch` that lets event streams through and nothing else, so that a portal's page is not read as an answer of no
 * words. Error statuses pass: they are the adapter's to tell.
 */
import { VpError } from '../../core/errors.ts'

/** `chunkOf` makes one event of a whole JSON answer, or null of what is none. The fetch throws `model.protocol`. */
export function eventStreamFetch(host: string, chunkOf: (whole: unknown) => object | null = () => null): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    const type = response.headers.get('content-type') ?? ''
    if (!response.ok || type.includes('text/event-stream')) return response
    if (!type.includes('json')) throw notAModel(`${host} answered ${type || 'without a content type'}, not as a model does`)
    const chunk = chunkOf(await response.json().catch(() => null))
    if (!chunk) throw notAModel(`${host} answered JSON that is no answer of a model`)
    return new Response(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`, { headers: { 'content-type': 'text/event-stream' } })
  }
}

function notAModel(message: string): VpError {
  return new VpError('model.protocol', message, { next: ['check VP_MODEL_BASE_URL'] })
}

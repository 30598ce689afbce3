/**
 * A `fetch` that lets event streams through and nothing else, so that a portal's page is not read as an answer of no
 * words. Error statuses pass: they are the adapter's to tell.
 */
import { notAModel } from './failures.ts'

/** The fetch throws `model.protocol`. */
export function eventStreamFetch(host: string): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    const type = response.headers.get('content-type') ?? ''
    if (!response.ok || type.includes('text/event-stream')) return response
    throw notAModel(`${host} answered ${type || 'without a content type'}, not as a model does`)
  }
}

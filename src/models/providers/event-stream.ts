/**
 * A `fetch` that lets event streams through and nothing else, so that a portal's page is not read as an answer of no
 * words. Error statuses pass: they are the adapter's to tell. A line without an end is an error, not memory. It goes over
 * `node:http`, as all of ours does: one place where proxies count, and no redirect is followed.
 */
import { Readable } from 'node:stream'
import { VpError } from '../../core/errors.ts'
import type { Endpoint, OnSent } from '../contract.ts'
import { elsewhere } from './failures.ts'
import { poster, type ProxyEnv } from './http.ts'

/**
 * For each call a fetch that tells which bodies it sent; all of them share their connections. It throws `model.protocol`.
 * `also`: another type of stream that a provider has.
 */
export function eventStreamFetch({ host, loopback }: Endpoint, proxyEnv?: ProxyEnv, also?: string): (onSent?: OnSent) => typeof fetch {
  const send = { 'http:': null, 'https:': null } as Record<string, ReturnType<typeof poster> | null>
  return (onSent) => async (input, init) => {
    const url = input instanceof Request ? input.url : String(input)
    const { protocol } = new URL(url)
    const post = (send[protocol] ??= poster(url, loopback ? undefined : proxyEnv))
    const headers = Object.fromEntries(new Headers(init?.headers).entries())
    const body = typeof init?.body === 'string' ? init.body : init?.body == null ? '' : await new Response(init.body).text()
    const incoming = await post({ url, headers, body, signal: init?.signal ?? new AbortController().signal, onSent })
    const status = incoming.statusCode ?? 0
    const answered = {
      status,
      statusText: incoming.statusMessage ?? '',
      headers: new Headers(Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)])),
    }
    if (status < 200 || status > 599 || status === 204 || status === 205 || status === 304) throw elsewhere(`${host} answered ${status}, not as a model does`)
    const stream = Readable.toWeb(incoming) as ReadableStream<Uint8Array>
    const type = incoming.headers['content-type'] ?? ''
    if (status >= 400) return new Response(stream, answered)
    if (status >= 300) throw elsewhere(`${host} answered ${status}, a redirect, which is not followed`)
    if (type.includes('text/event-stream')) return new Response(stream.pipeThrough(boundedLines()), answered)
    if (also !== undefined && type.includes(also)) return new Response(stream, answered)
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

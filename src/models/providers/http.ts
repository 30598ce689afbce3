/**
 * One request and its answer as it comes, over `node:http`: a fifth of what loading and driving `fetch` costs before a
 * first answer (docs/decisions/0009). Redirects are not followed: what is sent goes to the host that was named.
 */
import type { IncomingMessage } from 'node:http'
import { nodeHttp } from '../../core/node-http.ts'

export interface Post {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Absent: nothing is sent, and the request is a GET. */
  readonly body?: string
  readonly signal: AbortSignal
}

export type ProxyEnv = Readonly<Record<string, string | undefined>>

/** Connections are kept between the turns of a task. `proxyEnv`: where HTTPS_PROXY and its like are looked up. */
export function poster(baseUrl: string, proxyEnv?: ProxyEnv): (post: Post) => Promise<IncomingMessage> {
  const { request: send, Agent } = nodeHttp(baseUrl)
  const agent = new Agent({ keepAlive: true, ...(proxyEnv ? { proxyEnv } : {}) })
  return ({ url, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const bytes = body === undefined ? null : Buffer.from(body)
      const length = bytes === null ? {} : { 'content-length': bytes.length }
      const outgoing = send(url, { method: bytes === null ? 'GET' : 'POST', agent, signal, headers: { ...headers, ...length } }, resolve)
      outgoing.on('error', reject)
      outgoing.end(bytes ?? undefined)
    })
}

/**
 * One POST and its answer as it comes, over `node:http`: a fifth of what loading and driving `fetch` costs before a
 * first answer (docs/decisions/0009). Redirects are not followed: what is sent goes to the host that was named.
 */
import type { IncomingMessage } from 'node:http'
import { nodeHttp } from '../../core/node-http.ts'

export interface Post {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
}

/** Connections are kept between the turns of a task. `proxyEnv`: where HTTPS_PROXY and its like are looked up. */
export function poster(baseUrl: string, proxyEnv?: Readonly<Record<string, string | undefined>>): (post: Post) => Promise<IncomingMessage> {
  const { request: send, Agent } = nodeHttp(baseUrl)
  const agent = new Agent({ keepAlive: true, ...(proxyEnv ? { proxyEnv } : {}) })
  return ({ url, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const bytes = Buffer.from(body)
      const outgoing = send(url, { method: 'POST', agent, signal, headers: { ...headers, 'content-length': bytes.length } }, resolve)
      outgoing.on('error', reject)
      outgoing.end(bytes)
    })
}

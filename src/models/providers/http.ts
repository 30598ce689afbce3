/**
 * One POST and its answer as it comes, over `node:http`: a fifth of what loading and driving `fetch` costs before a
 * first answer (docs/decisions/0009). Redirects are not followed: what is sent goes to the host that was named.
 */
import { request as requestHttp, Agent as HttpAgent, type IncomingMessage } from 'node:http'
import { request as requestHttps, Agent as HttpsAgent } from 'node:https'

export interface Post {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
}

/** Connections are kept between the turns of a task. `proxyEnv`: where HTTPS_PROXY and its like are looked up. */
export function poster(baseUrl: string, proxyEnv?: Readonly<Record<string, string | undefined>>): (post: Post) => Promise<IncomingMessage> {
  const isTls = baseUrl.startsWith('https:')
  const options = { keepAlive: true, ...(proxyEnv ? { proxyEnv } : {}) }
  const [send, agent] = isTls ? [requestHttps, new HttpsAgent(options)] : [requestHttp, new HttpAgent(options)]
  return ({ url, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const bytes = Buffer.from(body)
      const outgoing = send(url, { method: 'POST', agent, signal, headers: { ...headers, 'content-length': bytes.length } }, resolve)
      outgoing.on('error', reject)
      outgoing.end(bytes)
    })
}

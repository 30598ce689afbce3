/**
 * One request and its answer as it comes, over `node:http`: a fifth of what loading and driving `fetch` costs before a
 * first answer (docs/decisions/0009). Redirects are not followed: what is sent goes to the host that was named.
 */
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { nodeHttp } from '../../core/node-http.ts'
import type { OnSent } from '../contract.ts'

export interface Post {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Absent: nothing is sent, and the request is a GET. */
  readonly body?: string
  readonly signal: AbortSignal
  /** Told of the body, once there is a connection that it can leave by. */
  readonly onSent?: OnSent | undefined
}

export type ProxyEnv = Readonly<Record<string, string | undefined>>

/** Connections are kept between the turns of a task. `proxyEnv`: where HTTPS_PROXY and its like are looked up. */
export function poster(baseUrl: string, proxyEnv?: ProxyEnv): (post: Post) => Promise<IncomingMessage> {
  const { request: send, Agent } = nodeHttp(baseUrl)
  const agent = new Agent({ keepAlive: true, ...(proxyEnv ? { proxyEnv } : {}) })
  return ({ url, headers, body, signal, onSent }) =>
    new Promise((resolve, reject) => {
      const bytes = body === undefined ? null : Buffer.from(body)
      const length = bytes === null ? {} : { 'content-length': bytes.length }
      const outgoing = send(url, { method: bytes === null ? 'GET' : 'POST', agent, signal, headers: { ...headers, ...length } }, resolve)
      outgoing.on('error', reject)
      if (bytes !== null && onSent)
        whenConnected(outgoing, () => {
          const { host, pathname } = new URL(url)
          onSent({ host, path: pathname, body: bytes })
        })
      outgoing.end(bytes ?? undefined)
    })
}

/** What a server refused to connect for, or had no certificate for, did not leave. Of what then breaks off nobody knows how much did. */
function whenConnected(outgoing: ClientRequest, then: () => void): void {
  outgoing.once('socket', (socket: Socket & { readonly encrypted?: true; readonly secureConnecting?: boolean }) => {
    if (socket.connecting || socket.secureConnecting) socket.once(socket.encrypted ? 'secureConnect' : 'connect', then)
    else then()
  })
}

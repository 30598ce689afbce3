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

const MAX_ANSWER = 8_000_000

export interface JsonQuestion {
  readonly url: string
  /** Absent: a GET. */
  readonly body?: object | undefined
  readonly signal: AbortSignal
}

/** One JSON document of a server on this machine. Rejects on any other answer, and on more than 8 MB. */
export function askJson({ url, body, signal }: JsonQuestion): Promise<unknown> {
  const bytes = body === undefined ? null : Buffer.from(JSON.stringify(body))
  const { request: send } = nodeHttp(url)
  return new Promise((resolve, reject) => {
    const headers = bytes === null ? {} : { 'content-type': 'application/json', 'content-length': bytes.length }
    const outgoing = send(url, { method: bytes === null ? 'GET' : 'POST', headers, signal, agent: false }, (response) => {
      const parts: Buffer[] = []
      let size = 0
      response.on('error', reject)
      response.on('data', (part: Buffer) => {
        parts.push(part)
        if ((size += part.length) > MAX_ANSWER) outgoing.destroy(new Error('the answer is larger than 8 MB'))
      })
      response.on('end', () => {
        try {
          if (response.statusCode !== 200) throw new Error(`status ${response.statusCode ?? 0}`)
          resolve(JSON.parse(Buffer.concat(parts).toString('utf8')))
        } catch (error) {
          reject(error as Error)
        }
      })
    })
    outgoing.on('error', reject)
    outgoing.end(bytes ?? undefined)
  })
}

/**
 * One request to a forge and its answer as JSON. The token goes to the API that was named and nowhere else: a
 * redirect is an error that says where it led. Every status is an error of the one table, with a next step.
 */
import { VpError, type ErrorCode } from '../../core/errors.ts'
import { nodeHttp } from '../../core/node-http.ts'

export interface ForgeAnswer {
  readonly status: number
  readonly body: unknown
}

export interface ForgeHttp {
  get(path: string): Promise<ForgeAnswer>
  /** `accept`: statuses besides 2xx that are answers. */
  post(path: string, body: unknown, accept: readonly number[]): Promise<ForgeAnswer>
}

export interface ForgeConnection {
  readonly api: string
  readonly headers: Readonly<Record<string, string>>
  readonly token: string
  readonly userAgent: string
  readonly proxyEnv: Readonly<Record<string, string | undefined>>
  /** Where the token comes from, for the one who has to mend it. */
  readonly tokenFrom: string
  readonly signal: AbortSignal
}

const MAX_BYTES = 4 * 1024 * 1024
const WAIT_MS = 30_000

export function forgeHttp(connection: ForgeConnection): ForgeHttp {
  const call = async (method: 'GET' | 'POST', path: string, body: unknown, accept: readonly number[]): Promise<ForgeAnswer> => {
    const { status, headers, text } = await exchange(connection, method, path, body === undefined ? null : Buffer.from(JSON.stringify(body)))
    const answer = { status, body: parsed(text) }
    if ((status >= 200 && status < 300 && answer.body !== undefined) || accept.includes(status)) return answer
    throw refusal(connection, answer, headers)
  }
  return { get: (path) => call('GET', path, undefined, []), post: (path, body, accept) => call('POST', path, body, accept) }
}

interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

function exchange(connection: ForgeConnection, method: string, path: string, body: Buffer | null): Promise<RawAnswer> {
  const url = `${connection.api}${path}`
  const { request: send, Agent } = nodeHttp(url)
  const agent = new Agent({ proxyEnv: connection.proxyEnv })
  const headers = {
    accept: 'application/json',
    'user-agent': connection.userAgent,
    ...connection.headers,
    ...(body ? { 'content-type': 'application/json', 'content-length': body.length } : {}),
  }
  return new Promise((resolve, reject) => {
    const failed = (why: string) => {
      if (connection.signal.aborted) reject(new VpError('cancelled', 'cancelled'))
      else reject(new VpError('forge.failed', `${hostOf(connection)} gave no answer`, { why: clean(connection, why), next: ['vp git pr'] }))
    }
    const outgoing = send(url, { method, agent, headers, signal: connection.signal, timeout: WAIT_MS }, (incoming) => {
      const parts: Buffer[] = []
      let size = 0
      incoming.on('data', (part: Buffer) => {
        size += part.length
        if (size <= MAX_BYTES) parts.push(part)
        else incoming.destroy(new Error('the answer is longer than any of a forge'))
      })
      incoming.on('error', (error) => failed(error.message))
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text: Buffer.concat(parts).toString('utf8') }))
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer in ${WAIT_MS / 1000}s`)))
    outgoing.on('error', (error) => failed(error.message))
    outgoing.end(body ?? undefined)
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // a page of a proxy, or nothing
  }
}

const hostOf = ({ api }: ForgeConnection): string => new URL(api).host

/** What a forge may say to a person: one line, without the token. */
function clean({ token }: ForgeConnection, text: string): string {
  return text
    .replaceAll(token, '[REDACTED]')
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, 300)
}

function refusal(connection: ForgeConnection, { status, body }: ForgeAnswer, headers: RawAnswer['headers']): VpError {
  const host = hostOf(connection)
  const said = clean(connection, saidBy(body))
  const error = (code: ErrorCode, message: string, next: string[]) =>
    new VpError(code, message, { why: said === '' ? `status ${status}` : said, next, data: { status } })
  const limited = status === 429 || (status === 403 && (headers['x-ratelimit-remaining'] === '0' || headers['retry-after'] !== undefined))
  if (limited) return error('forge.rate_limited', `${host} asks to wait${waitWords(headers['retry-after'])}`, ['vp git pr'])
  if (status === 401) return error('forge.auth', `${host} does not take the token from ${connection.tokenFrom}`, [`export ${connection.tokenFrom}=…`])
  if (status === 403) return error('forge.auth', `the token from ${connection.tokenFrom} may not open pull requests on ${host}`, ['vp git pr --dry-run'])
  if (status === 404)
    return error('forge.refused', `${host} shows this repository to nobody with the token from ${connection.tokenFrom}`, [
      'git remote -v',
      'vp git pr --dry-run',
    ])
  if (status === 409 || status === 422 || status === 400)
    return error('forge.refused', `${host} does not take this pull request`, ['vp git pr --base BRANCH', 'vp git pr --dry-run'])
  if (status >= 300 && status < 400) {
    const to = clean(connection, String(headers['location'] ?? 'nowhere'))
    return new VpError('forge.refused', `${host} answers from elsewhere, ${to}, and the token does not go there`, {
      next: ['git remote set-url origin URL', 'vp config show'],
    })
  }
  return error('forge.failed', status < 300 ? `${host} answered with something else than JSON` : `${host} failed`, ['vp git pr'])
}

function waitWords(after: string | string[] | undefined): string {
  return typeof after === 'string' && /^\d{1,6}$/.test(after) ? ` ${after}s` : ''
}

/** `message`, `error` and `errors[].message` are what the three forges use. */
function saidBy(body: unknown): string {
  if (typeof body !== 'object' || body === null) return ''
  const { message, error, errors } = body as Readonly<Record<string, unknown>>
  const list = Array.isArray(errors) ? errors : []
  const words = [message, error, ...list.map((one: unknown) => (typeof one === 'object' && one !== null ? (one as { message?: unknown }).message : one))]
  return words
    .flatMap((word) => (Array.isArray(word) ? word : [word]))
    .filter((word) => typeof word === 'string')
    .join('; ')
}

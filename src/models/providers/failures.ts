/** HTTP and transport failures as codes; the server's own hint on when to come back is kept. */
import { isVpError, VpError } from '../../core/errors.ts'
import type { Endpoint } from '../contract.ts'

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

interface ApiError {
  readonly statusCode?: number | undefined
  /** Of what a server says in the middle of a stream: often the status it would have answered with. */
  readonly code?: unknown
  readonly responseHeaders?: Headers
  readonly message: string
}

/** `isHeard`: something had come before. */
export function failureOf(error: unknown, isHeard: boolean, endpoint: Endpoint): VpError {
  if (isVpError(error)) return error
  const api = error as ApiError
  const status = api.statusCode ?? statusIn(api.code)
  const message = api.message ?? String(error)
  if (status !== undefined && status >= 400) return statusFailure(endpoint, status, message, { headers: api.responseHeaders, cause: error })
  if (!(error instanceof Error)) return brokeOff(endpoint, error)
  const chain = messagesOf(error)
  if (/terminated|aborted|ECONNRESET|UND_ERR_SOCKET|other side closed|socket hang up|ended without a finish reason/i.test(chain))
    return new VpError('model.cut', 'the connection broke before the end of the answer', { cause: error })
  if (status === undefined && !isHeard && /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|Cannot connect|fetch failed/i.test(chain))
    return new VpError('model.unreachable', `nothing answers at ${endpoint.host}`, {
      cause: error,
      next: ['vp doctor'],
    })
  return new VpError('model.protocol', `${endpoint.host} did not answer as a model does: ${firstLine(message)}`, { cause: error })
}

/** What a server says in the middle of a stream instead of going on: its code may be the status it would have answered with. */
export function brokeOff(endpoint: Endpoint, said: unknown): VpError {
  const { message, code } = (typeof said === 'object' && said !== null ? said : { message: String(said) }) as { message?: unknown; code?: unknown }
  const status = statusIn(code)
  const words = typeof message === 'string' ? message : JSON.stringify(said)
  if (status !== undefined) return statusFailure(endpoint, status, words, { cause: said })
  return new VpError('model.server', `${endpoint.host} broke off: ${firstLine(words)}`, { cause: said })
}

/** An HTTP status of 400 and above. */
export function statusFailure(
  endpoint: Endpoint,
  status: number,
  message: string,
  more: { readonly headers?: Headers | undefined; readonly cause?: unknown },
): VpError {
  const at = `${endpoint.host} answered ${status}: ${firstLine(message)}`
  const { cause } = more
  if (status === 401 || status === 403) return new VpError('model.auth', at, { cause, next: ['check the API key in the environment', 'vp doctor'] })
  const data = { retry_after_ms: retryAfter(more.headers) }
  if (status === 429 || status === 529) return new VpError('model.rate_limited', at, { cause, data })
  if (status >= 500 || status === 408) return new VpError('model.server', at, { cause, data })
  return new VpError('model.request', at, { cause, next: ['vp doctor'] })
}

export function notAModel(message: string): VpError {
  return new VpError('model.protocol', message, { next: ['check VP_MODEL_BASE_URL'] })
}

function statusIn(code: unknown): number | undefined {
  return typeof code === 'number' && code >= 400 && code < 600 ? code : undefined
}

/** Messages and codes down the chain of causes, in one line. */
function messagesOf(error: unknown): string {
  const parts: string[] = []
  for (let at = error as { message?: string; code?: unknown; cause?: unknown } | undefined; at && parts.length < 10; at = at.cause as typeof at)
    parts.push(`${at.message ?? ''} ${String(at.code ?? '')}`)
  return parts.join(' ')
}

/** ms; null without a hint. Source: RFC 9110 section 10.2.3, and `retry-after-ms` as OpenAI and others send it. */
function retryAfter(headers: Headers | undefined): number | null {
  const ms = Number(headers?.['retry-after-ms'])
  if (Number.isFinite(ms) && ms > 0) return ms
  const seconds = Number(headers?.['retry-after'])
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : null
}

function firstLine(text: string): string {
  return (text.split('\n')[0] ?? '').slice(0, 200)
}

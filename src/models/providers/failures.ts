/** HTTP and transport failures as codes; the server's own hint on when to come back, or not to, is kept. */
import { isVpError, VpError } from '../../core/errors.ts'
import type { Endpoint, ModelUsage, SpentByFailure } from '../contract.ts'
import { estimateTokens } from '../prices.ts'
import type { Counted } from '../window.ts'
import { retryHint, type Headers } from './hints.ts'

interface ApiError {
  readonly statusCode?: number | undefined
  /** Of what a server says in the middle of a stream: often the status it would have answered with. */
  readonly code?: unknown
  readonly responseHeaders?: Headers
  readonly responseBody?: string | undefined
  readonly message: string
}

/** `isHeard`: something had come before. */
export function failureOf(error: unknown, isHeard: boolean, endpoint: Endpoint): VpError {
  if (isVpError(error)) return error
  const api = error as ApiError
  const status = api.statusCode ?? statusIn(api.code)
  const message = api.message ?? String(error)
  if (status !== undefined && status >= 400)
    return statusFailure(endpoint, status, message, { headers: api.responseHeaders, body: api.responseBody, cause: error })
  if (!(error instanceof Error)) return brokeOff(endpoint, error)
  const chain = messagesOf(error)
  if (CERTIFICATE.test(chain))
    return new VpError('model.unreachable', `the certificate of ${endpoint.host} is signed by nobody who is known here`, {
      cause: error,
      why: firstLine(message),
      next: ['export NODE_EXTRA_CA_CERTS=/path/of/your/ca.pem', 'vp doctor'],
      data: { retry: false },
    })
  if (/\bterminated|aborted|ECONNRESET|UND_ERR_SOCKET|other side closed|socket hang up|ended without a finish reason/i.test(chain))
    return new VpError('model.cut', 'the connection broke before the end of the answer', { cause: error })
  if (status === undefined && !isHeard && /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|Cannot connect|fetch failed/i.test(chain))
    return new VpError('model.unreachable', `nothing answers at ${endpoint.host}`, {
      cause: error,
      next: ['vp doctor'],
    })
  return new VpError('model.protocol', `${endpoint.host} did not answer as a model does: ${firstLine(message)}`, { cause: error })
}

/** Source: Node's TLS documentation, X509 certificate error codes. */
const CERTIFICATE =
  /UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT|SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|CERT_(HAS_EXPIRED|NOT_YET_VALID|UNTRUSTED|REJECTED)|ERR_TLS_CERT_ALTNAME_INVALID/

/** What a server says in the middle of a stream instead of going on: its code may be the status it would have answered with. */
export function brokeOff(endpoint: Endpoint, said: unknown): VpError {
  const { message, code } = (typeof said === 'object' && said !== null ? said : { message: String(said) }) as { message?: unknown; code?: unknown }
  const status = statusIn(code)
  const words = typeof message === 'string' ? message : JSON.stringify(said)
  if (status !== undefined) return statusFailure(endpoint, status, words, { cause: said })
  if (TOO_LONG.test(words))
    return tooLarge(endpoint, `${JSON.stringify(said)}\n${words}`, { said: `${endpoint.host} broke off: ${firstLine(words)}`, cause: said })
  return new VpError('model.server', `${endpoint.host} broke off: ${firstLine(words)}`, { cause: said })
}

export interface StatusAnswer {
  readonly headers?: Headers | undefined
  /** As it came. */
  readonly body?: string | undefined
  readonly cause?: unknown
}

/** An HTTP status of 400 and above. */
export function statusFailure(endpoint: Endpoint, status: number, message: string, { headers, body = '', cause }: StatusAnswer): VpError {
  const at = `${endpoint.host} answered ${status}: ${firstLine(message)}`
  if (status === 402 || NO_MONEY.test(`${body}\n${message}`)) return new VpError('model.quota', at, { cause })
  if (status === 401 || status === 403) return new VpError('model.auth', at, { cause, next: ['check the API key in the environment', 'vp doctor'] })
  if (status === 404) return new VpError('model.not_found', at, { cause })
  if (status === 413 || TOO_LONG.test(`${body}\n${message}`)) return tooLarge(endpoint, `${body}\n${message}`, { said: at, cause })
  const data = retryHint(headers, body)
  if (status === 429 || status === 529) return new VpError('model.rate_limited', at, { cause, data })
  if (status >= 500 || status === 408) return new VpError('model.server', at, { cause, data })
  return new VpError('model.request', at, { cause, next: ['vp doctor'] })
}

/** What waiting does not heal. Sources: OpenAI's error codes guide, Anthropic's errors page, Gemini's QuotaFailure by the day. */
const NO_MONEY = /insufficient_quota|billing_hard_limit_reached|billing_error|credit balance is too low|"quotaId"\s*:\s*"[^"]*PerDay/i
/** Sources: OpenAI and vLLM, llama.cpp's server, Ollama, LM Studio (two), Anthropic, Gemini, in this order. */
const TOO_LONG =
  /context_length_exceeded|maximum context length|exceed_context_size_error|exceeds the available context size|input length exceeds (?:the |maximum )?context length|context length of only \d+ tokens|greater than the context length|prompt is too long|input token count .{0,40}exceeds/i

/** What a prompt came to and what the window is, where the server says both. Sources: llama.cpp's server, vLLM and OpenAI (two), LM Studio, Anthropic, Gemini. */
const BOTH_NUMBERS: readonly RegExp[] = [
  /"n_prompt_tokens"\s*:\s*(?<tokens>\d+)[^]*?"n_ctx"\s*:\s*(?<window>\d+)/,
  /maximum context length is (?<window>\d+) tokens[^]{0,200}?requested (?<both>\d+) tokens/,
  /maximum context length is (?<window>\d+) tokens[^]{0,200}?resulted in (?<tokens>\d+) tokens/,
  /keep the first (?<tokens>\d+) tokens[^]{0,200}?context length of only (?<window>\d+) tokens/,
  /prompt is too long: (?<tokens>\d+) tokens > (?<window>\d+) maximum/,
  /input token count \((?<tokens>\d+)\) exceeds [^(]{0,80}\((?<window>\d+)\)/,
]

/** `answered`: all that the server said; `said`: what of it stands where there are no numbers. */
function tooLarge({ host }: Endpoint, answered: string, { said, cause }: { readonly said: string; readonly cause: unknown }): VpError {
  const numbers = BOTH_NUMBERS.map((one) => one.exec(answered)?.groups).find((groups) => groups !== undefined)
  if (!numbers) return new VpError('model.too_large', said, { cause })
  const { tokens, both, window } = numbers
  const what = tokens === undefined ? `prompt and answer come to ${both} tokens` : `the prompt is ${tokens} tokens`
  return new VpError('model.too_large', `${what}, the window of ${host} is ${window}`, { why: said, cause })
}

/** One that refuses what is too long and tells no number: what was sent, and what it was asked for. */
export function overWindow(error: VpError, { host }: Endpoint, { characters, window }: { readonly characters: number; readonly window: number }): VpError {
  if (error.code !== 'model.too_large') return error
  return new VpError(
    'model.too_large',
    `the prompt is ${characters} characters, some ${roughTokens(characters)} tokens; ${host} was asked for a window of ${window}`,
    {
      ...error.details,
      why: error.message,
      cause: error.cause,
    },
  )
}

const roughTokens = (characters: number): number => Math.round(estimateTokens(' '.repeat(characters)) / 100) * 100

/** The server read less than was sent, and said nothing. What it said of its use was spent all the same. */
export function truncated(endpoint: Endpoint, { characters, tokens }: Counted, spent: ModelUsage): VpError {
  const sent = `${characters} characters, some ${roughTokens(characters)} tokens, were sent`
  return new VpError('model.truncated', `${endpoint.host} read ${tokens} tokens of the prompt and left out the rest: ${sent}`, {
    why: 'its window is smaller than the prompt, and it cuts without a word; an answer to half a prompt is none',
    data: { characters, tokens, spent: spent satisfies SpentByFailure },
  })
}

/**
 * A parameter that the model behind a server does not take, in the server's words: OpenAI's for its reasoning models, and
 * what gateways pass on of them. `max_tokens` has another name there, `temperature` has none.
 */
export function refusedParameter({ code, message }: VpError): 'temperature' | 'max_tokens' | null {
  if (code !== 'model.request') return null
  if (/max_completion_tokens/.test(message)) return 'max_tokens'
  return /(?:unsupported|not support|deprecated|only the default)/i.test(message) && /\btemperature\b/i.test(message) ? 'temperature' : null
}

export function notAModel(message: string): VpError {
  return new VpError('model.protocol', message, { next: ['check VP_MODEL_BASE_URL'] })
}

/** What answered is something else altogether: a page, a redirect. */
export function elsewhere(message: string): VpError {
  return new VpError('model.protocol', message, { next: ['check VP_MODEL_BASE_URL'], data: { spent: 'nothing' satisfies SpentByFailure } })
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

function firstLine(text: string): string {
  return (text.split('\n')[0] ?? '').slice(0, 200)
}

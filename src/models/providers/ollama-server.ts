/**
 * What an Ollama says of a model before it is asked anything: its digest, the window it was trained for, what it can do,
 * and whether it runs here at all. Sources: `/api/tags` and `/api/show` in docs/api.md of ollama/ollama.
 */
import type { IncomingMessage } from 'node:http'
import { isVpError, VpError } from '../../core/errors.ts'
import type { Endpoint } from '../contract.ts'
import { acceptedType, jsonObject, textOf, wholeBody } from './bodies.ts'
import { elsewhere, failureOf } from './failures.ts'
import type { Post } from './http.ts'

export interface OllamaModel {
  /** Of the manifest, in hex; null where the list does not have the name. */
  readonly digest: string | null
  /** `model_info.<architecture>.context_length`. */
  readonly trainedTokens: number | null
  /** A `PARAMETER num_ctx` of the Modelfile: somebody set it. */
  readonly setTokens: number | null
  /** null: a server from before 0.6.4, which does not tell. */
  readonly capabilities: readonly string[] | null
  /** Where the model really runs, if not on the machine of the server. */
  readonly remoteHost: string | null
  readonly parameterSize: string | null
  readonly quantization: string | null
}

export interface OllamaAddress {
  readonly baseUrl: string
  readonly endpoint: Endpoint
  readonly headers: Readonly<Record<string, string>>
  readonly post: (post: Post) => Promise<IncomingMessage>
}

interface Shown {
  readonly model_info?: unknown
  readonly parameters?: unknown
  readonly capabilities?: unknown
  readonly remote_host?: unknown
  readonly details?: { readonly parameter_size?: unknown; readonly quantization_level?: unknown } | null
}

/** Nothing that fails here cost anything. Throws `model.*`; a model that is not there is `model.not_found`, with the way to it. */
export async function describeOllamaModel(at: OllamaAddress, model: string, signal: AbortSignal): Promise<OllamaModel> {
  try {
    const [shown, listed] = await Promise.all([
      document<Shown>(at, '/api/show', signal, JSON.stringify({ model })),
      document<{ models?: unknown }>(at, '/api/tags', signal),
    ])
    const remoteHost = textOf(shown.remote_host)
    return {
      digest: digestOf(listed.models, model),
      trainedTokens: contextLength(shown.model_info),
      setTokens: numCtx(textOf(shown.parameters)),
      capabilities: Array.isArray(shown.capabilities) ? shown.capabilities.filter((one) => typeof one === 'string') : null,
      remoteHost: remoteHost === '' ? null : remoteHost,
      parameterSize: textOf(shown.details?.parameter_size) || null,
      quantization: textOf(shown.details?.quantization_level) || null,
    }
  } catch (thrown) {
    const error = notPulled(isVpError(thrown) ? thrown : failureOf(thrown, false, at.endpoint), model)
    throw new VpError(error.code, error.message, { ...error.details, cause: error.cause, data: { ...error.details.data, spent: 'nothing' } })
  }
}

/** The same error; where the model is missing, with what brings it. */
export function notPulled(error: VpError, model: string): VpError {
  if (error.code !== 'model.not_found') return error
  return new VpError(error.code, error.message, { ...error.details, cause: error.cause, next: [`vp model pull ollama:${model}`, `ollama pull ${model}`] })
}

async function document<Document extends object>(at: OllamaAddress, path: string, signal: AbortSignal, body?: string): Promise<Document> {
  const response = await at.post({ url: `${at.baseUrl}${path}`, headers: at.headers, signal, ...(body === undefined ? {} : { body }) })
  const type = await acceptedType(response, at.endpoint)
  if (!type.includes('json')) throw elsewhere(`${at.endpoint.host} answered ${type || 'without a content type'}, not as Ollama does`)
  return jsonObject<Document>(await wholeBody(response), at.endpoint)
}

/** Names without a tag are `:latest`. */
function digestOf(models: unknown, model: string): string | null {
  const names = new Set([model, model.includes(':') ? model : `${model}:latest`])
  const list = Array.isArray(models) ? (models as ({ name?: unknown; model?: unknown; digest?: unknown } | null)[]) : []
  const row = list.find((one) => names.has(textOf(one?.name)) || names.has(textOf(one?.model)))
  return textOf(row?.digest).replace(/^sha256:/, '') || null
}

function contextLength(info: unknown): number | null {
  if (typeof info !== 'object' || info === null) return null
  const lengths = Object.entries(info).flatMap(([key, value]) => (/^[^.]+\.context_length$/.test(key) && Number.isSafeInteger(value) ? [value as number] : []))
  const length = Math.max(...lengths)
  return length > 0 && Number.isFinite(length) ? length : null
}

/** Source: the text form of parameters in `/api/show`, one `name value` a line. */
function numCtx(parameters: string): number | null {
  const tokens = Number(/^num_ctx\s+(\d{1,9})\s*$/m.exec(parameters)?.[1] ?? 0)
  return tokens > 0 ? tokens : null
}

/** What vp asks for where nobody measured or set a window: enough for its tasks, little enough for the memory that such models run in. */
export const ORDINARY_TOKENS = 32_768

/** The `num_ctx` of every call, so that the server loads the model once: measured, else set, else as trained up to the ordinary. */
export function windowOf(model: OllamaModel, measuredTokens: number | null): number {
  return measuredTokens ?? model.setTokens ?? Math.min(model.trainedTokens ?? ORDINARY_TOKENS, ORDINARY_TOKENS)
}

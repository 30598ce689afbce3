/** An Ollama is asked what it knows of a model, before the model is asked anything; and which window to ask for. */
import type { IncomingMessage } from 'node:http'
import { isVpError, VpError } from '../../core/errors.ts'
import type { Endpoint } from '../contract.ts'
import { ollamaModelOf, type OllamaModel } from '../ollama-model.ts'
import { acceptedType, jsonObject, wholeBody } from './bodies.ts'
import { elsewhere, failureOf } from './failures.ts'
import type { Post } from './http.ts'

export interface OllamaAddress {
  readonly baseUrl: string
  readonly endpoint: Endpoint
  readonly headers: Readonly<Record<string, string>>
  readonly post: (post: Post) => Promise<IncomingMessage>
}

/** Nothing that fails here cost anything. Throws `model.*`; a model that is not there is `model.not_found`, with the way to it. */
export async function describeOllamaModel(at: OllamaAddress, model: string, signal: AbortSignal): Promise<OllamaModel> {
  try {
    const [shown, tags] = await Promise.all([document(at, '/api/show', signal, JSON.stringify({ model })), document(at, '/api/tags', signal)])
    return ollamaModelOf(model, { shown, tags })
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

async function document(at: OllamaAddress, path: string, signal: AbortSignal, body?: string): Promise<object> {
  const response = await at.post({ url: `${at.baseUrl}${path}`, headers: at.headers, signal, ...(body === undefined ? {} : { body }) })
  const type = await acceptedType(response, at.endpoint)
  if (!type.includes('json')) throw elsewhere(`${at.endpoint.host} answered ${type || 'without a content type'}, not as Ollama does`)
  return jsonObject<object>(await wholeBody(response), at.endpoint)
}

/** What vp asks for where nobody measured or set a window: enough for its tasks, little enough for the memory that such models run in. */
export const ORDINARY_TOKENS = 32_768

/** The `num_ctx` of every call, so that the server loads the model once: measured, else set, else as trained up to the ordinary. */
export function windowOf(model: OllamaModel, measuredTokens: number | null): number {
  return measuredTokens ?? model.setTokens ?? Math.min(model.trainedTokens ?? ORDINARY_TOKENS, ORDINARY_TOKENS)
}

/** A model pulled by the Ollama that will serve it: it resumes and verifies by itself, and says how far it is. Source: docs/api.md. */
import { VpError } from '../../core/errors.ts'
import type { ModelSpec } from '../choose.ts'
import { errorWords, jsonObject, textLines, textOf, wholeBody } from '../providers/bodies.ts'
import { brokeOff, failureOf, statusFailure } from '../providers/failures.ts'
import { poster } from '../providers/http.ts'
import type { OllamaModel } from '../ollama-model.ts'
import { describeOllamaModel } from '../providers/ollama-server.ts'
import type { Progress } from './download.ts'

interface Line {
  readonly status?: unknown
  readonly error?: unknown
  readonly total?: unknown
  readonly completed?: unknown
}

const TRIES = 4

export interface PullPorts {
  sleep(ms: number, signal: AbortSignal): Promise<void>
  onProgress(progress: Progress): void
}

/** Throws `model.*`, `cancelled`; asking again goes on where it was cut. */
export async function pullFromOllama(
  ports: PullPorts,
  spec: Pick<ModelSpec, 'baseUrl' | 'endpoint' | 'apiKey' | 'model'>,
  signal: AbortSignal,
): Promise<OllamaModel> {
  const headers = { 'content-type': 'application/json', ...(spec.apiKey ? { authorization: `Bearer ${spec.apiKey}` } : {}) }
  for (let attempt = 1; ; attempt++) {
    try {
      await once(ports, spec, headers, signal)
      break
    } catch (thrown) {
      if (signal.aborted) throw new VpError('cancelled', 'the pull was cancelled; Ollama keeps what came', { cause: thrown })
      const error = failureOf(thrown, true, spec.endpoint)
      if (error.code !== 'model.cut' || attempt >= TRIES) throw error
      await ports.sleep(500 * 2 ** attempt, signal).catch(() => undefined)
    }
  }
  return describeOllamaModel({ baseUrl: spec.baseUrl, endpoint: spec.endpoint, headers, post: poster(spec.baseUrl) }, spec.model, signal)
}

async function once(
  { onProgress }: PullPorts,
  { baseUrl, endpoint, model }: Pick<ModelSpec, 'baseUrl' | 'endpoint' | 'model'>,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  let response
  try {
    response = await poster(baseUrl)({ url: `${baseUrl}/api/pull`, headers, body: JSON.stringify({ model, stream: true }), signal })
  } catch (error) {
    throw failureOf(error, false, endpoint)
  }
  if ((response.statusCode ?? 0) >= 400) {
    const body = await wholeBody(response)
    throw statusFailure(endpoint, response.statusCode ?? 0, errorWords(body), { headers: response.headers, body })
  }
  let isDone = false
  for await (const text of textLines(response)) {
    const line = jsonObject<Line>(text, endpoint)
    if (line.error !== undefined) throw saidError(line.error, model, endpoint)
    const status = textOf(line.status)
    isDone ||= status === 'success'
    onProgress({ what: status, done: whole(line.completed) ?? 0, total: whole(line.total) })
  }
  if (!isDone) throw new VpError('model.cut', `${endpoint.host} stopped before the model was whole`)
}

/** Its registry’s words for what is not there, and for a disk that is full. */
function saidError(said: unknown, model: string, endpoint: ModelSpec['endpoint']): VpError {
  const words = textOf(said)
  if (/file does not exist|manifest unknown|not found/i.test(words))
    return new VpError('model.not_found', `${endpoint.host} finds no model ${model}: ${words}`, { next: ['look at the name and its tag', 'vp model list'] })
  if (/no space left|disk/i.test(words)) return new VpError('store.full', `${endpoint.host}: ${words}`, { next: ['df -h'] })
  return brokeOff(endpoint, said)
}

const whole = (value: unknown): number | null => (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null)

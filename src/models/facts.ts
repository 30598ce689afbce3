/**
 * What a local server says of the model behind a name: which bytes it is (digest), its template, its parameters. A name
 * like `qwen2.5-coder:7b` may be another file tomorrow. Sources: Ollama's API (`/api/tags`, `/api/show`), llama.cpp's
 * server (`/props`); which of them it is `/v1/models` tells. Others say nothing, and that is said: null.
 */
import { canonicalJson, sha256, type Json } from '../core/json.ts'
import type { ModelSpec } from './choose.ts'
import type { GgufHead } from './gguf.ts'
import { field, list, ollamaModelOf, shaOf, text, type OllamaModel } from './ollama-model.ts'

export interface ModelFacts {
  readonly server: 'ollama' | 'llama_cpp' | null
  /** Of the file; where a server has none, of all that it says of the model. */
  readonly digest: string | null
  readonly template_sha: string | null
  /** As the server has them set: `num_ctx 4096`. */
  readonly parameters: Readonly<Record<string, string>>
  readonly quantization: string | null
  readonly size: string | null
}

export const NO_FACTS: ModelFacts = { server: null, digest: null, template_sha: null, parameters: {}, quantization: null, size: null }
const PATIENCE_MS = 2000

/** Never throws: a server that does not answer has said nothing. Only servers on this machine are asked. */
export async function modelFacts(spec: Pick<ModelSpec, 'baseUrl' | 'model' | 'endpoint'>, signal: AbortSignal): Promise<ModelFacts> {
  if (!spec.endpoint.loopback) return NO_FACTS
  // Loaded when a server is asked: whoever only looks has no need of it.
  const [{ poster }, { acceptedType, wholeBody }] = await Promise.all([import('./providers/http.ts'), import('./providers/bodies.ts')])
  const root = spec.baseUrl.replace(/\/v1$/, '')
  const until = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)])
  const post = poster(spec.baseUrl)
  const ask = async (url: string, body?: object): Promise<unknown> => {
    try {
      const json = body === undefined ? {} : { body: JSON.stringify(body) }
      const response = await post({ url, headers: { 'content-type': 'application/json' }, signal: until, ...json })
      await acceptedType(response, spec.endpoint)
      return JSON.parse(await wholeBody(response)) as unknown
    } catch {
      return null
    }
  }
  const kind = kindOf(spec.model, await ask(`${spec.baseUrl}/models`))
  if (kind === 'other') return NO_FACTS
  const asked = (of: ModelFacts['server'], path: string, body?: object) => (kind === null || kind === of ? ask(root + path, body) : null)
  const [tags, shown, props] = await Promise.all([
    asked('ollama', '/api/tags'),
    asked('ollama', '/api/show', { model: spec.model }),
    asked('llama_cpp', '/props'),
  ])
  return factsOf(spec.model, { tags, shown, props })
}

/**
 * Pure: by whose a model is said to be. llama.cpp's server says `llamacpp`, Ollama the namespace of the name (`library`, where
 * it has none); null where nothing is said.
 */
function kindOf(model: string, listed: unknown): ModelFacts['server'] | 'other' {
  const models = list(field(listed, 'data'))
  const one = models.find((entry) => field(entry, 'id') === model) ?? models[0]
  const owner = text(field(one, 'owned_by'))
  if (owner === null) return null
  if (owner === 'llamacpp') return 'llama_cpp'
  return owner === ((text(field(one, 'id')) ?? '').split('/').at(-2) ?? 'library') ? 'ollama' : 'other'
}

interface Said {
  readonly tags: unknown
  readonly shown: unknown
  readonly props: unknown
}

export function factsOfOllama({ digest, templateSha, parameters, quantization, parameterSize }: OllamaModel): ModelFacts {
  return { server: 'ollama', digest, template_sha: templateSha, parameters, quantization, size: parameterSize }
}

/** A GGUF says it in its name: `qwen-Q4_K_M.gguf`. */
const quantizationIn = (path: string): string | null => /[._-]((?:I?Q\d\w*)|F16|F32|BF16)\.gguf$/i.exec(path)?.[1] ?? null

/** Of a file that llama.cpp runs in this process. */
export function factsOfFile(path: string, { chatTemplate }: Pick<GgufHead, 'chatTemplate'>, digest: string | null, windowTokens: number): ModelFacts {
  return {
    server: 'llama_cpp',
    digest,
    template_sha: shaOf(chatTemplate),
    parameters: { n_ctx: String(windowTokens) },
    quantization: quantizationIn(path),
    size: null,
  }
}

/** Pure: from what was answered, whatever it was. */
export function factsOf(model: string, { tags, shown, props }: Said): ModelFacts {
  const ollama = ollamaModelOf(model, { shown, tags })
  if (ollama.digest !== null || ollama.templateSha !== null) return factsOfOllama(ollama)
  const path = text(field(props, 'model_path'))
  if (path === null) return NO_FACTS
  const window = field(field(props, 'default_generation_settings'), 'n_ctx')
  const build = text(field(props, 'build_info'))
  // The file itself is not named by its digest there: what the server says of it stands for it, but for where it lies.
  const said = {
    file: path.split('/').at(-1) ?? '',
    template: text(field(props, 'chat_template')),
    bos: text(field(props, 'bos_token')),
    eos: text(field(props, 'eos_token')),
  }
  return {
    server: 'llama_cpp',
    digest: sha256(canonicalJson(said as Json)),
    template_sha: shaOf(field(props, 'chat_template')),
    parameters: { ...(typeof window === 'number' ? { n_ctx: String(window) } : {}), ...(build === null ? {} : { build }) },
    quantization: quantizationIn(path),
    size: null,
  }
}

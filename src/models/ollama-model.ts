/**
 * The one reading of what an Ollama says of a model: its digest, template and parameters, the window it was trained for, what
 * it can do, and whether it runs here at all. Pure; anything may be missing or wrong. Sources: `/api/tags` and `/api/show` in
 * docs/api.md of ollama/ollama.
 */
import { sha256 } from '../core/json.ts'

export interface OllamaModel {
  /** Of the manifest, in hex; null where the list does not have the name. */
  readonly digest: string | null
  readonly templateSha: string | null
  /** As the Modelfile sets them: `num_ctx 4096`. */
  readonly parameters: Readonly<Record<string, string>>
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

export function ollamaModelOf(name: string, { shown, tags }: { readonly shown: unknown; readonly tags: unknown }): OllamaModel {
  // Names without a tag are `:latest`.
  const names = [name, name.includes(':') ? name : `${name}:latest`]
  const row = list(field(tags, 'models')).find((one) =>
    [text(field(one, 'name')), text(field(one, 'model'))].some((said) => said !== null && names.includes(said)),
  )
  const details = field(row, 'details') ?? field(shown, 'details')
  const parameters = parametersOf(text(field(shown, 'parameters')) ?? '')
  const capabilities = field(shown, 'capabilities')
  return {
    digest: digestText(field(row, 'digest')),
    templateSha: shaOf(field(shown, 'template')),
    parameters,
    trainedTokens: contextLength(field(shown, 'model_info')),
    setTokens: numCtx(parameters['num_ctx']),
    capabilities: Array.isArray(capabilities) ? capabilities.filter((one) => typeof one === 'string') : null,
    remoteHost: text(field(shown, 'remote_host')) || null,
    parameterSize: text(field(details, 'parameter_size')) || null,
    quantization: text(field(details, 'quantization_level')) || null,
  }
}

export const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
export const text = (value: unknown): string | null => (typeof value === 'string' ? value.slice(0, 1_000_000) : null)
export const shaOf = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? sha256(value) : null)
export const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
const digestText = (value: unknown): string | null =>
  typeof value === 'string' && /^(sha256:)?[0-9a-f]{12,64}$/.test(value) ? value.replace('sha256:', '') : null

function contextLength(info: unknown): number | null {
  if (typeof info !== 'object' || info === null) return null
  const lengths = Object.entries(info).flatMap(([key, value]) => (/^[^.]+\.context_length$/.test(key) && Number.isSafeInteger(value) ? [value as number] : []))
  const length = Math.max(...lengths)
  return length > 0 && Number.isFinite(length) ? length : null
}

function numCtx(value: string | undefined): number | null {
  const tokens = value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : 0
  return tokens > 0 ? tokens : null
}

/** `num_ctx                        4096` a line; quotes stay. */
function parametersOf(lines: string): Record<string, string> {
  const pairs = lines.split('\n').flatMap((line) => {
    const [, name, value] = /^(\w{1,60})\s+(.{1,200})$/.exec(line.trim()) ?? []
    return name !== undefined && value !== undefined ? [[name, value] as const] : []
  })
  return Object.fromEntries(pairs.slice(0, 50))
}

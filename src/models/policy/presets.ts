/**
 * The local models that vp knows well: their tags, windows, dialects and what they need. Two are the tiers' own
 * choices (Qwen-Coder and Phi), two more are at hand. Sizes are those of the 4-bit builds that Ollama pulls.
 */
import type { Tool } from './schema.ts'

export interface LocalPreset {
  readonly name: string
  readonly tier: 'Local-Small' | 'Local-Medium'
  /** As Ollama names it, and others that are the same model. */
  readonly tag: string
  readonly aliases: readonly string[]
  /** What the model was made for; a server may give less. */
  readonly window_tokens: number
  readonly max_output_tokens: number
  /** How its tool calls come where a server leaves them in the words: a name of `models/dialects`. */
  readonly dialect: string
  readonly download_gb: number
  /** With a window of 32,768 tokens, or its own where that is smaller. */
  readonly vram_gb: number
  readonly tools: readonly Tool[]
  readonly licence: string
}

export const LOCAL_MODELS: readonly LocalPreset[] = [
  {
    name: 'qwen2.5-coder',
    tier: 'Local-Small',
    tag: 'qwen2.5-coder:7b',
    aliases: ['qwen2.5-coder', 'qwen2.5-coder:latest', 'qwen2.5-coder:7b-instruct', 'qwen2.5-coder:7b-instruct-q4_K_M'],
    window_tokens: 32_768,
    max_output_tokens: 8192,
    dialect: 'hermes',
    download_gb: 4.7,
    vram_gb: 7,
    tools: ['code-edit'],
    licence: 'Apache-2.0',
  },
  {
    name: 'phi-4',
    tier: 'Local-Medium',
    tag: 'phi4:14b',
    aliases: ['phi4', 'phi4:latest', 'phi4:14b-q4_K_M'],
    window_tokens: 16_384,
    max_output_tokens: 4096,
    dialect: 'json',
    download_gb: 9.1,
    vram_gb: 12,
    tools: ['code-edit', 'tool-use'],
    licence: 'MIT',
  },
  {
    name: 'qwen3-coder',
    tier: 'Local-Medium',
    tag: 'qwen3-coder:30b',
    aliases: ['qwen3-coder', 'qwen3-coder:latest', 'qwen3-coder:30b-a3b-q4_K_M'],
    window_tokens: 262_144,
    max_output_tokens: 16_384,
    dialect: 'qwen_xml',
    download_gb: 19,
    vram_gb: 22,
    tools: ['code-edit', 'tool-use', 'patch-planning'],
    licence: 'Apache-2.0',
  },
  {
    name: 'phi-4-mini',
    tier: 'Local-Small',
    tag: 'phi4-mini:3.8b',
    aliases: ['phi4-mini', 'phi4-mini:latest', 'phi4-mini:3.8b-q4_K_M'],
    window_tokens: 131_072,
    max_output_tokens: 4096,
    dialect: 'phi',
    download_gb: 2.5,
    vram_gb: 7,
    tools: ['code-edit'],
    licence: 'MIT',
  },
]

/** By tag, alias or name. */
export function presetOf(model: string): LocalPreset | null {
  return LOCAL_MODELS.find((one) => one.tag === model || one.name === model || one.aliases.includes(model)) ?? null
}

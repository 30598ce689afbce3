/** Models that llama.cpp runs in this process: where their files lie, and whether one could be called at all. */
import { join } from 'node:path'
import { asVpError, type VpError } from '../core/errors.ts'
import type { ModelSpec } from '../models/choose.ts'
import type { Kit } from './kit.ts'

/** Why a model of this process could not be called, or null. Nothing is loaded. */
export async function inProcessFault(kit: Pick<Kit, 'env' | 'paths'>, spec: Pick<ModelSpec, 'provider' | 'model'>): Promise<VpError | null> {
  if (spec.provider !== 'llama_cpp') return null
  const { requireInProcess } = await import('../models/providers/llama-cpp.ts')
  try {
    requireInProcess(modelFile(kit, spec.model), llamaDirectories(kit))
    return null
  } catch (thrown) {
    return asVpError(thrown)
  }
}

/** Where `node-llama-cpp` may be installed besides beside vp. */
export function llamaDirectories({ env, paths }: Pick<Kit, 'env' | 'paths'>): readonly string[] {
  const own = env['VP_LLAMA_CPP']
  return [...(own ? [own] : []), join(paths.cache, 'llama-cpp')]
}

/** A path, or the name of a model that was pulled. */
export function modelFile({ paths }: Pick<Kit, 'paths'>, model: string): string {
  return model.includes('/') ? model : join(paths.models, model.endsWith('.gguf') ? model : `${model}.gguf`)
}

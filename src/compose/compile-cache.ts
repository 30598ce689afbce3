/** Node's cache of compiled modules, in the user's cache directory: a start without it is slower, and nothing else. */
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { cacheFrom, type Environment } from '../config/paths.ts'
import { makeDirectory } from '../store/make-directory.ts'

export function cacheCompiled(env: Environment): void {
  const directory = join(cacheFrom(env), 'compile')
  try {
    makeDirectory(directory) // Node makes it too, and may try for ever
  } catch {
    return
  }
  enableCompileCache(directory)
}

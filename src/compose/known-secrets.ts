/**
 * Secrets that are known before anything is read: of the environment, of the files that the user names, and of a
 * workspace's `.env` files, which are never sent whole, but whose values may show in what a command prints.
 */
import { readFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { VpError } from '../core/errors.ts'
import { dotenvEntries, secretEntries } from '../policy/dotenv.ts'
import { isDependencyPath } from '../policy/paths.ts'
import type { KnownSecret } from '../policy/redact-known.ts'
import { openWorkspace } from '../workspace/files.ts'

type Environment = Readonly<Record<string, string | undefined>>

const MAX_FILE = 1024 * 1024
const MAX_ENTRIES = 2000
const MAX_FILES = 32
const MAX_VALUES = 1000
/** Made to be shared: what they hold stands for secrets. */
const TEMPLATE = /\.(?:example|sample|template|dist|defaults?)$/

/** Every value of the files in `secrets.files`. Throws `config.invalid`: a file that is not there would be masked by nobody. */
export function fileSecrets(files: readonly string[], env: Environment): KnownSecret[] {
  return files.flatMap((name) => {
    const file = name.startsWith('~/') ? join(env['HOME'] ?? '/', name.slice(2)) : name
    if (!isAbsolute(file)) throw new VpError('config.invalid', `secrets.files: ${name} has to begin with / or ~/`, { next: ['vp config show'] })
    let bytes: Buffer
    try {
      bytes = readFileSync(file)
    } catch (cause) {
      throw new VpError('config.invalid', `secrets.files: ${name} cannot be read, so its values could not be masked`, { cause, next: ['vp config show'] })
    }
    if (bytes.length > MAX_FILE) throw new VpError('config.invalid', `secrets.files: ${name} is longer than a mebibyte`, { next: ['vp config show'] })
    return dotenvEntries(bytes.toString('utf8'))
  })
}

/** Of `.env*` at the top of a directory and one folder below, read through the confined reader; none where it cannot be opened. */
export function workspaceSecrets(root: string): KnownSecret[] {
  if (root === '') return []
  let files: ReturnType<typeof openWorkspace>
  try {
    files = openWorkspace(root)
  } catch {
    return [] // no directory, so nothing of it is shown either
  }
  try {
    const enter = (path: string) => !isDependencyPath(path) && !path.startsWith('.')
    const named = files
      .list('', { depth: 2, maxEntries: MAX_ENTRIES, enter })
      .filter(({ path, kind }) => kind === 'file' && /(?:^|\/)\.env[^/]*$/.test(path) && !TEMPLATE.test(path))
    return named
      .slice(0, MAX_FILES)
      .flatMap(({ path }) => secretEntries(dotenvEntries(readOrEmpty(files, path))))
      .slice(0, MAX_VALUES)
  } finally {
    files.close()
  }
}

function readOrEmpty(files: ReturnType<typeof openWorkspace>, path: string): string {
  try {
    return files.read(path, { maxBytes: MAX_FILE }).bytes.toString('utf8')
  } catch {
    return '' // too large or no file any more: then it is no dotenv file
  }
}

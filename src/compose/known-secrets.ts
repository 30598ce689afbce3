/**
 * Secrets that are known before anything is read: of the environment, of the files that the user names, and of a
 * workspace's `.env` files, which are never sent whole, but whose values may show in what a command prints.
 */
import { readdirSync, readFileSync, type Dirent } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { VpError } from '../core/errors.ts'
import { dotenvEntries, secretEntries } from '../policy/dotenv.ts'
import { isDependencyPath } from '../policy/paths.ts'
import type { KnownSecret } from '../policy/redact-known.ts'
import { openWorkspace } from '../workspace/files.ts'

type Environment = Readonly<Record<string, string | undefined>>

const MAX_FILE = 1024 * 1024
const MAX_FOLDERS = 200
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

/**
 * Of `.env*` at the top of a directory and one folder below, read through the confined reader; none where it cannot be
 * opened. Names come first, as a tree without such files is what every start has to get through.
 */
export function workspaceSecrets(root: string): KnownSecret[] {
  const named = root === '' ? [] : dotenvFiles(root)
  if (named.length === 0) return []
  const files = openWorkspace(root)
  try {
    return named
      .slice(0, MAX_FILES)
      .flatMap((path) => secretEntries(dotenvEntries(readOrEmpty(files, path))))
      .slice(0, MAX_VALUES)
  } finally {
    files.close()
  }
}

function dotenvFiles(root: string): string[] {
  const isDotenv = ({ name }: Dirent): boolean => name.startsWith('.env') && !TEMPLATE.test(name)
  const top = entriesOf(root)
  const folders = top.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && !isDependencyPath(entry.name)).slice(0, MAX_FOLDERS)
  return [
    ...top.filter(isDotenv).map(({ name }) => name),
    ...folders.flatMap((folder) =>
      entriesOf(join(root, folder.name))
        .filter(isDotenv)
        .map(({ name }) => `${folder.name}/${name}`),
    ),
  ].toSorted()
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch {
    return [] // gone, or not ours to look into: then nothing of it is shown either
  }
}

function readOrEmpty(files: ReturnType<typeof openWorkspace>, path: string): string {
  try {
    return files.read(path, { maxBytes: MAX_FILE }).bytes.toString('utf8')
  } catch {
    return '' // too large or no file any more: then it is no dotenv file
  }
}

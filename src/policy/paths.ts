/**
 * Which relative paths may be read or written, decided on the name alone. Opening beneath the root is another layer's
 * duty. Names are compared folded, as the most forgiving file system would: case, forms, invisible characters, tails.
 */
import { matchesPart, matchesPath } from './glob.ts'
import type { Lane } from './lane.ts'

export type Intent = 'read' | 'write'

const MAX_PATH_BYTES = 4095
const MAX_PART_BYTES = 255

/** Never written, at any depth. They steer git, editors, agents and vp itself. */
const PROTECTED_NAMES: ReadonlySet<string> = new Set([
  '.git',
  '.vp',
  '.vscode',
  '.idea',
  '.husky',
  '.envrc',
  '.mcp.json',
  '.gitmodules',
  '.claude',
  '.claude.json',
  '.codex',
  '.cursor',
  '.cursorrules',
  '.agents',
  '.gemini',
  '.aider',
  '.continue',
  '.windsurf',
  '.windsurfrules',
  '.clinerules',
  '.roo',
  '.kiro',
  '.zed',
])
const UNREADABLE_NAMES: ReadonlySet<string> = new Set(['.git'])
const SECRET_GLOBS: readonly string[] = [
  '.env*',
  '*.pem',
  '*.key',
  '*.pfx',
  '*.p12',
  '*.jks',
  '*.keystore',
  'id_rsa*',
  'id_ed25519*',
  'id_ecdsa*',
  'id_dsa*',
  'secrets.*',
  'credentials.*',
  '.netrc',
  '.pgpass',
  '.pypirc',
  '.git-credentials',
  '.htpasswd',
  'service-account*.json',
]
const SECRET_FOLDERS: ReadonlySet<string> = new Set(['secrets', '.ssh', '.gnupg', '.aws', '.azure', '.kube', '.docker'])
const DEPENDENCY_FOLDERS: ReadonlySet<string> = new Set(['node_modules', '.venv', 'venv', 'virtualenv', 'site-packages', '__pycache__'])
const GENERATED_GLOBS: readonly string[] = ['*.pyc', '*.pyo', '*.bak', '*.dump']

/** The rule that refuses, or null. Reads and writes of secret files are refused alike. */
export function denyPath(path: string, intent: Intent, lane?: Lane): string | null {
  const shape = shapeProblem(path)
  if (shape !== null) return shape
  const plain = path.startsWith('./') ? path.slice(2) : path
  const parts = plain.split('/').map(foldName)
  const byName = denyName(parts, intent)
  return byName ?? (lane === undefined ? null : denyByLane(plain, parts.join('/'), intent, lane))
}

/** A directory of installed packages by its last name: a tree's environment, never its work. Not by what it holds. */
export function isDependencyPath(path: string): boolean {
  return shapeProblem(path) === null && DEPENDENCY_FOLDERS.has(foldName(path.split('/').at(-1) ?? ''))
}

/** What a command may not write, by one name of a path: it steers programs of the person, is secret, is what others installed, or is a cache that is believed. */
export type Guard = 'protected' | 'secret' | 'dependency' | 'cache'

/** `name`: one component. */
export function guardOf(name: string): Guard | null {
  const folded = foldName(name)
  if (isProtectedName(folded)) return 'protected'
  if (folded === '__pycache__') return 'cache'
  if (DEPENDENCY_FOLDERS.has(folded)) return 'dependency'
  return SECRET_FOLDERS.has(folded) || SECRET_GLOBS.some((glob) => matchesPart(glob, folded)) ? 'secret' : null
}

/** What git takes for a repository, whatever its name is: an ordinary directory with these in it. */
export function isBareRepository(names: ReadonlySet<string>): boolean {
  return names.has('HEAD') && (names.has('commondir') || (names.has('objects') && names.has('refs')))
}

/** One of `tops`, or below one. */
export function isWithin(path: string, tops: readonly string[]): boolean {
  const plain = path.startsWith('./') ? path.slice(2) : path
  return tops.some((top) => plain === top || plain.startsWith(`${top}/`))
}

function shapeProblem(path: string): string | null {
  if (typeof path !== 'string' || path === '' || !path.isWellFormed()) return 'global/path-shape'
  if (/[\x00-\x1f\x7f]/.test(path)) return 'global/path-control-character'
  if (path.startsWith('/') || path.startsWith('\\') || /^[A-Za-z][A-Za-z0-9+.-]*:/.test(path)) return 'global/path-absolute'
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return 'global/path-length'
  const parts = (path.startsWith('./') ? path.slice(2) : path).split('/')
  if (parts.includes('..') || path.split('\\').includes('..')) return 'global/path-parent'
  if (parts.some((part) => part === '' || part === '.')) return 'global/path-shape'
  return parts.some((part) => Buffer.byteLength(part) > MAX_PART_BYTES) ? 'global/path-length' : null
}

function denyName(parts: readonly string[], intent: Intent): string | null {
  const last = parts.at(-1) ?? ''
  for (const part of parts) {
    if (UNREADABLE_NAMES.has(part) || isShortGit(part)) return 'global/git-directory'
    if (intent === 'write' && isProtectedName(part)) return `global/protected-name`
    if (SECRET_FOLDERS.has(part) || SECRET_GLOBS.some((glob) => matchesPart(glob, part))) return 'global/secret-file'
    if (intent === 'write' && DEPENDENCY_FOLDERS.has(part)) return 'global/dependency-directory'
  }
  return intent === 'write' && GENERATED_GLOBS.some((glob) => matchesPart(glob, last)) ? 'global/generated-file' : null
}

function isProtectedName(part: string): boolean {
  return PROTECTED_NAMES.has(part) || part.startsWith('.aider.') || isShortGit(part)
}

/** The 8.3 alias of `.git`. */
function isShortGit(part: string): boolean {
  return /^git~\d+$/.test(part)
}

function denyByLane(path: string, folded: string, intent: Intent, lane: Lane): string | null {
  for (const glob of lane.fileGlobs.deny) {
    if (matchesPath(glob, path) || matchesPath(glob.toLowerCase(), folded)) return `${lane.slug}/deny ${glob}`
  }
  if (intent === 'write' && !lane.workspaceRoots.some((root) => isBelowRoot(path, root))) return `${lane.slug}/workspace-roots`
  const { allow } = lane.fileGlobs
  if (intent === 'write' && allow.length > 0 && !allow.some((glob) => matchesPath(glob, path))) return `${lane.slug}/not-allowed`
  return lane.within === undefined ? null : denyByLane(path, folded, intent, lane.within)
}

function isBelowRoot(path: string, root: string): boolean {
  const top = root.replace(/^\.\//, '').replace(/\/+$/, '')
  return top === '.' || top === '' || path.startsWith(`${top}/`)
}

/** Case, compatibility forms, ignorable characters, NTFS streams and trailing dots and blanks do not tell names apart. */
export function foldName(part: string): string {
  const visible = part
    .normalize('NFKD')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .toLowerCase()
  const stream = visible.indexOf(':')
  let end = stream > 0 ? stream : visible.length
  while (end > 0 && (visible[end - 1] === '.' || visible[end - 1] === ' ')) end--
  return visible.slice(0, end)
}

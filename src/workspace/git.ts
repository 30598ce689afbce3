/**
 * The operator's own git: plumbing only, every path named, nothing discovered, an environment from nothing.
 * A repository's config, hooks, filters and aliases have no say, because git never sees them: run
 * repositories are ours, and the human's is seen through a view (`human-repository.ts`).
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { VpError } from '../core/errors.ts'
import { objectBatch } from './object-batch.ts'
import { openObjects, type Objects } from './objects.ts'
import { filesBelow } from './tree-objects.ts'

export interface GitCall {
  readonly gitDir?: string
  readonly workTree?: string
  readonly index?: string
  readonly input?: string | Buffer
  /** Over the clean environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Exit codes besides 0 that are answers, not failures. */
  readonly accept?: readonly number[]
  /** More output than this ends git and throws `limit.reached`. */
  readonly maxBytes?: number
  readonly signal?: AbortSignal
}

export interface GitAnswer {
  readonly code: number
  readonly stdout: Buffer
  readonly stderr: string
}

export interface RunGit {
  (args: readonly string[], call?: GitCall): Promise<GitAnswer>
  /** Objects of a repository that vp knows, without a program for each. */
  objects(gitDir: string): Objects
}

/** Commits that vp makes have an author, a committer and a time that vp chose. */
export interface Identity {
  readonly name: string
  readonly email: string
}

/** What vp writes that is nobody's work: scratch commits, and the logs of refs, where git would name a user and a host. */
export const NOBODY: Identity = { name: 'vp', email: 'vp@localhost' }

const CLEAN_ENV = {
  PATH: '/usr/local/bin:/usr/bin:/bin',
  HOME: '/nonexistent',
  LC_ALL: 'C',
  TZ: 'UTC',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_NO_LAZY_FETCH: '1',
  GIT_PAGER: 'cat',
  GIT_EDITOR: 'true',
  GIT_COMMITTER_NAME: NOBODY.name,
  GIT_COMMITTER_EMAIL: NOBODY.email,
}

/** `program` is git's absolute path, found once outside the workspace. Throws `workspace.git` on an unexpected exit. */
export function gitRunner(program: string): RunGit {
  const start = (args: readonly string[], call: GitCall = {}) => {
    const env: Record<string, string | undefined> = { ...CLEAN_ENV, ...call.env }
    if (call.gitDir) env['GIT_DIR'] = call.gitDir
    if (call.workTree) env['GIT_WORK_TREE'] = call.workTree
    if (call.index) env['GIT_INDEX_FILE'] = call.index
    return spawn(program, ['-c', 'core.hooksPath=/dev/null', '-c', 'gc.auto=0', '-c', 'protocol.allow=never', ...args], {
      env,
      cwd: call.workTree ?? '/',
      stdio: ['pipe', 'pipe', 'pipe'],
      // Out of the terminal's reach: Ctrl-C is vp's to read, and must not cut a write of git in two.
      detached: true,
      ...(call.signal ? { signal: call.signal } : {}),
    })
  }
  const opened = new Map<string, Objects>()
  const objects = (gitDir: string): Objects => {
    const known = opened.get(gitDir)
    if (known) return known
    const made = openObjects(
      gitDir,
      objectBatch(() => start(['cat-file', '--batch'], { gitDir })),
    )
    if (opened.size >= MAX_OPENED) opened.clear()
    opened.set(gitDir, made)
    return made
  }
  const run = async (args: readonly string[], call: GitCall = {}): Promise<GitAnswer> =>
    // Between its birth and a session of its own a child is in the terminal's group, and was not git yet: it is asked again.
    (await runOnce(args, call, true)) ?? ((await runOnce(args, call, false)) as GitAnswer)
  /** null: ended by a signal of the terminal, where `mayEnd`. */
  const runOnce = (args: readonly string[], call: GitCall, mayEnd: boolean): Promise<GitAnswer | null> =>
    new Promise((resolve, reject) => {
      const child = start(args, call)
      const out: Buffer[] = []
      let err = ''
      let size = 0
      child.stdout.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size <= (call.maxBytes ?? Infinity)) out.push(chunk)
        else child.kill('SIGKILL')
      })
      child.stderr.on('data', (chunk: Buffer) => (err = (err + chunk.toString()).slice(-8192)))
      child.on('error', (cause) => reject(cause.name === 'AbortError' ? cause : failure(args, cause.message, cause)))
      child.on('close', (code, killedBy) => {
        if (size > (call.maxBytes ?? Infinity)) reject(new VpError('limit.reached', `git ${verbOf(args)} answers with more than ${call.maxBytes} bytes`))
        else if (code !== null && (code === 0 || call.accept?.includes(code))) resolve({ code, stdout: Buffer.concat(out), stderr: err })
        else if (mayEnd && killedBy !== null && OF_THE_TERMINAL.has(killedBy)) resolve(null)
        else reject(failure(args, err.trim() || `ended by ${killedBy ?? code}`))
      })
      child.stdin.on('error', () => undefined) // git may close its input early; its exit code says why
      child.stdin.end(call.input ?? '')
    })
  return Object.assign(run, { objects })
}

const OF_THE_TERMINAL: ReadonlySet<NodeJS.Signals> = new Set(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'])

/** Repositories whose objects are at hand; a long-lived process meets many. */
const MAX_OPENED = 64

const OBJECT = /^[0-9a-f]{40}([0-9a-f]{24})?(\^\{(tree|commit)\}|:.*)?$/
const ABOUT_OBJECTS = new Set(['ls-tree', 'diff-tree', 'rev-parse', 'cat-file'])
const REMEMBERED_BYTES = 4 * 1024 * 1024

/**
 * The same git, asked once for what cannot change: objects named by their full id, and the settings of a file that
 * was not written since. Each question is a process, and a small change asks the same ones again and again. What a
 * configuration includes from elsewhere is looked at once a process.
 */
export function rememberingGit(git: RunGit): RunGit {
  const known = new Map<string, Promise<GitAnswer>>()
  let bytes = 0
  const remembering = (args: readonly string[], call: GitCall = {}): Promise<GitAnswer> => {
    const key = call.input === undefined && call.workTree === undefined && call.index === undefined ? keyOf(args) : null
    if (key === null) return git(args, call)
    const earlier = known.get(key)
    if (earlier) return earlier
    const answer = git(args, call)
    known.set(key, answer)
    answer.then(
      ({ code, stdout }) => {
        if (code !== 0 && args[0] !== 'config') known.delete(key)
        bytes += stdout.length
        if (bytes > REMEMBERED_BYTES) {
          known.clear()
          bytes = 0
        }
      },
      () => known.delete(key),
    )
    return answer
  }
  return Object.assign(remembering, { objects: git.objects })
}

/** What the question depends on; null when it may be answered differently tomorrow. */
function keyOf(args: readonly string[]): string | null {
  const [verb = '', ...rest] = args
  if (verb === 'config') return configKey(args)
  if (!ABOUT_OBJECTS.has(verb) || rest.includes('-e')) return null
  const paths = rest.indexOf('--')
  const named = (paths < 0 ? rest : rest.slice(0, paths)).filter((arg) => !arg.startsWith('-') && arg !== 'blob')
  return named.length > 0 && named.every((arg) => OBJECT.test(arg)) ? args.join('\0') : null
}

function configKey(args: readonly string[]): string | null {
  const at = args.indexOf('--file')
  const file = at < 0 ? undefined : statSync(args[at + 1] ?? '', { throwIfNoEntry: false, bigint: true })
  return file ? [...args, file.ino, file.mtimeNs, file.size].join('\0') : null
}

function verbOf(args: readonly string[]): string {
  return args.find((arg, at) => !arg.startsWith('-') && args[at - 1] !== '-c') ?? ''
}

function failure(args: readonly string[], said: string, cause?: unknown): VpError {
  if (/No space left on device/.test(said)) return new VpError('store.full', 'no space left on the disk', { next: ['df -h'] })
  return new VpError('workspace.git', `git ${verbOf(args)}: ${said.split('\n').at(-1) ?? ''}`, {
    ...(cause === undefined ? {} : { cause }),
    data: { stderr: said.slice(-2000) },
  })
}

export async function gitText(git: RunGit, args: readonly string[], call?: GitCall): Promise<string> {
  return (await git(args, call)).stdout.toString('utf8').trimEnd()
}

/** NUL-separated output as strings. */
export function nulList(bytes: Buffer): string[] {
  return bytes
    .toString('utf8')
    .split('\0')
    .filter((part) => part !== '')
}

export interface TreeEntry {
  /** As git writes it: `100644`, `120000`, `160000`. */
  readonly mode: string
  readonly id: string
  readonly path: string
}

/** Every file of a commit or tree, in git's order. */
export async function treeEntries(git: RunGit, gitDir: string, treeish: string): Promise<TreeEntry[]> {
  return filesBelow(git.objects(gitDir), treeish)
}

/** Their paths in code-unit order. */
export async function treePaths(git: RunGit, gitDir: string, treeish: string): Promise<string[]> {
  return (await treeEntries(git, gitDir, treeish)).map(({ path }) => path).toSorted()
}

const OWN_FILE = /^refs\/(heads|vp)\//

/** The ref's commit, or null. A branch in a file of its own is read without a process; a packed one by git. */
export async function readRef(git: RunGit, gitDir: string, ref: string): Promise<string | null> {
  if (OWN_FILE.test(ref) && !ref.includes('..')) {
    const text = readOrNull(join(gitDir, ref))?.trim()
    if (text !== undefined && OBJECT.test(text)) return text
    if (text === undefined && !existsSync(join(gitDir, 'packed-refs'))) return null
  }
  const { code, stdout } = await git(['rev-parse', '--verify', '--quiet', `${ref}^{commit}`], { gitDir, accept: [1, 128] })
  return code === 0 ? stdout.toString().trim() : null
}

function readOrNull(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined // not there, or a folder of that name: then it is no branch
  }
}

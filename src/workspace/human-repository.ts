/**
 * The human's repository, seen without running anything of theirs: a git directory of our own whose refs and
 * objects are theirs (by symbolic link) and whose config is ours, made from an allowlist of their keys. What
 * git would run from config, hooks or attributes' drivers is simply not there. It gains refs only.
 */
import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { VpError } from '../core/errors.ts'
import { sha256 } from '../core/json.ts'
import { foreignContent } from './foreign.ts'
import { refuseForeignParts, refuseLinkedRef, resolveCommonDir, resolveGitDir } from './git-directory.ts'
import { lastValue, readGitConfig } from './git-config.ts'
import { nulList, readRef, type Identity, type RunGit } from './git.ts'

export interface HumanRepository {
  /** Top of the working tree, real path. */
  readonly root: string
  /** Their git directory (of this worktree) and the common one. */
  readonly gitDir: string
  readonly commonDir: string
  /** The view: use it as GIT_DIR. */
  readonly view: string
  readonly index: string
  readonly objectFormat: 'sha1' | 'sha256'
}

export interface HumanState {
  /** Commit id, or null before the first commit. */
  readonly head: string | null
  /** `refs/heads/main`, or null when HEAD is detached. */
  readonly branch: string | null
  /** `rebase`, `merge`, … in progress, or null. */
  readonly busy: string | null
}

/** Keys that say how bytes lie in the tree, none of which runs anything. */
const KEPT_KEYS = /^(core\.(repositoryformatversion|filemode|ignorecase|autocrlf|eol|symlinks|precomposeunicode)|extensions\.objectformat)$/
const UNSUPPORTED_KEYS = new Map([
  ['core.sparsecheckout', 'a sparse checkout'],
  ['core.splitindex', 'a split index'],
  ['core.worktree', 'core.worktree'],
  ['extensions.partialclone', 'a partial clone'],
  ['extensions.refstorage', 'the reftable format'],
])

/** The nearest directory at or above `from` that holds `.git`; null when there is none. */
export function findRepositoryRoot(from: string): string | null {
  for (let at = realpathSync(from); ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return at
    if (dirname(at) === at) return null
  }
}

/** Opens the repository at `root` and (re)makes the view under `viewsDir`. Throws `workspace.not_a_repository`, `workspace.unsupported`. */
export async function openHumanRepository(git: RunGit, root: string, viewsDir: string): Promise<HumanRepository> {
  const gitDir = resolveGitDir(root)
  const commonDir = resolveCommonDir(gitDir)
  refuseForeignParts(gitDir, commonDir)
  const config = new Map(await readGitConfig(git, join(commonDir, 'config')))
  for (const [key, name] of UNSUPPORTED_KEYS) {
    const value = config.get(key)
    if (value !== undefined && value !== 'false' && !(key === 'extensions.refstorage' && value === 'files'))
      throw new VpError('workspace.unsupported', `this repository uses ${name}, which vp does not handle yet`, {
        where: { file: '.git/config' },
        next: ['git clone . ../full-clone'],
      })
  }
  const view = join(viewsDir, sha256(gitDir).slice(0, 16))
  mkdirSync(join(view, 'info'), { recursive: true, mode: 0o700 })
  for (const name of ['objects', 'refs', 'packed-refs', 'logs', 'shallow']) link(join(commonDir, name), join(view, name))
  link(join(commonDir, 'info', 'exclude'), join(view, 'info', 'exclude'))
  put(join(view, 'HEAD'), headOf(gitDir))
  put(join(view, 'config'), viewConfig(config, existsSync(join(commonDir, 'logs'))))
  const objectFormat = config.get('extensions.objectformat') === 'sha256' ? 'sha256' : 'sha1'
  return { root: realpathSync(root), gitDir, commonDir, view, index: join(gitDir, 'index'), objectFormat }
}

/** Throws `workspace.not_a_repository` for what git would not take as one either. */
function headOf(gitDir: string): string {
  const text = readFileSync(join(gitDir, 'HEAD'), 'utf8')
  if (/^(ref: refs\/(?!.*\.\.)[^\s\p{C}]+|[0-9a-f]{40}|[0-9a-f]{64})\n?$/u.test(text)) return text
  throw new VpError('workspace.not_a_repository', '.git/HEAD names neither a branch nor a commit', { where: { file: '.git/HEAD' }, next: ['git fsck'] })
}

function link(target: string, at: string): void {
  const there = lstatSync(at, { throwIfNoEntry: false })
  if (there?.isSymbolicLink() && readlinkSync(at) === target) return
  if (there) rmSync(at, { recursive: true })
  // A name that may appear later (packed-refs, logs) is linked now: git follows a link to nothing as “absent”.
  symlinkSync(target, at)
}

/** In one step, and only when it differs: another call's git may read the view at this moment. */
function put(file: string, text: string): void {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return
  writeFileSync(`${file}.${process.pid}`, text)
  renameSync(`${file}.${process.pid}`, file)
}

/** Reflogs only where there are some: before the first commit, and in repositories that keep none, there is no place for them. */
function viewConfig(config: ReadonlyMap<string, string>, hasLogs: boolean): string {
  const lines = ['[core]', '\tbare = false', `\tlogAllRefUpdates = ${hasLogs}`]
  for (const [key, value] of config) {
    if (!KEPT_KEYS.test(key) || !/^[\w.-]*$/.test(value)) continue
    const [section = '', name = ''] = key.split('.')
    lines.push(`[${section}]`, `\t${name} = ${value}`)
  }
  return lines.join('\n') + '\n'
}

export async function humanState(git: RunGit, repository: HumanRepository): Promise<HumanState> {
  const raw = headOf(repository.gitDir).trim()
  const branch = raw.startsWith('ref: ') ? raw.slice(5) : null
  const head = await readRef(git, repository.view, branch ?? raw)
  const signs: [file: string, name: string][] = [
    ['rebase-merge', 'a rebase'],
    ['rebase-apply', 'a rebase'],
    ['MERGE_HEAD', 'a merge'],
    ['CHERRY_PICK_HEAD', 'a cherry-pick'],
    ['REVERT_HEAD', 'a revert'],
    ['BISECT_LOG', 'a bisection'],
  ]
  const busy = signs.find(([file]) => existsSync(join(repository.gitDir, file)))?.[1] ?? null
  return { head, branch, busy }
}

/** The commit a run may start from. Throws `workspace.no_commits`, `workspace.busy`, `workspace.unsupported`. */
export async function requireBase(git: RunGit, repository: HumanRepository): Promise<{ commit: string; branch: string | null }> {
  const state = await humanState(git, repository)
  if (!state.head)
    throw new VpError('workspace.no_commits', 'the repository has no commit yet, so there is nothing to start from', {
      next: ['git add -A && git commit -m "start"'],
    })
  if (state.busy) throw new VpError('workspace.busy', `${state.busy} is in progress in this repository`, { next: ['git status'] })
  await foreignContent(git, { gitDir: repository.view, treeish: state.head }, { root: repository.root, scratch: repository.view })
  return { commit: state.head, branch: state.branch }
}

/**
 * The human's name and address, as their own git would take them: environment, repository, user, system.
 * Reads config files by name, so nothing is discovered and nothing runs. Throws `usage.identity`.
 */
export async function humanIdentity(git: RunGit, repository: HumanRepository, env: Readonly<Record<string, string | undefined>>): Promise<Identity> {
  const home = env['HOME'] ?? '/nonexistent'
  const files = [
    join(repository.gitDir, 'config.worktree'),
    join(repository.commonDir, 'config'),
    env['GIT_CONFIG_GLOBAL'] ?? join(home, '.gitconfig'),
    join(env['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'git', 'config'),
    ...(env['GIT_CONFIG_NOSYSTEM'] ? [] : [env['GIT_CONFIG_SYSTEM'] ?? '/etc/gitconfig']),
  ]
  let name = env['GIT_AUTHOR_NAME']
  let email = env['GIT_AUTHOR_EMAIL'] ?? env['EMAIL']
  for (const file of files) {
    if ((name && email) || !existsSync(file)) continue
    const set = await userOf(git, file, home)
    name = name || set.get('user.name')
    email = email || set.get('user.email')
  }
  if (!name || !email)
    throw new VpError('usage.identity', 'git does not know who you are, and commits need an author', {
      next: ['git config --global user.name "Your Name"', 'git config --global user.email you@example.org'],
    })
  return { name, email }
}

/** `user.name` and `user.email` of one file and what it includes; the last word of each counts. */
async function userOf(git: RunGit, file: string, home: string): Promise<Map<string, string>> {
  const own = await readGitConfig(git, file)
  if (!own.some(([key]) => /^include(if\..*)?\.path$/.test(key)))
    return new Map(['user.name', 'user.email'].map((key) => [key, (lastValue(own, key) ?? '').trim()]))
  const args = ['config', '--file', file, '--includes', '-z', '--get-regexp', '^user[.](name|email)$']
  const { stdout } = await git(args, { accept: [1], env: { HOME: home } })
  return new Map(
    nulList(stdout).map((entry): [string, string] => {
      const at = entry.indexOf('\n')
      return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1).trim()]
    }),
  )
}

export interface Move {
  /** `refs/heads/main` */
  readonly branch: string
  /** Commit ids. */
  readonly from: string
  readonly to: string
  /** Of the reflog. */
  readonly message: string
}

/** By the branch's own tree and what it is to become; whatever the person changed there is in the way. */
const twoTrees = ({ from, to }: Move, ...options: readonly string[]): string[] => [
  'read-tree',
  ...options,
  '-m',
  '-u',
  '--exclude-per-directory=.gitignore',
  from,
  to,
]

const callOf = (repository: HumanRepository) => ({ gitDir: repository.view, workTree: repository.root, index: repository.index })

/**
 * Moves branch, index and tree of the human from `from` to `to`, together or not at all; `between` is called when only the branch has. Throws
 * `workspace.moved` when the branch is elsewhere or a changed path is dirty or untracked.
 */
export async function fastForward(git: RunGit, repository: HumanRepository, move: Move, between: () => void = () => {}): Promise<void> {
  const { branch } = move
  const call = callOf(repository)
  const state = await humanState(git, repository)
  if (state.branch !== branch || state.head !== move.from)
    throw new VpError('workspace.moved', `${branch.replace('refs/heads/', '')} has moved since the run began`, {
      next: ['vp complete --merge', 'vp git pr'],
    })
  const inTheWay = await whatIsInTheWay(git, repository, move)
  if (inTheWay !== null)
    throw new VpError('workspace.moved', 'a path that the run changed is changed or untracked in your tree', {
      why: inTheWay,
      next: ['git stash', 'vp complete --merge', 'vp git pr'],
    })
  refuseLinkedRef(repository.view, branch)
  try {
    await git(['update-ref', '-m', move.message, branch, move.to, move.from], call)
    between()
    await git(twoTrees(move), call)
  } catch (error) {
    // Also where git was ended from outside after it had moved the branch.
    if ((await readRef(git, repository.view, branch)) === move.to)
      await git(['update-ref', '-m', `${move.message}, taken back`, branch, move.from, move.to], call)
    throw error
  }
}

/** In git's words, null for nothing. */
async function whatIsInTheWay(git: RunGit, repository: HumanRepository, move: Move): Promise<string | null> {
  const call = callOf(repository)
  await git(['update-index', '-q', '--refresh'], { ...call, accept: [1] })
  const dry = await git(twoTrees(move, '-n'), { ...call, accept: [1, 128] })
  if (dry.code === 0) return null
  return (
    dry.stderr
      .trim()
      .split('\n')[0]
      ?.replace(/^error: /, '') ?? ''
  )
}

/**
 * After a kill within `fastForward`: where the branch has moved and index and tree have not, they follow. `nothing`: it was not begun, or the person has gone
 * on since. What they changed there meanwhile is in the way, and stays.
 */
export async function finishFastForward(git: RunGit, repository: HumanRepository, move: Move): Promise<'finished' | 'nothing' | { readonly why: string }> {
  const state = await humanState(git, repository)
  if (state.branch !== move.branch || state.head !== move.to || state.busy !== null) return 'nothing'
  const call = callOf(repository)
  // Where the index holds what the branch does, the tree was written before it.
  if ((await git(['diff-index', '--cached', '--quiet', move.to], { ...call, accept: [1] })).code === 0) return 'nothing'
  const why = await whatIsInTheWay(git, repository, move)
  if (why !== null) return { why }
  await git(twoTrees(move), call)
  return 'finished'
}

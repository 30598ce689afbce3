/**
 * What is in the human's repository, read through the view: status, differences, history. Runs nothing of theirs and
 * writes nothing of theirs, not even the index's notes on files: git gets a copy of the index. Leaves out which paths
 * may be shown, which is for the policy to say. Files under a filter driver (LFS, git-crypt) are not compared, since
 * the driver does not run.
 */
import { copyFileSync, existsSync, rmSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { VpError } from '../core/errors.ts'
import { gitText, nulList, type GitCall, type RunGit } from './git.ts'
import type { HumanRepository } from './human-repository.ts'

/** A repository with a copy of its index, for as long as the body of `withIndexCopy` goes on. */
export interface Reading {
  readonly repository: HumanRepository
  readonly call: Required<Pick<GitCall, 'gitDir' | 'workTree' | 'index'>>
}

const MAX_BYTES = 16 * 1024 * 1024

/** `name` tells copies at the same time apart. */
export async function withIndexCopy<Result>(repository: HumanRepository, name: string, body: (reading: Reading) => Promise<Result>): Promise<Result> {
  const index = join(repository.view, `index-${name}`)
  try {
    if (existsSync(repository.index)) copyIndex(repository.index, index)
    return await body({ repository, call: { gitDir: repository.view, workTree: repository.root, index } })
  } finally {
    rmSync(index, { force: true })
    rmSync(`${index}.lock`, { force: true })
  }
}

/**
 * With its time, rounded down: git takes a file that is as old as the index for one that may have changed since, and a
 * younger index would make it trust too much. Source: git's Documentation/technical/racy-git.
 */
export function copyIndex(from: string, to: string): void {
  const seconds = Math.floor(statSync(from).mtimeMs / 1000)
  copyFileSync(from, to)
  utimesSync(to, seconds, seconds)
}

/** Exactly these paths and what is below them; all when there are none. */
export function pathspecs(paths: readonly string[]): string[] {
  return ['--', ...paths.map((path) => `:(top,literal)${path}`)]
}

export type ChangeWord = 'added' | 'modified' | 'deleted' | 'type changed' | 'untracked' | 'conflict'

export interface StatusFile {
  readonly path: string
  /** Index against HEAD. */
  readonly staged: ChangeWord | null
  /** Tree against index. */
  readonly unstaged: ChangeWord | null
}

const WORDS: Readonly<Record<string, ChangeWord>> = { A: 'added', M: 'modified', D: 'deleted', T: 'type changed' }

/** In path order. `uncompared` are files under a filter driver: changed or not, nobody here can tell. */
export async function statusOf(git: RunGit, reading: Reading): Promise<{ files: StatusFile[]; uncompared: string[] }> {
  const { stdout } = await git(['status', '--porcelain=v2', '-z', '--untracked-files=all', '--no-renames', '--ignore-submodules=all'], reading.call)
  const files = nulList(stdout).flatMap(statusFile)
  const uncompared = await filteredPaths(
    git,
    reading,
    files.filter((file) => file.unstaged === 'modified').map((file) => file.path),
  )
  const kept = files.map((file) => (uncompared.includes(file.path) ? { ...file, unstaged: null } : file))
  return { files: kept.filter((file) => file.staged !== null || file.unstaged !== null).toSorted((a, b) => (a.path < b.path ? -1 : 1)), uncompared }
}

/** Source: git-status(1), porcelain format version 2. */
function statusFile(entry: string): StatusFile[] {
  const [kind, xy = ''] = entry.split(' ', 2)
  const after = (fields: number) => entry.split(' ').slice(fields).join(' ')
  if (kind === '?') return [{ path: after(1), staged: null, unstaged: 'untracked' }]
  if (kind === 'u') return [{ path: after(10), staged: 'conflict', unstaged: 'conflict' }]
  return kind === '1' ? [{ path: after(8), staged: WORDS[xy[0] ?? ''] ?? null, unstaged: WORDS[xy[1] ?? ''] ?? null }] : []
}

/** Those of `paths` whose attributes name a filter driver. */
export async function filteredPaths(git: RunGit, { call }: Reading, paths: readonly string[]): Promise<string[]> {
  if (paths.length === 0) return []
  const parts = nulList((await git(['check-attr', '-z', '--stdin', 'filter'], { ...call, input: paths.join('\0') })).stdout)
  const filtered: string[] = []
  for (let at = 0; at + 2 < parts.length; at += 3) if (!['unspecified', 'unset'].includes(parts[at + 2] ?? '')) filtered.push(parts[at] ?? '')
  return filtered
}

/** Two sides of a comparison: trees, the index, or the files as they are. */
export type Sides =
  | { readonly kind: 'unstaged' }
  | { readonly kind: 'staged'; readonly from: string }
  | { readonly kind: 'files'; readonly from: string }
  | { readonly kind: 'trees'; readonly from: string; readonly to: string }

const PLAIN = ['--no-renames', '--no-color', '--no-ext-diff', '--no-textconv', '--ignore-submodules=all']

function sidesArgs(sides: Sides): string[] {
  if (sides.kind === 'unstaged') return ['diff', ...PLAIN]
  if (sides.kind === 'staged') return ['diff', ...PLAIN, '--cached', sides.from]
  return sides.kind === 'files' ? ['diff', ...PLAIN, sides.from] : ['diff', ...PLAIN, sides.from, sides.to]
}

export interface Difference {
  readonly unified_diff: string
  /** Changed paths that are not in it. */
  readonly omitted: readonly string[]
}

/** The difference without the paths that `hide` names. Throws `limit.reached` above 16 MiB. */
export async function difference(
  git: RunGit,
  reading: Reading,
  sides: Sides,
  options: { readonly paths: readonly string[]; hide(path: string): boolean },
): Promise<Difference> {
  const call = { ...reading.call, maxBytes: MAX_BYTES }
  const wanted = pathspecs(options.paths)
  const changed = nulList((await git([...sidesArgs(sides), '--name-only', '-z', ...wanted], call)).stdout)
  const hidden = changed.filter((path) => options.hide(path))
  const readsFiles = sides.kind === 'unstaged' || sides.kind === 'files'
  const filtered = readsFiles ? await filteredPaths(git, reading, changed) : []
  const omitted = [...new Set([...hidden, ...filtered])].toSorted()
  if (omitted.length === changed.length) return { unified_diff: '', omitted }
  const without = omitted.map((path) => `:(top,exclude,literal)${path}`)
  const all = options.paths.length === 0 && without.length > 0 ? [':(top)'] : []
  const { stdout } = await git([...sidesArgs(sides), '--full-index', ...wanted, ...all, ...without], call)
  return { unified_diff: stdout.toString('utf8'), omitted }
}

/** The commit that a name means, as git reads names. Throws `workspace.git` when it means none. */
export async function resolveCommit(git: RunGit, { view }: HumanRepository, ref: string): Promise<string> {
  // What begins with a dash would be an option, with `^` the opposite; `:path` and `^{/text}` are no names of commits.
  const named = /^[^-:^\s\0][^\s\0]{0,255}$/.test(ref)
  const { code, stdout } = named
    ? await git(['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`], { gitDir: view, accept: [1, 128] })
    : { code: 1, stdout: Buffer.alloc(0) }
  if (code !== 0) throw new VpError('workspace.git', `there is no commit ${JSON.stringify(ref.slice(0, 80))}`, { next: ['git log --oneline'] })
  return stdout.toString().trim()
}

/** The tree without files: what a first commit is compared with. */
export async function emptyTree(git: RunGit, { view }: HumanRepository): Promise<string> {
  return gitText(git, ['hash-object', '-t', 'tree', '--stdin'], { gitDir: view })
}

export interface CommitEntry {
  readonly sha: string
  readonly parents: readonly string[]
  readonly author: { readonly name: string; readonly email: string }
  /** ISO-8601 with the author's own offset. */
  readonly date: string
  readonly subject: string
  readonly body: string
}

const LOG_FIELDS = ['%H', '%P', '%an', '%ae', '%aI', '%s', '%b']

/** Newest first, at most `max`; `from` leaves out what it reaches. */
export async function commitsOf(
  git: RunGit,
  { view }: HumanRepository,
  range: { readonly from?: string; readonly to: string; readonly max: number; readonly paths?: readonly string[] },
): Promise<CommitEntry[]> {
  const { stdout } = await git(
    [
      'log',
      '-z',
      '--no-color',
      '--no-show-signature',
      `--max-count=${range.max}`,
      `--format=${LOG_FIELDS.join('%x01')}`,
      ...(range.from ? [`${range.from}..${range.to}`] : [range.to]),
      ...pathspecs(range.paths ?? []),
    ],
    { gitDir: view, maxBytes: MAX_BYTES },
  )
  return nulList(stdout).map((record) => {
    const [sha = '', parents = '', name = '', email = '', date = '', subject = '', ...body] = record.split('\x01')
    return { sha, parents: parents.split(' ').filter(Boolean), author: { name, email }, date, subject, body: body.join('\x01').trim() }
  })
}

export interface BranchEntry {
  readonly name: string
  readonly sha: string
  readonly current: boolean
}

export async function branchesOf(git: RunGit, { view }: HumanRepository, current: string | null): Promise<BranchEntry[]> {
  const lines = (await gitText(git, ['for-each-ref', '--format=%(objectname) %(refname)', 'refs/heads/'], { gitDir: view })).split('\n').filter(Boolean)
  return lines.map((line) => {
    const at = line.indexOf(' ')
    const ref = line.slice(at + 1)
    return { name: ref.replace('refs/heads/', ''), sha: line.slice(0, at), current: ref === current }
  })
}

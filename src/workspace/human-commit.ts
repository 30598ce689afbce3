/**
 * A commit, and a branch, in the human's own repository by a person's order: named paths, or what they staged. Made
 * with plumbing over the view, so no hook, filter or alias of theirs runs; a signature comes from the caller. The index is locked as
 * git locks it; branch and index move together or not at all. Files are never touched.
 */
import { closeSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { VpError } from '../core/errors.ts'
import type { SignBytes } from './commit-object.ts'
import { refuseLinkedRef } from './git-directory.ts'
import { gitText, nulList, type Identity, type RunGit } from './git.ts'
import { copyIndex, filteredPaths, pathspecs, withIndexCopy, type Reading } from './human-reading.ts'
import { humanState, type HumanRepository, type HumanState } from './human-repository.ts'
import { commitTree, treeOf } from './run-repository.ts'

export interface HandCommit {
  readonly message: string
  readonly author: Identity
  readonly epochMs: number
  readonly sign?: SignBytes | undefined
  /** Null: what is staged. */
  readonly paths: readonly string[] | null
  /** Paths that a folder may bring along and that are left out all the same. */
  hide(path: string): boolean
}

export interface Committed {
  readonly sha: string
  /** `main`. */
  readonly branch: string
  readonly files: number
  readonly omitted: readonly string[]
}

/**
 * `name` tells calls at the same time apart. Throws `workspace.busy` (a merge or another git under way),
 * `workspace.moved` (no branch), `workspace.unsupported` (a filter driver), `path.not_found`, `usage.params` (nothing
 * to commit); then nothing was changed.
 */
export async function commitByHand(git: RunGit, repository: HumanRepository, commit: HandCommit, name: string): Promise<Committed> {
  const state = await humanState(git, repository)
  const branch = requireBranch(state)
  if (state.busy) throw new VpError('workspace.busy', `${state.busy} is in progress in this repository`, { next: ['git status'] })
  refuseLinkedRef(repository.view, branch)
  const unlock = lockIndex(repository)
  try {
    return await withIndexCopy(repository, name, async (reading) => {
      const listed = commit.paths === null ? null : await listPaths(git, reading, commit)
      if (listed) await stage(git, reading, listed.paths)
      const tree = listed ? await treeWith(git, reading, state, listed.paths) : await gitText(git, ['write-tree'], reading.call)
      const before = state.head === null ? null : await treeOf(git, repository.view, state.head)
      const files = await changedFiles(git, repository, before, tree)
      if (files === 0) throw nothingToCommit(commit.paths)
      const parents = state.head === null ? [] : [state.head]
      const { message, author, epochMs, sign } = commit
      const sha = await commitTree(git, repository.view, { tree, parents, message, author, epochMs, sign })
      if (listed) copyIndex(reading.call.index, lockOf(repository))
      await git(['update-ref', '-m', `commit: ${commit.message.split('\n')[0] ?? ''}`, branch, sha, state.head ?? '0'.repeat(sha.length)], {
        gitDir: repository.view,
        env: { GIT_COMMITTER_NAME: commit.author.name, GIT_COMMITTER_EMAIL: commit.author.email },
      })
      if (listed) renameSync(lockOf(repository), repository.index)
      return { sha, branch: branch.replace('refs/heads/', ''), files, omitted: listed?.omitted ?? [] }
    })
  } finally {
    unlock()
  }
}

function requireBranch(state: HumanState): string {
  if (state.branch) return state.branch
  throw new VpError('workspace.moved', 'HEAD is detached, so there is no branch to commit to', { next: ['git switch -c NAME'] })
}

function nothingToCommit(paths: readonly string[] | null): VpError {
  return paths === null
    ? new VpError('usage.params', 'nothing is staged, so there is nothing to commit', { next: ['vp git commit -m MESSAGE PATH…', 'git add PATH'] })
    : new VpError('usage.params', 'the named paths are as they are in HEAD, so there is nothing to commit', { next: ['git status'] })
}

const lockOf = (repository: HumanRepository): string => `${repository.index}.lock`

/** git's own lock, so that git and vp never write the index at once. Throws `workspace.busy`. */
function lockIndex(repository: HumanRepository): () => void {
  const lock = lockOf(repository)
  try {
    closeSync(openSync(lock, 'wx', 0o644))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
    throw new VpError('workspace.busy', 'another git holds the index of this repository', { cause, where: { file: '.git/index.lock' } })
  }
  return () => rmSync(lock, { force: true }) // gone already when it became the index
}

/** The files that the named paths stand for: tracked, deleted, or new and not ignored. */
async function listPaths(git: RunGit, reading: Reading, commit: HandCommit): Promise<{ paths: string[]; omitted: string[] }> {
  const all = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--error-unmatch']
  const { code, stdout, stderr } = await git([...all, ...pathspecs(commit.paths ?? [])], { ...reading.call, accept: [1] })
  if (code !== 0) {
    const [, path = ''] = /pathspec ':\(top,literal\)(.*)' did not match/.exec(stderr) ?? []
    throw new VpError('path.not_found', `${JSON.stringify(path)} does not exist, or is ignored and not tracked`)
  }
  // A folder that is a repository of its own is listed with a slash: it is not this repository's to commit.
  const found = [...new Set(nulList(stdout))]
  const omitted = found.filter((path) => path.endsWith('/') || commit.hide(path))
  const paths = found.filter((path) => !omitted.includes(path))
  const filtered = await filteredPaths(git, reading, paths)
  if (filtered[0] !== undefined)
    throw new VpError('workspace.unsupported', `${filtered[0]} belongs to a filter driver (LFS, git-crypt), which vp does not run`, {
      next: [`git add ${filtered[0]}`, 'vp git commit -m MESSAGE'],
    })
  return { paths, omitted }
}

async function stage(git: RunGit, reading: Reading, paths: readonly string[]): Promise<void> {
  await git(['update-index', '--add', '--remove', '--replace', '-z', '--stdin'], { ...reading.call, input: paths.map((path) => `${path}\0`).join('') })
}

/** HEAD with the named paths as they are: what else is staged stays staged and out of the commit. */
async function treeWith(git: RunGit, reading: Reading, state: HumanState, paths: readonly string[]): Promise<string> {
  const index = `${reading.call.index}-only`
  const only: Reading = { ...reading, call: { ...reading.call, index } }
  try {
    await git(['read-tree', ...(state.head === null ? ['--empty'] : [state.head])], only.call)
    await stage(git, only, paths)
    return await gitText(git, ['write-tree'], only.call)
  } finally {
    rmSync(index, { force: true })
  }
}

async function changedFiles(git: RunGit, repository: HumanRepository, before: string | null, tree: string): Promise<number> {
  const args = before === null ? ['ls-tree', '-r', '-z', '--name-only', tree] : ['diff-tree', '-r', '-z', '--no-renames', '--name-only', before, tree]
  return nulList((await git(args, { gitDir: repository.view })).stdout).length
}

/** A new branch at HEAD; with `go`, HEAD is on it afterwards. Throws `usage.params`, `workspace.no_commits`, `workspace.moved`, `workspace.busy`. */
export async function createBranch(git: RunGit, repository: HumanRepository, name: string, go: boolean): Promise<void> {
  const { code } = await git(['check-ref-format', `refs/heads/${name}`], { accept: [1] })
  // What git takes as a ref but reads as an option or as HEAD helps nobody.
  if (code !== 0 || name.startsWith('-') || name === 'HEAD')
    throw new VpError('usage.params', `${JSON.stringify(name.slice(0, 80))} is no name for a branch`, { next: ['vp git branch fix/retry'] })
  const state = await humanState(git, repository)
  if (!state.head) throw new VpError('workspace.no_commits', 'the repository has no commit yet, so a branch has nothing to point to')
  if (go && state.busy) throw new VpError('workspace.busy', `${state.busy} is in progress in this repository`, { next: ['git status'] })
  const ref = `refs/heads/${name}`
  refuseLinkedRef(repository.view, ref)
  const taken = await git(['show-ref', '--verify', '--quiet', ref], { gitDir: repository.view, accept: [1] })
  if (taken.code === 0) throw new VpError('workspace.moved', `there is a branch ${name} already`, { next: [`git switch ${name}`] })
  await git(['update-ref', '-m', 'branch: Created from HEAD', ref, state.head, '0'.repeat(state.head.length)], { gitDir: repository.view })
  if (go) pointHead(repository, ref)
}

/** Both branches are one commit, so files and index stay. */
function pointHead(repository: HumanRepository, ref: string): void {
  const head = join(repository.gitDir, 'HEAD')
  const lock = `${head}.lock`
  try {
    writeFileSync(lock, `ref: ${ref}\n`, { flag: 'wx' })
  } catch (cause) {
    throw new VpError('workspace.busy', 'another git holds HEAD of this repository', { cause, where: { file: '.git/HEAD.lock' } })
  }
  renameSync(lock, head)
}

/**
 * A run's own repository: bare, ours, its objects borrowed from the human's. Trees of task attempts are plain
 * directories with an index of their own, so there is no `.git` in them to protect, to rename or to forget.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { commitBytes, withSignatureOf, type SignBytes } from './commit-object.ts'
import { countLines, type LineCount } from './line-counts.ts'
import { putLoose } from './objects.ts'
import { diffTrees, DIRECTORY, parseTree, readCommit, treeIdOf, type TreeChange } from './tree-objects.ts'
import { gitText, NOBODY, nulList, type Identity, type RunGit } from './git.ts'

/** Whose objects are borrowed. */
export interface Lender {
  /** Null: nobody's. */
  readonly commonDir: string | null
  readonly objectFormat: 'sha1' | 'sha256'
}

export interface RunRepository {
  readonly gitDir: string
  readonly objectFormat: 'sha1' | 'sha256'
}

/** A checked-out tree of one attempt. */
export interface AttemptTree {
  readonly directory: string
  readonly index: string
}

export interface CommitDraft {
  readonly tree: string
  readonly parents: readonly string[]
  readonly message: string
  readonly author: Identity
  readonly epochMs: number
  /** Of the human; absent: the commit is not signed. */
  readonly sign?: SignBytes | undefined
}

/**
 * Made once; a second call finds it. With `start`, a new one has the branch there. Written by hand, in the layout that
 * gitrepository-layout(5) fixes: the folder is put into place when it is whole.
 */
export function createRunRepository(gitDir: string, human: Lender, start?: { readonly branch: string; readonly commit: string }): RunRepository {
  if (!existsSync(join(gitDir, 'HEAD'))) {
    const fresh = `${gitDir}.new`
    rmSync(fresh, { recursive: true, force: true })
    for (const folder of ['objects/info', 'objects/pack', 'refs/heads', 'refs/tags']) mkdirSync(join(fresh, folder), { recursive: true, mode: 0o700 })
    if (human.commonDir !== null) writeFileSync(join(fresh, 'objects', 'info', 'alternates'), `${join(human.commonDir, 'objects')}\n`)
    writeFileSync(join(fresh, 'config'), gitConfig(human.objectFormat))
    if (start) {
      mkdirSync(dirname(join(fresh, start.branch)), { recursive: true })
      writeFileSync(join(fresh, start.branch), `${start.commit}\n`)
    }
    writeFileSync(join(fresh, 'HEAD'), 'ref: refs/heads/vp\n')
    renameSync(fresh, gitDir)
  }
  return { gitDir, objectFormat: human.objectFormat }
}

/** As ignore rules, which are for what is not tracked: a change to a cache that somebody committed is recorded. Whoever made the repository. */
function keepOutCaches(gitDir: string): void {
  const file = join(gitDir, 'info', 'exclude')
  const rules = TOOL_CACHES.map((name) => `${name}\n`).join('')
  if (existsSync(file) && readFileSync(file, 'utf8') === rules) return
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  writeFileSync(file, rules)
}

function gitConfig(format: 'sha1' | 'sha256'): string {
  const extensions = format === 'sha256' ? '[extensions]\n\tobjectformat = sha256\n' : ''
  return `[core]\n\trepositoryformatversion = ${format === 'sha256' ? 1 : 0}\n\tfilemode = true\n\tbare = true\n\tsymlinks = true\n${extensions}`
}

/** Fills an empty or missing directory with the files of a commit or tree. */
export async function checkOut(git: RunGit, repository: RunRepository, treeish: string, at: AttemptTree): Promise<void> {
  rmSync(at.directory, { recursive: true, force: true })
  rmSync(at.index, { force: true })
  mkdirSync(at.directory, { recursive: true, mode: 0o700 })
  const call = { gitDir: repository.gitDir, workTree: at.directory, index: at.index }
  await git(['read-tree', '--reset', '-u', treeish], call)
}

/** What tools keep for themselves, whoever started them: never part of a change, also where no ignore file names them. */
const TOOL_CACHES = ['__pycache__', '.pytest_cache', '.mypy_cache', '.ruff_cache', '.hypothesis', '.nyc_output', '.eslintcache', '.coverage']

export const isToolCache = (path: string): boolean => path.split('/').some((name) => TOOL_CACHES.includes(name))

/** Records the files as they are now and returns the tree's id. Ignored files and caches stay out; what is `excluded` stays as it was. */
export async function recordTree(git: RunGit, repository: RunRepository, at: AttemptTree, excluded: readonly string[] = []): Promise<string> {
  const call = { gitDir: repository.gitDir, workTree: at.directory, index: at.index }
  keepOutCaches(repository.gitDir)
  await git(['add', '--all', '--', '.', ...excluded.map((name) => `:(exclude,literal)${name}`)], call)
  return gitText(git, ['write-tree'], call)
}

/** The files as they were when `treeId` was recorded: what changed since is put back, and its paths are returned. */
export async function restoreTree(git: RunGit, repository: RunRepository, at: AttemptTree, treeId: string, excluded: readonly string[]): Promise<string[]> {
  const now = await recordTree(git, repository, at, excluded)
  if (now === treeId) return []
  const changes = await treeChanges(git, repository.gitDir, treeId, now)
  await git(['read-tree', '-m', '-u', now, treeId], { gitDir: repository.gitDir, workTree: at.directory, index: at.index })
  return changes.map(({ path }) => path)
}

/** Changed paths from one tree to another, renames as delete and add, in path order. */
export async function treeChanges(git: RunGit, gitDir: string, from: string, to: string): Promise<TreeChange[]> {
  return diffTrees(git.objects(gitDir), from, to)
}

/** What `--raw -z --no-renames` prints. Source: git-diff-tree(1), raw output format. */
export function rawChanges(raw: Buffer): TreeChange[] {
  const parts = nulList(raw)
  const changes: TreeChange[] = []
  for (let index = 0; index + 1 < parts.length; index += 2) {
    const [oldMode = '', newMode = '', , , status = 'M'] = (parts[index] ?? '').slice(1).split(' ')
    changes.push({ path: parts[index + 1] ?? '', status: status[0] as TreeChange['status'], oldMode, newMode })
  }
  return changes
}

/** Added and removed lines per path; null for binary files. */
export async function lineCounts(git: RunGit, gitDir: string, from: string, to: string): Promise<LineCount[]> {
  return countLines(git.objects(gitDir), from, to)
}

/** Same draft, same id, unless it is signed: a commit repeated after a crash is the same commit. */
export async function commitTree(git: RunGit, gitDir: string, draft: CommitDraft): Promise<string> {
  const bytes = commitBytes(draft)
  return git.objects(gitDir).write('commit', draft.sign ? await withSignatureOf(draft.sign, bytes, draft) : bytes)
}

export async function treeOf(git: RunGit, gitDir: string, commit: string): Promise<string> {
  return treeIdOf(git.objects(gitDir), commit)
}

export type MergeOutcome = { readonly kind: 'merged'; readonly tree: string } | { readonly kind: 'conflict'; readonly paths: readonly string[] }

/** Three-way merge of two commits without a tree on disk. Needs git 2.38. */
export async function mergeCommits(git: RunGit, gitDir: string, ours: string, theirs: string): Promise<MergeOutcome> {
  const { code, stdout } = await git(['merge-tree', '--write-tree', '--no-messages', '--name-only', '-z', ours, theirs], { gitDir, accept: [1] })
  const [tree = '', ...paths] = nulList(stdout)
  return code === 0 ? { kind: 'merged', tree } : { kind: 'conflict', paths: [...new Set(paths)] }
}

/** A commit for the eyes of git alone: the same tree on the same parent is the same commit on every machine. */
export async function scratchCommit(git: RunGit, gitDir: string, tree: string, parent: string | null): Promise<string> {
  return commitTree(git, gitDir, { tree, parents: parent === null ? [] : [parent], message: 'scratch\n', author: NOBODY, epochMs: 0 })
}

/** Three-way merge of two trees over a commit that need not be in the history of either. */
export async function mergeTrees(git: RunGit, gitDir: string, sides: { base: string; ours: string; theirs: string }): Promise<MergeOutcome> {
  const [ours, theirs] = await Promise.all([scratchCommit(git, gitDir, sides.ours, sides.base), scratchCommit(git, gitDir, sides.theirs, sides.base)])
  return mergeCommits(git, gitDir, ours, theirs)
}

export interface MarkedMerge {
  readonly tree: string
  readonly paths: readonly string[]
  /** What git says of each conflict. */
  readonly words: readonly string[]
}

/** The same merge, of a run's tree and a person's, as a tree that has git's markers wherever there is no answer. Needs git 2.38. */
export async function mergeWithMarkers(git: RunGit, gitDir: string, sides: { base: string; run: string; person: string }): Promise<MarkedMerge> {
  // The markers say what git was asked to merge: names, which are the same on every machine.
  for (const name of ['run', 'person'] as const) {
    await git(['update-ref', `refs/heads/${name}`, await scratchCommit(git, gitDir, sides[name], sides.base)], { gitDir })
  }
  const { stdout } = await git(['merge-tree', '--write-tree', '--messages', '--name-only', '-z', 'run', 'person'], { gitDir, accept: [1] })
  const [merged = '', messages = ''] = stdout.toString('utf8').split(/\0\0(.*)/s)
  const [tree = '', ...paths] = merged.split('\0')
  const words = messages.split('\0').filter((text) => text.startsWith('CONFLICT'))
  return { tree, paths: [...new Set(paths)], words: words.map((text) => text.trim()) }
}

/**
 * Copies what the run made of the commits after `base` up to `head` into the human's object store. A run's objects are loose,
 * and what it did not make it borrows from there: whatever has no file of its own is whole already.
 */
export async function handOver(
  git: RunGit,
  repository: RunRepository,
  human: { readonly commonDir: string },
  commits: { base: string; head: string },
): Promise<void> {
  const objects = git.objects(repository.gitDir)
  const store = join(human.commonDir, 'objects')
  const done = new Set([commits.base])
  // Last what points at the others: a crash leaves no object that lacks one.
  const copy = async (id: string, mode: string): Promise<void> => {
    const file = done.has(id) ? null : objects.looseFile(id)
    done.add(id)
    if (file === null || mode === GITLINK) return
    if (mode === COMMIT) {
      const { tree, parents } = await readCommit(objects, id)
      for (const parent of parents) await copy(parent, COMMIT)
      await copy(tree, DIRECTORY)
    } else if (mode === DIRECTORY) for (const entry of parseTree((await objects.read(id)).body, id.length / 2)) await copy(entry.id, entry.mode)
    putLoose(store, id, readFileSync(file))
  }
  await copy(commits.head, COMMIT)
}

const COMMIT = 'commit'
const GITLINK = '160000'

/** Commits that `to` has and none of `without` has: found here along a line, by git where there are merges. */
export async function commitsAfter(git: RunGit, gitDir: string, to: string, without: readonly string[]): Promise<string[]> {
  const objects = git.objects(gitDir)
  const found: string[] = []
  for (let at = to; !without.includes(at);) {
    const { parents } = await readCommit(objects, at)
    const [parent] = parents
    if (parent === undefined || parents.length > 1) {
      const listed = await gitText(git, ['rev-list', to, ...without.map((one) => `^${one}`)], { gitDir })
      return listed.split('\n').filter(Boolean)
    }
    found.push(at)
    at = parent
  }
  return found
}

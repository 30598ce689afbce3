/**
 * Content that a commit only points to: submodules and Git LFS objects, as far as the human's checkout has them. They
 * are put into a tree as files and never recorded from it. Nothing is fetched, and none of their config or filters runs.
 */
import {
  chmodSync,
  constants,
  copyFileSync,
  createReadStream,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname, join, resolve, sep } from 'node:path'
import { VpError } from '../core/errors.ts'
import { sha256 } from '../core/json.ts'
import { nodeCrypto } from '../core/node-crypto.ts'
import { resolveCommonDir, resolveGitDir } from './git-directory.ts'
import { gitText, nulList, treeEntries, type RunGit, type TreeEntry } from './git.ts'
import { checkOut, createRunRepository, treeChanges } from './run-repository.ts'

export interface Foreign {
  readonly kind: 'submodule' | 'lfs'
  readonly path: string
  /** Puts the files where the pointer stands. In the order of the list, as one may lie in another. */
  put(tree: string): Promise<void>
}

export interface Source {
  readonly gitDir: string
  readonly treeish: string
}

export interface ForeignPlace {
  /** The human's checkout. */
  readonly root: string
  /** A directory of ours. */
  readonly scratch: string
}

/** A checkout whose git directory is known: the human's, or one of its submodules. */
interface Holder {
  readonly root: string
  readonly gitDirs: readonly string[]
  /** Of the checkout within the human's, with a slash at its end, or empty. */
  readonly prefix: string
}

/** What a tree points to. Throws `workspace.unsupported` for the first that is not on this machine. */
export async function foreignContent(git: RunGit, source: Source, place: ForeignPlace): Promise<readonly Foreign[]> {
  const gitDirs = () => {
    const gitDir = resolveGitDir(place.root)
    return [...new Set([resolveCommonDir(gitDir), gitDir])]
  }
  return contentOf(git, source, place.scratch, () => ({ root: realpathSync(place.root), gitDirs: gitDirs(), prefix: '' }))
}

/** Those that lie in no other one: git knows of no more. */
export function outermost(found: readonly Foreign[]): readonly Foreign[] {
  return found.filter(({ path }) => !found.some((other) => path.startsWith(`${other.path}/`)))
}

async function contentOf(git: RunGit, source: Source, scratch: string, open: () => Holder): Promise<readonly Foreign[]> {
  const entries = await treeEntries(git, source.gitDir, source.treeish)
  const links = entries.filter(({ mode }) => mode === '160000')
  const pointers = await readPointers(git, source, entries, scratch)
  if (links.length === 0 && pointers.length === 0) return []
  const holder = open()
  const found: Foreign[] = pointers.map((pointer) => lfsFile(holder, pointer))
  for (const link of links) found.push(...(await submodule(git, link, holder, scratch)))
  return found
}

/** The submodule at its recorded commit, then what that points to. */
async function submodule(git: RunGit, { path, id }: TreeEntry, holder: Holder, scratch: string): Promise<readonly Foreign[]> {
  const shown = holder.prefix + path
  const missing = (what: string) =>
    new VpError('workspace.unsupported', `submodule ${shown} ${what}, and a run fetches nothing`, {
      next: [`git submodule update --init --recursive ${shown}`],
    })
  const root = join(holder.root, path)
  const own = moduleDir(root, holder)
  if (own === null) throw missing('is not checked out')
  const objectFormat = id.length === 64 ? 'sha256' : 'sha1'
  const repository = createRunRepository(join(scratch, 'modules', `${sha256(own).slice(0, 16)}.git`), { commonDir: own, objectFormat })
  const { code } = await git(['cat-file', '-e', `${id}^{commit}`], { gitDir: repository.gitDir, accept: [1, 128] })
  if (code !== 0) throw missing(`is without the commit ${id.slice(0, 7)}`)
  const inner = await contentOf(git, { gitDir: repository.gitDir, treeish: id }, scratch, () => ({ root, gitDirs: [own], prefix: `${shown}/` }))
  const put = async (tree: string) => {
    const index = join(dirname(tree), `index-${sha256(shown).slice(0, 16)}`)
    await checkOut(git, repository, id, { directory: join(tree, shown), index })
    rmSync(index)
  }
  return [{ kind: 'submodule', path: shown, put }, ...inner]
}

/** Only where git itself puts them: a file that names another place is not followed. */
function moduleDir(root: string, holder: Holder): string | null {
  const dotGit = join(root, '.git')
  const found = lstatSync(dotGit, { throwIfNoEntry: false })
  if (!found || realpathSync(root) !== root) return null
  if (found.isDirectory()) return dotGit
  const named = found.isFile() ? /^gitdir: (.+)$/m.exec(readFileSync(dotGit, 'utf8'))?.[1]?.trim() : undefined
  const target = named === undefined ? '' : resolve(root, named)
  if (!existsSync(join(target, 'HEAD'))) return null
  const real = realpathSync(target)
  return holder.gitDirs.some((gitDir) => real.startsWith(join(gitDir, 'modules') + sep)) ? real : null
}

interface Pointer {
  readonly path: string
  readonly oid: string
  readonly size: number
}

function lfsFile(holder: Holder, { path, oid, size }: Pointer): Foreign {
  const shown = holder.prefix + path
  const object = holder.gitDirs.map((gitDir) => join(gitDir, 'lfs', 'objects', oid.slice(0, 2), oid.slice(2, 4), oid)).find(existsSync)
  const refused = (what: string, next: string) => new VpError('workspace.unsupported', `the Git LFS object of ${shown} ${what}`, { next: [next] })
  if (object === undefined) throw refused('is not on this machine, and a run fetches nothing', 'git lfs pull')
  if (statSync(object).size !== size) throw refused('is damaged', 'git lfs fsck')
  const put = async (tree: string) => {
    const at = join(tree, shown)
    const { mode } = lstatSync(at)
    rmSync(at)
    copyFileSync(object, at, constants.COPYFILE_FICLONE)
    const hash = nodeCrypto().createHash('sha256')
    for await (const part of createReadStream(at)) hash.update(part as Buffer)
    if (hash.digest('hex') !== oid) throw refused('is damaged', 'git lfs fsck')
    chmodSync(at, mode & 0o555)
  }
  return { kind: 'lfs', path: shown, put }
}

const MAX_POINTER_BYTES = 1024
/** Source: git-lfs, docs/spec.md. One with extensions is not read: what lies in the tree is not the object. */
const POINTER = /^version https:\/\/git-lfs\.github\.com\/spec\/v1\noid sha256:([0-9a-f]{64})\nsize (\d+)\n$/

async function readPointers(git: RunGit, source: Source, entries: readonly TreeEntry[], scratch: string): Promise<Pointer[]> {
  const files = new Map(entries.filter(({ mode }) => mode.startsWith('100')).map(({ path, id }) => [path, id]))
  const pointers: Pointer[] = []
  for (const path of await lfsPaths(git, source, [...files.keys()], scratch)) {
    const id = files.get(path) as string
    if (Number(await gitText(git, ['cat-file', '-s', id], { gitDir: source.gitDir })) > MAX_POINTER_BYTES) continue
    const text = (await git(['cat-file', 'blob', id], { gitDir: source.gitDir })).stdout.toString('latin1')
    const [, oid, size] = POINTER.exec(text) ?? []
    if (oid !== undefined) pointers.push({ path, oid, size: Number(size) })
    else if (text.startsWith('version https://git-lfs'))
      throw new VpError('workspace.unsupported', `the Git LFS pointer ${path} is of a form that vp does not know`, {
        where: { file: path },
        next: ['git lfs fsck'],
      })
  }
  return pointers
}

/** Those of `paths` that the tree's own attributes give to Git LFS. */
async function lfsPaths(git: RunGit, { gitDir, treeish }: Source, paths: readonly string[], scratch: string): Promise<string[]> {
  if (paths.length === 0 || !(await speaksOfLfs(git, { gitDir, treeish }))) return []
  mkdirSync(scratch, { recursive: true, mode: 0o700 })
  const own = mkdtempSync(join(scratch, 'attributes-'))
  const index = join(own, 'index')
  try {
    await git(['read-tree', treeish], { gitDir, index })
    const parts = nulList((await git(['check-attr', '--cached', '-z', '--stdin', 'filter'], { gitDir, index, input: paths.join('\0') })).stdout)
    return paths.filter((_, at) => parts[at * 3 + 2] === 'lfs')
  } finally {
    rmSync(own, { recursive: true, force: true })
  }
}

async function speaksOfLfs(git: RunGit, { gitDir, treeish }: Source): Promise<boolean> {
  for (const { path, id } of await treeEntries(git, gitDir, treeish)) {
    if (!/(^|\/)\.gitattributes$/.test(path)) continue
    if (/^[^#\n]*\bfilter=lfs\b/m.test(await gitText(git, ['cat-file', 'blob', id], { gitDir }))) return true
  }
  return false
}

/** Paths that a task changed although their content is kept elsewhere, or would have to be. */
export async function foreignChanges(git: RunGit, gitDir: string, trees: { readonly base: string; readonly now: string }, scratch: string): Promise<string[]> {
  const changes = await treeChanges(git, gitDir, trees.base, trees.now)
  const links = changes.filter(({ oldMode, newMode }) => oldMode === '160000' || newMode === '160000').map(({ path }) => path)
  const paths = changes.map(({ path }) => path)
  const kept = [
    ...(await lfsPaths(git, { gitDir, treeish: trees.base }, paths, scratch)),
    ...(await lfsPaths(git, { gitDir, treeish: trees.now }, paths, scratch)),
  ]
  return [...new Set([...links, ...kept])].toSorted()
}

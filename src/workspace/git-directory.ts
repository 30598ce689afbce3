/**
 * Where the git directory of a checkout lies, and that it is one: nothing in it leads elsewhere by a link, a `commondir` or
 * an alternate, since vp reads from it and writes refs and logs to it. Read from its files alone: nothing is discovered,
 * and nothing runs.
 */
import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { VpError } from '../core/errors.ts'
import { isWithin } from './persons-programs.ts'

/** Throws `workspace.not_a_repository`, and `workspace.unsupported` for a file that points to where nothing points back. */
export function resolveGitDir(root: string): string {
  const dotGit = join(root, '.git')
  const stat = statSync(dotGit, { throwIfNoEntry: false })
  if (!stat) throw notARepository(root)
  if (stat.isDirectory()) return realpathSync(dotGit)
  const named = /^gitdir: (.+)$/m.exec(readFileSync(dotGit, 'utf8'))?.[1]?.trim()
  const target = named ? resolve(root, named) : ''
  if (!named || !existsSync(join(target, 'HEAD'))) throw notARepository(root)
  // A linked worktree names its tree back; what does not (a submodule, a planted file) is not followed.
  const back = join(target, 'gitdir')
  if (!existsSync(back) || realpathSync(dirname(resolve(target, readFileSync(back, 'utf8').trim()))) !== realpathSync(root))
    throw new VpError('workspace.unsupported', 'the .git file points to a directory that does not point back (a submodule?)', {
      where: { file: '.git' },
      next: ['run vp in the repository above, or in a clone of its own'],
    })
  return realpathSync(target)
}

/** Where objects and refs lie: the same, but for a linked worktree. */
export function resolveCommonDir(gitDir: string): string {
  const file = join(gitDir, 'commondir')
  if (!lstatSync(file, { throwIfNoEntry: false })) return gitDir
  if (lstatSync(file).isSymbolicLink()) throw leadsElsewhere('.git/commondir', 'is a link')
  const named = readFileSync(file, 'utf8').trim()
  const common = resolve(gitDir, named)
  // Written by `git worktree add`, and nowhere else: a planted one would make another repository this one.
  if (basename(dirname(gitDir)) === 'worktrees' && existsSync(common) && realpathSync(common) === dirname(dirname(gitDir))) return realpathSync(common)
  throw leadsElsewhere('.git/commondir', 'names a directory that is not the one this worktree belongs to')
}

const TOP = [
  'HEAD',
  'config',
  'config.worktree',
  'index',
  'info',
  'info/exclude',
  'objects',
  'objects/info',
  'objects/pack',
  'refs',
  'refs/heads',
  'packed-refs',
  'logs',
  'logs/HEAD',
  'logs/refs',
  'shallow',
]

/** Throws `workspace.unsupported` for a link out of the directory, or for objects that are borrowed from elsewhere. */
export function refuseForeignParts(gitDir: string, commonDir: string): void {
  if (!existsSync(join(commonDir, 'objects')) || !existsSync(join(commonDir, 'refs'))) throw notARepository(dirname(gitDir))
  for (const directory of new Set([gitDir, commonDir]))
    for (const name of TOP)
      if (lstatSync(join(directory, name), { throwIfNoEntry: false })?.isSymbolicLink() && !isWithin(commonDir, join(directory, name)))
        throw leadsElsewhere(`.git/${name}`, 'is a link out of the git directory')
  const fanOut = readdirSync(join(commonDir, 'objects'), { withFileTypes: true }).find((entry) => entry.isSymbolicLink())
  if (fanOut) throw leadsElsewhere(`.git/objects/${fanOut.name}`, 'is a link')
  const alternates = join(commonDir, 'objects', 'info', 'alternates')
  const lenders = existsSync(alternates)
    ? readFileSync(alternates, 'utf8')
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
    : []
  const stranger = lenders.find((line) => !isWithin(commonDir, resolve(commonDir, 'objects', line)))
  if (stranger === undefined) return
  throw new VpError('workspace.unsupported', 'this repository borrows its objects from another (alternates)', {
    where: { file: '.git/objects/info/alternates' },
    next: ['git repack -a -d && rm .git/objects/info/alternates'],
  })
}

/** Before a ref is written: neither it nor its log is a link, wherever on the way. `gitDir` may be a view. */
export function refuseLinkedRef(gitDir: string, ref: string): void {
  for (const top of ['', 'logs']) {
    const parts = ref.split('/')
    for (let depth = 2; depth <= parts.length; depth += 1) {
      const name = join(top, ...parts.slice(0, depth))
      if (lstatSync(join(gitDir, name), { throwIfNoEntry: false })?.isSymbolicLink()) throw leadsElsewhere(`.git/${name}`, 'is a link')
    }
  }
}

function leadsElsewhere(file: string, why: string): VpError {
  return new VpError('workspace.unsupported', `${file} ${why}, and vp does not follow it`, { where: { file }, next: ['git clone . ../clone'] })
}

/** With what this very folder wants to become one. */
export function notARepository(root: string): VpError {
  if (['HEAD', 'objects', 'refs'].every((name) => existsSync(join(root, name))))
    return new VpError('workspace.not_a_repository', 'this is a bare git repository: it has no files to work on', { next: ['git clone . ../checkout'] })
  return new VpError('workspace.not_a_repository', `${root} is not a git repository`, { next: [beginning(root)] })
}

/** How a repository begins in this folder; the root of a disk is none. */
function beginning(folder: string): string {
  if (dirname(folder) === folder) return 'cd into the folder of a project'
  return readdirSync(folder).length === 0 ? 'git init && git commit --allow-empty -m "start"' : 'git init && git add -A && git commit -m "start"'
}

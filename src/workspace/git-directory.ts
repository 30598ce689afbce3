/** Where the git directory of a checkout lies. Read from its files alone: nothing is discovered, and nothing runs. */
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { VpError } from '../core/errors.ts'

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
  if (!existsSync(file)) return gitDir
  const named = readFileSync(file, 'utf8').trim()
  return realpathSync(isAbsolute(named) ? named : join(gitDir, named))
}

function notARepository(root: string): VpError {
  return new VpError('workspace.not_a_repository', `${root} is not a git repository`, {
    next: ['git init && git add -A && git commit -m "start"'],
  })
}

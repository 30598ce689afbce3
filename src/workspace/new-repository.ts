/**
 * A git repository around files that lie there already: made and committed to by plumbing, so that nothing of the
 * person's configuration runs. For repositories of our own making only; theirs gains commits by their own git.
 */
import { join } from 'node:path'
import type { Identity, RunGit } from './git.ts'
import { gitText, readRef } from './git.ts'
import { commitTree } from './run-repository.ts'

/** An empty repository on branch `main` in `root`. */
export async function initRepository(git: RunGit, root: string): Promise<void> {
  await git(['init', '--quiet', '--template=', '--initial-branch=main', root])
}

/** Who commits in this repository, where git knows nobody. */
export async function setIdentity(git: RunGit, root: string, identity: Identity): Promise<void> {
  const config = ['config', '--file', join(root, '.git', 'config')]
  await git([...config, 'user.name', identity.name])
  await git([...config, 'user.email', identity.email])
}

/** Commits every file that is not ignored onto `main` and returns the commit. */
export async function commitAll(git: RunGit, root: string, draft: { message: string; author: Identity; epochMs: number }): Promise<string> {
  const call = { gitDir: join(root, '.git'), workTree: root, index: join(root, '.git', 'index') }
  await git(['add', '--all'], call)
  const parent = await readRef(git, call.gitDir, 'refs/heads/main')
  const tree = await gitText(git, ['write-tree'], call)
  const commit = await commitTree(git, call.gitDir, { tree, parents: parent === null ? [] : [parent], ...draft })
  await git(['update-ref', 'refs/heads/main', commit], call)
  return commit
}

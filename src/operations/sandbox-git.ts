/**
 * What git sees from inside the sandbox, always with a configuration of ours, without hooks and attributes of `.git/info`.
 * Of a person's checkout: their refs, objects and index; on Landlock and seatbelt, which mount nothing, this holds for a command that is
 * git itself, and a test that starts git sees the repository's own directory there. Of an attempt: nothing, or, where the
 * project's tests ask git (`needs_git`), what a clone of depth one would hold, as a build server has it: HEAD alone.
 */
import { appendFileSync, copyFileSync, existsSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { isVpError } from '../core/errors.ts'
import { hasOwnView, type BackendName, type Mount } from '../sandbox/contract.ts'
import { copyIndex } from '../workspace/human-reading.ts'
import { openHumanRepository, type HumanRepository } from '../workspace/human-repository.ts'
import type { Kit } from './kit.ts'
import type { ShownGit, TreeScene } from './scene.ts'

export interface SandboxGit {
  readonly mounts: readonly Mount[]
  readonly env: Readonly<Record<string, string>>
}

const NOTHING: SandboxGit = { mounts: [], env: {} }
const ALWAYS = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0', GIT_PAGER: 'cat', GIT_EDITOR: 'true' }

/** A submodule's own directory is not there, and its configuration has no say. */
const SUBMODULES = '[diff]\n\tignoreSubmodules = all\n'
const QUIET = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'diff.ignoreSubmodules', GIT_CONFIG_VALUE_0: 'all' }

/** `at`: an empty directory for as long as the command runs. */
export async function sandboxGit(
  kit: Kit,
  tree: TreeScene,
  call: { readonly backend: BackendName; readonly program: string; readonly at: string },
): Promise<SandboxGit> {
  if (tree.shownGit) return attemptGit(kit, tree.shownGit, call)
  if (tree.inAttempt || !lstatSync(join(tree.root, '.git'), { throwIfNoEntry: false })?.isDirectory()) return NOTHING
  const repository = await opened(kit, tree)
  if (!hasOwnView(call.backend)) {
    if (call.program !== 'git' || !repository) return { mounts: [], env: ALWAYS }
    const env = { ...ALWAYS, GIT_DIR: repository.view, GIT_WORK_TREE: '/workspace', GIT_INDEX_FILE: '/workspace/.git/index', ...QUIET }
    return { mounts: [{ hostPath: repository.view, sandboxPath: repository.view }], env }
  }
  mkdirSync(call.at, { recursive: true })
  const over: Mount = { hostPath: call.at, sandboxPath: '/workspace/.git' }
  if (!repository) return { mounts: [over], env: ALWAYS }
  for (const name of ['objects', 'refs', 'info']) mkdirSync(join(call.at, name))
  for (const name of ['config', 'HEAD']) copyFileSync(join(repository.view, name), join(call.at, name))
  appendFileSync(join(call.at, 'config'), SUBMODULES)
  for (const name of ['packed-refs', 'shallow', 'info/exclude'])
    if (existsSync(join(repository.commonDir, name))) copyFileSync(join(repository.commonDir, name), join(call.at, name))
  if (existsSync(repository.index)) copyIndex(repository.index, join(call.at, 'index'))
  const theirs = ['objects', 'refs'].map((name): Mount => ({ hostPath: join(repository.commonDir, name), sandboxPath: `/workspace/.git/${name}` }))
  return { mounts: [over, ...theirs], env: ALWAYS }
}

/** The run's own objects are few and are linked; those it borrows are shown where the human's lie. */
async function attemptGit(kit: Kit, shown: ShownGit, call: { readonly backend: BackendName; readonly at: string }): Promise<SandboxGit> {
  const { at } = call
  const lent = join(shown.human, 'objects')
  const isMounted = hasOwnView(call.backend)
  mkdirSync(join(at, 'objects', 'info'), { recursive: true })
  for (const name of ['lent', 'info', 'refs']) mkdirSync(join(at, name))
  const own = join(shown.gitDir, 'objects')
  for (const entry of readdirSync(own, { recursive: true, withFileTypes: true })) {
    const place = join(at, 'objects', relative(own, join(entry.parentPath, entry.name)))
    if (entry.isDirectory()) mkdirSync(place, { recursive: true })
    else if (entry.name !== 'alternates') linkSync(join(entry.parentPath, entry.name), place)
  }
  writeFileSync(join(at, 'objects', 'info', 'alternates'), `${isMounted ? '/workspace/.git/lent' : lent}\n`)
  writeFileSync(join(at, 'config'), `${readFileSync(join(shown.gitDir, 'config'), 'utf8').replace('bare = true', 'bare = false')}${SUBMODULES}`)
  writeFileSync(join(at, 'HEAD'), `${shown.commit}\n`)
  // History, tags and branches stay out: they are not in a bundle, and a replay has to see the same.
  writeFileSync(join(at, 'shallow'), `${shown.commit}\n`)
  await kit.git(['read-tree', shown.from], { gitDir: shown.gitDir, index: join(at, 'index') })
  const over: Mount = { hostPath: at, sandboxPath: '/workspace/.git' }
  return { mounts: [over, { hostPath: lent, sandboxPath: isMounted ? '/workspace/.git/lent' : lent }], env: ALWAYS }
}

/** Null for a directory that vp does not take as a repository: then git finds none in the sandbox either. */
async function opened(kit: Kit, tree: TreeScene): Promise<HumanRepository | null> {
  try {
    return await openHumanRepository(kit.git, tree.root, kit.paths.views)
  } catch (thrown) {
    if (isVpError(thrown) && thrown.code.startsWith('workspace.')) return null
    throw thrown
  }
}

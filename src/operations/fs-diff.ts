/** fs.diff: the files as they lie on disk against a commit, new ones included, as a patch that `fs.patch` takes. */
import * as z from 'zod/mini'
import { isVpError, VpError } from '../core/errors.ts'
import { gitMode } from '../patch/make.ts'
import type { FileMode } from '../patch/types.ts'
import { nulList, type RunGit } from '../workspace/git.ts'
import { emptyTree, filteredPaths, pathspecs, resolveCommit, type Reading } from '../workspace/human-reading.ts'
import { humanState } from '../workspace/human-repository.ts'
import { rawChanges } from '../workspace/run-repository.ts'
import type { TreeChange } from '../workspace/tree-objects.ts'
import { diffOf } from './fs.ts'
import type { Workspace } from '../workspace/files.ts'
import { showing } from './operation.ts'
import { isHidden, readRepository, requireReadable } from './repository.ts'

const MAX_FILES = 500
const MAX_DIFF = 4 * 1024 * 1024

export const fsDiff = showing({
  name: 'fs.diff',
  summary: 'what differs from a commit, new files included',
  params: () => z.strictObject({ path: z.optional(z.string().check(z.minLength(1))), ref: z.optional(z.string().check(z.minLength(1), z.maxLength(256))) }),
  result: () => z.object({ unified_diff: z.string(), omitted: z.array(z.string()) }),
  effect: 'read',
  scope: 'fs.read',
  handler: (params, scene) =>
    readRepository(scene, async (reading) => {
      const { git } = scene.kit
      const files = scene.tree.files()
      const commit = params.ref === undefined ? (await humanState(git, reading.repository)).head : await resolveCommit(git, reading.repository, params.ref)
      const changes = await changesOnDisk(git, reading, commit, requireReadable(params.path === undefined ? [] : [params.path]))
      if (changes.length > MAX_FILES)
        throw new VpError('limit.reached', `${changes.length} files differ; at most ${MAX_FILES} at once`, { next: ['name a path'] })
      const filtered = await filteredPaths(
        git,
        reading,
        changes.map((change) => change.path),
      )
      const omitted: string[] = []
      const diffs: string[] = []
      for (const change of changes) {
        const shown = !isHidden(change.path) && !filtered.includes(change.path) && isFile(change.oldMode) && isFile(change.newMode)
        const after = shown ? onDisk(files, change.path) : null
        if (!after) {
          omitted.push(change.path)
          continue
        }
        const before = change.oldMode === NONE ? null : await checkedOut(git, reading, commit, change.path)
        diffs.push(diffOf(change.path, before, after.bytes, { oldMode: change.oldMode === '100755' ? '100755' : '100644', newMode: after.mode }))
      }
      const unified_diff = diffs.join('')
      if (unified_diff.length > MAX_DIFF) throw new VpError('limit.reached', `the difference is longer than ${MAX_DIFF} characters`, { next: ['name a path'] })
      return { unified_diff, omitted }
    }),
  say: (params) => [params.path ?? '.', params.ref].filter(Boolean).join(' '),
})

const NONE = '000000'
const isFile = (mode: string): boolean => mode === NONE || mode.startsWith('100')

/** The file as it is now, null bytes when it is gone; null when it may not be opened (a link, a device, too large). */
function onDisk(files: Workspace, path: string): { bytes: Buffer | null; mode: FileMode } | null {
  try {
    if (!files.exists(path)) return { bytes: null, mode: '100644' }
    const { bytes, mode } = files.read(path)
    return { bytes, mode: gitMode(mode) }
  } catch (error) {
    if (isVpError(error) && error.code.startsWith('path.')) return null
    throw error
  }
}

/** Tracked and untracked, in path order; ignored files are not ours to tell. */
async function changesOnDisk(git: RunGit, { repository, call }: Reading, commit: string | null, paths: readonly string[]): Promise<TreeChange[]> {
  await git(['update-index', '-q', '--refresh'], { ...call, accept: [1] })
  const base = commit ?? (await emptyTree(git, repository))
  const tracked = rawChanges((await git(['diff-index', '-z', '--raw', '--no-renames', '--ignore-submodules=all', base, ...pathspecs(paths)], call)).stdout)
  const others = nulList((await git(['ls-files', '-z', '--others', '--exclude-standard', ...pathspecs(paths)], call)).stdout)
  const fresh = others
    .filter((path) => !path.endsWith('/') && !tracked.some((change) => change.path === path))
    .map((path): TreeChange => ({ path, status: 'A', oldMode: NONE, newMode: '100644' }))
  return [...tracked, ...fresh].toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

/** As git would write it into this tree: line ends as the attributes say, no driver, since the view has none. */
async function checkedOut(git: RunGit, { call }: Reading, commit: string | null, path: string): Promise<Buffer> {
  return (await git(['cat-file', '--filters', `${commit}:${path}`], call)).stdout
}

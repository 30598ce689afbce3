/**
 * What a command wrote into its tree: the files whose status change time, kind or size is another afterwards. Left
 * out are names that no listing shows, and the directories of a project's environment.
 */
import { isDependencyPath } from '../policy/paths.ts'
import type { Entry } from '../workspace/files.ts'
import type { TreeScene } from './scene.ts'

export interface Written<Result> {
  readonly result: Result
  /** Made, changed or removed, in code-unit order. */
  readonly writes: readonly string[]
  /** False when the tree has more entries than are looked at: then only changes of known files are told. */
  readonly isWhole: boolean
}

const MAX_ENTRIES = 20_000

/** Says to the tree that it was touched when it was. */
export async function tellWrites<Result>(tree: TreeScene, command: () => Promise<Result>): Promise<Written<Result>> {
  const { stamps: before, isWhole: wasWhole } = stampsOf(tree)
  const result = await command()
  const { stamps: after, isWhole: staysWhole } = stampsOf(tree)
  const isWhole = wasWhole && staysWhole
  const changed = [...after].filter(([path, stamp]) => (isWhole || before.has(path)) && before.get(path) !== stamp).map(([path]) => path)
  const removed = isWhole ? [...before.keys()].filter((path) => !after.has(path)) : []
  const writes = [...changed, ...removed].sort()
  if (writes.length > 0 || !isWhole) tree.touched()
  return { result, writes, isWhole }
}

function stampsOf(tree: TreeScene): { stamps: Map<string, string>; isWhole: boolean } {
  const { entries, isWhole } = treeEntries(tree)
  const files = entries.filter(({ kind }) => kind !== 'dir')
  return { stamps: new Map(files.map(({ path, kind, size, changedMs }) => [path, `${kind} ${size} ${changedMs}`])), isWhole }
}

/** What of a tree is looked at: not the environment's directories, and no more than a great many. */
export function treeEntries(tree: TreeScene): { entries: readonly Entry[]; isWhole: boolean } {
  const reuse = new Set(tree.project?.environment.reuse)
  const enter = (path: string) => !reuse.has(path) && !isDependencyPath(path)
  const entries = tree.files().list('', { depth: Number.POSITIVE_INFINITY, maxEntries: MAX_ENTRIES, enter })
  return { entries, isWhole: entries.length < MAX_ENTRIES }
}

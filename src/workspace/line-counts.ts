/** How many lines a change adds and removes, as `git diff --numstat` counts them: by LF, and not at all in binary files. */
import { diffArrays } from 'diff'
import { splitLf } from '../core/lines.ts'
import type { Objects } from './objects.ts'
import { diffTrees, type TreeDifference } from './tree-objects.ts'

export interface LineCount {
  readonly path: string
  /** Null for binary files. */
  readonly add: number | null
  readonly del: number | null
}

/** As far as git looks for a NUL. Source: git's xdiff-interface.c, `buffer_is_binary`. */
const SNIFFED_BYTES = 8000
/** Beyond this many edits the two have little in common, and one replaced block is as good, and quick. */
const MAX_EDITS = 3000

export async function countLines(objects: Objects, from: string, to: string): Promise<LineCount[]> {
  const changes = await diffTrees(objects, from, to)
  return Promise.all(
    changes.map(async (change) => {
      const [before, after] = await Promise.all([side(objects, change, 'old'), side(objects, change, 'new')])
      const isBinary = [before, after].some((bytes) => bytes.subarray(0, SNIFFED_BYTES).includes(0))
      return isBinary
        ? { path: change.path, add: null, del: null }
        : { path: change.path, ...changedLines(before.toString('latin1'), after.toString('latin1')) }
    }),
  )
}

/** A submodule is one line that names its commit, as git shows it. */
async function side(objects: Objects, change: TreeDifference, which: 'old' | 'new'): Promise<Buffer> {
  const [id, mode] = which === 'old' ? [change.oldId, change.oldMode] : [change.newId, change.newMode]
  if (id === null) return Buffer.alloc(0)
  return mode === '160000' ? Buffer.from(`Subproject commit ${id}\n`) : (await objects.read(id)).body
}

export function changedLines(before: string, after: string): { add: number; del: number } {
  const [old, now] = [splitLf(before), splitLf(after)]
  let head = 0
  while (head < old.length && head < now.length && old[head] === now[head]) head++
  let tail = 0
  while (tail < old.length - head && tail < now.length - head && old.at(-1 - tail) === now.at(-1 - tail)) tail++
  const [left, right] = [old.slice(head, old.length - tail), now.slice(head, now.length - tail)]
  const changes = left.length === 0 || right.length === 0 ? undefined : diffArrays(left, right, { maxEditLength: MAX_EDITS })
  if (!changes) return { add: right.length, del: left.length }
  const count = (which: 'added' | 'removed') => changes.reduce((sum, change) => sum + (change[which] ? change.value.length : 0), 0)
  return { add: count('added'), del: count('removed') }
}

/**
 * A repository's words to whoever changes it, for folders that the plan did not name: which of them a turn's calls make the
 * nearest ones to a file, and are told after it, each once. Pure.
 */
import { argsOf, changedFiles, type Entry } from './story.ts'

export interface Beside {
  /** Of the file itself: `src/AGENTS.md`. */
  readonly path: string
  /** As it will be told, of bounded size. */
  readonly text: string
  readonly isShown: boolean
}

/** In the order in which the calls touched their folders. */
export function besideOf(known: readonly Beside[], entries: readonly Entry[]): Beside[] {
  const fresh = new Set<Beside>()
  for (const touched of entries.flatMap(touchedBy)) {
    const [nearest] = known.filter(({ path }) => `${touched}/`.startsWith(folderOf(path))).toSorted((a, b) => b.path.length - a.path.length)
    if (nearest && !nearest.isShown) fresh.add(nearest)
  }
  return [...fresh]
}

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1)

const TOUCHES = new Set(['read', 'list', 'edit', 'write'])

function touchedBy(result: Entry): string[] {
  if (result.kind !== 'result' || result.code !== null) return []
  const { path } = argsOf(result.call)
  const named = TOUCHES.has(result.call.name) && typeof path === 'string' ? [path] : []
  return [...named, ...changedFiles(result)].map((one) => one.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, ''))
}

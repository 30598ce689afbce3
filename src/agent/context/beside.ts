/**
 * A repository's words to whoever changes it, for folders that the plan did not name: which of them a turn's calls make the
 * nearest ones to a file, and are told after it, each once. Pure.
 */
import { argsOf, changedFiles, type Entry } from './story.ts'

export interface Beside {
  /** Of the file itself: `src/AGENTS.md`. */
  readonly path: string
  /** As it will be told, of bounded size; '' where only its path can be. */
  readonly text: string
  readonly isShown: boolean
}

/** Characters of all that an attempt is told later, together: folders that are touched first have them. */
export const BESIDE_ROOM = 4000

/** In the order in which the calls touched their folders, cut to what is left of the room: '' where that is not worth a cut. */
export function besideOf(known: readonly Beside[], entries: readonly Entry[], room: number): Beside[] {
  const fresh = new Set<Beside>()
  for (const touched of entries.flatMap(touchedBy)) {
    const [nearest] = known.filter(({ path }) => `${touched}/`.startsWith(folderOf(path))).toSorted((a, b) => b.path.length - a.path.length)
    if (nearest && !nearest.isShown) fresh.add(nearest)
  }
  let left = room
  return [...fresh].map((one) => {
    const text = cutAtLine(one.text, left)
    left -= text.length
    return { ...one, text }
  })
}

const CUT = '\n(cut here)'
/** Less of a text than this says too little. */
const LEAST = 200

/** Within `room` characters: behind a line, or within one that would leave more than half of the room empty. */
export function cutAtLine(text: string, room: number): string {
  if (text.length <= room) return text
  const most = room - CUT.length
  if (most < LEAST) return ''
  const end = text.lastIndexOf('\n', most)
  return `${text.slice(0, end < most / 2 ? most : end).replace(/[\uD800-\uDBFF]$/, '')}${CUT}`
}

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1)

const TOUCHES = new Set(['read', 'list', 'edit', 'write'])

function touchedBy(result: Entry): string[] {
  if (result.kind !== 'result' || result.code !== null) return []
  const { path } = argsOf(result.call)
  const named = TOUCHES.has(result.call.name) && typeof path === 'string' ? [path] : []
  return [...named, ...changedFiles(result)].map((one) => one.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, ''))
}

/**
 * A repository's own words to whoever changes it (`AGENTS.md`, the nearest ones first): data of bounded size, told with the
 * goal. What a task may do is decided elsewhere and reads none of this.
 */
import { isVpError } from '../../core/errors.ts'
import { sha256 } from '../../core/json.ts'
import { decode, isBinary, joinLines } from '../../patch/text-file.ts'
import type { Workspace } from '../../workspace/files.ts'

export interface Instructions {
  readonly path: string
  readonly sha256: string
  readonly characters: number
  /** As it is told; '' where there was no room for it, or it is for files that the plan does not name. */
  readonly shown: string
  /** As it is told when a file beside it is touched; '' where there is no room. */
  readonly later: string
}

const NAME = 'AGENTS.md'
/** Of all that apply, together. */
const MAX_CHARACTERS = 2000
const MAX_FILE = 64 * 1024
const MAX_FILES = 16
/** Of all that are told later, together. */
const MAX_LATER = 4000

/** `paths`: all of the tree; `files`: those that the plan names. Without such a file nothing is read. */
export function readInstructions(workspace: Pick<Workspace, 'read'>, paths: readonly string[], files: readonly string[]): Instructions[] {
  const found = paths.filter((path) => path === NAME || path.endsWith(`/${NAME}`))
  const folder = (path: string) => path.slice(0, -NAME.length)
  const applies = (path: string) => folder(path) === '' || files.some((file) => file.startsWith(folder(path)))
  const nearest = found
    .toSorted((a, b) => b.split('/').length - a.split('/').length || (a < b ? -1 : 1))
    .toSorted((a, b) => Number(applies(b)) - Number(applies(a)))
  let left = MAX_CHARACTERS
  let leftLater = MAX_LATER
  return nearest.slice(0, MAX_FILES).flatMap((path) => {
    const text = textOf(workspace, path)
    if (text === null) return []
    const shown = applies(path) ? cutAtLine(text.trim(), left) : ''
    left -= shown.length
    const later = shown === '' ? cutAtLine(text.trim(), Math.min(leftLater, MAX_CHARACTERS)) : ''
    leftLater -= later.length
    return [{ path, sha256: sha256(text), characters: text.length, shown, later }]
  })
}

/** Null for what is no text, is too large, or may not be read: a link, or a file that the policy keeps. */
function textOf(workspace: Pick<Workspace, 'read'>, path: string): string | null {
  try {
    const { bytes } = workspace.read(path, { maxBytes: MAX_FILE })
    return isBinary(bytes) ? null : joinLines(decode(bytes)).replaceAll('\r\n', '\n')
  } catch (error) {
    if (isVpError(error) && error.code.startsWith('path.')) return null
    throw error
  }
}

const CUT = '\n(cut here)'

function cutAtLine(text: string, room: number): string {
  if (text.length <= room) return text
  const end = text.lastIndexOf('\n', room - CUT.length)
  return end <= 0 ? '' : `${text.slice(0, end)}${CUT}`
}

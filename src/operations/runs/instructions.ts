/**
 * A repository's own words to whoever changes it (`AGENTS.md`, the nearest ones first): data of bounded size, told with the
 * goal. What a task may do is decided elsewhere and reads none of this.
 */
import { cutAtLine } from '../../agent/context/beside.ts'
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
  /** As it is told at most when a file beside it is touched; '' where it is shown. */
  readonly later: string
  /** Whether the model has been told that it is there. */
  readonly isNamed: boolean
}

/** What is no text or too large to be one. */
export interface Unread {
  readonly path: string
  readonly bytes: number
}

export interface FoundInstructions {
  readonly files: readonly Instructions[]
  readonly unread: readonly Unread[]
}

const NAME = 'AGENTS.md'
/** Of all that apply, together; and of each that is told later. */
const MAX_CHARACTERS = 2000
const MAX_FILE = 64 * 1024
const MAX_FILES = 200
/** In what the model is told first. */
const MAX_NAMED = 16

/** `paths`: all of the tree; `files`: those that the plan names. Without such a file nothing is read. */
export function readInstructions(workspace: Pick<Workspace, 'read' | 'list'>, paths: readonly string[], files: readonly string[]): FoundInstructions {
  const found = paths.filter((path) => path === NAME || path.endsWith(`/${NAME}`))
  const applies = (path: string) => folderOf(path) === '' || files.some((file) => file.startsWith(folderOf(path)))
  const nearest = found
    .toSorted((a, b) => b.split('/').length - a.split('/').length || (a < b ? -1 : 1))
    .toSorted((a, b) => Number(applies(b)) - Number(applies(a)))
  let left = MAX_CHARACTERS
  const told: Instructions[] = []
  const unread: Unread[] = []
  for (const path of nearest.slice(0, MAX_FILES)) {
    const text = textOf(workspace, path)
    if (text === null) continue
    if (typeof text === 'number') {
      unread.push({ path, bytes: text })
      continue
    }
    const isNamed = told.length < MAX_NAMED
    const shown = isNamed && applies(path) ? cutAtLine(text.trim(), left) : ''
    left -= shown.length
    const later = shown === '' ? cutAtLine(text.trim(), MAX_CHARACTERS) : ''
    told.push({ path, sha256: sha256(text), characters: text.length, shown, later, isNamed })
  }
  return { files: told, unread }
}

const folderOf = (path: string) => path.slice(0, -NAME.length)

/** Its bytes where it is no text or too large; null for what may not be read: a link, or a file that the policy keeps. */
function textOf(workspace: Pick<Workspace, 'read' | 'list'>, path: string): string | number | null {
  try {
    const { bytes } = workspace.read(path, { maxBytes: MAX_FILE })
    return isBinary(bytes) ? bytes.length : joinLines(decode(bytes)).replaceAll('\r\n', '\n')
  } catch (error) {
    if (isVpError(error) && error.code === 'path.too_large') return sizeOf(workspace, path)
    if (isVpError(error) && error.code.startsWith('path.')) return null
    throw error
  }
}

function sizeOf(workspace: Pick<Workspace, 'list'>, path: string): number | null {
  const entries = workspace.list(folderOf(path).slice(0, -1), { depth: 1, maxEntries: 100_000 })
  return entries.find((entry) => entry.path === path)?.size ?? null
}

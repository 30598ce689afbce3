/**
 * Every name below a directory as the disk has it, whatever a policy says of it, and with what tells whether it changed.
 * A path is its bytes as Latin-1, one to one, so that a name that is no UTF-8 is a name too; `shownPath` is for readers.
 * Follows no link. Reads no content.
 */
import { lstatSync, readdirSync, type Stats } from 'node:fs'
import type { EntryKind } from './files.ts'

export interface Surveyed {
  readonly kind: EntryKind
  readonly size: number
  /** Permission bits with set-id and sticky. */
  readonly mode: number
  /** Which file it is, under whatever name; with its birth, since a number is used again. */
  readonly id: string
  /** The file system's own time of the last change of content, name or mode. */
  readonly changedMs: number
}

export interface Survey {
  /** The shallow ones first. */
  readonly entries: ReadonlyMap<string, Surveyed>
  /** Directories that could not be listed. */
  readonly unread: ReadonlySet<string>
  /** False when there are more entries than are looked at. */
  readonly isWhole: boolean
}

export interface SurveyOptions {
  readonly maxEntries: number
  /** Directories whose entries are not wanted answer false; they are listed themselves. */
  enter(path: string, entry: Surveyed): boolean
}

/** A directory that is gone by the time it is read has no entries. */
export function survey(root: string, { maxEntries, enter }: SurveyOptions): Survey {
  const entries = new Map<string, Surveyed>()
  const unread = new Set<string>()
  let isWhole = true
  const queue = ['']
  for (const directory of queue) {
    const prefix = directory === '' ? '' : `${directory}/`
    for (const name of namesIn(root, directory, unread)) {
      const path = prefix + name
      const found = look(root, path)
      if (found === 'refused') unread.add(directory)
      if (!found || found === 'refused') continue
      if (entries.size >= maxEntries) {
        isWhole = false
        break
      }
      const entry = surveyed(found)
      entries.set(path, entry)
      if (entry.kind === 'dir' && enter(path, entry)) queue.push(path)
    }
    if (!isWhole) break
  }
  return { entries, unread, isWhole }
}

/** `refused`: a name too long to be reached from the root, or a directory that may be listed and not entered. */
function look(root: string, path: string): Stats | undefined | 'refused' {
  try {
    return lstatSync(onDisk(root, path), { throwIfNoEntry: false })
  } catch {
    return 'refused'
  }
}

function namesIn(root: string, directory: string, unread: Set<string>): string[] {
  try {
    return readdirSync(onDisk(root, directory), { encoding: 'latin1' }).sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') unread.add(directory)
    return []
  }
}

/** The real place of a path of the survey. */
export function onDisk(root: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')])
}

export function surveyed(found: Stats): Surveyed {
  const kind = found.isFile() ? 'file' : found.isDirectory() ? 'dir' : found.isSymbolicLink() ? 'symlink' : 'other'
  return {
    kind,
    size: kind === 'file' ? found.size : 0,
    mode: found.mode & 0o7777,
    id: `${found.dev}:${found.ino}:${found.birthtimeMs}`,
    changedMs: found.ctimeMs,
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

/** The name in text, or null where its bytes are none. */
export function textPath(path: string): string | null {
  try {
    return UTF8.decode(Buffer.from(path, 'latin1'))
  } catch {
    return null
  }
}

/** For readers: itself where it is plain text, else with its odd bytes written out. */
export function shownPath(path: string): string {
  const text = textPath(path)
  const escape = (byte: string) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`
  // oxlint-disable-next-line no-control-regex
  return text === null ? path.replace(/[^\x20-\x7e]/g, escape) : text.replace(/[\x00-\x1f\x7f]/g, escape)
}

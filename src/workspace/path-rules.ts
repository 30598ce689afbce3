/**
 * What a path inside the workspace may look like, decided on the string alone. Pure.
 * Nothing is decoded or expanded: `%2e`, `~` and `$X` are plain characters, and so is a backslash.
 */
import { VpError } from '../core/errors.ts'

const LONGEST_PATH = 4096
const LONGEST_NAME = 255

/** The components of a relative path. Throws `path.invalid`; `.` or the empty string is the root when `allowRoot`. */
export function splitPath(path: unknown, { allowRoot = false } = {}): readonly string[] {
  if (typeof path !== 'string') throw invalid('a path must be a string')
  if (allowRoot && (path === '' || path === '.')) return []
  if (path === '') throw invalid('the path is empty')
  if (!path.isWellFormed()) throw invalid('the path is not valid Unicode')
  if (path.includes('\0')) throw invalid('the path holds a NUL character')
  if (path.startsWith('/')) throw invalid(`${quote(path)} is absolute; name it relative to the workspace`)
  if (/^[A-Za-z]:[\\/]/.test(path) || /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(path) || path.startsWith('\\\\'))
    throw invalid(`${quote(path)} is a drive, share or URL, not a path of the workspace`)
  if (Buffer.byteLength(path) >= LONGEST_PATH) throw invalid('the path is 4096 bytes or longer')
  const names = (path.startsWith('./') ? path.slice(2) : path).split('/')
  for (const name of names) checkName(name, path)
  return names
}

function checkName(name: string, path: string): void {
  if (name === '') throw invalid(`${quote(path)} has an empty component`)
  if (name === '.' || name === '..') throw invalid(`${quote(path)} has the component ${quote(name)}`)
  if (Buffer.byteLength(name) > LONGEST_NAME) throw invalid('a component of the path is longer than 255 bytes')
}

/** A path as it may be shown: quoted, control characters escaped, cut. */
export function quote(path: string): string {
  return JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path)
}

function invalid(message: string): VpError {
  return new VpError('path.invalid', message)
}

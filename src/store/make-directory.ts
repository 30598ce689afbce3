/**
 * Making a directory with what is missing above it. Not by `recursive: true`: where a file system answers that the
 * parent is missing although it is there, as /proc does, Node 26 tries for ever and hears no signal. Built-ins only: a start needs it.
 */
import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/** Throws what the system says, once. */
export function makeDirectory(path: string, mode = 0o777): void {
  if (isDirectory(path)) return
  if (dirname(path) !== path) makeDirectory(dirname(path), mode)
  try {
    mkdirSync(path, { mode })
  } catch (error) {
    if (!isDirectory(path)) throw error // another process may have made it meanwhile
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

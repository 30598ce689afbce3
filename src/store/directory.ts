/** What the system refuses of a place that a person chose, the state directory or another, in words that they can act on. */
import { VpError } from '../core/errors.ts'

/** What the system's word means to a person who wants something written there. */
const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'it may not be written',
  EPERM: 'it may not be written',
  EROFS: 'its file system is read-only',
  EEXIST: 'a file is in its place',
  ENOTDIR: 'a file is in its place',
  EISDIR: 'a directory is in its place',
  ENOENT: 'nothing can be made there',
  ELOOP: 'its links lead in a circle',
  ENAMETOOLONG: 'its name is too long',
}

/** What the system refuses in `body` is said of the state directory: `store.unusable`. Any other error stays as it is. */
export function inDirectory<Result>(directory: string, body: () => Result): Result {
  try {
    return body()
  } catch (cause) {
    const why = WORDS[String((cause as { code?: unknown } | null)?.code)]
    throw why === undefined ? cause : unusableDirectory(directory, why, cause)
  }
}

/** The same of any other path that is written because a person named it, or what it lies in: `usage.params`. */
export function atPath<Result>(path: string, next: readonly string[], body: () => Result): Result {
  try {
    return body()
  } catch (cause) {
    const why = WORDS[String((cause as { code?: unknown } | null)?.code)]
    throw why === undefined ? cause : new VpError('usage.params', `${path} cannot be written: ${why}`, { cause, next })
  }
}

export function unusableDirectory(directory: string, why: string, cause: unknown): VpError {
  return new VpError('store.unusable', `the state directory ${directory} cannot be used: ${why}`, { cause, next: ['export VP_STATE_DIR=/var/tmp/vp-state'] })
}

/** What the system refuses of the state directory, in words that a person can act on. */
import { VpError } from '../core/errors.ts'

/** What the system's word means to a person who wants a ledger there. */
const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'it may not be written',
  EPERM: 'it may not be written',
  EROFS: 'its file system is read-only',
  EEXIST: 'a file is in its place',
  ENOTDIR: 'a file is in its place',
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

export function unusableDirectory(directory: string, why: string, cause: unknown): VpError {
  return new VpError('store.unusable', `the state directory ${directory} cannot be used: ${why}`, { cause, next: ['export VP_STATE_DIR=/var/tmp/vp-state'] })
}

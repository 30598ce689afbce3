/**
 * The header half of the diff parser: names, quoted names, prefixes, modes. Pure string work, no judgement of paths.
 */
import type { FileMode, ParseReason } from './types.ts'

const PREFIX_PAIRS = new Set(['a b', 'b a', 'i w', 'w i', 'c i', 'i c', 'c w', 'w c', 'o n', 'old new'])

/** A name after `--- ` or `+++ `: quotes undone, a tab and the time after it dropped; null for /dev/null. */
export function readName(raw: string): string | null {
  const text = raw.startsWith('"') ? unquote(raw) : raw.replace(/\t.*$/s, '').trimEnd()
  return text === '/dev/null' || text === '' ? null : text
}

/** Takes `a/` and `b/` (and git's other pairs) off where both sides have one; a single-sided name loses only a/ or b/. */
export function stripPrefixes(oldName: string | null, newName: string | null): [string | null, string | null] {
  if (oldName !== null && newName !== null) {
    const [oldHead, oldRest] = cutHead(oldName)
    const [newHead, newRest] = cutHead(newName)
    if (PREFIX_PAIRS.has(`${oldHead} ${newHead}`)) return [oldRest, newRest]
    // Only one side was given its prefix: the names agree once it is taken off.
    if ((oldHead === 'a' || oldHead === 'b') && oldRest === newName) return [newName, newName]
    if ((newHead === 'a' || newHead === 'b') && newRest === oldName) return [oldName, oldName]
    return [oldName, newName]
  }
  if (oldName !== null) return [oldName.startsWith('a/') ? oldName.slice(2) : oldName, null]
  if (newName !== null) return [null, newName.startsWith('b/') ? newName.slice(2) : newName]
  return [null, null]
}

/** The two names of `diff --git A B`; null where the line can be cut in several ways. */
export function readGitNames(rest: string): [string, string] | null {
  if (rest.startsWith('"')) {
    const end = quotedEnd(rest)
    const second = rest.slice(end + 1).trim()
    return [unquote(rest.slice(0, end + 1)), second.startsWith('"') ? unquote(second) : second]
  }
  const quoted = rest.indexOf(' "')
  if (quoted > 0) return [rest.slice(0, quoted), unquote(rest.slice(quoted + 1))]
  const parts = rest.trimEnd().split(' ')
  if (parts.length === 2) return [parts[0] ?? '', parts[1] ?? '']
  // Names with blanks: git writes the same name twice, so the cut is in the middle.
  const middle = (rest.trimEnd().length - 1) / 2
  if (Number.isInteger(middle) && rest[middle] === ' ') {
    const [left, right] = [rest.slice(0, middle), rest.trimEnd().slice(middle + 1)]
    if (cutHead(left)[1] === cutHead(right)[1]) return [left, right]
  }
  return null
}

export function readMode(text: string): FileMode | ParseReason {
  const mode = text.trim()
  if (mode === '100644' || mode === '100755') return mode
  if (mode === '120000') return 'symlink'
  return mode === '160000' ? 'gitlink' : 'mode'
}

export function isMode(value: FileMode | ParseReason): value is FileMode {
  return value === '100644' || value === '100755'
}

/** Undoes git's C quoting; octal escapes are bytes of UTF-8. */
export function unquote(raw: string): string {
  const end = quotedEnd(raw)
  const bytes: number[] = []
  for (let index = 1; index < end; index++) {
    const char = raw[index] ?? ''
    if (char !== '\\') {
      bytes.push(...Buffer.from(String.fromCodePoint(raw.codePointAt(index) ?? 0), 'utf8'))
      if ((raw.codePointAt(index) ?? 0) > 0xffff) index++
      continue
    }
    const octal = /^[0-3][0-7]{2}/.exec(raw.slice(index + 1, index + 4))
    if (octal) {
      bytes.push(Number.parseInt(octal[0], 8))
      index += 3
    } else {
      const next = raw[++index] ?? ''
      bytes.push(...Buffer.from(ESCAPES[next] ?? next, 'utf8'))
    }
  }
  return Buffer.from(bytes).toString('utf8')
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' }

function quotedEnd(raw: string): number {
  for (let index = 1; index < raw.length; index++) {
    if (raw[index] === '\\') index++
    else if (raw[index] === '"') return index
  }
  return raw.length
}

function cutHead(name: string): [string, string] {
  const slash = name.indexOf('/')
  return slash < 0 ? ['', name] : [name.slice(0, slash), name.slice(slash + 1)]
}

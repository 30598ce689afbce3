/**
 * Lines around the hunks of a diff that begin as removed lines do: names of a file, a mail's signature, bullets, rules.
 * Says what a line looks like. Whether it was meant as a removed line, only the file can tell.
 */

/** The two names of a file with a hunk below them: without one, they are lines like any other. */
export function isFileHeader(lines: readonly string[], index: number): boolean {
  return lines[index]?.startsWith('--- ') === true && lines[index + 1]?.startsWith('+++ ') === true && lines[index + 2]?.startsWith('@@') === true
}

export function isSignatureMark(line: string | undefined): boolean {
  return line === '-- ' || line === '--'
}

/** As git-format-patch signs: the mark, git's version, and then nothing or the next mail. */
export function isSignature(lines: readonly string[], index: number): boolean {
  if (!isSignatureMark(lines[index]) || !/^\d+\.\d+[\w.-]*(?: \(.*\))?$/.test(lines[index + 1] ?? '')) return false
  let at = index + 2
  while (lines[at] === '') at++
  return at >= lines.length || /^From [0-9a-f]{40} /.test(lines[at] ?? '')
}

/** `- word`, `- **word**`: one blank. More are the indentation of a removed line, and ` * word` belongs to a comment. */
export function isBullet(line: string): boolean {
  return /^- (?:[^\s*]|\*{1,2}[\w`])/.test(line)
}

/** Of a line outside of any hunk: `prose` may stand there, `change` is the lost half of an edit. */
export function strayKind(line: string): 'none' | 'prose' | 'change' {
  if (!/^[+-]/.test(line)) return 'none'
  return isBullet(line) || isSignatureMark(line) || /^-{3,}$/.test(line) ? 'prose' : 'change'
}

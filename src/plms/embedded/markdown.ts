/**
 * As much of Markdown as finding a list under its heading takes: what a fence or a comment hides, and where the sections of
 * the first two levels are. Source: CommonMark 0.31, sections 4.2, 4.3, 4.5 and 4.6. Pure, linear.
 */

/** The lines, with those of code fences and HTML comments (marks and all) as empty ones, so that numbers of lines stay. */
export function shownLines(text: string): string[] {
  let hidden: Hidden | null = null
  return text.split('\n').map((line) => {
    if (hidden && line.trim() !== '' && indentOf(line) < hidden.indent - 3) hidden = null
    if (hidden) {
      if (hidden.endsAt(line)) hidden = null
      return ''
    }
    const begun = hiddenFrom(line)
    if (begun === null) return line
    hidden = begun.endsAt === null ? null : { indent: indentOf(line), endsAt: begun.endsAt }
    return ''
  })
}

interface Hidden {
  /** In a list item it ends with the item, at the latest where a line begins more than three columns to the left of it. */
  readonly indent: number
  readonly endsAt: (line: string) => boolean
}

/** What begins with this line; `endsAt` is null where it ends there too. */
function hiddenFrom(line: string): { endsAt: Hidden['endsAt'] | null } | null {
  const text = line.trimStart()
  const fence = /^(?:`{3,}(?=[^`]*$)|~{3,})/.exec(text)?.[0]
  if (fence) return { endsAt: (later) => isFenceEnd(later.trim(), fence) }
  if (!text.startsWith('<!--')) return null
  return { endsAt: isCommentEnd(text) ? null : isCommentEnd }
}

/** Nothing but the fence's sign, as often as at its beginning or more. */
function isFenceEnd(text: string, fence: string): boolean {
  return text.length >= fence.length && text === (fence[0] ?? '').repeat(text.length)
}

/** Closed, and not opened again after that. */
function isCommentEnd(line: string): boolean {
  return line.lastIndexOf('-->') > line.lastIndexOf('<!--')
}

/** In columns; a tab counts as four. */
export function indentOf(line: string): number {
  return /^\s*/.exec(line)?.[0].replaceAll('\t', '    ').length ?? 0
}

export interface Section {
  readonly title: string
  /** Index of the heading's first line, of the first line below the heading, and of the line after the last. */
  readonly start: number
  readonly body: number
  readonly end: number
}

/** Sections of the second level, and of the first where the heading is underlined, in the order of the text. */
export function sectionsOf(lines: readonly string[]): Section[] {
  const headings = lines.flatMap((line, start) => {
    const heading = headingAt(lines, line, start)
    return heading ? [{ ...heading, start }] : []
  })
  return headings.flatMap(({ title, start, body }, index) => (title === null ? [] : [{ title, start, body, end: headings[index + 1]?.start ?? lines.length }]))
}

/** A title of null: a heading that ends a section, and begins none. Indented lines belong to an item of a list. */
function headingAt(lines: readonly string[], line: string, index: number): { title: string | null; body: number } | null {
  const marks = /^(##?)\s/.exec(line)?.[1]
  if (marks) return { title: marks === '##' ? line.slice(2).trim() : null, body: index + 1 }
  // A line below other text goes on with that, and an underline then is a rule.
  const isAlone = index === 0 || /^(?:\s*$|#)/.test(lines[index - 1] ?? '')
  if (!isAlone || !/^[^\s#>]/.test(line) || /^(?:[-*+]|\d+[.)])\s/.test(line) || isUnderline(line)) return null
  return isUnderline(lines[index + 1] ?? '') ? { title: line.trim(), body: index + 2 } : null
}

function isUnderline(line: string): boolean {
  return /^ {0,3}(?:=+|-+)\s*$/.test(line)
}

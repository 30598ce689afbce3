/**
 * V4A patches (`*** Begin Patch`): update with `@@` scope lines, add, delete, move. No line numbers anywhere.
 * A line outside the grammar is an error, as a dropped one would write half an edit.
 */
import type { FilePatch, Hunk, ParseResult, PatchLine } from './types.ts'

export function parseV4a(lines: readonly string[]): ParseResult {
  const files: FilePatch[] = []
  let index = lines.findIndex((line) => line.startsWith('*** Begin Patch')) + 1
  while (index < lines.length) {
    const line = clean(lines[index] ?? '')
    if (line.startsWith('*** End Patch')) break
    const head = /^\*\*\* (Update|Add|Delete) File: (.+)$/.exec(line)
    if (!head) {
      if (line.trim() !== '') return malformed(index, 'expected *** Update, Add or Delete File')
      index++
      continue
    }
    const path = (head[2] ?? '').trim()
    const section = readSection(lines, index + 1)
    if (typeof section === 'number') return malformed(section, 'a line starts with neither a blank, -, + nor @@')
    const made = filePatch(head[1] ?? '', path, section)
    if (made === null) return malformed(index, 'an added file has only + lines, a deleted one none, an updated one at least one hunk')
    files.push(made)
    index = section.next
  }
  return { ok: true, files }
}

interface Section {
  readonly hunks: Hunk[]
  readonly moveTo: string | null
  readonly next: number
}

function filePatch(verb: string, path: string, section: Section): FilePatch | null {
  const { hunks, moveTo } = section
  if (verb === 'Delete') return hunks.length === 0 ? { kind: 'delete', oldPath: path, newPath: null, wholeFile: true, hunks } : null
  if (verb === 'Add') {
    if (hunks.some((hunk) => hunk.lines.some((line) => line.kind !== '+'))) return null
    return {
      kind: 'create',
      oldPath: null,
      newPath: path,
      hunks: hunks.map((hunk) => ({ ...hunk, oldStart: 0, newStart: 1 })),
    }
  }
  if (moveTo !== null && moveTo !== path) return { kind: 'rename', oldPath: path, newPath: moveTo, hunks }
  return hunks.length === 0 ? null : { kind: 'modify', oldPath: path, newPath: path, hunks }
}

/** The hunks up to the next `*** … File` line; the index of the line that does not fit, on error. */
function readSection(lines: readonly string[], from: number): Section | number {
  const hunks: Hunk[] = []
  let moveTo: string | null = null
  let body: PatchLine[] = []
  let [start, section] = [from + 1, '']
  const close = (): void => {
    while (body.at(-1)?.kind === ' ' && body.at(-1)?.text === '') body.pop()
    if (body.some((line) => line.kind !== ' '))
      hunks.push({
        oldStart: null,
        newStart: null,
        lines: body,
        patchLine: start,
        ...(section === '' ? {} : { section }),
      })
    body = []
  }
  let index = from
  for (; index < lines.length; index++) {
    const line = clean(lines[index] ?? '')
    if (/^\*\*\* (?:End Patch|Update File: |Add File: |Delete File: )/.test(line)) break
    const move = /^\*\*\* Move to: (.+)$/.exec(line)
    if (move) moveTo = (move[1] ?? '').trim()
    else if (line === '*** End of File') continue
    else if (line.startsWith('@@')) {
      close()
      start = index + 1
      section = line
        .slice(2)
        .replace(/\s*@@\s*$/, '')
        .trim()
    } else {
      const kind = line === '' ? ' ' : line[0]
      if (kind !== ' ' && kind !== '-' && kind !== '+') return index
      body.push({ kind, text: line.slice(1), end: '\n' })
    }
  }
  close()
  return { hunks, moveTo, next: index }
}

function clean(text: string): string {
  return text.endsWith('\r') ? text.slice(0, -1) : text
}

function malformed(index: number, message: string): ParseResult {
  return { ok: false, reason: 'malformed', message, line: index + 1 }
}

/**
 * V4A patches (`*** Begin Patch`): update with `@@` anchor lines, add, delete, move. No line numbers anywhere.
 * A line outside the grammar is an error, as a dropped one would write half an edit; so every envelope is read.
 */
import { CUT_OFF, MAX_HUNKS, opensAnother, TWO_FORMS } from './forms.ts'
import { readHunkHeader } from './parse-body.ts'
import type { FilePatch, Hunk, ParseResult, PatchLine } from './types.ts'

export function parseV4a(lines: readonly string[]): ParseResult {
  const files: FilePatch[] = []
  let isInside = false
  let hunkCount = 0
  for (let index = 0; index < lines.length;) {
    const line = clean(lines[index] ?? '')
    const head = /^\*\*\* (Update|Add|Delete) File: (.+)$/.exec(line)
    if (!isInside || !head) {
      if (!isInside && head) return malformed(index, 'put *** Begin Patch above it')
      if (!isInside && opensAnother('v4a', line)) return malformed(index, TWO_FORMS)
      const isMark = line.startsWith(isInside ? '*** End Patch' : '*** Begin Patch')
      if (isInside && !isMark && line.trim() !== '') return malformed(index, 'expected *** Update, Add or Delete File')
      if (isMark) isInside = !isInside
      index++
      continue
    }
    const section = readSection(lines, index + 1)
    if (typeof section === 'number') return malformed(section, 'a line starts with neither a blank, -, + nor @@')
    const made = filePatch(head[1] ?? '', (head[2] ?? '').trim(), section)
    if (made === null) return malformed(index, 'an added file has only + lines, a deleted one none, an updated one at least one hunk')
    hunkCount += section.hunks.length
    if (hunkCount > MAX_HUNKS) return { ok: false, reason: 'too_large', message: `more than ${MAX_HUNKS} hunks`, line: index + 1 }
    files.push(made)
    index = section.next
  }
  return isInside ? malformed(lines.length - 1, `${CUT_OFF}, up to *** End Patch`) : { ok: true, files }
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
  let start = from + 1
  let [section, anchors]: [string | undefined, string[]] = [undefined, []]
  const close = (): void => {
    while (body.at(-1)?.kind === ' ' && body.at(-1)?.text === '') body.pop()
    if (body.some((line) => line.kind !== ' '))
      hunks.push({
        oldStart: null,
        newStart: null,
        lines: body,
        patchLine: start,
        ...(section === undefined ? {} : { section }),
        ...(anchors.length === 0 ? {} : { anchors }),
      })
    if (body.length > 0) [section, anchors] = [undefined, []]
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
      // A unified header among them is only a hint, as everywhere.
      if (/^@@ ?-\d/.test(line)) section = readHunkHeader(line).section
      else anchors.push(...anchorOf(line))
    } else {
      const kind = line === '' ? ' ' : line[0]
      if (kind !== ' ' && kind !== '-' && kind !== '+') return index
      body.push({ kind, text: line.slice(1), end: '\n' })
    }
  }
  close()
  return { hunks, moveTo, next: index }
}

/** Anchors stand line under line, the outer first; `@@` and `@@ ... @@` name none. */
function anchorOf(line: string): string[] {
  const anchor = line
    .slice(2)
    .replace(/\s*@@\s*$/, '')
    .trim()
  return /^\.*$/.test(anchor) ? [] : [anchor]
}

function clean(text: string): string {
  return text.endsWith('\r') ? text.slice(0, -1) : text
}

function malformed(index: number, message: string): ParseResult {
  return { ok: false, reason: 'malformed', message, line: index + 1 }
}

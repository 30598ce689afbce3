/**
 * The one representation of an edit, whatever a model wrote: hunks against named files, and what became of each.
 * Paths are as written, hostile until the policy has seen them. Line texts carry no line end.
 */

/** `''` is the last line of a file without a final newline. */
export type LineEnd = '\n' | '\r\n' | '\r' | ''
export type FileMode = '100644' | '100755'

export interface PatchLine {
  readonly kind: ' ' | '-' | '+'
  readonly text: string
  /** What the patch says about the line's end. Only believed where the file agrees on the old side. */
  readonly end: LineEnd
}

export interface Hunk {
  /** 1-based first old line as stated, null when the patch names none. With no old lines: insert after it. */
  readonly oldStart: number | null
  readonly newStart: number | null
  readonly lines: readonly PatchLine[]
  /** 1-based line in the patch text, for messages. */
  readonly patchLine: number
  /** Text after the second `@@`: the line that opens the enclosing scope. Only ever narrows candidates. */
  readonly section?: string
  /** Lines that stand above the place, each below the one before (V4A): a place that they do not lead to is none. */
  readonly anchors?: readonly string[]
  /** Other readings of the same text. The one that fits is meant; where several do, none. */
  readonly otherwise?: readonly Hunk[]
  /** The hunk without lines at its end that may be prose: meant only where the whole does not fit. */
  readonly shorter?: Hunk
  /** From a block of two whole texts: the unchanged lines are in both, so that what is added is indented as they are there. */
  readonly isOfTwoTexts?: true
  /** The patch ends in this hunk, without a line break and before its counts do: its last line may be half of one. */
  readonly isOpen?: true
  /** Lines of the file that another reading of the text would be about: where the file holds one, which is meant is in doubt. */
  readonly unread?: readonly string[]
}

export interface FilePatch {
  readonly kind: 'modify' | 'create' | 'delete' | 'rename'
  readonly oldPath: string | null
  readonly newPath: string | null
  /** The mode after the patch, when it says one. */
  readonly mode?: FileMode
  readonly oldMode?: FileMode
  /** Abbreviated git blob ids of the `index` header: they settle what text alone cannot. */
  readonly oldBlob?: string
  readonly newBlob?: string
  /** Each character of its lines is a byte, to be read in the encoding of the file. */
  readonly isBytes?: true
  /** A delete that does not list the removed lines (V4A). */
  readonly wholeFile?: true
  readonly hunks: readonly Hunk[]
}

export type RejectReason = 'not_found' | 'ambiguous' | 'overlap' | 'stale' | 'binary' | 'encoding' | 'limit'

/** What was found instead: no such file, one where none should be, other content; or a hunk that names no place, or too little of one. */
export type Found = 'no_file' | 'file' | 'other_lines' | 'utf-16' | 'no_place' | 'too_short'

export interface QuotedLine {
  readonly line: number
  readonly text: string
}

/** What a place that fits leaves aside; `indented` where the added lines were indented as the file is. */
export type Aside = 'blanks' | 'indentation' | 'indented' | 'word'

/** `drift` is the distance from the stated line; 0 when none was stated. Lines are 1-based. Without `aside` the fit is exact. */
export type HunkOutcome =
  | { readonly kind: 'applied'; readonly line: number; readonly drift: number; readonly aside?: Aside }
  | { readonly kind: 'already_applied'; readonly line: number }
  | {
      readonly kind: 'rejected'
      readonly reason: RejectReason
      readonly found?: Found
      readonly nearest?: readonly QuotedLine[]
      readonly candidates?: readonly number[]
      /** How many readings of one block fit. */
      readonly readings?: number
      /** The place is found, but the context is indented otherwise, and so may be what is added. */
      readonly isIndentInDoubt?: true
      /** The line of the file that another reading of the text would be about. */
      readonly unread?: QuotedLine
      /** The anchor that led nowhere; its line where it stands but the text does not stand below it. */
      readonly anchor?: { readonly text: string; readonly line: number | null }
    }

export type ParseReason = 'empty' | 'no_hunks' | 'no_path' | 'malformed' | 'binary' | 'symlink' | 'gitlink' | 'mode' | 'copy' | 'too_large'

export type ParseResult =
  | { readonly ok: true; readonly files: readonly FilePatch[] }
  | { readonly ok: false; readonly reason: ParseReason; readonly message: string; readonly line: number }

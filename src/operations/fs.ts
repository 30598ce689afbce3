/**
 * fs.read, fs.list, fs.patch, fs.write: files of the tree, confined, protected names refused, every write a
 * unified diff whose before-image is kept.
 */
import * as z from 'zod/mini'
import { once } from '../core/once.ts'
import { VpError } from '../core/errors.ts'
import { sha256 } from '../core/json.ts'
import { applyPatch, type PatchResult } from '../patch/apply.ts'
import { explainHunk, explainParse, explainPatch } from '../patch/explain.ts'
import { gitMode, makeFileDiff, rewrite, type MakeOptions } from '../patch/make.ts'
import { parsePatch } from '../patch/parse.ts'
import { matchesPath } from '../policy/glob.ts'
import { brokenSyntax, nodeReads, type ReadText, type SyntaxBreak } from '../patch/syntax.ts'
import { decode, encode, isBinary, isUtf16, joinLines, lineEndsOf, splitLines, type TextFile } from '../patch/text-file.ts'
import type { FilePatch, HunkOutcome } from '../patch/types.ts'
import { hasPlaceholder } from '../policy/redact.ts'
import type { FileBytes, FileChange, Workspace } from '../workspace/files.ts'
import { writeFiles } from './before-images.ts'
import type { ReadBudget } from './grammars.ts'
import { restored } from './masking.ts'
import { operation, type Scene, showing } from './operation.ts'
import { unmaskContent, unmaskPatch, type Mask } from './unmask.ts'

const MAX_READ = 2 * 1024 * 1024

const hunkShape = once(() =>
  z.object({
    file: z.string(),
    line: z.nullable(z.int()),
    outcome: z.string(),
    drift: z.optional(z.int()),
    /** What a place that fits leaves aside; without it the fit is exact. */
    aside: z.optional(z.enum(['blanks', 'indentation', 'indented', 'word'])),
    reason: z.optional(z.string()),
    nearest: z.optional(z.array(z.object({ line: z.int(), text: z.string() }))),
    candidates: z.optional(z.array(z.int())),
    explain: z.optional(z.string()),
  }),
)
const patchResult = once(() =>
  z.object({
    applied: z.boolean(),
    hunks: z.array(hunkShape()),
    diff: z.string(),
    before_images: z.array(z.object({ path: z.string(), sha: z.nullable(z.string()) })),
    /** Files that parsed before and do not any more; with `doubt` they may all the same. */
    broken: z.optional(z.array(z.object({ path: z.string(), line: z.nullable(z.int()), message: z.string(), doubt: z.optional(z.string()) }))),
  }),
)
export type PatchAnswer = z.infer<ReturnType<typeof patchResult>>
type HunkAnswer = z.infer<ReturnType<typeof hunkShape>>

export const fsRead = showing({
  name: 'fs.read',
  summary: 'read a file of the workspace',
  params: () => z.strictObject({ path: z.string(), range: z.optional(z.tuple([z.int(), z.int()])) }),
  result: () =>
    z.object({
      content: z.string(),
      sha: z.string(),
      encoding: z.string(),
      line_ends: z.string(),
      truncated: z.boolean(),
    }),
  effect: 'read',
  scope: 'fs.read',
  async handler(params, scene) {
    const { bytes } = scene.tree.files().read(params.path)
    await scene.inTurn
    const sha = sha256(bytes)
    if (isBinary(bytes)) return { content: '', sha, encoding: 'binary', line_ends: 'none', truncated: bytes.length > 0 }
    const file = decode(bytes)
    const [from, to] = params.range ?? [1, file.lines.length]
    // Masked whole and cut then: a part does not show what the rest says of it, as in the middle of a key.
    const lines = splitLines(scene.kit.redactText(joinLines(file))).lines.slice(Math.max(0, from - 1), Math.max(0, to))
    const content = joinLines({ lines, ends: file.ends.slice(Math.max(0, from - 1), Math.max(0, to)) })
    return {
      content: content.slice(0, MAX_READ),
      sha,
      encoding: file.encoding,
      line_ends: lineEndsOf(file),
      truncated: content.length > MAX_READ || lines.length < file.lines.length,
    }
  },
  say: (params) => params.path,
})

export const fsList = operation({
  name: 'fs.list',
  summary: 'list files below a folder',
  params: () =>
    z.strictObject({
      path: z.optional(z.string()),
      depth: z.optional(z.int().check(z.gte(1), z.lte(64))),
      glob: z.optional(z.string()),
    }),
  result: () =>
    z.object({
      entries: z.array(z.object({ path: z.string(), kind: z.string(), size: z.int() })),
      truncated: z.boolean(),
    }),
  effect: 'read',
  scope: 'fs.read',
  async handler(params, scene) {
    const found = scene.tree.files().list(params.path ?? '', { depth: params.depth ?? 64, maxEntries: 5001 })
    const wanted = params.glob === undefined ? found : found.filter((entry) => globMatches(params.glob ?? '', entry.path))
    return { entries: wanted.slice(0, 5000).map(({ path, kind, size }) => ({ path, kind, size })), truncated: found.length > 5000 }
  },
  say: (params) => params.path ?? '.',
})

export const fsPatch = operation({
  name: 'fs.patch',
  summary: 'apply a unified diff; without apply only say what would happen',
  params: () =>
    z.strictObject({
      unified_diff: z.string(),
      apply: z.optional(z.boolean()),
      /** `latin-1`: the diff is no UTF-8, and each character stands for a byte. */
      encoding: z.optional(z.enum(['latin-1'])),
    }),
  result: () => patchResult(),
  effect: 'write',
  scope: 'fs.write',
  async handler(params, scene) {
    const parsed = parsePatch(params.unified_diff, params.encoding === undefined ? {} : { encoding: params.encoding })
    if (!parsed.ok) {
      const unsupported = ['binary', 'symlink', 'gitlink', 'mode', 'copy'].includes(parsed.reason)
      // A person has the form of a diff as the next step.
      const words = scene.caller.surface === 'agent' ? explainParse(parsed) : `patch line ${parsed.line}: ${parsed.message}`
      throw new VpError(unsupported ? 'patch.unsupported' : 'patch.parse', words, {
        data: { line: parsed.line },
      })
    }
    return applyFilePatches(scene, parsed.files, params.apply ?? false)
  },
  say: (_params, result) => `${[...new Set(result.hunks.map((hunk) => hunk.file))].slice(0, 3).join(' ')}${result.applied ? '' : ' (dry run)'}`,
})

export const fsWrite = operation({
  name: 'fs.write',
  summary: 'create a file or replace it whole',
  params: () =>
    z.strictObject({
      path: z.string(),
      content: z.string(),
      base_sha: z.optional(z.nullable(z.string())),
      apply: z.optional(z.boolean()),
    }),
  result: () => patchResult(),
  effect: 'write',
  scope: 'fs.write',
  async handler(params, scene) {
    const files = scene.tree.files()
    files.requireWritable(params.path)
    const before = readOrNull(files, params.path)
    if (params.base_sha !== undefined && params.base_sha !== (before ? sha256(before) : null))
      throw new VpError('patch.stale', `${params.path} is not what it was when you read it; read it again`)
    if (!params.content.isWellFormed())
      throw new VpError('patch.unsupported', 'the content has half a character (a lone surrogate), which no UTF-8 file can hold; write it as an escape', {
        changed: 'nothing was written',
      })
    if (params.content.includes('\0')) throw binaryRefused(params.path, 'the content has a NUL character')
    const file = before && textOf(params.path, before)
    const content = unmaskContent(params.content, file?.lines ?? [], scene.kit.redactText)
    const bytes = file ? encode(rewrite(file, content)) : Buffer.from(content, 'utf8')
    const diff = diffOf(params.path, before, bytes)
    const apply = params.apply ?? true
    const written = apply && diff !== '' ? await writeFiles(scene, [{ path: params.path, bytes, expectSha: before ? sha256(before) : null }]) : []
    const hunks: HunkAnswer[] = [{ file: params.path, line: 1, outcome: diff === '' ? 'already_applied' : 'applied', drift: 0 }]
    return {
      applied: apply,
      hunks,
      diff,
      before_images: written.map((one) => ({ path: one.path, sha: one.before?.sha ?? null })),
      ...(await brokenBy([{ path: params.path, before, bytes }], scene.signal)),
    }
  },
  say: (params) => params.path,
})

export const fsEdit = operation({
  name: 'fs.edit',
  summary: 'replace the one place in a file that is exactly a text',
  params: () => z.strictObject({ path: z.string(), old: z.string().check(z.minLength(1)), new: z.string() }),
  result: () => patchResult(),
  effect: 'write',
  scope: 'fs.write',
  async handler(params, scene) {
    const before = scene.tree.files().read(params.path).bytes
    const file = textOf(params.path, before)
    const text = joinLines(file)
    const ends = lineEndsOf(file) === 'crlf' ? '\r\n' : lineEndsOf(file) === 'cr' ? '\r' : '\n'
    const isLf = lineEndsOf(file) === 'lf'
    // Of a file whose ends are mixed the words are taken as they come.
    const inFile = (words: string) => (isLf ? words.replaceAll('\r\n', '\n') : ends === '\n' ? words : words.replace(/\r\n|\r|\n/g, ends))
    const old = inFile(restored(scene.tree.masking(), params.old))
    const first = text.indexOf(old)
    if (first < 0) return applyFilePatches(scene, [asReplacement(params)], true)
    const lineOf = (at: number) => text.slice(0, at).split(ends).length
    const added = inFile(unmaskContent(params.new, file.lines, scene.kit.redactText))
    const second = text.indexOf(old, first + 1)
    if (second >= 0)
      throw new VpError(
        'patch.ambiguous',
        `old stands at lines ${lineOf(first)} and ${lineOf(second)} of ${params.path}; take in a line above or below that only the intended place has`,
        { changed: 'nothing was written' },
      )
    const after = encode({
      ...file,
      ...splitLines(text.slice(0, first) + added + text.slice(first + old.length)),
    })
    const diff = diffOf(params.path, before, after)
    const written = diff === '' ? [] : await writeFiles(scene, [{ path: params.path, bytes: after, expectSha: sha256(before) }])
    return {
      applied: true,
      diff,
      hunks: [{ file: params.path, line: lineOf(first), outcome: diff === '' ? 'already_applied' : 'applied', drift: 0 }],
      before_images: written.map((one) => ({ path: one.path, sha: one.before?.sha ?? null })),
      ...(await brokenBy([{ path: params.path, before, bytes: after }], scene.signal)),
    }
  },
  say: (params, result) => `${params.path}${result.hunks[0]?.line ? `:${result.hunks[0].line}` : ''}`,
})

/** Throws `patch.unsupported` for what a patch does not change either. */
function textOf(path: string, bytes: Uint8Array): TextFile {
  if (isBinary(bytes)) throw binaryRefused(path, isUtf16(bytes) ? 'it is UTF-16, and only UTF-8 and Latin-1 text is written' : 'it is binary')
  return decode(bytes)
}

function binaryRefused(path: string, why: string): VpError {
  return new VpError('patch.unsupported', `${path} is not written: ${why}`, { changed: 'nothing was written' })
}

/** Whole lines in the patch engine's form, for what differs from the file only in blanks. */
function asReplacement(params: { path: string; old: string; new: string }): FilePatch {
  const lines = (text: string) => splitLines(text.endsWith('\n') ? text : `${text}\n`).lines
  const hunk = {
    oldStart: null,
    newStart: null,
    patchLine: 1,
    lines: [
      ...lines(params.old).map((text) => ({ kind: '-' as const, text, end: '\n' as const })),
      ...(params.new === '' ? [] : lines(params.new)).map((text) => ({ kind: '+' as const, text, end: '\n' as const })),
    ],
  }
  return { kind: 'modify', oldPath: params.path, newPath: params.path, hunks: [hunk] }
}

/** All of the patch or nothing of it. Throws `patch.rejected`, `patch.ambiguous`, `path.*`. */
async function applyFilePatches(scene: Scene, patches: readonly FilePatch[], apply: boolean): Promise<PatchAnswer> {
  const files = scene.tree.files()
  const going = new Set(patches.flatMap(({ oldPath, newPath }) => (oldPath !== newPath && oldPath !== null ? oldPath : [])))
  for (const { oldPath, newPath } of patches)
    for (const path of new Set([oldPath, newPath])) if (path !== null) files.requireWritable(path, (above) => going.has(above))
  const seen = new Map<string, FileBytes | null>()
  const entry = (path: string): FileBytes | null => {
    if (!seen.has(path)) seen.set(path, files.exists(path) ? files.read(path) : null)
    return seen.get(path) ?? null
  }
  const read = (path: string): Buffer | null => entry(path)?.bytes ?? null
  const result = applyPatch(
    read,
    patches.map((patch) => unmasked(patch, read, scene.kit.redactText)),
  )
  const hunks = hunkAnswers(result)
  if (!result.ok && apply) throw rejected(result, hunks)
  const planned = result.changes.map((change) => {
    const modeAt = (path: string) => entry(path)?.mode ?? 0o644
    const [from, lent] = [modeAt(change.path), modeAt(change.modeOf ?? change.path)]
    const to = change.mode === undefined || change.mode === gitMode(lent) ? lent : change.mode === '100755' ? 0o755 : 0o644
    return { ...change, from, to }
  })
  const diff = planned.map(({ path, before, bytes, from, to }) => diffOf(path, before, bytes, { oldMode: gitMode(from), newMode: gitMode(to) })).join('')
  const changes = planned
    .filter(({ before, bytes, from, to }) => from !== to || !before || !bytes || Buffer.compare(before, bytes) !== 0)
    .map(({ path, bytes, before, from, to }): FileChange => ({ path, bytes, expectSha: before ? sha256(before) : null, ...(from === to ? {} : { mode: to }) }))
  const written = apply && changes.length > 0 ? await writeFiles(scene, changes) : []
  return {
    applied: apply && result.ok,
    hunks,
    diff,
    before_images: written.map((one) => ({ path: one.path, sha: one.before?.sha ?? null })),
    ...(await brokenBy(result.changes, scene.signal)),
  }
}

/** Never fails: what is written is written. */
async function brokenBy(changes: PatchResult['changes'], signal: AbortSignal): Promise<Pick<PatchAnswer, 'broken'>> {
  const text = (bytes: Uint8Array | null) => (bytes && !isBinary(bytes) ? joinLines(decode(bytes)) : null)
  const broken: SyntaxBreak[] = []
  let budget: ReadBudget | undefined
  for (const { path, before, bytes } of changes) {
    if (before === null || bytes === null) continue
    if (signal.aborted) break
    let read: ReadText | undefined
    if (!nodeReads(path)) {
      const { readBudget, readerFor } = await import('./grammars.ts')
      read = await readerFor(path, (budget ??= readBudget(signal)))
    }
    const problem = await brokenSyntax(path, text(before), text(bytes), read)
    if (problem) broken.push(problem)
  }
  return broken.length > 0 ? { broken } : {}
}

/** The patch as its writer meant it, who saw placeholders where secrets stand. */
function unmasked(patch: FilePatch, read: (path: string) => Buffer | null, mask: Mask): FilePatch {
  const before = patch.oldPath === null || !patch.hunks.some((hunk) => hunk.lines.some((line) => hasPlaceholder(line.text))) ? null : read(patch.oldPath)
  return before && !isBinary(before) ? unmaskPatch(patch, decode(before).lines, mask) : patch
}

function rejected(result: PatchResult, hunks: readonly HunkAnswer[]): VpError {
  const reasons = new Set(hunks.map((hunk) => hunk.reason))
  const code = reasons.has('ambiguous') ? 'patch.ambiguous' : reasons.has('stale') ? 'patch.stale' : 'patch.rejected'
  return new VpError(code, explainPatch(result), { changed: 'nothing was written', data: { hunks } })
}

function hunkAnswers(result: PatchResult): HunkAnswer[] {
  return result.files.flatMap((file) => {
    const answers = file.hunks.map((hunk, index) => hunkAnswer(file.path, hunk, file.patch.hunks[index]?.patchLine))
    return answers.length > 0 ? answers : [{ file: file.path, line: null, outcome: 'applied' }]
  })
}

function hunkAnswer(file: string, hunk: HunkOutcome, patchLine: number | undefined): HunkAnswer {
  const explain = explainHunk(hunk, file, patchLine)
  if (hunk.kind === 'applied') return { file, line: hunk.line, outcome: 'applied', drift: hunk.drift, ...(hunk.aside ? { aside: hunk.aside } : {}), explain }
  if (hunk.kind === 'already_applied') return { file, line: hunk.line, outcome: 'already_applied', explain }
  return {
    file,
    line: null,
    outcome: 'rejected',
    reason: hunk.reason,
    explain,
    ...(hunk.nearest ? { nearest: hunk.nearest.map((one) => ({ line: one.line, text: one.text })) } : {}),
    ...(hunk.candidates ? { candidates: [...hunk.candidates] } : {}),
  }
}

export function readOrNull(files: Workspace, path: string): Buffer | null {
  return files.exists(path) ? files.read(path).bytes : null
}

export function diffOf(path: string, before: Uint8Array | null, after: Uint8Array | null, modes: Pick<MakeOptions, 'oldMode' | 'newMode'> = {}): string {
  if ((before && isBinary(before)) || (after && isBinary(after))) return `Binary file ${path} differs\n`
  return makeFileDiff(path, before ? decode(before) : null, after ? decode(after) : null, modes)
}

/** `*` within a segment, `**` across. Without a slash it may be about the last segment alone. */
function globMatches(glob: string, path: string): boolean {
  return matchesPath(glob, path) || (!glob.includes('/') && matchesPath(`**/${glob}`, path))
}

/**
 * Placeholders back to what they stand for. A reader is shown `[REDACTED:…]` where a secret lies; in context and removed
 * lines of a patch that means the secret, in added lines too where only one value of this file can be meant. What stays
 * unclear stays a placeholder, which no write accepts. Pure; the mask comes in. Source: contracts/vp.md, Masking.
 */
import type { FilePatch, Hunk } from '../patch/types.ts'
import { hasPlaceholder, PLACEHOLDER } from '../policy/redact.ts'

export type Mask = (text: string) => string

/** Line by line what the file holds and what a reader saw. */
interface SeenFile {
  readonly real: readonly string[]
  readonly masked: readonly string[]
}

export function unmaskPatch(patch: FilePatch, lines: readonly string[], mask: Mask): FilePatch {
  if (!patch.hunks.some((hunk) => hunk.lines.some((line) => hasPlaceholder(line.text)))) return patch
  const file = seen(lines, mask)
  return { ...patch, hunks: patch.hunks.map((hunk) => unmaskHunk(hunk, file)) }
}

/** A whole new content of a file whose lines were `lines`. */
export function unmaskContent(content: string, lines: readonly string[], mask: Mask): string {
  if (!hasPlaceholder(content)) return content
  const all = secretsIn(seen(lines, mask))
  return content
    .split('\n')
    .map((line) => unmaskLine(line, [], all))
    .join('\n')
}

function seen(lines: readonly string[], mask: Mask): SeenFile {
  const whole = mask(lines.join('\n')).split('\n')
  // A secret over several lines is one placeholder: then lines are masked one by one, so that they stay aligned.
  return { real: lines, masked: whole.length === lines.length ? whole : lines.map((line) => mask(line)) }
}

function unmaskHunk(whole: Hunk, file: SeenFile): Hunk {
  const { otherwise, shorter } = whole
  const hunk = {
    ...whole,
    ...(otherwise ? { otherwise: otherwise.map((one) => unmaskHunk(one, file)) } : {}),
    ...(shorter ? { shorter: unmaskHunk(shorter, file) } : {}),
  }
  if (!hunk.lines.some((line) => hasPlaceholder(line.text))) return hunk
  const old = hunk.lines.filter((line) => line.kind !== '+').map((line) => line.text)
  const at = placeOf(old, hunk.oldStart, file.masked)
  const near: SeenFile = at === null ? { real: [], masked: [] } : { real: file.real.slice(at, at + old.length), masked: old }
  const secrets = { near: secretsIn(near), all: secretsIn(file) }
  let index = at
  const lines = hunk.lines.map((line) => {
    if (line.kind === '+') return { ...line, text: unmaskLine(line.text, secrets.near, secrets.all) }
    const real = index === null ? onlyLine(line.text, file) : file.real[index++]
    return { ...line, text: real ?? line.text }
  })
  return { ...hunk, lines }
}

/** Where the old lines stand as the reader saw them: nearest to the stated line, or the only place. */
function placeOf(old: readonly string[], oldStart: number | null, masked: readonly string[]): number | null {
  if (old.length === 0) return null
  const places: number[] = []
  for (let at = 0; at + old.length <= masked.length; at++) if (old.every((line, offset) => masked[at + offset] === line)) places.push(at)
  if (oldStart === null) return places.length === 1 ? (places[0] ?? null) : null
  return places.toSorted((a, b) => Math.abs(a - oldStart + 1) - Math.abs(b - oldStart + 1))[0] ?? null
}

/** The real line that a reader saw like this, when there is only one such text. */
function onlyLine(text: string, file: SeenFile): string | undefined {
  return hasPlaceholder(text) ? only(file.real.filter((_, at) => file.masked[at] === text)) : text
}

interface Secret {
  readonly placeholder: string
  /** The word before it, mostly the name it was given. */
  readonly name: string
  readonly value: string
}

const nameBefore = (text: string): string => /([\w.-]*)\W{0,6}$/.exec(text)?.[1] ?? ''

function secretsIn(file: SeenFile): Secret[] {
  return file.masked.flatMap((masked, at) => {
    const found = [...masked.matchAll(PLACEHOLDER)]
    if (found.length === 0) return []
    const pattern = masked
      .split(PLACEHOLDER)
      .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
      .join('(.+?)')
    const values = new RegExp(`^${pattern}$`, 'su').exec(file.real[at] ?? '')?.slice(1) ?? []
    return found.map((match, n) => ({ placeholder: match[0], name: nameBefore(masked.slice(0, match.index)), value: values[n] ?? match[0] }))
  })
}

/** By name and nearness first: of two tokens on neighbouring lines the one of the same name is meant. */
function unmaskLine(text: string, near: readonly Secret[], all: readonly Secret[]): string {
  return text.replace(PLACEHOLDER, (placeholder: string, at: number) => {
    const name = nameBefore(text.slice(0, at))
    for (const among of [near, all])
      for (const wanted of [among.filter((one) => one.name === name), among]) {
        const value = only(wanted.filter((one) => one.placeholder === placeholder).map((one) => one.value))
        if (value !== undefined) return value
      }
    return placeholder
  })
}

function only(values: readonly string[]): string | undefined {
  return new Set(values).size === 1 ? values[0] : undefined
}

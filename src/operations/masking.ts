/**
 * The filter as operations use it: one for each tree, which also knows what the tree's `.env` files hold. That of a task
 * attempt numbers its placeholders, so that a model can tell values apart and a command may be given one back.
 */
import { FILE_WRITERS } from '../agent/tools.ts'
import { VpError } from '../core/errors.ts'
import type { ModelAnswer } from '../models/contract.ts'
import { createRedactor, hasPlaceholder, labelOf, maskedIn, PLACEHOLDER, redactJson, redactTexts, type Redactor } from '../policy/redact.ts'
import type { KnownSecret } from '../policy/redact-known.ts'

export interface Masking {
  text(text: string): string
  /** As `text`, without numbers. */
  unnumbered(text: string): string
  /** By what is known of the tree alone, without numbers: the same for every attempt that has this tree. */
  plain(text: string): string
  /** Where secrets stand in a text. */
  spans(text: string): readonly { readonly from: number; readonly to: number }[]
  /** Members with secret names are masked whole. */
  json(value: unknown): unknown
  /** The value that a placeholder stands for, which is masked everywhere from then on; undefined where it was not given here. */
  reveal(placeholder: string): string | undefined
}

/** Lets everything through: for who may see secrets and asks for them. */
export const OPEN: Masking = {
  text: (text) => text,
  unnumbered: (text) => text,
  plain: (text) => text,
  spans: () => [],
  json: (value) => value,
  reveal: () => undefined,
}

export interface MaskingOptions {
  readonly known: readonly KnownSecret[]
  readonly numbered?: boolean
}

export function createMasking(options: MaskingOptions): Masking {
  const redactor = createRedactor({ ...options, learns: true })
  let plain: Redactor | null = null
  return {
    text: (text) => redactor(text).text,
    unnumbered: redactor.unnumbered,
    plain: (text) => (plain ??= createRedactor({ known: options.known }))(text).text,
    spans: (text) => redactor.spans(text),
    json: (value) => redactJson(value, redactor),
    reveal(placeholder) {
      const value = redactor.valueOf(placeholder)
      if (value !== undefined) redactor.learn({ label: labelOf(placeholder), value })
      return value
    },
  }
}

/** Every placeholder of a text that was given here, back to its value. */
export function restored(masking: Masking, text: string): string {
  return hasPlaceholder(text) ? text.replace(PLACEHOLDER, (found) => masking.reveal(found) ?? found) : text
}

/** An answer as it may be recorded: a model's words and calls without secrets, but for what a call writes into a file. */
export function maskedAnswer(masking: Pick<Masking, 'unnumbered'>, answer: ModelAnswer): ModelAnswer {
  const calls = answer.calls.map((call) => (FILE_WRITERS.has(call.name) ? call : { ...call, arguments: redactTexts(call.arguments, masking.unnumbered) }))
  return { ...answer, text: masking.unnumbered(answer.text), calls }
}

type TextMask = Pick<Masking, 'text' | 'json'>

/** The error as it may be told: message, details, and what `--debug` shows of its causes. */
export function maskedError(error: VpError, mask: TextMask): VpError {
  const { message, code, details, cause } = error
  const told = new VpError(code, mask.text(message), {
    ...(mask.json(details) as typeof details),
    ...(details.next ? { next: details.next.map(mask.text) } : {}),
    ...(cause === undefined ? {} : { cause: maskedCause(cause, mask) }),
  })
  if (error.stack !== undefined) told.stack = mask.text(error.stack)
  return told
}

function maskedCause(cause: unknown, mask: TextMask): unknown {
  if (!(cause instanceof Error)) return typeof cause === 'string' ? mask.text(cause) : mask.json(cause)
  const told = new Error(mask.text(cause.message), cause.cause === undefined ? undefined : { cause: maskedCause(cause.cause, mask) })
  told.name = cause.name
  if (cause.stack !== undefined) told.stack = mask.text(cause.stack)
  return Object.assign(told, 'code' in cause ? { code: cause.code } : {})
}

/** How many placeholders stand in a value, by label; null for none. */
export function maskedCounts(value: unknown): Readonly<Record<string, number>> | null {
  const text = JSON.stringify(value) ?? ''
  const counts = maskedIn(text)
  return Object.keys(counts).length > 0 ? counts : null
}

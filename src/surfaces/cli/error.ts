/**
 * An error as a person reads it and as a program does. The cause once, where it is, what to type next, what changed;
 * never a secret (the thrower's promise), never a stack without `--debug`. design/cli.md section 1.6.
 */
import { asVpError, nextSteps, type VpError } from '../../core/errors.ts'
import { cleanText, column, type Screen } from './finish.ts'
import { bad, hang, strong, toCopy } from './style.ts'

const NOTHING_CHANGED = 'nothing was changed'
const CHANGED_COLUMN = 57
/** Failures that happen before anything could have changed, so that saying so is news to nobody. */
const SILENT: ReadonlySet<string> = new Set(['internal', 'cancelled', 'gate.failed', 'budget.cap', 'usage.unknown_command', 'usage.flag'])

export interface ErrorJson {
  readonly code: string
  readonly message: string
  readonly retryable: boolean
  readonly why?: string
  readonly where?: { readonly file: string; readonly line?: number; readonly also?: readonly number[] }
  /** Commands as argument lists, the best first. */
  readonly next: readonly (readonly string[])[]
  /** The best of what is no command, in words. */
  readonly hint?: string
  readonly rule?: string
  readonly approval?: string
  readonly changed?: string
  readonly data?: Readonly<Record<string, unknown>>
}

/** Error lines for stderr. `debug` adds the stack. */
export function errorScreen(thrown: unknown, options: { readonly debug?: boolean } = {}): Screen {
  const error = asVpError(thrown)
  const lines = [...errorHead(error), ...detailLines(error)]
  if (options.debug) lines.push(...stackLines(error))
  return { stdout: [], stderr: lines }
}

/** The lines of a file that a patch did not fit are lines here too, deeper than any detail; of every other message a line break could be somebody's. */
function errorHead(error: VpError): string[] {
  const [first = '', ...rest] = error.code === 'patch.rejected' ? error.message.split('\n') : [error.message]
  return [hang(bad('error'), 7) + cleanText(`${error.code}: ${first}`), ...rest.map((line) => hang('', 9) + cleanText(line))]
}

function detailLines(error: VpError): string[] {
  const { why, where, rule } = error.details
  const changed = error.details.changed ?? (SILENT.has(error.code) ? '' : NOTHING_CHANGED)
  const lines: string[] = []
  if (why !== undefined) lines.push(detail('why:', why))
  if (where !== undefined) lines.push(detail('where:', place(where)))
  if (rule !== undefined && !error.message.includes(rule)) lines.push(detail('rule:', rule))
  const commands = nextSteps(error)
  const [first, ...rest] = commands
  if (first === undefined) return changed === '' ? lines : [...lines, detail('', changed)]
  const together = rest.length > 0 && rest.every((command) => command.length < 28) && first.length < 28
  const shown = together ? [commands.map(shownNext).join(' · ')] : commands.map(shownNext)
  return [
    ...lines,
    ...shown.map(
      (text, index) =>
        (index === 0 ? marked('next:', text) : hang('', 14) + text) + (index === 0 && changed !== '' ? column(CHANGED_COLUMN, cleanText(changed)) : ''),
    ),
  ]
}

/** A hint in words may be broken, a command may not. */
function shownNext(next: string): string {
  return (argvsOf(next).length === 0 ? strong : toCopy)(cleanText(next))
}

function detail(label: string, text: string): string {
  return marked(label, cleanText(text))
}

function marked(label: string, text: string): string {
  return (label === '' ? hang('', 7) : hang(`       ${label}`, 14)) + text
}

function place({ file, line, also = [] }: NonNullable<ErrorJson['where']>): string {
  return line === undefined ? file : [line, ...also].map((one) => `${file}:${one}`).join(', ')
}

function stackLines(error: VpError): string[] {
  const lines = (error.stack ?? '').split('\n').slice(1)
  const cause = error.cause instanceof Error ? [`caused by ${error.cause.message}`, ...(error.cause.stack ?? '').split('\n').slice(1)] : []
  return [...lines, ...cause].map((line) => `       ${cleanText(line.trim())}`)
}

export function errorJson(thrown: unknown): ErrorJson {
  const error = asVpError(thrown)
  const { why, where, rule, approval, changed, data } = error.details
  const hint = nextSteps(error).find((command) => argvsOf(command).length === 0)
  return {
    code: error.code,
    message: error.message,
    retryable: error.retryable,
    ...(why === undefined ? {} : { why }),
    ...(where === undefined ? {} : { where }),
    next: nextSteps(error).flatMap(argvsOf),
    ...(hint === undefined ? {} : { hint }),
    ...(rule === undefined ? {} : { rule }),
    ...(approval === undefined ? {} : { approval }),
    ...(changed === undefined ? {} : { changed }),
    ...(data === undefined ? {} : { data }),
  }
}

const PROGRAMS: ReadonlySet<string> = new Set(['vp', 'git', 'npm', 'npx', 'node', 'ollama', 'export', 'df', 'apt', 'cd', 'kill', 'ls', 'bwrap', 'sudo'])

/** A command to copy as argument lists: `vp a, then vp b` is two, and what stands aside is none of it. A hint that is no command gives none. */
export function argvsOf(command: string): string[][] {
  return command
    .split(/, then /)
    .map((part) => words(part.split(/ {3,}/)[0] ?? ''))
    .filter((argv) => PROGRAMS.has(argv[0] ?? ''))
}

/** Words of a POSIX command line with quotes; expands nothing. */
function words(line: string): string[] {
  const found: string[] = []
  for (const match of line.matchAll(/(?:[^\s"']|"(?:[^"\\]|\\.)*"|'[^']*')+/gu)) {
    found.push(
      match[0].replace(
        /"((?:[^"\\]|\\.)*)"|'([^']*)'/gu,
        (_, double: string | undefined, single: string | undefined) => double?.replace(/\\(.)/gu, '$1') ?? single ?? '',
      ),
    )
  }
  return found
}

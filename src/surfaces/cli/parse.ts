/** The command line as values: which command, which flags, what follows `--`. Pure; `util.parseArgs` does the reading. */
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { VpError } from '../../core/errors.ts'
import type { Command, Flags, FlagSpec } from './command.ts'

export const GLOBAL_FLAGS = {
  json: { type: 'boolean', help: 'one JSON document on stdout' },
  plain: { type: 'boolean', help: 'one sentence a line, for screen readers' },
  'no-input': { type: 'boolean', help: 'never ask; a needed answer is exit 5' },
  yes: { type: 'boolean', short: 'y', help: 'answer what can be undone whole' },
  offline: { type: 'boolean', help: 'refuse every socket that leaves this machine' },
  debug: { type: 'boolean', help: 'add stacks to errors' },
  cwd: { type: 'string', help: 'work in this directory' },
  help: { type: 'boolean', short: 'h', help: 'how to use the command' },
} as const satisfies FlagSpec

export interface CommandWords {
  /** `fs read`, `status`, or '' for none. */
  readonly name: string
  readonly argv: readonly string[]
  readonly rest: readonly string[]
}

/** Finds the longest command name among the leading words; flags may come before it. */
export function splitCommand(argv: readonly string[], names: ReadonlySet<string>): CommandWords {
  const end = argv.indexOf('--')
  const head = end < 0 ? argv : argv.slice(0, end)
  const rest = end < 0 ? [] : argv.slice(end + 1)
  const words: { word: string; at: number }[] = []
  for (let at = 0; at < head.length && words.length < 2; at++) {
    const arg = head[at] ?? ''
    if (arg === '--cwd') at++
    else if (!arg.startsWith('-')) words.push({ word: arg, at })
    else if (words.length > 0) break
  }
  const two = words.length === 2 ? `${words[0]?.word} ${words[1]?.word}` : '\0'
  const chosen = names.has(two) ? words : words.slice(0, 1)
  const places = new Set(chosen.map((one) => one.at))
  return { name: names.has(two) ? two : (words[0]?.word ?? ''), argv: head.filter((_arg, at) => !places.has(at)), rest }
}

/** Throws `usage.flag` with the nearest valid form. */
export function parseFlags(argv: readonly string[], spec: FlagSpec, name: string): { flags: Flags; positionals: string[] } {
  const options: NonNullable<ParseArgsConfig['options']> = {}
  for (const [flag, { type, multiple, short }] of Object.entries({ ...GLOBAL_FLAGS, ...spec } as FlagSpec))
    options[flag] = { type, ...(multiple ? { multiple } : {}), ...(short ? { short } : {}) }
  try {
    const { values, positionals } = parseArgs({ args: joined(argv, options), options, allowPositionals: true, strict: true })
    return { flags: values as Flags, positionals }
  } catch (error) {
    throw new VpError('usage.flag', flagWords(error as Error & { code?: string }), { next: [`vp help ${name}`.trim()] })
  }
}

/** `--tail -1` as `--tail=-1`: a number below zero is the flag's value, and is refused as such where it is none. */
function joined(argv: readonly string[], options: NonNullable<ParseArgsConfig['options']>): string[] {
  const args: string[] = []
  for (const arg of argv) {
    const flag = args.at(-1)
    if (/^-[\d.]/.test(arg) && flag?.startsWith('--') && options[flag.slice(2)]?.type === 'string') args[args.length - 1] = `${flag}=${arg}`
    else args.push(arg)
  }
  return args
}

/** What the parser of Node refused, in our words. */
function flagWords({ code, message }: Error & { code?: string }): string {
  const flag = /--[\w-]+/.exec(message)?.[0]
  if (code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE' && flag !== undefined)
    return message.includes('does not take') ? `${flag} takes no value` : `${flag} takes a value, and none is given`
  return message.split('. ')[0]?.replace(/^(.)/, (first) => first.toLowerCase()) ?? 'a flag is wrong'
}

/** The words that a command takes: after `--` everything is one, whatever it begins with. Throws `usage.flag` for one too many. */
export function wordsOf({ name, takes = 0 }: Pick<Command, 'name' | 'takes'>, positionals: readonly string[], rest: readonly string[]): readonly string[] {
  if (takes === 'argv') return positionals
  const words = [...positionals, ...rest]
  const extra = takes === 'words' ? undefined : words[takes]
  if (extra !== undefined)
    throw new VpError(
      'usage.flag',
      `vp ${name} takes ${takes === 0 ? 'no word' : takes === 1 ? 'one word' : `${takes} words`}, and ${JSON.stringify(extra.slice(0, 40))} is one more`,
      {
        next: [`vp help ${name}`.trim()],
      },
    )
  return words
}

export interface NumberRange {
  readonly whole?: true
  readonly from: number
  readonly to?: number
}

export const MONEY: NumberRange = { from: 0 }
export const TOKENS: NumberRange = { whole: true, from: 0 }
export const COUNT: NumberRange = { whole: true, from: 1 }

/** A number from a flag; throws `usage.flag` for one out of its range. */
export function numberFlag(flags: Flags, name: string, { whole, from, to = Number.MAX_SAFE_INTEGER }: NumberRange): number | undefined {
  const value = flags[name]
  if (value === undefined) return undefined
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN
  if (!(number >= from && number <= to) || (whole && !Number.isInteger(number)))
    throw new VpError(
      'usage.flag',
      `--${name} takes a ${whole ? 'whole number' : 'number'} ${to < Number.MAX_SAFE_INTEGER ? `from ${from} to ${to}` : `of at least ${from}`}, not ${JSON.stringify(value).slice(0, 40)}`,
    )
  return number
}

export function textFlag(flags: Flags, name: string): string | undefined {
  const value = flags[name]
  return typeof value === 'string' ? value : undefined
}

/** Throws `usage.flag` with the choices. */
export function choiceFlag<Choice extends string>(flags: Flags, name: string, choices: readonly Choice[]): Choice | undefined {
  const value = textFlag(flags, name)
  const chosen = choices.find((choice) => choice === value)
  if (value !== undefined && chosen === undefined)
    throw new VpError('usage.flag', `--${name} is one of ${choices.join(', ')}, not ${JSON.stringify(value.slice(0, 40))}`, {
      next: [`--${name} ${choices[0]}`],
    })
  return chosen
}

/** A command in one flag, split at blanks with quotes; no shell reads it. */
export function splitWords(text: string): string[] {
  const words = [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3] ?? '')
  if (/[;&|<>`$]/.test(text.replace(/"[^"]*"|'[^']*'/g, '')))
    throw new VpError('usage.flag', 'a test command is one program with arguments: no shell reads it', {
      next: ['put the pipeline into a script or a Makefile target'],
    })
  return words
}

/**
 * Programs that run what their arguments say: interpreters with code or a script, wrappers and runners with a program,
 * languages in a word. Says what such a command really runs. Whether it may is said elsewhere.
 */

import { CODE_ARGUMENTS, CODE_MODULES, EVAL_FLAGS, LANGUAGES, PLAIN_VERBS, WRAPPERS } from './code-programs.ts'

export interface InlineCode {
  /** The argument that a lane's rule has to name. */
  readonly flag: string
  readonly reason: string
  /** True where the question is put even if the lane has no rule for the program. */
  readonly asksAlways: boolean
}

/** Run the program that follows the verb, in an environment. */
const RUNNERS: Readonly<Record<string, readonly string[]>> = {
  uv: ['run'],
  poetry: ['run'],
  pdm: ['run'],
  pipenv: ['run'],
  hatch: ['run'],
  rye: ['run'],
  bundle: ['exec'],
}
/** Their word may as well be a script of the project, so only what is surely a program is taken for one. */
const SCRIPT_RUNNERS: Readonly<Record<string, readonly string[]>> = { yarn: ['run'], pnpm: ['run', 'exec'] }

/** Code given as an argument, or a program that runs whatever its arguments name. `rest` is what follows the program. */
export function inlineCode(program: string, rest: readonly string[]): InlineCode | null {
  if (WRAPPERS.has(program)) return { flag: '', reason: `${program} runs the program that its arguments name`, asksAlways: program === 'env' }
  if (LANGUAGES.has(program)) return { flag: '', reason: `${program} takes its arguments for a program`, asksAlways: false }
  const chosen = chosenBy(program, rest)
  if (chosen !== undefined) return { flag: chosen, reason: `${chosen} lets ${program} run what its arguments name`, asksAlways: false }
  const pattern = EVAL_FLAGS[program]
  if (pattern === undefined) return null
  if (rest.length === 0) return { flag: '', reason: `${program} without a file reads code from its input`, asksAlways: false }
  const flag = interpreterArguments(program, rest).find((argument) => pattern.test(argument.replaceAll('_', '-')))
  if (flag !== undefined) return { flag, reason: `${flag} makes ${program} run code from its arguments`, asksAlways: false }
  const module = program === 'python' ? moduleOf(rest) : null
  return module === null || !CODE_MODULES.has(module.name)
    ? null
    : { flag: module.name, reason: `the module ${module.name} runs code from its arguments`, asksAlways: false }
}

function chosenBy(program: string, rest: readonly string[]): string | undefined {
  const plain = PLAIN_VERBS[program]
  if (plain !== undefined) return plain.has(rest[0] ?? '') ? undefined : (rest[0] ?? '')
  const pattern = CODE_ARGUMENTS[program]
  return pattern === undefined ? undefined : rest.find((argument) => pattern.test(argument))
}

export function isInterpreter(program: string): boolean {
  return Object.hasOwn(EVAL_FLAGS, program)
}

/** What the program takes for itself, its script included; a script's own arguments, and those of an inner program, are left out. */
export function ownArguments(program: string, rest: readonly string[]): readonly string[] {
  const verb = RUNNERS[program]?.includes(rest[0] ?? '') ? rest[0] : undefined
  if (verb !== undefined) return rest.slice(0, innerAt(rest))
  if (!isInterpreter(program)) return rest
  const own = interpreterArguments(program, rest)
  const script = rest[own.length]
  return script === undefined || script === '--' ? own : [...own, script]
}

/**
 * The arguments that may still be the interpreter's: up to the first word that follows no option. A word after an
 * option may be its value, so the search goes on behind it: asking once too often is the safe side.
 */
function interpreterArguments(program: string, rest: readonly string[]): string[] {
  const own: string[] = []
  for (const [at, argument] of rest.entries()) {
    if (argument === '--') break
    // What a module of Python is given is the module's.
    if (program === 'python' && isModuleOption(rest[at - 1] ?? '') !== null && at > 0) break
    const previous = rest[at - 1]
    const isWord = !argument.startsWith('-') || argument === ''
    if (isWord && (previous === undefined || !previous.startsWith('-') || previous.includes('='))) break
    own.push(argument)
  }
  return own
}

/** The first script or file of an interpreter that lies outside the workspace; null when none does. */
export function outsideScript(program: string, rest: readonly string[]): string | null {
  if (!isInterpreter(program)) return null
  const own = interpreterArguments(program, rest)
  const after = rest[own.length] === '--' ? rest[own.length + 1] : rest[own.length]
  const files = [...own.filter((argument, at) => !argument.startsWith('-') && isModuleOption(rest[at - 1] ?? '') === null), after ?? '']
  return files.find((file) => file.split('/').includes('..') || (file.startsWith('/') && !/^\/(?:workspace|tmp)\//.test(file))) ?? null
}

/** The program inside: of a runner, of `python -m`, or an interpreter behind the name of a script. */
export function innerCommand(program: string, rest: readonly string[]): readonly string[] | null {
  const verb = rest[0] ?? ''
  if (RUNNERS[program]?.includes(verb)) return afterOptions(rest)
  if (SCRIPT_RUNNERS[program]?.includes(verb)) return afterOptions(rest)
  const module = program === 'python' ? moduleOf(rest) : null
  return module === null || module.name === '' ? null : [module.name, ...module.rest]
}

/** True where the word of `innerCommand` may be a script of the project instead. */
export function isScriptRunner(program: string): boolean {
  return Object.hasOwn(SCRIPT_RUNNERS, program)
}

function afterOptions(rest: readonly string[]): readonly string[] | null {
  const inner = rest.slice(innerAt(rest))
  return inner.length === 0 ? null : inner
}

function innerAt(rest: readonly string[]): number {
  const at = rest.findIndex((word, index) => index > 0 && !word.startsWith('-'))
  return at < 0 ? rest.length : at
}

/** The module that Python is told to run; only options may stand before it. */
function moduleOf(rest: readonly string[]): { readonly name: string; readonly rest: readonly string[] } | null {
  for (const [at, argument] of interpreterArguments('python', rest).entries()) {
    const glued = isModuleOption(argument)
    if (glued === null) continue
    const [name, following] = glued === '' ? [rest[at + 1] ?? '', rest.slice(at + 2)] : [glued, rest.slice(at + 1)]
    return { name: (name.split('.')[0] ?? '').toLowerCase(), rest: following }
  }
  return null
}

/** What is glued to `-m`, which may be nothing; null for another argument. */
function isModuleOption(argument: string): string | null {
  return /^-[A-Zabd-ln-z]*?m(.*)$/s.exec(argument)?.[1] ?? null
}

/**
 * A terminal process: streams, signals, exit status, and the edges of one command. Everything that a verb means is
 * in its command file; everything that it does is an operation.
 */
import { statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { resolvedStateDirectory } from '../config/state-directory.ts'
import { once } from '../core/once.ts'
import { nodeCrypto } from '../core/node-crypto.ts'
import { asVpError, CODES, VpError } from '../core/errors.ts'
import type { Caller } from '../operations/operation.ts'
import type { Command, CommandContext, Edges, Outcome, Place } from '../surfaces/cli/command.ts'
import { COMMANDS, loadCommand } from '../surfaces/cli/commands/index.ts'
import { envelopeLine, failureEnvelope, successEnvelope } from '../surfaces/cli/envelope.ts'
import { errorScreen } from '../surfaces/cli/error.ts'
import { parseFlags, splitCommand, textFlag, wordsOf } from '../surfaces/cli/parse.ts'
import { paint } from '../surfaces/cli/finish.ts'
import { isWorkerAlive, systemClock } from './process.ts'
import { lookFrom, type Looks, type StreamFacts } from '../surfaces/cli/style.ts'

export interface CliProcess {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly version: string
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  /** Of a descriptor, without opening its stream where it is no terminal. */
  facts(fd: 1 | 2): StreamFacts
  /** What a finished command says: whole, and before the process ends. */
  print(fd: 1 | 2, text: string): void
  cwd(): string
}

export async function runCli(host: CliProcess): Promise<number> {
  const words = splitCommand(host.argv, COMMANDS)
  const json = host.argv.includes('--json')
  const looks = lookFrom(host.env, { stdout: host.facts(1), stderr: host.facts(2) }, { json, ...(host.argv.includes('--plain') ? { plain: true } : {}) })
  // `vp --serve HOST:PORT` is `vp serve`.
  let name = /^--serve(=|$)/.test(host.argv[0] ?? '') ? 'serve' : words.name
  try {
    const help = helpAsked(host.argv, words.name)
    if (help) name = 'help'
    const command = await loadCommand(name)
    const { flags, positionals } = parseFlags(help ? help : words.argv, command.flags, name)
    const spoken = wordsOf(command, positionals, help ? [] : words.rest)
    const outcome = await runCommand(host, looks, command, { flags, positionals: spoken, rest: words.rest, json })
    return outcome === null ? 0 : emit(host, looks, name, outcome, json)
  } catch (thrown) {
    const { outletOf, maskedError } = await import('./outlet.ts')
    const mask = outletOf(host.env, host.cwd())
    return emitError(host, looks, mask.text(name), maskedError(withHelp(asVpError(thrown), name), mask), json)
  }
}

/** Who used a command wrongly is told how it is used, where whoever refused it knew no better. */
function withHelp(error: VpError, name: string): VpError {
  if (!/^usage\.(flag|params)$/.test(error.code) || error.details.next !== undefined || !COMMANDS.has(name)) return error
  return new VpError(error.code, error.message, { ...error.details, cause: error.cause, next: [`vp help ${name}`.trim()] })
}

/** `vp X --help`, `vp X -h` and `vp help X` are one command. */
function helpAsked(argv: readonly string[], name: string): string[] | null {
  const end = argv.indexOf('--')
  const head = end < 0 ? argv : argv.slice(0, end)
  if (!head.includes('--help') && !head.includes('-h')) return null
  return name === '' ? [] : name.split(' ')
}

interface Parsed {
  readonly flags: CommandContext['flags']
  readonly positionals: readonly string[]
  readonly rest: readonly string[]
  readonly json: boolean
}

async function runCommand(host: CliProcess, looks: Looks, command: Command, parsed: Parsed): Promise<Outcome | null> {
  const { flags } = parsed
  const { pause, pausing, stop, stdout, dispose } = signals(host, command)
  const opened: { close(): void }[] = []
  const interactive = command.needsKit && !parsed.json && flags['no-input'] !== true && host.stdin.isTTY === true && host.stderr.isTTY === true
  const cwd = directoryOf(textFlag(flags, 'cwd')) ?? host.cwd()
  const env = resolvedStateDirectory(host.env, host.cwd())
  // What only some commands need is loaded when it is asked for: a status must stay as cheap as its reads.
  const lazy = command.needsKit ? await import('./edges.ts') : null
  const need = () => {
    if (!lazy) throw new VpError('internal', `${command.name} did not say that it needs the kit`)
    return lazy
  }
  const edgesAt = (place: Place, caller: Caller): Edges => {
    const kit = once(() => {
      const kit = need().openKit({
        env: place.env,
        offline: flags['offline'] === true,
        version: host.version,
        launcher: ownLauncher(),
        kill: () => process.kill(process.pid, 'SIGKILL'),
      })
      opened.unshift(kit)
      return kit
    })
    const checkout = once(() => {
      const checkout = need().openCheckout(kit(), place.cwd)
      opened.unshift(checkout)
      return checkout
    })
    return {
      ...place,
      kit,
      checkout,
      call: async (operation, params, options = {}) => {
        const answer = await need().invoke(
          kit(),
          operation,
          params,
          { ...caller, live: options.live ?? caller.live, onProgress: options.onProgress, onNotice } as Caller,
          checkout(),
          {
            signal: stop,
            ...(options.idempotencyKey ? { idempotencyKey: options.idempotencyKey } : {}),
          },
        )
        if (!answer.ok) throw answer.error
        return answer
      },
    }
  }
  const onNotice = (words: string) => void host.stderr.write(paint({ stdout: [], stderr: [`warn  ${words}`] }, looks).stderr)
  const asking = { host, looks, pause }
  const actor = host.env['CI'] ? 'ci' : 'human'
  const caller: Caller = {
    actor,
    surface: 'cli',
    scopes: lazy ? lazy.scopesOf(actor) : new Set(),
    ...(flags['yes'] === true ? { yes: true } : {}),
    ...(interactive && lazy ? { confirm: lazy.confirmAt(asking) } : {}),
  }
  const planner: Caller = interactive && lazy ? { ...caller, dialogue: lazy.dialogueAt(asking) } : caller
  const context: CommandContext = {
    ...parsed,
    ...edgesAt({ cwd, env }, planner),
    // A sample that the command made itself is nobody's to protect: there it is the person who signs, in CI too.
    elsewhere: (place) => edgesAt(place, { ...caller, actor: 'human', scopes: lazy ? lazy.scopesOf('human') : new Set() }),
    packageRoot: packageRoot(),
    interactive,
    look: looks.out,
    looks,
    version: host.version,
    caller,
    get pause() {
      return pausing()
    },
    stop,
    ports: {
      clock: systemClock,
      random: { bytes: (count) => nodeCrypto().randomFillSync(new Uint8Array(count)) },
      isAlive: (worker) => isWorkerAlive(worker),
    },
    ask: async (question) => (interactive && lazy ? ((await lazy.askYesNo(asking, question)) ?? false) : false),
    talk: (line) => {
      if (!parsed.json) host.stderr.write(paint({ stdout: [], stderr: [line] }, looks).stderr)
    },
    columns: () => host.stderr.columns || 80,
    rows: () => host.stderr.rows || 24,
    write: (text) => void stdout().write(text),
    print: (text) => host.print(1, text),
    writeErr: (text) => void host.stderr.write(text),
    readStdin: async () => {
      const parts: Buffer[] = []
      for await (const part of host.stdin) parts.push(part as Buffer)
      return Buffer.concat(parts)
    },
    streams: {
      get stdin() {
        return host.stdin
      },
      get stdout() {
        return stdout()
      },
    },
  }
  try {
    return await command.run(context)
  } finally {
    dispose()
    for (const one of opened) one.close()
  }
}

/** Throws `usage.flag` where `--cwd` names no directory. */
function directoryOf(cwd: string | undefined): string | undefined {
  if (cwd === undefined || statSync(cwd, { throwIfNoEntry: false })?.isDirectory()) return cwd === undefined ? undefined : resolve(cwd)
  throw new VpError('usage.flag', `--cwd ${cwd} is no directory`, { next: ['vp help'] })
}

interface Signals {
  readonly pause: AbortSignal
  /** The same, for a command that heeds it. */
  pausing(): AbortSignal
  readonly stop: AbortSignal
  stdout(): NodeJS.WriteStream
  dispose(): void
}

/**
 * Ctrl-C once pauses, twice stops; SIGTERM is the first. What never asked for the pause cannot pause: once stops it. A closed
 * terminal ends a view; work goes on without a reader.
 */
function signals(host: CliProcess, command: Command): Signals {
  const pause = new AbortController()
  const stop = new AbortController()
  let canPause = false
  const interrupt = () => {
    if (pause.signal.aborted || !canPause) stop.abort()
    pause.abort()
  }
  const handlers = { SIGINT: interrupt, SIGTERM: interrupt, SIGHUP: command.needsKit ? () => undefined : interrupt } as const
  const names = Object.keys(handlers) as (keyof typeof handlers)[]
  for (const name of names) process.on(name, handlers[name])
  const stdout = once(() => {
    // A reader that went away (`vp logs | head`) is no failure of ours.
    host.stdout.on('error', () => stop.abort())
    return host.stdout
  })
  const pausing = () => {
    canPause = true
    return pause.signal
  }
  // One more Ctrl-C while the last words are said is not to cut them: those who pressed it once often press it again.
  const dispose = () => {
    if (!pause.signal.aborted) for (const name of names) process.off(name, handlers[name])
  }
  return { pause: pause.signal, pausing, stop: stop.signal, stdout, dispose }
}

/** Above `src/compose` when this runs from source, above `dist` or its chunks when it is the bundle. */
function packageRoot(): string {
  const here = fileURLToPath(import.meta.url)
  const folder = dirname(here)
  return dirname(here.endsWith('.ts') || basename(folder) === 'chunks' ? dirname(folder) : folder)
}

/** The launcher beside the bundle, or its source when this runs from source. */
function ownLauncher(): { node: string; argv: string[] } {
  const launcher = import.meta.url.endsWith('.ts') ? join('src', 'sandbox', 'launcher-entry.ts') : join('dist', 'launcher.mjs')
  return { node: process.execPath, argv: ['--disable-warning=ExperimentalWarning', join(packageRoot(), launcher)] }
}

function emit(host: CliProcess, looks: Looks, name: string, outcome: Outcome, json: boolean): number {
  const exit = outcome.exit ?? 0
  if (json) {
    host.print(1, envelopeLine(successEnvelope(`vp ${name}`.trim(), outcome)))
    return exit
  }
  const painted = paint(outcome.screen(looks.out), looks)
  if (painted.stdout !== '') host.print(1, painted.stdout)
  if (painted.stderr !== '') host.print(2, painted.stderr)
  // Where nobody sits at both streams no screen says what to type next, so the last words of an exit say it.
  const isPiped = !looks.out.tty || !looks.err.tty
  if (isPiped && exit !== 0 && exit !== CODES.cancelled.exit && outcome.error) host.print(2, paint(errorScreen(outcome.error), looks).stderr)
  return exit
}

function emitError(host: CliProcess, looks: Looks, name: string, error: VpError, json: boolean): number {
  const exit = CODES[error.code].exit
  const words = () => host.print(2, paint(errorScreen(error, { debug: host.argv.includes('--debug') }), looks).stderr)
  if (!json) words()
  else
    try {
      host.print(1, envelopeLine(failureEnvelope(`vp ${name}`.trim(), error)))
    } catch {
      words() // where stdout takes nothing, stderr is the only place left
    }
  return exit
}

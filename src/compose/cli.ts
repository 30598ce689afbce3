/**
 * A terminal process: streams, signals, exit status, and the edges of one command. Everything that a verb means is
 * in its command file; everything that it does is an operation.
 */
import { randomFillSync } from 'node:crypto'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { asVpError, CODES, VpError } from '../core/errors.ts'
import type { OpenKit } from '../operations/kit.ts'
import type { Caller } from '../operations/operation.ts'
import type { Command, CommandContext, Outcome } from '../surfaces/cli/command.ts'
import { COMMANDS, loadCommand } from '../surfaces/cli/commands/index.ts'
import { envelopeLine, failureEnvelope, successEnvelope } from '../surfaces/cli/envelope.ts'
import { errorScreen } from '../surfaces/cli/error.ts'
import { parseFlags, splitCommand, textFlag } from '../surfaces/cli/parse.ts'
import { paint } from '../surfaces/cli/finish.ts'
import { lookFrom, type Looks } from '../surfaces/cli/style.ts'

export interface CliProcess {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly version: string
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  cwd(): string
}

export async function runCli(host: CliProcess): Promise<number> {
  const words = splitCommand(host.argv, COMMANDS)
  const json = host.argv.includes('--json')
  const looks = lookFrom(host.env, { stdout: host.stdout, stderr: host.stderr }, { json, ...(host.argv.includes('--plain') ? { plain: true } : {}) })
  let name = words.name
  try {
    const help = helpAsked(host.argv, words.name)
    if (help) name = 'help'
    const command = await loadCommand(name)
    const { flags, positionals } = parseFlags(help ? help : words.argv, command.flags, name)
    const outcome = await runCommand(host, looks, command, { flags, positionals, rest: words.rest, json })
    return outcome === null ? 0 : emit(host, looks, name, outcome, json)
  } catch (thrown) {
    return emitError(host, looks, name, asVpError(thrown), json)
  }
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
  const { pause, stop, dispose } = signals(host)
  let kit: OpenKit | null = null
  let checkout: (ReturnType<CommandContext['checkout']> & { close(): void }) | null = null
  const interactive = !parsed.json && flags['no-input'] !== true && host.stdin.isTTY === true && host.stderr.isTTY === true
  const cwd = textFlag(flags, 'cwd') ?? host.cwd()
  // What only some commands need is loaded when it is asked for: a status must stay as cheap as its reads.
  const lazy = command.needsKit
    ? {
        kit: await import('./kit.ts'),
        invoke: await import('../operations/invoke.ts'),
        checkout: await import('../operations/projects/checkout.ts'),
        scopes: await import('../policy/scopes.ts'),
        prompt: await import('./prompt.ts'),
      }
    : null
  const need = () => {
    if (!lazy) throw new VpError('internal', `${command.name} did not say that it needs the kit`)
    return lazy
  }
  const openKit = () =>
    (kit ??= need().kit.openKit({
      env: host.env,
      offline: flags['offline'] === true,
      version: host.version,
      launcher: ownLauncher(),
      kill: () => process.kill(process.pid, 'SIGKILL'),
    }))
  const openCheckout = () => (checkout ??= need().checkout.openCheckout(openKit(), cwd))
  const caller: Caller = {
    actor: host.env['CI'] ? 'ci' : 'human',
    surface: 'cli',
    scopes: lazy ? lazy.scopes.scopesOf('human') : new Set(),
    ...(flags['yes'] === true ? { yes: true } : {}),
    ...(interactive && lazy ? { confirm: lazy.prompt.confirmAt(host, looks.err) } : {}),
  }
  const context: CommandContext = {
    ...parsed,
    cwd,
    env: host.env,
    interactive,
    look: looks.out,
    looks,
    version: host.version,
    kit: openKit,
    checkout: openCheckout,
    caller,
    pause,
    stop,
    ports: {
      clock: { now: () => Date.now(), monotonic: () => performance.now() },
      random: { bytes: (count) => randomFillSync(new Uint8Array(count)) },
    },
    call: async (operation, params, options = {}) => {
      const answer = await need().invoke.invoke(openKit(), operation, params, { ...caller, live: options.live ?? caller.live } as Caller, openCheckout(), {
        signal: stop,
        ...(options.idempotencyKey ? { idempotencyKey: options.idempotencyKey } : {}),
      })
      if (!answer.ok) throw answer.error
      return answer
    },
    ask: async (question) => (interactive && lazy ? lazy.prompt.askYesNo(host, question) : false),
    talk: (line) => {
      if (!parsed.json) host.stderr.write(paint({ stdout: [], stderr: [line] }, looks).stderr)
    },
    write: (text) => void host.stdout.write(text),
    writeErr: (text) => void host.stderr.write(text),
    readStdin: async () => {
      const parts: Buffer[] = []
      for await (const part of host.stdin) parts.push(part as Buffer)
      return Buffer.concat(parts).toString('utf8')
    },
    streams: { stdin: host.stdin, stdout: host.stdout },
  }
  try {
    return await command.run(context)
  } finally {
    dispose()
    ;(checkout as { close(): void } | null)?.close()
    ;(kit as OpenKit | null)?.close()
  }
}

/** Ctrl-C once pauses, twice stops; SIGTERM is the first; a closed terminal pauses too. */
function signals(host: CliProcess): { pause: AbortSignal; stop: AbortSignal; dispose(): void } {
  const pause = new AbortController()
  const stop = new AbortController()
  const once = () => {
    if (pause.signal.aborted) stop.abort()
    else pause.abort()
  }
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of names) process.on(name, once)
  // A reader that went away (`vp logs | head`) is no failure of ours.
  host.stdout.on('error', () => stop.abort())
  return { pause: pause.signal, stop: stop.signal, dispose: () => names.forEach((name) => process.off(name, once)) }
}

/** The launcher beside the bundle, or its source when this runs from source. */
function ownLauncher(): { node: string; argv: string[] } {
  const here = fileURLToPath(import.meta.url)
  const quiet = '--disable-warning=ExperimentalWarning'
  if (here.endsWith('.ts')) return { node: process.execPath, argv: [quiet, join(dirname(here), '..', 'sandbox', 'launcher-entry.ts')] }
  const dist = here.includes('/chunks/') ? dirname(dirname(here)) : dirname(here)
  return { node: process.execPath, argv: [quiet, join(dist, 'launcher.mjs')] }
}

function emit(host: CliProcess, looks: Looks, name: string, outcome: Outcome, json: boolean): number {
  const exit = outcome.exit ?? 0
  if (json) {
    host.stdout.write(envelopeLine(successEnvelope(`vp ${name}`.trim(), outcome)))
    return exit
  }
  const painted = paint(outcome.screen(looks.out), looks)
  host.stdout.write(painted.stdout)
  host.stderr.write(painted.stderr)
  return exit
}

function emitError(host: CliProcess, looks: Looks, name: string, error: VpError, json: boolean): number {
  const exit = CODES[error.code].exit
  if (json) host.stdout.write(envelopeLine(failureEnvelope(`vp ${name}`.trim(), error)))
  else host.stderr.write(paint(errorScreen(error, { debug: host.argv.includes('--debug') }), looks).stderr)
  return exit
}

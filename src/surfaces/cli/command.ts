/**
 * What a command is: a verb of the terminal over operations. It returns a result value for `--json` and a way to
 * draw it; streams, colours, exit statuses and the envelope are the same for all.
 */
import type { VpError } from '../../core/errors.ts'
import type { Clock, Random } from '../../core/ports.ts'
import type { Operation, Caller } from '../../operations/operation.ts'
import type { Answer } from '../../operations/invoke.ts'
import type { OpenKit } from '../../operations/kit.ts'
import type { TreeScene } from '../../operations/scene.ts'
import type { Screen } from './finish.ts'
import type { Look, Looks } from './style.ts'

export interface Outcome {
  readonly result: unknown
  readonly exit?: number
  /** Why the exit is not 0, where there is a result all the same (exits 3, 6, 7). */
  readonly error?: VpError
  readonly receipt?: string | null
  readonly warnings?: readonly string[]
  screen(look: Look): Screen
}

export type FlagSpec = Readonly<
  Record<
    string,
    {
      readonly type: 'string' | 'boolean'
      readonly multiple?: boolean
      readonly short?: string
      readonly default?: string
      readonly help: string
    }
  >
>
export type Flags = Readonly<Record<string, string | boolean | readonly string[] | undefined>>

export interface Place {
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** What a command does its work with, at one place. Closed with the command. */
export interface Edges extends Place {
  kit(): OpenKit
  /** The human's checkout at `cwd`. */
  checkout(): TreeScene
  /** Calls one operation of the table as the person at this terminal; throws its error. */
  call(
    operation: Operation,
    params: unknown,
    options?: { idempotencyKey?: string; live?: Caller['live']; onProgress?: Caller['onProgress'] },
  ): Promise<Extract<Answer, { ok: true }>>
}

export interface CommandContext extends Edges {
  readonly positionals: readonly string[]
  readonly flags: Flags
  /** What stood after `--`; in all commands but those that take an argv it is among the words. */
  readonly rest: readonly string[]
  readonly json: boolean
  readonly interactive: boolean
  readonly look: Look
  readonly looks: Looks
  readonly version: string
  readonly ports: { readonly clock: Clock; readonly random: Random; isAlive(worker: string): boolean }
  /** The same person in another directory and environment, where the command itself answers the planner and signs. */
  elsewhere(place: Place): Edges
  /** Where the program itself lies: the root of its package. */
  readonly packageRoot: string
  readonly caller: Caller
  /** stderr, one line; nothing with `--json`. */
  talk(line: string): void
  /** Ctrl-C once: begin nothing new. Twice: stop. */
  /** A yes-or-no question on stderr; false where nobody is at a terminal. Enter alone is no. */
  ask(question: string): Promise<boolean>
  readonly pause: AbortSignal
  readonly stop: AbortSignal
  /** Of the terminal at stderr, now. */
  columns(): number
  rows(): number
  /** Straight to the streams, for what is shown while a command goes on. */
  write(text: string): void
  writeErr(text: string): void
  /** To stdout, whole: what was asked for, at the end of a command. Throws where stdout cannot be written. */
  print(text: string): void
  readStdin(): Promise<Buffer>
  readonly streams: { readonly stdin: NodeJS.ReadStream; readonly stdout: NodeJS.WriteStream }
}

export interface Command {
  readonly name: string
  readonly group: 'plan' | 'run' | 'prove' | 'repair' | 'by hand' | 'models' | 'rights' | 'surfaces' | 'machine'
  readonly summary: string
  readonly usage: string
  /** Words besides its flags: so many at most, any number, or a command's argv, which goes on behind `--`. Absent: none. */
  readonly takes?: number | 'words' | 'argv'
  readonly examples: readonly string[]
  readonly flags: FlagSpec
  /** Loads operations and everything beneath; false for what only reads the ledger. */
  readonly needsKit: boolean
  readonly exits: readonly number[]
  /** Fields of the `--json` result, in words. */
  readonly json: string
  run(context: CommandContext): Promise<Outcome | null>
}

/**
 * What the machine has, built once in `compose/` and handed to every operation. Effects are here and nowhere else.
 */
import type { Config } from '../config/config.ts'
import type { Paths } from '../config/paths.ts'
import type { Clock, Random } from '../core/ports.ts'
import type { SigningKey } from '../ledger/keys.ts'
import type { LedgerProblem } from '../ledger/verify.ts'
import type { Lane } from '../policy/lane.ts'
import type { Backend } from '../sandbox/contract.ts'
import type { Toolchain } from '../sandbox/toolchain.ts'
import type { Store } from '../store/contract.ts'
import type { Workspace } from '../workspace/files.ts'
import type { RunGit } from '../workspace/git.ts'
import type { Masking } from './masking.ts'
import type { PowerMeter } from './power-meter.ts'

export interface SandboxInForce {
  readonly backend: Backend
  readonly weaknesses: readonly string[]
}

export interface Kit {
  readonly clock: Clock
  readonly random: Random
  readonly store: Store
  readonly git: RunGit
  readonly paths: Paths
  readonly config: Config
  /** The human's environment, for identity, toolchains and model settings. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly offline: boolean
  key(): SigningKey
  /** Probed once; throws `sandbox.unavailable`. */
  sandbox(): Promise<SandboxInForce>
  /** Where a program lies for the human; throws `sandbox.program_missing`. Asked once a program. */
  toolchain(program: string, workspace: string, options?: { readonly askVersion: boolean }): Promise<Toolchain>
  /** `fixed` paths, and what is below them, can be read only. Roots and globs of `lane` hold where one is named, as the checkout at `lanesAt` (`root`) narrows it. */
  openFiles(root: string, rules?: { readonly fixed?: readonly string[]; readonly lane?: string; readonly lanesAt?: string }): Workspace
  lane(name: string, root: string): Lane
  redactText(text: string): string
  redactJson(value: unknown): unknown
  /** The filter of the trees at `roots`: also what their `.env` files hold. `numbered` for one task attempt. */
  masking(roots: readonly string[], options?: { readonly numbered: boolean }): Masking
  /** What this machine draws, where that can be read; looked for once. */
  power(): PowerMeter | null
  /** This process, and whether another is alive. */
  readonly worker: string
  isAlive(worker: string): boolean
  /** Throws an AbortError when `signal` ends it. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** A labelled point around durable writes: where tests kill the process. */
  point(label: string): void
  readonly version: string
}

/** A kit that its owner closes. */
export interface OpenKit extends Kit {
  /** Reads every page and row of the ledger: what is damaged or missing. */
  check(): LedgerProblem[]
  close(): void
}

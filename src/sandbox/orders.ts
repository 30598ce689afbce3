/**
 * What vp tells its launcher on descriptor 3, and how the launcher says that it failed. Imports types only, so that
 * the launcher loads nothing but built-ins.
 */
import type { ViewStep } from './view.ts'

export interface BoxOrders {
  readonly kind: 'box'
  readonly steps: readonly ViewStep[]
  readonly cwd: string
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Base64. */
  readonly filter: string
  readonly hasOwnNetwork: boolean
}

export interface LandlockRule {
  readonly path: string
  readonly access: 'read' | 'write'
}

export interface LandlockOrders {
  readonly kind: 'landlock'
  readonly rules: readonly LandlockRule[]
  readonly cwd: string
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly filter: string
  readonly refusesTcp: boolean
}

export type Orders = BoxOrders | LandlockOrders

/** The launcher's argument where it is to stand above another that becomes the command. */
export const SUPERVISE = 'supervise'

/** Said on descriptor 3 just before the launcher becomes the command. */
export const LAUNCHED = 'vp-launched\n'

/** Precedes the reason on descriptor 3. */
export const LAUNCH_FAILED = 'vp-launch-failed: '

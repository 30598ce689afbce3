/**
 * How a run ended, as a typed reason. Pure. A limit that a program meets as an error of its own (no memory, a file that is
 * too large, a full disk) ends with that program's exit status, and no kernel tells anybody else.
 */
import { constants } from 'node:os'
import type { EndedBy, SandboxResult } from './contract.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

export interface Ending {
  readonly killedFor: EndedBy | null
  /** The wrapper reports a command's signal as 128 + n. */
  readonly signalsAsCodes: boolean
  /** Whether the kernel killed a process of this machine for want of memory meanwhile; asked only where one was killed. */
  isShortOfMemory(): boolean
}

const SIGNAL_NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number as number, name]))

export function outcome(exit: Exit, { killedFor, signalsAsCodes, isShortOfMemory }: Ending): Pick<SandboxResult, 'exitCode' | 'signal' | 'endedBy'> {
  if (killedFor) return { exitCode: null, signal: 'SIGKILL', endedBy: killedFor }
  const named = signalsAsCodes && exit.code !== null && exit.code > 128 ? SIGNAL_NAMES.get(exit.code - 128) : undefined
  const signal = exit.signal ?? named ?? null
  if (signal === null) return { exitCode: exit.code, signal, endedBy: 'exit' }
  return { exitCode: null, signal, endedBy: signal === 'SIGKILL' && isShortOfMemory() ? 'memory' : (BY_SIGNAL[signal] ?? 'signal') }
}

const BY_SIGNAL: Readonly<Record<string, EndedBy>> = { SIGXCPU: 'cpu', SIGXFSZ: 'file_size' }

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EndedBy } from './contract.ts'
import { outcome, type Exit } from './outcome.ts'

interface Case {
  readonly exit: Exit
  readonly killedFor?: EndedBy
  readonly signalsAsCodes?: boolean
  readonly isShortOfMemory?: boolean
  readonly want: ReturnType<typeof outcome>
}

const code = (value: number): Exit => ({ code: value, signal: null })
const died = (signal: string): Exit => ({ code: null, signal })
const by = (endedBy: EndedBy, signal: string | null, exitCode: number | null = null) => ({ exitCode, signal, endedBy })

const cases: Record<string, Case> = {
  'an exit status': { exit: code(3), want: by('exit', null, 3) },
  'a status above 128 where it is no signal': { exit: code(137), want: by('exit', null, 137) },
  'the same where a wrapper says signals so': { exit: code(137), signalsAsCodes: true, want: by('signal', 'SIGKILL') },
  'no signal has that number': { exit: code(250), signalsAsCodes: true, want: by('exit', null, 250) },
  'a file over its size': { exit: died('SIGXFSZ'), want: by('file_size', 'SIGXFSZ') },
  'a file over its size, below a wrapper': { exit: code(153), signalsAsCodes: true, want: by('file_size', 'SIGXFSZ') },
  'CPU time': { exit: died('SIGXCPU'), want: by('cpu', 'SIGXCPU') },
  'killed by the kernel for want of memory': { exit: died('SIGKILL'), isShortOfMemory: true, want: by('memory', 'SIGKILL') },
  'another signal while something else was killed for want of memory': { exit: died('SIGTERM'), isShortOfMemory: true, want: by('signal', 'SIGTERM') },
  'killed by itself': { exit: died('SIGKILL'), want: by('signal', 'SIGKILL') },
  'ended by vp': { exit: died('SIGKILL'), killedFor: 'wall', isShortOfMemory: true, want: by('wall', 'SIGKILL') },
  'ended by vp, with a status of its own on the way': { exit: code(0), killedFor: 'output', want: by('output', 'SIGKILL') },
}

for (const [title, { exit, killedFor = null, signalsAsCodes = false, isShortOfMemory = false, want }] of Object.entries(cases))
  test(`how a run ended: ${title}`, () => assert.deepEqual(outcome(exit, { killedFor, signalsAsCodes, isShortOfMemory: () => isShortOfMemory }), want))

/**
 * Whether an attempt gets anywhere, by what its calls came to and never by what the model says of it. Four ways to go round
 * in circles, each with its name and its words.
 */
import { canonicalJson } from '../core/json.ts'
import type { ToolCall } from '../models/contract.ts'
import { changedFiles, failedLines, isWhole, testWords, type Result } from './context/story.ts'

export type LoopKind = 'same_call' | 'silent' | 'failing_calls' | 'same_failure'

export interface Circle {
  readonly loop: LoopKind
  readonly words: string
}

const SAME_CALLS = 3
/** Over all conversations of the attempt: what falls out of a small window and is read again for ever is a circle too. */
const SAME_CALLS_EVER = 8
const SILENT_ANSWERS = 3
const FAILING_CALLS = 8
const SAME_FAILURES = 6

export interface Progress {
  /** Before a call is made; `world` changes when anything in the tree changed. */
  call(call: ToolCall, world: string): Circle | null
  result(result: Result): Circle | null
  /** Of an answer that calls no tool. */
  silent(): Circle | null
  /** The conversation was built anew: what was read before may have to be read again. */
  forget(): void
}

export function openProgress(): Progress {
  const seen = new Map<string, number>()
  const ever = new Map<string, number>()
  let silent = 0
  let failing = 0
  let failure = { key: '', times: 0 }
  let hasChanged = false
  return {
    call(call, world) {
      silent = 0
      const key = `${world}\n${call.name}\n${canonicalJson(call.arguments)}`
      const times = (seen.get(key) ?? 0) + 1
      seen.set(key, times)
      if (times >= SAME_CALLS) return { loop: 'same_call', words: `the model made the same call three times while nothing changed: ${call.name}` }
      const timesEver = (ever.get(key) ?? 0) + 1
      ever.set(key, timesEver)
      return timesEver < SAME_CALLS_EVER
        ? null
        : { loop: 'same_call', words: `the model made the same call ${SAME_CALLS_EVER} times while nothing changed, each time forgotten: ${call.name}` }
    },
    result(result) {
      failing = result.code === null ? 0 : failing + 1
      if (failing >= FAILING_CALLS)
        return { loop: 'failing_calls', words: `${FAILING_CALLS} calls in a row failed, the last one, ${result.call.name}, with ${result.code}` }
      hasChanged ||= changedFiles(result).length > 0
      const words = testWords(result)
      if (words === null || !isWhole(result.call) || !hasChanged) return null
      hasChanged = false
      const key = failedLines(words).join('\n')
      failure = key !== '' && key === failure.key ? { key, times: failure.times + 1 } : { key, times: 1 }
      const [first = ''] = failedLines(words)
      return failure.times < SAME_FAILURES || key === ''
        ? null
        : { loop: 'same_failure', words: `${SAME_FAILURES} changes in a row left the same tests failing: ${first.replace(/^FAILED /, '').slice(0, 120)}` }
    },
    forget: () => seen.clear(),
    silent() {
      return ++silent < SILENT_ANSWERS ? null : { loop: 'silent', words: 'the model called no tool three times in a row' }
    },
  }
}

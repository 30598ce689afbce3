/** Questions at this terminal: letters and Enter, on stderr. Opened only where stdin and stderr are terminals. */
import { createInterface } from 'node:readline/promises'
import { VpError } from '../core/errors.ts'
import type { Caller, Dialogue } from '../operations/operation.ts'
import { clean, paint, type Screen } from '../surfaces/cli/finish.ts'
import { approveAskScreen, approveQuestion, approveView } from '../surfaces/cli/screens/approve.ts'
import { ASK_QUESTION, askLetters, askScreen } from '../surfaces/cli/screens/ask.ts'
import { questionLine, questionsHead } from '../surfaces/cli/screens/plan.ts'
import type { Look, Looks } from '../surfaces/cli/style.ts'
import type { CliProcess } from './cli.ts'

const QUIET_MS = 700
const FOLD_MS = 600_000

/** The terminal, and what ends a question without an answer. */
export interface Asking {
  readonly host: Pick<CliProcess, 'stdin' | 'stderr'>
  readonly looks: Looks
  /** Ctrl-C: at a prompt it answers nothing. */
  readonly pause: AbortSignal
}

/**
 * One line; what was typed before the question was drawn is dropped, and keys count only after a quiet moment. null
 * when nobody answered: end of input, Ctrl-C, or ten minutes of silence.
 */
async function line({ host, pause }: Asking, question: string): Promise<string | null> {
  host.stderr.write(question)
  // Whoever listened before may have let go of it; a question holds the process until it is over.
  host.stdin.resume().ref?.()
  for (let typed = true; typed && !pause.aborted;) {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
    typed = false
    while (host.stdin.read() !== null) typed = true
  }
  // An input that ended while it was quiet closes no reader that is opened after it.
  if (pause.aborted || host.stdin.readableEnded || host.stdin.destroyed) {
    host.stdin.pause()
    return null
  }
  const reader = createInterface({ input: host.stdin, output: host.stderr, terminal: false })
  const closed = new Promise<null>((resolve) => reader.once('close', () => resolve(null)))
  try {
    return await Promise.race([reader.question('', { signal: AbortSignal.any([AbortSignal.timeout(FOLD_MS), pause]) }), closed])
  } catch {
    return null
  } finally {
    reader.close()
    host.stdin.pause()
  }
}

/** null when nobody answered. Throws `cancelled` at Ctrl-C, which is no answer either. */
export async function askYesNo(asking: Asking, question: string): Promise<boolean | null> {
  const typed = await line(asking, question.endsWith(' ') ? question : `${question} `)
  refuseStopped(asking)
  return typed === null ? null : typed.trim().toLowerCase() === 'y'
}

function refuseStopped({ host, pause }: Asking): void {
  if (!pause.aborted) return
  host.stderr.write('\n')
  throw new VpError('cancelled', 'stopped at the question, which stays unanswered', { next: ['vp'] })
}

function show({ host, looks }: Asking, screen: (look: Look) => Screen): void {
  // A prompt is talk, whatever the screen calls it.
  const drawn = screen(looks.err)
  host.stderr.write(paint({ stdout: [], stderr: [...drawn.stdout, ...drawn.stderr] }, { out: looks.err, err: looks.err }).stderr)
}

const ANSWERS = { a: 'call', y: 'call', r: 'run', p: 'project', d: 'deny', n: 'deny' } as const

/** Puts a call to the person; whatever is no offered letter is `later`. */
export function confirmAt(asking: Asking): NonNullable<Caller['confirm']> {
  return async ({ ask, decision, approval, task, run, index, of, waits_ms }) => {
    const view = {
      approval,
      index: index ?? 1,
      of: of ?? 1,
      task: task ?? null,
      run: run ?? null,
      waits_ms: waits_ms ?? 0,
      wants: ask.wants,
      rule: decision.rule,
      reason: decision.reason,
      reaches: ask.reaches,
      undo: ask.undo,
      max_extent: ask.maxExtent,
      ...(ask.maxExtent === 'project' ? {} : { not_offered: 'this kind of call is never a standing rule' }),
    }
    show(asking, (look) => askScreen(view, look))
    const typed = await line(asking, ASK_QUESTION)
    if (typed === null && approval !== '') asking.host.stderr.write(`\nnote  approval ${approval} stays pending\n`)
    const letter = typed?.trim().toLowerCase() ?? ''
    const offered = [...askLetters(view), 'y', 'n'].includes(letter)
    return offered && letter in ANSWERS ? ANSWERS[letter as keyof typeof ANSWERS] : 'later'
  }
}

/** Planner questions, Enter takes the default; and what a person signs. */
export function dialogueAt(asking: Asking): Dialogue {
  return {
    answer: async (question, n, of) => {
      if (n === 1) show(asking, () => ({ stdout: [], stderr: [questionsHead(of)] }))
      const asked = paint({ stdout: [], stderr: [questionLine(clean(question), n - 1, of)] }, { out: asking.looks.err, err: asking.looks.err })
      const typed = await line(asking, `${asked.stderr.trimEnd()} `)
      refuseStopped(asking)
      return typed
    },
    approve: async (view) => {
      show(asking, (look) => approveAskScreen(approveView(view), look))
      return askYesNo(asking, approveQuestion(view.author))
    },
  }
}

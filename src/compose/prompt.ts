/** Questions at this terminal: letters and Enter, on stderr. Opened only where stdin and stderr are terminals. */
import { createInterface } from 'node:readline/promises'
import type { Caller } from '../operations/operation.ts'
import { paint } from '../surfaces/cli/finish.ts'
import { ASK_QUESTION, askScreen } from '../surfaces/cli/screens/ask.ts'
import type { Look } from '../surfaces/cli/style.ts'
import type { CliProcess } from './cli.ts'

const QUIET_MS = 700
const FOLD_MS = 600_000

/** One line, after what was typed before the question has been dropped. '' for Enter, end of input, or 10 minutes of silence. */
async function line(host: CliProcess, question: string): Promise<string> {
  host.stdin.resume()
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
  while (host.stdin.read() !== null) continue
  const reader = createInterface({ input: host.stdin, output: host.stderr, terminal: false })
  const timeout = AbortSignal.timeout(FOLD_MS)
  try {
    host.stderr.write(question)
    return (await reader.question('', { signal: timeout })).trim().toLowerCase()
  } catch {
    return '' // folded or closed: no answer is the answer that changes nothing
  } finally {
    reader.close()
    host.stdin.pause()
  }
}

export async function askYesNo(host: CliProcess, question: string): Promise<boolean> {
  return (await line(host, question.endsWith(' ') ? question : `${question} `)) === 'y'
}

export function confirmAt(host: CliProcess, look: Look): NonNullable<Caller['confirm']> {
  return async (ask, decision, approval) => {
    const view = {
      approval,
      index: 1,
      of: 1,
      task: null,
      title: null,
      waits_ms: 0,
      wants: ask.wants,
      rule: decision.rule,
      reason: decision.reason,
      reaches: ask.reaches,
      undo: ask.undo,
      max_extent: ask.maxExtent,
    }
    host.stderr.write(
      paint({ stdout: [], stderr: [...askScreen(view as never, look).stdout, ...askScreen(view as never, look).stderr] }, { out: look, err: look } as never)
        .stderr,
    )
    const answer = await line(host, ASK_QUESTION)
    if (answer === 'a' || answer === 'y') return 'call'
    if (answer === 'r') return 'run'
    if (answer === 'p' && ask.maxExtent === 'project') return 'project'
    return answer === 'd' || answer === 'n' ? 'deny' : 'later'
  }
}

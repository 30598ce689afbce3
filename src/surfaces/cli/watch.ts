/**
 * Watching a run from its own process: event lines as things happen. On a terminal with room the live view of
 * `live.ts` joins in; piped, every line is one event and a quiet minute says `alive`.
 */
import type { Watcher } from '../../operations/runs/watcher.ts'
import type { RunState, TaskState } from '../../pas/embedded/reducer/state.ts'
import type { CommandContext } from './command.ts'
import { paint } from './finish.ts'
import { eventLines, pipedEventLine, type EventView } from './screens/events.ts'

export interface Watching {
  readonly watcher: Watcher
  end(): void
}

const ALIVE_MS = 60_000

export function watchRun(context: CommandContext): Watching {
  const seen = new Map<string, string>()
  let last: RunState | null = null
  let lastSaid = context.ports.clock.monotonic()
  const say = (event: EventView) => {
    lastSaid = context.ports.clock.monotonic()
    if (context.json) return
    const lines = context.looks.lines ? [pipedEventLine(event)] : eventLines(event, context.looks.err)
    context.writeErr(paint({ stdout: [], stderr: lines }, { out: context.looks.out, err: context.looks.err }).stderr)
  }
  const onState = (state: RunState) => {
    last = state
    for (const id of state.order) {
      const task = state.tasks[id]
      if (!task) continue
      const mark = `${task.status}/${task.attempt}/${task.reason ?? ''}`
      const before = seen.get(id)
      seen.set(id, mark)
      // What was over before this process looked is no news; what runs at the first look is.
      if (before === mark || (before === undefined && task.status !== 'running')) continue
      const event = eventOf(context, state, task)
      if (event) say(event)
    }
  }
  const timer = setInterval(() => {
    if (!last || context.ports.clock.monotonic() - lastSaid < ALIVE_MS) return
    const running = Object.values(last.tasks).filter((task) => task.status === 'running').length
    say({
      t: context.ports.clock.now(),
      run: shortOf(last),
      task: null,
      event: 'alive',
      text: `${running} running`,
      fields: { running, cost_usd: last.micro_usd / 1e6 },
    })
  }, 5_000)
  timer.unref()
  return {
    watcher: { onState, onActivity: () => undefined },
    end: () => clearInterval(timer),
  }
}

const shortOf = (state: RunState): string => state.run_id.split('-').at(-1) ?? state.run_id

function eventOf(context: CommandContext, state: RunState, task: TaskState): EventView | null {
  const base = { t: context.ports.clock.now(), run: shortOf(state), task: task.card.payload.n }
  const cost = task.micro_usd / 1e6
  switch (task.status) {
    case 'succeeded': {
      const kpis = task.kpis
        .filter((kpi) => kpi.measured)
        .map((kpi) => (typeof kpi.value === 'number' ? `${kpi.kpi_name} ${kpi.value.toFixed(2)}` : kpi.kpi_name))
      const lines = task.lines ?? { files: 0, add: 0, del: 0 }
      return {
        ...base,
        event: 'done',
        text: [kpis.join(', '), `${lines.files} ${lines.files === 1 ? 'file' : 'files'} +${lines.add} -${lines.del}`].filter(Boolean).join(' · '),
        fields: {
          files: lines.files,
          add: lines.add,
          del: lines.del,
          cost_usd: cost,
          ms: (task.ended_at ?? 0) - (task.started_at ?? 0),
        },
      }
    }
    case 'failed':
      return {
        ...base,
        event: 'failed',
        text: task.reason ?? 'failed',
        fields: { reason: task.reason ?? '', attempt: task.attempt },
      }
    case 'skipped':
      return { ...base, event: 'failed', text: `skipped: ${task.reason ?? ''}`, fields: { reason: task.reason ?? '' } }
    case 'waiting_io':
      return {
        ...base,
        event: 'waits',
        text: `waits for you: vp approve ${task.waits_for ?? ''}`,
        fields: { approval: task.waits_for ?? '' },
      }
    case 'queued':
      return task.reason !== null && task.feedback !== null
        ? {
            ...base,
            event: 'again',
            text: `${task.reason} · attempt ${task.attempt + 1} of ${state.max_attempts}`,
            fields: { gate: task.reason, attempt: `${task.attempt + 1}/${state.max_attempts}` },
          }
        : null
    case 'running':
      return {
        ...base,
        event: 'start',
        text: `${task.card.payload.goal}${task.attempt > 1 ? ` · attempt ${task.attempt}` : ''}`,
        fields: { lane: task.card.lane, attempt: task.attempt },
      }
    default:
      return null
  }
}

/**
 * Watching a run from its own process. On a terminal with room: the live view, with finished things above it as
 * event lines. Piped, every line is one event and a quiet minute says `alive`. A call that asks waits in its row
 * until Enter opens it; where nothing else runs it is opened at once.
 */
import type { Caller, CallQuestion } from '../../operations/operation.ts'
import type { RunFacts, Watcher } from '../../operations/runs/watcher.ts'
import type { RunState, TaskState } from '../../pas/embedded/reducer/state.ts'
import type { CommandContext } from './command.ts'
import { doingAfter, noteNow, retryWords, toldEvent, type Activity, type Doing } from './doing.ts'
import { paint } from './finish.ts'
import { liveViewOf, type RowWords } from './live-view.ts'
import { openRegion, type Region } from './region.ts'
import { aliveFields, eventLines, pipedEventLine, type EventView } from './screens/events.ts'
import { liveFrame } from './screens/live.ts'
import { doPlanScreen } from './screens/small-change.ts'

export interface Watching {
  readonly live: NonNullable<Caller['live']>
  end(): void
}

export interface WatchOptions {
  /** One small change: its tests and edits are event lines, and there is no frame around its one row. */
  readonly steps: boolean
}

const ALIVE_MS = 60_000
const FRAME_MS = 250
const LONG_RUN_MS = 30_000
const BELL = '\x07'

interface Asked {
  readonly question: CallQuestion
  open(): Promise<void>
}

export function watchRun(context: CommandContext, options: WatchOptions = { steps: false }): Watching {
  const { clock } = context.ports
  const isLive = !context.looks.lines && !context.json
  const region: Region | null = isLive
    ? openRegion(
        (text) => context.writeErr(text),
        () => context.columns(),
      )
    : null
  const seen = new Map<string, string>()
  const doings = new Map<string, Doing>()
  const asked: Asked[] = []
  const startedAt = clock.monotonic()
  let last: RunState | null = null
  let lastSaid = clock.monotonic()
  let prompting = false
  let facts: RunFacts = { project: 'vp', test: null, backend: '' }
  const testCommand = () => facts.test ?? 'tests'
  const say = (event: EventView) => {
    lastSaid = clock.monotonic()
    if (context.json) return
    const lines = context.looks.lines && !context.looks.err.plain ? [pipedEventLine(event)] : eventLines(event, context.looks.err)
    const text = paint({ stdout: [], stderr: lines }, context.looks).stderr
    if (region) region.above(text)
    else context.writeErr(text)
  }
  const draw = () => {
    if (!region || !last || prompting) return
    const view = liveViewOf(last, {
      project: facts.project,
      run: shortOf(last),
      backend: facts.backend,
      now: clock.now(),
      keys: context.pause.aborted ? 'pausing, again to stop' : 'Ctrl-C pauses',
      words: (task) => rowWords(task, asked, doings.get(task.task_id), clock.monotonic()),
    })
    const lines = liveFrame(view, context.looks.err, Math.max(4, context.rows() - 2))
    region.draw(options.steps ? lines.slice(3).filter((line) => !line.startsWith('◌')) : lines)
  }
  const openNext = () => {
    const next = asked[0]
    if (!next || prompting) return
    prompting = true
    region?.erase()
    stdin().off('data', onEnter)
    void next.open().finally(() => {
      asked.shift()
      prompting = false
      listen()
      draw()
      if (asked.length > 0 && isAlone(last)) openNext()
    })
  }
  const onEnter = () => openNext()
  const stdin = () => context.streams.stdin
  /** For Enter, while no question is open: that alone keeps no process alive. A question does, and reads for itself. */
  const listen = () => {
    if (region) stdin().on('data', onEnter).resume().unref?.()
  }
  listen()

  const onState = (state: RunState) => {
    last = state
    for (const id of state.order) {
      const task = state.tasks[id]
      if (!task) continue
      const mark = `${task.status}/${task.attempt}/${task.reason ?? ''}`
      const before = seen.get(id)
      seen.set(id, mark)
      // The next attempt may have begun before anybody looked at how the last one ended.
      const failedBefore = task.status === 'running' && before?.startsWith(`running/${task.attempt - 1}/`)
      const again = failedBefore ? eventOf(clock.now(), state, { ...task, status: 'queued', attempt: task.attempt - 1 }, isLive || options.steps) : null
      if (again) say(options.steps && isLive ? asStep(again) : again)
      // What was over before this process looked is no news; what runs at the first look is.
      if (before === mark || (before === undefined && task.status !== 'running')) continue
      const event = eventOf(clock.now(), state, task, isLive || options.steps)
      if (event && !(options.steps && event.event === 'start' && isLive)) say(options.steps && isLive ? asStep(event) : event)
    }
    draw()
  }
  const onBegin = (begun: RunFacts) => void (facts = begun)
  const onPlan: Watcher['onPlan'] = (plan) => {
    if (!context.json) context.writeErr(paint(doPlanScreen({ ...plan, lane: plan.lane.replace(/^Code-/, '') }, context.looks.err), context.looks).stderr)
  }
  const onActivity = (task: TaskState, activity: Activity) => {
    doings.set(task.task_id, doingAfter(doings.get(task.task_id), activity, clock.monotonic(), testCommand()))
    if (!options.steps || activity.kind !== 'told' || !last) return
    const told = toldEvent(activity, testCommand())
    if (told)
      say({
        t: clock.now(),
        run: shortOf(last),
        task: isLive ? null : task.card.payload.n,
        event: told.verb,
        text: told.text,
        detail: isLive ? told.detail : [],
        fields: { text: told.text },
      })
  }
  const onRetry: Watcher['onRetry'] = (retry, task) => {
    const text = retryWords(retry)
    if (task) doings.set(task.task_id, { words: text, note: '', newsAt: clock.monotonic() })
    const of = { run: last ? shortOf(last) : '-', task: options.steps && isLive ? null : (task?.card.payload.n ?? null) }
    say({ t: clock.now(), ...of, event: 'again', text, fields: { text } })
    draw()
  }
  const onSwitch: Watcher['onSwitch'] = (text, task) => {
    if (task) doings.set(task.task_id, { words: text, note: '', newsAt: clock.monotonic() })
    const of = { run: last ? shortOf(last) : '-', task: options.steps && isLive ? null : (task?.card.payload.n ?? null) }
    say({ t: clock.now(), ...of, event: 'again', text, fields: { text } })
    draw()
  }
  const timer = setInterval(() => {
    draw()
    if (!last || isLive || clock.monotonic() - lastSaid < ALIVE_MS) return
    const running = Object.values(last.tasks).filter((task) => task.status === 'running')
    const oldest = running.toSorted((a, b) => (a.started_at ?? 0) - (b.started_at ?? 0))[0]
    const fields = aliveFields({
      running: running.length,
      waiting: asked.length,
      oldest: oldest?.card.payload.n ?? null,
      cost_usd: last.price_unknown ? null : last.micro_usd / 1e6,
    })
    say({ t: clock.now(), run: shortOf(last), task: null, event: 'alive', text: `${running.length} running`, fields })
  }, FRAME_MS)
  timer.unref()

  const put = context.caller.confirm
  const confirm: Caller['confirm'] =
    put &&
    ((question) =>
      new Promise((resolve) => {
        const since = clock.monotonic()
        const open = async () =>
          resolve(await put({ ...question, ...placeOf(last, question), index: 1, of: asked.length, waits_ms: clock.monotonic() - since }))
        asked.push({ question, open })
        if (context.kit().config.bell !== 'off') context.writeErr(BELL)
        if (isAlone(last)) openNext()
        else draw()
      }))
  return {
    live: { watcher: { onBegin, onPlan, onState, onActivity, onRetry, onSwitch }, pause: context.pause, ...(confirm ? { confirm } : {}) },
    end: () => {
      clearInterval(timer)
      stdin().off('data', onEnter)
      if (region) stdin().pause()
      region?.erase()
      if (isLive && clock.monotonic() - startedAt > LONG_RUN_MS && context.kit().config.bell !== 'off') context.writeErr(BELL)
    },
  }
}

/** The task and run that a question is about, as the prompt names them. */
function placeOf(state: RunState | null, question: CallQuestion): Pick<CallQuestion, 'task' | 'run'> {
  const task = state?.tasks[(question.taskId ?? '') as TaskState['task_id']]
  return state && task ? { task: { n: task.card.payload.n, name: task.card.payload.goal }, run: shortOf(state) } : {}
}

/** At most one task runs: a question holds up nothing else. */
function isAlone(state: RunState | null): boolean {
  return state === null || Object.values(state.tasks).filter((task) => task.status === 'running' || task.status === 'merging').length <= 1
}

const shortOf = (state: RunState): string => state.run_id.split('-').at(-1) ?? state.run_id

/** What a row says of a task: the question it waits with, or what its worker does. */
function rowWords(task: TaskState, asked: readonly Asked[], doing: Doing | undefined, now: number): RowWords {
  const question = asked.find((one) => one.question.taskId === task.task_id)?.question
  if (question) return { doing: question.ask.wants, note: '', waits: true }
  return doing ? { doing: doing.words, note: noteNow(doing, now), waits: false } : { doing: 'open its tree', note: '', waits: false }
}

/** Of one small change: no task number, no start (the plan's line was that), and what the gate found. */
function asStep(event: EventView): EventView {
  return event.event === 'done'
    ? { ...event, task: null, event: 'gate', text: `${event.text.split(' · ')[0]}, no test deleted or skipped` }
    : { ...event, task: null }
}

const DETAIL_LINES = 20

/** The last lines of what is told the next attempt; a single one that only says the reason again is no detail of it. */
export function feedbackLines({ feedback, reason }: Pick<TaskState, 'feedback' | 'reason'>): string[] {
  const lines = (feedback ?? '').split('\n').filter(Boolean)
  return lines.length === 1 && reason !== null && lines[0]?.includes(reason) ? [] : lines.slice(-DETAIL_LINES)
}

function eventOf(t: number, state: RunState, task: TaskState, detailed: boolean): EventView | null {
  const base = { t, run: shortOf(state), task: task.card.payload.n }
  const cost = state.price_unknown ? null : task.micro_usd / 1e6
  const detail = detailed ? feedbackLines(task) : []
  switch (task.status) {
    case 'succeeded':
      return doneEvent(base, task, cost)
    case 'failed':
      return { ...base, event: 'failed', text: task.reason ?? 'failed', detail, fields: { reason: task.reason ?? '', attempt: task.attempt } }
    case 'skipped':
      return { ...base, event: 'skipped', text: task.reason ?? '', fields: { reason: task.reason ?? '' } }
    case 'waiting_io':
      return { ...base, event: 'waits', text: `waits for you: vp approve ${task.waits_for ?? ''}`, fields: { approval: task.waits_for ?? '' } }
    case 'queued':
      return task.reason !== null && task.feedback !== null
        ? {
            ...base,
            event: 'again',
            text: `${task.reason} · attempt ${task.attempt + 1} of ${state.max_attempts}`,
            detail,
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

function doneEvent(base: Pick<EventView, 't' | 'run' | 'task'>, task: TaskState, cost: number | null): EventView {
  const kpis = task.kpis.filter((kpi) => kpi.measured).map((kpi) => (typeof kpi.value === 'number' ? `${kpi.kpi_name} ${kpi.value.toFixed(2)}` : kpi.kpi_name))
  const lines = task.lines ?? { files: 0, add: 0, del: 0 }
  return {
    ...base,
    event: 'done',
    text: [kpis.join(', '), `${lines.files} ${lines.files === 1 ? 'file' : 'files'} +${lines.add} -${lines.del}`].filter(Boolean).join(' · '),
    fields: {
      files: lines.files,
      add: lines.add,
      del: lines.del,
      cost_usd: cost === null ? null : Number(cost.toFixed(6)),
      ms: (task.ended_at ?? 0) - (task.started_at ?? 0),
    },
  }
}

/** For a command that shows no progress: it says at least why it waits, and which model goes on. `pause` is what ends it: the stop, where it has no runs. */
export function watchRetries({ talk }: Pick<CommandContext, 'talk'>, pause: AbortSignal): NonNullable<Caller['live']> {
  return {
    watcher: {
      onState: () => undefined,
      onActivity: () => undefined,
      onRetry: (retry) => talk(`note  ${retryWords(retry)}`),
      onSwitch: (words) => talk(`note  ${words}`),
    },
    pause,
  }
}

/**
 * The live view of a run as lines: one picture for 1 and for 1,000 tasks. Waiting rows, then running ones by age, as
 * many as fit. Pure; `region.ts` puts it on the terminal.
 */
import { bare, cells, cutEnd, cutMiddle, pad, padStart } from '../cells.ts'
import { duration, roughly, usd } from '../format.ts'
import { clean, finish } from '../finish.ts'
import { dots, taskNames } from '../layout.ts'
import { attention, isNarrow, signs, type Look } from '../style.ts'
import { countsText, type TaskCounts } from './status.ts'
import { spendOf } from './where-am-i.ts'

export interface LiveRow {
  readonly n: number
  readonly lane: string
  readonly state: 'waits' | 'runs' | 'again'
  /** A literal verb and its object: `edit src/a.ts`. */
  readonly doing: string
  /** `31 passed`, `212 tok`, `no reply 14s`; '' when there is nothing to say. */
  readonly note: string
  readonly cost_usd: number | null
  readonly ms: number
}

export interface LiveView {
  readonly project: string
  /** Shortest unique form. */
  readonly run: string
  readonly elapsed_ms: number
  readonly backend: string
  readonly total: number
  readonly counts: TaskCounts
  readonly cost_usd: number | null
  readonly budget_usd: number | null
  readonly runway_ms: number | null
  readonly left_ms: number | null
  readonly rows: readonly LiveRow[]
  readonly queue: readonly { readonly n: number; readonly after: readonly number[] }[]
  /** What Ctrl-C does now. */
  readonly keys: string
}

const SIGN = { waits: '?', runs: '▸', again: '↻' } as const
const BAR = 20
const QUEUE_SHOWN = 3

/** At most `height` lines of at most columns − 1 cells, ready to be written. */
export function liveFrame(raw: LiveView, look: Look, height: number): string[] {
  const view = clean(raw)
  const width = look.width - 2
  const head = [headLine(view, look, width), countsLine(view), spendLine(view, look)]
  const queue = view.queue.length > 0 ? [`◌ ${view.queue.length} queued${queueText(view.queue)}`] : []
  const room = Math.max(0, height - head.length - queue.length)
  const waiting = view.rows.filter((row) => row.state === 'waits')
  const running = view.rows.filter((row) => row.state !== 'waits').toSorted((a, b) => b.ms - a.ms || a.n - b.n)
  const all = [...waiting, ...running]
  const fits = all.length <= room ? all : all.slice(0, Math.max(0, room - 1))
  const more = all.length > fits.length && room > 0 ? [`  +${all.length - fits.length} running`] : []
  return [...head, ...fits.map((row) => rowLine(row, look, width)), ...more, ...queue]
    .slice(0, Math.max(1, height))
    .map((line) => finish({ ...look, width: 10_000 }, fit(line, look, width))[0] ?? '')
}

/** A line that is still too long gives up its end; marks are dropped with it. */
function fit(line: string, look: Look, width: number): string {
  return cells(signs(look, line)) <= width ? line : cutEnd(look, bare(line), width)
}

function headLine(view: LiveView, look: Look, width: number): string {
  const left = dots(view.project, `run ${view.run}`)
  const right = dots(wholeSeconds(view.elapsed_ms), view.backend, view.keys)
  const rule = width - cells(signs(look, left)) - cells(signs(look, right)) - 2
  return rule < 3 ? left : `${left} ${'─'.repeat(rule)} ${right}`
}

/** The clock moves once a second, not at every frame. */
function wholeSeconds(ms: number): string {
  return ms < 1000 ? '<1s' : duration(Math.floor(ms / 1000) * 1000)
}

function countsLine(view: LiveView): string {
  const { done, ...rest } = view.counts
  return countsText({ done, ...rest }).replace(/^\d+ done/, `${done} of ${view.total} done`)
}

function spendLine(view: LiveView, look: Look): string {
  const tail = dots(
    view.runway_ms !== null && view.runway_ms > 0 && `runway ${roughly(view.runway_ms)}`,
    view.left_ms !== null && `about ${roughly(view.left_ms)} left est.`,
  )
  const spend = spendOf(view.cost_usd, view.budget_usd)
  if (view.budget_usd === null || view.budget_usd === 0 || view.cost_usd === null || isNarrow(look)) return dots(spend, tail)
  const full = Math.min(BAR, Math.round((view.cost_usd / view.budget_usd) * BAR))
  return `${spend} ${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${tail}`.trimEnd()
}

function rowLine(row: LiveRow, look: Look, width: number): string {
  const sign = row.state === 'waits' ? attention(SIGN.waits) : SIGN[row.state]
  const task = `T${row.n}`.padEnd(3)
  const time = wholeSeconds(row.ms)
  if (isNarrow(look)) return `${sign} ${task} ${cutDoing(row.doing, look, width - 7 - cells(time))} ${time}`
  const lane = pad(look, cutEnd(look, row.lane, 11), 11)
  const space = width - 18 - 13
  const wide = row.note === '' ? space - 1 : Math.min(24, space - 1)
  const doing = pad(look, cutDoing(row.doing, look, wide), row.note === '' ? space : 25)
  const note = row.note === '' ? '' : pad(look, cutEnd(look, row.note, space - 26), space - 25)
  const cost = usd(row.cost_usd)
  return `${sign} ${task} ${lane} ${doing}${note}${cost}${padStart(look, time, 13 - cells(cost))}`
}

/** Paths give up their middle, everything else its end. */
function cutDoing(doing: string, look: Look, width: number): string {
  const [verb = '', object = ''] = /^(\S+) (.*)$/su.exec(doing)?.slice(1) ?? [doing]
  if (/^(read|edit|write|patch|list)$/.test(verb)) return `${verb} ${cutMiddle(look, object, width - verb.length - 1)}`
  return cutEnd(look, doing, width)
}

/** `: T15 T16 after T3, T17 after T5, 4 more`, tasks that wait for the same ones together. */
function queueText(queue: LiveView['queue']): string {
  const groups = new Map<string, number[]>()
  for (const task of queue) groups.set(taskNames(task.after), [...(groups.get(taskNames(task.after)) ?? []), task.n])
  const parts: string[] = []
  let shown = 0
  for (const [after, tasks] of groups) {
    if (shown >= QUEUE_SHOWN) break
    const some = tasks.slice(0, QUEUE_SHOWN - shown)
    shown += some.length
    parts.push(after === '' ? taskNames(some) : `${taskNames(some)} after ${after}`)
  }
  if (queue.length > shown) parts.push(`${queue.length - shown} more`)
  return `: ${parts.join(', ')}`
}

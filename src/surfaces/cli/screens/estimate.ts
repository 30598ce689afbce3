/** `vp estimate` and `vp simulate`: the price with its doubt, one picture for both. */
import { cells } from '../cells.ts'
import { measured, threshold } from '../../../core/gate-words.ts'
import { count as counted, durationBand, energy, roughly, tokenBand, usd, usdBand } from '../format.ts'
import { renderer } from '../finish.ts'
import { dots, nextLines, table } from '../layout.ts'
import { attention, hang, isNarrow, type Look } from '../style.ts'
import { axis, bandPicture, drawsPictures, scaleFor, type Scale } from './band-picture.ts'

export interface BandView {
  readonly mean: number
  readonly ci_90: readonly [number, number]
}

export interface BandsView {
  readonly tokens: BandView
  readonly duration_ms: BandView
  /** null: the price is unknown. */
  readonly cost_usd: BandView | null
  readonly energy_kwh: BandView | null
}

export interface LaneBandsView extends BandsView {
  readonly lane: string
  readonly tasks: number
  /** `prior`, `runs`. */
  readonly method: string
  /** Observations behind it. */
  readonly n: number
}

export interface EstimateView {
  readonly lanes: readonly LaneBandsView[]
  readonly total: BandsView & { readonly tasks: number; readonly method?: string; readonly n?: number }
  readonly parallel?: number
  readonly next?: readonly string[]
  /** What the first of `next` would cost. */
  readonly next_cost_usd?: number | null
}

/** Where the picture begins: lane 11, tasks 5, tokens 8, time 6, cost 10 and their gaps. */
const WIDTHS = { lane: 11, tasks: 5, tokens: 8, time: 6, cost: 10 }

interface Row {
  readonly label: string
  /** null: the row has no tasks of its own. */
  readonly tasks: number | null
  readonly bands: BandsView
}

export const estimateScreen = renderer<EstimateView>((view, look) => ({
  stdout: [
    ...bandTable(
      look,
      [...view.lanes.map((lane) => ({ label: lane.lane, tasks: lane.tasks, bands: lane })), { label: 'all', tasks: view.total.tasks, bands: view.total }],
      true,
    ),
    dots(meanText(view.total), methodText(view.lanes)),
    dots(energyText(view.total.energy_kwh), view.parallel !== undefined && `${view.parallel} at once`, 'your reading time not included'),
  ],
  stderr: pricedNext(view.next ?? ['vp simulate --rehearsal 0.01'], view.next_cost_usd),
}))

function pricedNext(next: readonly string[], cost: number | null | undefined): string[] {
  const lines = nextLines(next)
  const last = lines.at(-1)
  if (cost === undefined || cost === null || last === undefined) return lines
  return [...lines.slice(0, -1), `${last} (about ${usd(cost)} est.)`]
}

function meanText(total: BandsView): string {
  return `90 % bands, mean ${total.cost_usd === null ? 'price unknown' : usd(total.cost_usd.mean)}`
}

/** `Impl from 14 runs, the others prior ±50 %`. */
function methodText(lanes: readonly LaneBandsView[]): string {
  const known = lanes.filter((lane) => lane.method === 'runs' || (lane.method !== 'prior' && lane.n > 0))
  if (known.length === 0) return 'no runs yet: prior ±50 %'
  const from = known.map((lane) => `${lane.lane} from ${counted(lane.n, 'run')}`).join(', ')
  return known.length === lanes.length ? from : `${from}, the others prior ±50 %`
}

function energyText(band: BandView | null): string {
  if (band === null) return 'energy not measured'
  return `${energy({ lo: band.ci_90[0], hi: band.ci_90[1], source: 'estimate' })} (power × time)`
}

function bandTable(look: Look, rows: readonly Row[], head: boolean): string[] {
  if (isNarrow(look)) return rows.flatMap((row) => narrowRow(look, row))
  const texts = rows.map(rowTexts)
  const width = (key: keyof typeof WIDTHS) => Math.max(WIDTHS[key], ...texts.map((text) => cells(text[key])))
  const columns = {
    lane: width('lane'),
    tasks: width('tasks'),
    tokens: width('tokens'),
    time: width('time'),
    cost: width('cost'),
  }
  const left = (text: Record<keyof typeof WIDTHS, string>) =>
    [
      fill(text.lane, columns.lane),
      text.tasks.padStart(columns.tasks),
      fill(text.tokens, columns.tokens),
      fill(text.time, columns.time),
      fill(text.cost, columns.cost),
    ].join('  ')
  const start = columns.lane + columns.tasks + columns.tokens + columns.time + columns.cost + 11
  const scale = drawsPictures(look, look.width - start) ? scaleFor(highest(rows), look.width - start) : null
  const first = head ? { lane: 'lane', tasks: 'tasks', tokens: 'tokens', time: 'time', cost: 'cost' } : { lane: '', tasks: '', tokens: '', time: '', cost: '' }
  const top = head || scale !== null ? [`${left(first)}   ${scale === null ? '' : axis(scale)}`.trimEnd()] : []
  return [...top, ...rows.map((row, index) => `${left(texts[index] ?? first)}   ${picture(scale, row)}`.trimEnd())]
}

function fill(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - cells(text)))
}

function highest(rows: readonly Row[]): number {
  return Math.max(0, ...rows.map((row) => row.bands.cost_usd?.ci_90[1] ?? 0))
}

function picture(scale: Scale | null, row: Row): string {
  const cost = row.bands.cost_usd
  if (scale === null || cost === null) return ''
  return bandPicture(scale, { low: cost.ci_90[0], mean: cost.mean, high: cost.ci_90[1] })
}

function rowTexts(row: Row): Record<keyof typeof WIDTHS, string> {
  const { tokens, duration_ms, cost_usd } = row.bands
  return {
    lane: row.label,
    tasks: row.tasks === null ? '' : String(row.tasks),
    tokens: tokenBand(...tokens.ci_90),
    time: durationBand(...duration_ms.ci_90),
    cost: cost_usd === null ? 'unknown' : usdBand(...cost_usd.ci_90),
  }
}

function narrowRow(look: Look, row: Row): string[] {
  const text = rowTexts(row)
  const head = row.tasks === null ? text.lane : `${text.lane}: ${counted(row.tasks, 'task')}`
  const fields = [`tokens: ${text.tokens}`, `time: ${text.time}`, `cost: ${text.cost}`]
  return look.plain ? [[head, ...fields].join('. ')] : [head, ...fields.map((field) => `  ${field}`)]
}

export type RiskWord = 'low' | 'medium' | 'high'

export interface RiskRow {
  readonly lane: string
  readonly estimate: RiskWord
  readonly execution: RiskWord
  readonly gates: RiskWord
  /** What stands behind a high one: `readability 12.6, gate is <= 12`. */
  readonly note?: string
  readonly kpi?: { readonly name: string; readonly actual: number | boolean | null; readonly threshold: unknown }
}

export interface SimulateView {
  /** Asked share, 0.01. */
  readonly rehearsal_pct: number
  readonly tasks_run: number
  readonly tasks_total: number
  /** Lanes drawn from: every lane gives at least one. */
  readonly lanes: number
  readonly estimated: BandsView
  readonly rehearsed: BandsView
  readonly risk: readonly RiskRow[]
  readonly runway: {
    readonly budget_usd: number
    readonly lasts_ms: readonly [number, number]
    readonly needs_ms: readonly [number, number]
  } | null
  readonly spent_usd: number | null
  readonly warnings?: readonly string[]
  readonly next?: readonly string[]
}

export const simulateScreen = renderer<SimulateView>((view, look) => ({
  stdout: [
    `${view.tasks_run} of ${counted(view.tasks_total, 'task')} run for real in throw-away worktrees (${shareText(view)})`,
    ...bandTable(
      look,
      [
        { label: 'estimated', tasks: null, bands: view.estimated },
        { label: 'rehearsed', tasks: null, bands: view.rehearsed },
      ],
      false,
    ),
    ...riskTable(look, view.risk),
    dots(view.runway && runwayText(view.runway), `${usd(view.spent_usd)} spent`),
  ],
  stderr: [...(view.warnings ?? []).map((warning) => hang(attention('warn'), 7) + warning), ...nextLines(view.next ?? [])],
}))

function shareText(view: SimulateView): string {
  const asked = `${Math.round(view.rehearsal_pct * 1000) / 10} % asked`
  return view.tasks_run > 0 && view.tasks_run === view.lanes ? `${asked}, ${view.tasks_run} is one a lane` : asked
}

function riskTable(look: Look, risk: readonly RiskRow[]): string[] {
  if (risk.length === 0) return []
  const columns = [{ head: 'risk', width: 11 }, { head: 'estimate' }, { head: 'execution' }, { head: 'gates', gap: 2 }, { head: '' }]
  return table(
    look,
    columns,
    risk.map((row) => [row.lane, row.estimate, row.execution, row.gates, noteOf(row)]),
  )
}

function noteOf(row: RiskRow): string {
  if (row.note !== undefined) return row.note
  return row.kpi ? `${row.kpi.name} ${measured(row.kpi.actual)}, gate is ${threshold(row.kpi.threshold)}` : ''
}

function runwayText(runway: NonNullable<SimulateView['runway']>): string {
  const lasts = durationBand(...runway.lasts_ms)
  const needs = runway.needs_ms[0] === runway.needs_ms[1] ? roughly(runway.needs_ms[0]) : durationBand(...runway.needs_ms)
  return `${usd(runway.budget_usd)} would last ${lasts} at this rate, the plan needs ${needs}`
}

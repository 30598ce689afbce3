/** `vp model list`: which model stands behind which tier, its price, its window, what it has passed. */
import { duration, grouped } from '../format.ts'
import { renderer } from '../finish.ts'
import { dots, labelled, nextLines, table, type Column } from '../layout.ts'
import { isNarrow, type Look } from '../style.ts'
import { driftLines, type DriftView } from './drift.ts'

export interface ModelView {
  readonly model: string
  /** Dollars a million tokens, in and out; null: unknown. */
  readonly price: { readonly in_per_million_usd: number; readonly out_per_million_usd: number } | null
  readonly window_tokens: number | null
  /** null: never tested. */
  readonly tests: { readonly passed: number; readonly of: number } | null
  readonly p50_ms?: number | null
}

export interface ModelListView {
  readonly tiers: readonly { readonly name: string; readonly models: readonly ModelView[] }[]
  readonly policy?: string | null
  readonly prices_of?: string | null
  /** The one that a person named: no other is used. */
  readonly named?: string | null
  readonly next?: readonly string[]
}

export const modelListScreen = renderer<ModelListView>((view, look) => {
  const names = view.tiers.flatMap((tier) => tier.models.map(({ model }) => model.length))
  const room = isNarrow(look) ? Infinity : Math.max(20, look.width - BESIDE_NAMES)
  const rows = view.tiers.flatMap((tier) => tier.models.flatMap((model, index) => modelRows(index === 0 ? tier.name : '', modelCells(model), room)))
  const columns: Column[] = [
    { head: 'tier' },
    { head: 'model', width: Math.min(room, Math.max(5, ...names)), fixed: true },
    { head: '$/1M in, out', gap: 3 },
    { head: 'window', width: 7 },
    { head: 'tests', width: 6, fixed: true },
    { head: 'p50' },
  ]
  return {
    stdout: [
      ...table(look, columns, rows),
      dots(
        view.policy && `policy ${view.policy}`,
        view.prices_of && `prices of ${view.prices_of}`,
        view.named ? `${view.named} is used` : 'the cheapest that passed is used',
      ),
    ],
    stderr: nextLines(view.next ?? []),
  }
})

/** Of the other columns, as wide as they usually are. */
const BESIDE_NAMES = 52

/** A name that leaves no room for its figures has a line of its own, above them. */
function modelRows(tier: string, [name = '', ...figures]: readonly string[], room: number): string[][] {
  return name.length > room
    ? [
        [tier, name],
        ['', '', ...figures],
      ]
    : [[tier, name, ...figures]]
}

function modelCells(model: ModelView): string[] {
  const p50 = model.p50_ms === undefined || model.p50_ms === null ? '' : duration(model.p50_ms)
  // The words would run into the next column, which has a value here.
  const none = p50 === '' ? 'not measured' : '-'
  const tests = model.tests === null ? none : `${model.tests.passed} of ${model.tests.of}`
  return [model.model, priceText(model.price), model.window_tokens === null ? 'unknown' : grouped(model.window_tokens), tests, p50]
}

function priceText(price: ModelView['price']): string {
  if (price === null) return 'unknown'
  if (price.in_per_million_usd === 0 && price.out_per_million_usd === 0) return '0'
  return `${price.in_per_million_usd.toFixed(2)}, ${price.out_per_million_usd.toFixed(2)}`
}

export interface ModelShownView {
  readonly model: string
  readonly tier: string
  readonly local: boolean
  readonly endpoint: string
  readonly price: ModelView['price']
  readonly price_from: string
  readonly window_tokens: number | null
  readonly preset: { readonly name: string; readonly dialect: string; readonly download_gb: number; readonly vram_gb: number; readonly licence: string } | null
  readonly tools: readonly string[]
  readonly limits: { readonly max_cost_per_min_usd: number; readonly max_tokens_per_min: number; readonly p50_ms: number; readonly p95_ms: number } | null
  readonly digest: string | null
  readonly health: { readonly state: string; readonly p50_ms: number | null; readonly p95_ms: number | null; readonly calls: number }
  readonly tests: readonly TestedView[]
  readonly policy: { readonly version: string }
}

export interface TestedView {
  readonly test: string
  readonly passed: boolean
  readonly score: number
  readonly min_score: number
  readonly evidence: readonly { readonly what: string; readonly ok: boolean; readonly saw: string }[]
  readonly ms: number
  readonly tokens: number
}

export interface ModelTestedView extends DriftView {
  readonly tier: string
  readonly digest: string | null
  readonly policy: string
  readonly tests: readonly TestedView[]
  readonly cost_usd: number
}

function testRows(tests: readonly TestedView[], look: Look): string[] {
  if (tests.length === 0) return ['', 'no capability test has been made']
  const columns: Column[] = [{ head: 'test' }, { head: 'score', align: 'end' }, { head: 'of', align: 'end' }, { head: 'time' }, { head: 'evidence' }]
  const rows = tests.map(({ test, passed, score, min_score, ms, evidence }) => {
    const broken = evidence.find(({ ok }) => !ok)
    const words = broken ? `${broken.what}: ${broken.saw}` : `${evidence.length} of ${evidence.length}: ${evidence.at(-1)?.what ?? ''}`
    return [`${passed ? '✓' : '✗'} ${test}`, score.toFixed(2), min_score.toFixed(2), duration(ms), words.slice(0, 60)]
  })
  return ['', ...table(look, columns, rows)]
}

function healthWords({ state, p50_ms, p95_ms, calls }: ModelShownView['health']): string {
  const states: Readonly<Record<string, string>> = {
    ok: 'well',
    failed: 'failed less than 30 s ago',
    open: 'left alone for a while: it failed again and again',
    half_open: 'about to be tried again',
  }
  const times =
    p50_ms === null || p95_ms === null ? 'no call in the last hour' : `${calls} calls in the last hour, p50 ${duration(p50_ms)}, p95 ${duration(p95_ms)}`
  return dots(states[state] ?? state, times)
}

export const modelTestedScreen = renderer<ModelTestedView>((view, look) => ({
  stdout: [
    dots(view.model, view.tier, view.digest?.slice(0, 12), `policy ${view.policy}`),
    ...testRows(view.tests, look),
    '',
    dots(
      `${view.tests.filter((one) => one.passed).length} of ${view.tests.length} passed`,
      view.cost_usd > 0 ? `$${view.cost_usd.toFixed(4)}` : '$0',
      `${grouped(view.tests.reduce((sum, one) => sum + one.tokens, 0))} tokens`,
    ),
  ],
  stderr: [...driftLines(view), ...nextLines(view.tests.every((one) => one.passed) ? ['vp model list'] : ['vp model show', 'vp model list'])],
}))

export const modelShownScreen = renderer<ModelShownView>(({ model, preset, limits, ...view }, look) => ({
  stdout: [
    labelled('model', dots(model, view.tier, view.local ? 'this machine' : view.endpoint)),
    labelled('price', view.price === null ? 'unknown' : dots(`${priceText(view.price)} $/1M in, out`, view.price_from)),
    labelled('window', dots(view.window_tokens === null ? 'unknown' : `${grouped(view.window_tokens)} tokens`, preset && `${preset.dialect} calls`)),
    ...(preset ? [labelled('needs', dots(`${preset.vram_gb} GB of VRAM`, `${preset.download_gb} GB to pull`, preset.licence))] : []),
    ...(view.tools.length > 0 ? [labelled('for', view.tools.join(', '))] : []),
    ...(limits
      ? [
          labelled(
            'limits',
            dots(
              `${grouped(limits.max_tokens_per_min)} tokens/min`,
              limits.max_cost_per_min_usd > 0 && `$${limits.max_cost_per_min_usd.toFixed(2)}/min`,
              `p50 ${duration(limits.p50_ms)}, p95 ${duration(limits.p95_ms)}`,
            ),
          ),
        ]
      : []),
    labelled('policy', view.policy.version),
    ...(view.digest === null ? [] : [labelled('digest', view.digest.slice(0, 12))]),
    labelled('seen', healthWords(view.health)),
    ...testRows(view.tests, look),
  ],
  stderr: [],
}))

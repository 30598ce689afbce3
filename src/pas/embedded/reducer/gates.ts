/**
 * KPI gates: names, thresholds, verdicts. Source: contracts/pas.md section 11. Pure.
 */
import { measured, threshold } from '../../../core/gate-words.ts'
import { VpError, type ErrorDetails } from '../../../core/errors.ts'
import type { KpiResult, PasLane, TaskStatus, Threshold, Violation } from '../../contract/types.ts'
import type { RunState } from './state.ts'

export interface Gate {
  readonly kpi_name: string
  readonly threshold: Threshold
}

/** The shipped gates; a lane's others join when their runners are built. */
export const LANE_GATES: Readonly<Record<PasLane, readonly Gate[]>> = {
  'Code-Impl': [
    { kpi_name: 'test_pass_rate', threshold: { min: 0.9 } },
    { kpi_name: 'linter_pass', threshold: { expected: true } },
  ],
  'Code-API-Design': [{ kpi_name: 'linter_pass', threshold: { expected: true } }],
  'Data-Schema': [{ kpi_name: 'linter_pass', threshold: { expected: true } }],
  'Data-Loader': [{ kpi_name: 'linter_pass', threshold: { expected: true } }],
  Narrative: [],
  'Graph-Ops': [],
  'Vector-Ops': [],
}

/** Of every lane, where the project has what they measure: a person's commit would have to pass it too. */
export const REPOSITORY_GATES: readonly Gate[] = [{ kpi_name: 'pre_commit', threshold: { expected: true } }]

const ALIASES: Readonly<Record<string, string>> = {
  bleu: 'BLEU',
  bleu_score: 'BLEU',
  readability_grade: 'readability',
  index_freshness_sec: 'index_freshness',
  graph_edge_count_delta: 'edge_count_delta',
}

export function canonicalKpi(name: string): string {
  return ALIASES[name.toLowerCase()] ?? name
}

/** A value that is missing or of another type never passes. */
export function kpiPasses(threshold: Threshold | number, value: unknown): boolean {
  const rule: Threshold = typeof threshold === 'number' ? { min: threshold } : threshold
  if ('expected' in rule) return value === rule.expected
  if (typeof value !== 'number' || !Number.isFinite(value)) return false
  if ('min' in rule) return value >= rule.min
  if ('max' in rule) return value <= rule.max
  return value < rule.lt
}

export function validateRun(kpiFlags: readonly boolean[], statuses: readonly TaskStatus[]): { status: 'completed' | 'needs_review'; validation_pass: boolean } {
  const pass = kpiFlags.every(Boolean) && !statuses.includes('failed')
  return { status: pass ? 'completed' : 'needs_review', validation_pass: pass }
}

/** What stands against completing, from the tasks alone. */
export function openViolations(state: RunState): Violation[] {
  return state.order.flatMap((id) => {
    const task = state.tasks[id]
    if (!task) return []
    const named = task.status === 'succeeded' ? [] : task.violations
    const kpis = task.kpis.filter((kpi) => kpi.measured && !kpi.pass).map((kpi) => kpiViolation(kpi, task.task_id))
    const failed: Violation[] = task.status === 'failed' ? [{ kind: 'task failed', name: task.reason ?? 'failed', task_id: task.task_id }] : []
    return [...named, ...kpis, ...failed]
  })
}

export function kpiViolation(kpi: KpiResult, taskId: Violation['task_id']): Violation {
  return { kind: 'kpi', name: kpi.kpi_name, task_id: taskId, actual: kpi.value, expected: kpi.threshold }
}

/** One line that says what kind of breach it is before it names the thing. */
export function violationWords({ kind, name }: Violation): string {
  if (kind === 'tests not measured') return `gate.unmeasured: ${name}`
  return kind === 'kpi' || kind === 'task failed' ? name : `${kind} “${name}”`
}

/** The same with value, gate, first failure and task, as far as the run knows them. `whole` are the gates of its head. */
export function breachWords(state: RunState, violation: Violation, whole: readonly KpiResult[] = state.whole?.kpis ?? []): string {
  if (violation.kind !== 'kpi') return violationWords(violation)
  const { name, task_id, actual = null, expected } = violation
  const task = task_id === null ? undefined : state.tasks[task_id]
  const first = (task?.kpis ?? whole).find((kpi) => kpi.kpi_name === name)?.first_failure
  return `${name} ${measured(actual)}, gate is ${threshold(expected)}${first ? `, first “${first}”` : ''} (${task ? `T${task.card.payload.n}` : 'all'})`
}

/** What keeps a run from being completed, the first of it in words; null where nothing does. */
export function firstBreach(state: RunState): string | null {
  const failed = (state.whole?.kpis ?? []).filter((kpi) => kpi.measured && !kpi.pass).map((kpi) => kpiViolation(kpi, null))
  const [first] = [...openViolations(state), ...(state.whole?.violations ?? []), ...failed]
  return first ? breachWords(state, first) : null
}

/** The error of a breach in these words. */
export function breachError(words: string, details: ErrorDetails): VpError {
  const unmeasured = /^gate\.unmeasured: (.*)/s.exec(words)?.[1]
  return unmeasured === undefined ? new VpError('gate.failed', words, details) : new VpError('gate.unmeasured', unmeasured, details)
}

/** A breach that no value of a KPI shows. */
const NAMED: ReadonlySet<string> = new Set([
  'test deleted',
  'test skipped',
  'test broken',
  'test did not run',
  'setting changed',
  'foreign content changed',
  'protected file written',
  'conflict left',
])

/** Gates that held, of those measured. What no value shows is a gate too, once a task and kind: a deleted test is not “all held”. */
export function gateTally(
  kpis: readonly Pick<KpiResult, 'measured' | 'pass'>[],
  violations: readonly { readonly kind: string; readonly task: string | null }[],
): { held: number; of: number } {
  const measured = kpis.filter((kpi) => kpi.measured)
  const breaches = new Set(violations.filter(({ kind }) => NAMED.has(kind)).map(({ kind, task }) => `${task ?? ''}/${kind}`))
  return { held: measured.filter((kpi) => kpi.pass).length, of: measured.length + breaches.size }
}

/** Of a run as it stands: its tasks, and its head as a whole once that was validated. */
export function runTally(state: RunState): { held: number; of: number } {
  const kpis = [...Object.values(state.tasks).flatMap((task) => task.kpis), ...(state.whole?.kpis ?? [])]
  const violations = [...openViolations(state), ...(state.whole?.violations ?? [])]
  return gateTally(
    kpis,
    violations.map(({ kind, task_id }) => ({ kind, task: task_id })),
  )
}

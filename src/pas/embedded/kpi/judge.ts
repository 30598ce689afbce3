/**
 * The verdict on a tree: KPI gates of the lane, and what became of the tests. What cannot be measured follows
 * contracts/pas.md section 11: unmeasurable on the base too, it gates nothing; measurable there, it is a violation.
 */
import { measured, threshold } from '../../../core/gate-words.ts'
import type { TaskId } from '../../../core/ids.ts'
import type { KpiResult, Violation } from '../../contract/types.ts'
import { kpiPasses, type Gate } from '../reducer/gates.ts'
import { compareReports } from './compare.ts'
import { crashWords, type LintMeasurement, type TestMeasurement } from './measure.ts'

export interface Evidence {
  readonly tests: TestMeasurement | null
  readonly lint: LintMeasurement | null
}

export interface Verdict {
  readonly pass: boolean
  readonly kpis: readonly KpiResult[]
  readonly violations: readonly Violation[]
  readonly reason: string
  readonly feedback: string
}

export function judge(gates: readonly Gate[], base: Evidence, now: Evidence, taskId: TaskId | null): Verdict {
  const kpis = gates.map((gate) => measureKpi(gate, base, now)).filter((kpi): kpi is KpiResult => kpi !== null)
  const violations: Violation[] = base.tests && now.tests ? compareReports(base.tests.report, now.tests.report, taskId) : []
  const failed = kpis.filter((kpi) => kpi.measured && !kpi.pass)
  const pass = failed.length === 0 && violations.length === 0
  return {
    pass,
    kpis,
    violations,
    reason: pass ? '' : reasonOf(failed, violations),
    feedback: pass ? '' : feedbackOf(failed, violations, now),
  }
}

function measureKpi(gate: Gate, base: Evidence, now: Evidence): KpiResult | null {
  const value = valueOf(gate.kpi_name, now)
  const before = valueOf(gate.kpi_name, base)
  const shape = { kpi_name: gate.kpi_name, threshold: gate.threshold }
  if (value === undefined) return null // no runner for it in this build
  if (value === null && (before === null || before === undefined))
    return { ...shape, value: null, pass: null, measured: false, why: whyNot(gate.kpi_name, now) }
  if (value === null)
    return {
      ...shape,
      value: gate.kpi_name === 'linter_pass' ? false : 0,
      pass: false,
      measured: true,
      first_failure: whyNot(gate.kpi_name, now),
    }
  const pass = kpiPasses(gate.threshold, value) || (gate.kpi_name === 'linter_pass' && before === false)
  const first = firstFailure(gate.kpi_name, now)
  return { ...shape, value, pass, measured: true, ...(pass || first === null ? {} : { first_failure: first }) }
}

function valueOf(kpi: string, evidence: Evidence): number | boolean | null | undefined {
  if (kpi === 'test_pass_rate') return evidence.tests ? evidence.tests.pass_rate : null
  if (kpi === 'linter_pass') return evidence.lint ? evidence.lint.pass : null
  return undefined
}

function whyNot(kpi: string, now: Evidence): string {
  if (kpi === 'linter_pass') return now.lint ? `the linter was ended by ${now.lint.ended_by}, exit ${now.lint.exit_code ?? 'unknown'}` : 'no linter is known'
  return now.tests ? crashWords(now.tests) : 'no test command is known'
}

/** What stands against a run that only its tests can prove, when they could be measured neither before nor now; else null. */
export function unproved(now: Evidence, taskId: TaskId | null): Violation | null {
  if (now.tests && now.tests.pass_rate !== null) return null
  return { kind: 'tests not measured', name: whyNot('test_pass_rate', now), task_id: taskId }
}

function firstFailure(kpi: string, now: Evidence): string | null {
  if (kpi === 'linter_pass') return now.lint?.output.split('\n')[0] ?? null
  return now.tests?.report.tests.find((test) => test.status === 'failed')?.name ?? null
}

/** One line that names the thing before any number. */
function reasonOf(failed: readonly KpiResult[], violations: readonly Violation[]): string {
  const violation = violations[0]
  if (violation) return `${violation.kind}: ${violation.name}`
  const kpi = failed[0]
  return kpi ? `${kpi.kpi_name} failed${kpi.first_failure ? `, ${kpi.first_failure}` : ''}` : 'failed'
}

function feedbackOf(failed: readonly KpiResult[], violations: readonly Violation[], now: Evidence): string {
  const lines = violations
    .slice(0, 8)
    .map((violation) => `- ${violation.kind}: ${violation.name}${violation.file ? ` (${violation.file}${violation.line ? `:${violation.line}` : ''})` : ''}`)
  for (const kpi of failed) lines.push(`- ${kpi.kpi_name} is ${measured(kpi.value)}, the gate is ${threshold(kpi.threshold)}`)
  const tests = failed.some((kpi) => kpi.kpi_name === 'test_pass_rate') || violations.length > 0 ? now.tests?.output : undefined
  const lint = failed.some((kpi) => kpi.kpi_name === 'linter_pass') ? now.lint?.output : undefined
  return [...lines, ...(tests ? [tests] : []), ...(lint ? [lint] : [])].join('\n').slice(0, 4000)
}

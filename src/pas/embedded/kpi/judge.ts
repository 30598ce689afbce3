/**
 * The verdict on a tree: KPI gates of the lane, and what became of the tests. What cannot be measured follows
 * contracts/pas.md section 11: unmeasurable on the base too, it gates nothing; measurable there, it is a violation.
 */
import { measured, threshold } from '../../../core/gate-words.ts'
import type { TaskId } from '../../../core/ids.ts'
import type { KpiResult, Violation } from '../../contract/types.ts'
import { kpiPasses, type Gate } from '../reducer/gates.ts'
import { compareReports, type Fates } from './compare.ts'
import { crashWords, isRedWithoutReport, type LintMeasurement, type TestMeasurement } from './measure.ts'
import type { HookMeasurement } from './pre-commit.ts'

export interface Evidence {
  readonly tests: TestMeasurement | null
  readonly lint: LintMeasurement | null
  /** Absent: the project has no hook, and the gate is none. */
  readonly hook?: HookMeasurement | null
}

export interface Verdict {
  readonly pass: boolean
  readonly kpis: readonly KpiResult[]
  readonly violations: readonly Violation[]
  readonly reason: string
  readonly feedback: string
}

export function judge(gates: readonly Gate[], base: Evidence, now: Evidence, taskId: TaskId | null, fates?: Fates): Verdict {
  const kpis = gates.map((gate) => measureKpi(gate, base, now)).filter((kpi): kpi is KpiResult => kpi !== null)
  const violations: Violation[] = base.tests && now.tests ? compareReports(base.tests.report, now.tests.report, taskId, fates) : []
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

/** How one KPI is read from what was measured. A new one is a reader here and its measurement. */
interface Reader {
  /** null: could not be measured; undefined: there is nothing to measure it with. */
  value(evidence: Evidence): number | boolean | null | undefined
  /** It ran, and ended badly by itself: that is its measure where it reported none. */
  isRed(evidence: Evidence): boolean
  /** Why it could not be measured, in words. */
  whyNot(evidence: Evidence): string
  first(evidence: Evidence): string | null
  /** Of everything that failed, for the next attempt. */
  output(evidence: Evidence): string | undefined
}

const TESTS: Reader = {
  value: ({ tests }) => tests?.pass_rate ?? null,
  isRed: ({ tests }) => tests !== null && isRedWithoutReport(tests),
  whyNot: ({ tests }) => (tests ? crashWords(tests) : 'no test command is known'),
  first: ({ tests }) => tests?.report.tests.find((test) => test.status === 'failed')?.name ?? null,
  output: ({ tests }) => tests?.output,
}
const READERS: Readonly<Record<string, Reader>> = {
  test_pass_rate: TESTS,
  linter_pass: {
    value: ({ lint }) => lint?.pass ?? null,
    isRed: () => false,
    whyNot: ({ lint }) => (lint ? `the linter was ended by ${lint.ended_by}, exit ${lint.exit_code ?? 'unknown'}` : 'no linter is known'),
    first: ({ lint }) => lint?.output.split('\n')[0] ?? null,
    output: ({ lint }) => lint?.output,
  },
  pre_commit: {
    value: ({ hook }) => (hook === undefined || hook === null ? undefined : hook.pass),
    isRed: () => false,
    whyNot: ({ hook }) => hook?.cannot ?? 'the repository’s hook could not run',
    first: ({ hook }) => hook?.output.split('\n')[0] ?? null,
    output: ({ hook }) => hook?.output,
  },
}

function measureKpi(gate: Gate, base: Evidence, now: Evidence): KpiResult | null {
  const reader = READERS[gate.kpi_name]
  const value = reader?.value(now)
  if (!reader || value === undefined) return null // no runner for it in this build, or nothing of the kind in this project
  const before = reader.value(base)
  const shape = { kpi_name: gate.kpi_name, threshold: gate.threshold }
  if (value === null && (before === null || before === undefined) && !reader.isRed(now))
    return { ...shape, value: null, pass: null, measured: false, why: reader.whyNot(now) }
  const isFlag = 'expected' in gate.threshold
  if (value === null) return { ...shape, value: isFlag ? false : 0, pass: false, measured: true, first_failure: reader.whyNot(now) }
  const pass = kpiPasses(gate.threshold, value) || (isFlag && before === false)
  const first = reader.first(now)
  return { ...shape, value, pass, measured: true, ...(pass || first === null ? {} : { first_failure: first }) }
}

/**
 * What stands against a run that only its tests can prove, when they could be measured neither before nor now; null where
 * they were, or where something else stands against it as well.
 */
export function unproved(verdict: Verdict, { base, now }: { readonly base: Evidence; readonly now: Evidence }, taskId: TaskId | null): Violation | null {
  const isElse = verdict.violations.length > 0 || verdict.kpis.some((kpi) => kpi.measured && !kpi.pass && kpi.kpi_name !== 'test_pass_rate')
  if (isElse || TESTS.value(now) !== null || (!verdict.pass && TESTS.value(base) !== null)) return null
  return { kind: 'tests not measured', name: TESTS.whyNot(now), task_id: taskId }
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
  const others = failed.filter((kpi) => kpi.kpi_name !== 'test_pass_rate').map((kpi) => READERS[kpi.kpi_name]?.output(now))
  return [...lines, tests, ...others]
    .filter((text) => text)
    .join('\n')
    .slice(0, 4000)
}

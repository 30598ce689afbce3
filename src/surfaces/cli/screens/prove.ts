/** `vp validate` and `vp complete`: a violation names the thing before the number; the subject is the commit. */
import { measured, threshold } from '../../../core/gate-words.ts'
import { count as counted } from '../format.ts'
import { renderer } from '../finish.ts'
import { dots, nextLines } from '../layout.ts'
import { bad, hang, isNarrow, type Look } from '../style.ts'

export interface GateResultView {
  readonly task_id?: string | null
  readonly n?: number | null
  readonly kpi_name: string
  readonly actual: number | boolean | string | null
  readonly expected: unknown
  readonly pass: boolean | null
  readonly measured: boolean
  /** Why it was not measured. */
  readonly why?: string
}

export interface ViolationView {
  /** `test deleted`, `kpi`, … */
  readonly kind: string
  /** The test, the setting, the measure. */
  readonly name: string
  readonly n?: number | null
  readonly file?: string | null
  readonly line?: number | null
  readonly was_in?: string | null
  readonly gone_in?: string | null
  readonly actual?: number | boolean | string | null
  readonly expected?: unknown
  /** Of failing tests: the first's name, and how many. */
  readonly first_failure?: string | null
  readonly failures?: number | null
}

export interface ValidateView {
  /** Full or short. */
  readonly commit: string | null
  readonly gates: readonly GateResultView[]
  readonly violations: readonly ViolationView[]
  /** Beside `gates`, what no value shows counts too; from `gates` alone when absent. */
  readonly held?: number
  readonly of?: number
  /** Files of tests from before the run that it changed. */
  readonly tests_changed?: readonly string[]
  readonly next?: readonly string[]
}

const TASK = 7
const KIND = 16

export const validateScreen = renderer<ValidateView>((view, look) => ({
  stdout: [
    ...view.violations.flatMap((violation) => violationLines(violation, look)),
    ...view.gates.filter((gate) => !gate.measured).map((gate) => unmeasuredLine(gate, look)),
    ...changedTestsLines(view.tests_changed ?? []),
    sumLine(view),
  ],
  stderr: nextLines(view.next ?? (view.violations.length === 0 ? ['vp complete'] : [])),
}))

function violationLines(violation: ViolationView, look: Look): string[] {
  const task = `T${violation.n ?? '-'}`.replace('T-', 'all')
  const kind = violation.kind === 'kpi' ? violation.name : violation.kind
  const lead = `${bad('✗')} ${task}`.padEnd(TASK + 3)
  const [first, ...rest] = violation.kind === 'kpi' ? [kpiText(violation)] : namedTexts(violation)
  if (look.plain) return [`${hang(`${lead}${kind}`, TASK + KIND)}${[first, ...rest].join(', ')}`]
  if (isNarrow(look)) return [`${lead}${kind}`, ...[first ?? '', ...rest].map((text) => hang('', TASK) + text)]
  return [hang(`${lead}${kind}`, TASK + KIND) + (first ?? ''), ...rest.map((text) => hang('', TASK + KIND) + text)]
}

function kpiText(violation: ViolationView): string {
  const failures = violation.failures ?? 0
  const named = violation.first_failure ? `${failures > 1 ? `first of ${failures}: ` : ''}“${violation.first_failure}”` : null
  return dots(`${measured(violation.actual ?? null)}, gate is ${threshold(violation.expected)}`, named)
}

function namedTexts(violation: ViolationView): string[] {
  const place = violation.file ? `${violation.file}${violation.line ? `:${violation.line}` : ''}` : null
  const was = place === null ? null : `was ${place}${violation.was_in ? ` on ${short(violation.was_in)}` : ''}`
  const gone = violation.gone_in ? `gone in ${short(violation.gone_in)}` : null
  const where = violation.was_in || gone ? [was, gone].filter((part) => part !== null).join(', ') : place
  return [`“${violation.name}”`, ...(where === null ? [] : [where])]
}

/** A commit by its first letters, a branch by its name. */
const short = (name: string): string => (/^[0-9a-f]{40,64}$/.test(name) ? name.slice(0, 7) : name)

function unmeasuredLine(gate: GateResultView, look: Look): string {
  const task = gate.n === undefined || gate.n === null ? 'all' : `T${gate.n}`
  const why = gate.why === undefined ? '' : `, ${gate.why}`
  return hang(`${`- ${task}`.padEnd(TASK)}${gate.kpi_name}`, isNarrow(look) ? TASK : TASK + KIND) + `not measured${why}; does not block`
}

/** Of a run that rewrote tests from before it: no gate knows whether they ask less now. */
export function changedTestsLines(paths: readonly string[]): string[] {
  return paths.length === 0 ? [] : [`${changedTestsWords(paths)}: what a test asks is not measured`]
}

const NAMED = 3

function changedTestsWords(paths: readonly string[]): string {
  const more = paths.length - NAMED
  return `read what was changed in ${paths.slice(0, NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

function sumLine(view: ValidateView): string {
  const gating = view.gates.filter((gate) => gate.measured)
  const hold = view.held ?? gating.filter((gate) => gate.pass).length
  const on = view.commit === null ? '' : ` on commit ${view.commit.slice(0, 7)}`
  const tasks = new Set(view.violations.map((violation) => violation.n ?? null))
  const [only] = tasks
  const where =
    view.violations.length > 1 && tasks.size === 1 && typeof only === 'number' ? `, ${view.violations.length === 2 ? 'both' : 'all'} in T${only}` : ''
  return dots(
    view.violations.length === 0 ? 'no violation' : `${counted(view.violations.length, 'violation')}${where}`,
    heldText(hold, view.of ?? gating.length) + on,
  )
}

/** Nothing measured is no all: `0 of 0 gates hold` would read like a pass. */
function heldText(hold: number, of: number): string {
  return of === 0 ? 'no gate measured' : `${hold} of ${counted(of, 'gate')} hold`
}

export interface CompleteView {
  /** The person's branch. */
  readonly branch: string
  readonly from: string
  readonly to: string
  /** `fast-forward`, `merge`. */
  readonly how: string
  readonly commits: readonly string[]
  /** How many of them carry a signature. */
  readonly signed: number
  readonly not_signed?: string | null
  readonly gates: { readonly hold: number; readonly of: number }
  readonly tests?: { readonly before: number | null; readonly after: number | null; readonly changed: readonly string[] } | null
  readonly passport_path: string | null
  readonly ledger_head?: string | null
  readonly next?: readonly string[]
}

export const completeScreen = renderer<CompleteView>((view) => ({
  stdout: [
    dots(`${view.branch} ${view.from.slice(0, 7)} → ${view.to.slice(0, 7)}, ${view.how}, ${commitWords(view)}`, heldText(view.gates.hold, view.gates.of)),
    dots(testsText(view.tests ?? null), view.passport_path === null ? null : `passport and manifest in ${view.passport_path}`),
  ],
  stderr: [...(view.not_signed ? [`note  not signed: ${view.not_signed}`] : []), ...nextLines(view.next ?? ['vp git pr'])],
}))

function commitWords({ commits, signed }: CompleteView): string {
  if (signed > 0 && signed === commits.length) return counted(signed, 'signed commit')
  return `${counted(commits.length, 'commit')}${signed === 0 ? '' : `, ${signed === 1 ? 'the last one' : signed} signed`}`
}

function testsText(tests: NonNullable<CompleteView['tests']> | null): string {
  if (tests === null || tests.after === null) return 'tests not measured'
  const change = tests.before === null ? `tests ${tests.after}` : `tests ${tests.before} → ${tests.after}`
  return tests.changed.length === 0 ? `${change}, none weakened` : `${change}, none deleted or skipped; ${changedTestsWords(tests.changed)}`
}

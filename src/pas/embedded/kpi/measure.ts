/**
 * Running a project's own commands and reading what their runners report. A crash without a report and a run
 * without tests are states of their own, never a pass. What the model reads is printed here, in our own form,
 * so that it is the same on every machine.
 */
import type { ProjectCommandShape } from './command.ts'
import { parseJunit } from './reports/junit.ts'
import { parseCargo, parseExit, parseGo } from './reports/others.ts'
import { stripWorkspace, type TestCase, type TestReport } from './reports/report.ts'
import { parseTap } from './reports/tap.ts'

export interface CommandRun {
  readonly exit_code: number | null
  readonly ended_by: string
  readonly stdout: string
  readonly stderr: string
  /** The report file, when the command was to write one and did. */
  readonly report: string | null
  /** Where the tree lay for the command. */
  readonly root: string
}

/** What a command wrote in spite of the policy, and what became of it. */
export interface MeasuredBreach {
  readonly path: string
  readonly kind: string
  readonly outcome: 'removed' | 'restored' | 'left'
}

export interface TestMeasurement {
  readonly report: TestReport
  /** passed ÷ (passed + failed); null when nothing could be measured. */
  readonly pass_rate: number | null
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly exit_code: number | null
  readonly ended_by: string
  /** In our own form, for the model and for people. */
  readonly output: string
  /** Absent: none. */
  readonly breaches?: readonly MeasuredBreach[]
}

export interface LintMeasurement {
  readonly pass: boolean | null
  readonly exit_code: number | null
  readonly ended_by: string
  readonly output: string
  /** Absent: none. */
  readonly breaches?: readonly MeasuredBreach[]
}

/** What to run: the command, what the caller adds, and the arguments that make it report. `{report}` is the file's path. */
export function testArgv(command: ProjectCommandShape, extra: readonly string[], reportPath: string): string[] {
  const behind = [...(command.report_in ? [] : reportArgs(command, reportPath)), ...extra]
  const separator = needsSeparator(command) && behind.length > 0 && !command.argv.includes('--') ? ['--'] : []
  return [...command.argv, ...separator, ...behind]
}

/**
 * The environment that makes the command report. Only the runner itself is to see it: `shield` is a module that takes it
 * away from the tests, since one of theirs that starts a runner would write over the report.
 */
export function testEnvironment(command: ProjectCommandShape, reportPath: string, shield: string): Record<string, string> {
  if (!command.report_in) return {}
  const options = [`--require=${shield}`, ...reportArgs(command, reportPath)]
  // In quotes, as the path may be one with a space.
  return { [command.report_in]: options.map((option) => `"${option}"`).join(' ') }
}

/** Node tells the processes of its tests by this variable. */
export const SHIELD = 'const { env } = process\nif (env.NODE_TEST_CONTEXT) delete env.NODE_OPTIONS\n'

function reportArgs(command: ProjectCommandShape, reportPath: string): string[] {
  return command.report_args.map((arg) => arg.replace('{report}', reportPath))
}

/** npm hands arguments on only behind `--`. */
function needsSeparator(command: ProjectCommandShape): boolean {
  return /^(npm|pnpm)$/.test(command.argv[0] ?? '')
}

export function readTestRun(command: ProjectCommandShape, run: CommandRun): TestMeasurement {
  const text = command.report.from === 'file' ? (run.report ?? '') : run.stdout
  const parsed = parseReport(command, text, run)
  const count = (status: TestCase['status']) => parsed.tests.filter((test) => test.status === status).length
  const [passed, failed, skipped] = [count('passed'), count('failed'), count('skipped')]
  const crashed = crashOf(parsed, run, passed + failed)
  const report = { tests: parsed.tests, crashed }
  const measurement = {
    report,
    pass_rate: crashed || passed + failed === 0 ? null : passed / (passed + failed),
    passed,
    failed,
    skipped,
    exit_code: run.exit_code,
    ended_by: run.ended_by,
  }
  return { ...measurement, output: printMeasurement(measurement, run) }
}

function parseReport(command: ProjectCommandShape, text: string, run: CommandRun): TestReport {
  switch (command.report.format) {
    case 'tap':
      return parseTap(text, run.root)
    case 'junit':
      return parseJunit(text, run.root)
    case 'go-json':
      return parseGo(text, run.root)
    case 'cargo':
      return parseCargo(`${run.stdout}\n${run.stderr}`, run.root)
    case 'exit':
      return parseExit(command.argv, run.exit_code, `${run.stdout}\n${run.stderr}`, run.root)
  }
}

const NO_TEST = 'no test ran'
const ALL_SKIPPED = 'every test is skipped'

/** A runner that ended by a limit, or red without a red test, proves nothing by what it did report. */
function crashOf(report: TestReport, run: CommandRun, ran: number): string | null {
  if (run.ended_by !== 'exit') return `the run was ended by its ${run.ended_by} limit`
  if (report.crashed) return report.crashed
  if (ran === 0) return report.tests.length > 0 ? ALL_SKIPPED : NO_TEST
  const red = report.tests.some((test) => test.status === 'failed')
  return run.exit_code !== 0 && !red ? `the runner ended with exit ${run.exit_code} although no test failed` : null
}

/** Red by its exit status, with no report that says why. Without tests there is nothing to be red. */
export function isRedWithoutReport({ report, pass_rate, ended_by, exit_code }: TestMeasurement): boolean {
  return pass_rate === null && ended_by === 'exit' && exit_code !== 0 && report.crashed !== NO_TEST && report.crashed !== ALL_SKIPPED
}

const MAX_FAILURES = 10

function printMeasurement(measurement: Omit<TestMeasurement, 'output'>, run: CommandRun): string {
  const { report, passed, failed, skipped } = measurement
  const lines = [`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`]
  if (report.crashed) lines.push(`No result: ${report.crashed}.`, ...errorLines(run))
  const red = report.tests.filter((test) => test.status === 'failed')
  for (const test of red.slice(0, MAX_FAILURES)) {
    const place = test.file ? ` (${test.file}${test.line === null ? '' : `:${test.line}`})` : ''
    lines.push(`FAILED ${test.name}${place}`, ...(test.message ?? '').split('\n').map((line) => `  ${line}`))
  }
  if (red.length > MAX_FAILURES) lines.push(`… ${red.length - MAX_FAILURES} more failed`)
  return lines.join('\n')
}

/** Why nothing was measured: what we saw, then the first line in which the runner itself says what was wrong. */
export function crashWords({ report, output }: TestMeasurement): string {
  const said = output.split('\n').find((line) => line.startsWith('  '))
  return [report.crashed ?? 'no test ran', ...(said === undefined ? [] : [said.trim()])].join(': ')
}

/** The lines of a crash that say what was wrong, without stack frames and numbers of this machine. */
function errorLines(run: CommandRun): string[] {
  const all = stripWorkspace(`${run.stderr}\n${run.stdout}`, run.root)
    .split('\n')
    .map((line) => line.trimEnd())
  const telling = all.filter(
    (line) =>
      /error|exception|cannot|could not|not found|undefined|failed/i.test(line) && !/^\s+at |npm (error|ERR!) (A complete log|\s*$)|_logs|duration/i.test(line),
  )
  // Better any word of the runner's than none.
  return (telling.length > 0 ? telling : all.filter((line) => line.trim() !== '')).slice(0, 8).map((line) => `  ${line.slice(0, 200)}`)
}

export function readLintRun(run: CommandRun): LintMeasurement {
  const output = stripWorkspace(`${run.stdout}\n${run.stderr}`, run.root)
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line.trim() !== '' && !/\d+(\.\d+)?\s?m?s\b/.test(line))
  const pass = run.ended_by === 'exit' && run.exit_code !== null && run.exit_code !== 127 ? run.exit_code === 0 : null
  return {
    pass,
    exit_code: run.exit_code,
    ended_by: run.ended_by,
    output: output.slice(0, 40).join('\n').slice(0, 4000),
  }
}

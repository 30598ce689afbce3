/**
 * The gate's own measurements: operations that only the engine calls, so that each has a receipt like any other.
 */
import * as z from 'zod/mini'
import { once } from '../../core/once.ts'
import type { LintMeasurement, TestMeasurement } from '../../pas/embedded/kpi/measure.ts'
import type { HookMeasurement } from '../../pas/embedded/kpi/pre-commit.ts'
import type { ProjectCommand } from '../../plms/contract/types.ts'
import { measureHook, type HookRequest } from '../hook-run.ts'
import { isNodeTest, nodeTestCommand } from '../../workspace/node-test.ts'
import { operation } from '../operation.ts'
import { measureLint, measureTests } from '../run.ts'

const anything = once(() => z.any())

export interface GateResult<Measurement> {
  readonly measurement: Measurement
  readonly receipt: string
  readonly reused: boolean
}

export const gateTests = operation<{ command: ProjectCommand }, GateResult<TestMeasurement>>({
  name: 'gate.tests',
  summary: 'measure the tests of a tree',
  params: () => z.object({ command: anything() }) as never,
  result: () => anything() as never,
  effect: 'execute',
  scope: 'run.exec',
  handler: (params, scene) => measureTests(scene, params.command),
  say: (params, { measurement, reused }) =>
    `${params.command.argv.join(' ')} · ${measurement.passed} passed, ${measurement.failed} failed${reused ? ' · same tree as before' : ''}`,
})

export const gateLint = operation<{ command: ProjectCommand }, GateResult<LintMeasurement>>({
  name: 'gate.lint',
  summary: 'measure the linter on a tree',
  params: () => z.object({ command: anything() }) as never,
  result: () => anything() as never,
  effect: 'execute',
  scope: 'run.exec',
  handler: (params, scene) => measureLint(scene, params.command),
  say: (params, { measurement }) => `${params.command.argv.join(' ')} · ${measurement.pass ? 'clean' : (measurement.output.split('\n')[0] ?? 'failed')}`,
})

export const gateHook = operation<HookRequest, GateResult<HookMeasurement>>({
  name: 'gate.hook',
  summary: "measure a tree by the repository's own pre-commit hook",
  params: () => z.object({ hook: anything(), repository: anything(), from: anything(), to: anything() }) as never,
  result: () => anything() as never,
  effect: 'execute',
  scope: 'run.exec',
  handler: async (params, scene) => ({ measurement: await measureHook(scene, params), receipt: scene.receiptId, reused: false }),
  say: (params, { measurement }) =>
    `${params.hook.argv.join(' ')} · ${measurement.cannot !== null ? `not measured: ${measurement.cannot}` : measurement.pass ? 'clean' : (measurement.output.split('\n')[0] ?? 'failed')}`,
})

/** How the task's tests are called, in words for the model; null without any. */
export function testWords(project: ProjectCommand | null, tests: readonly string[]): string | null {
  return tests.length > 0 ? tests.join(' ') : (project?.argv.join(' ') ?? null)
}

/** The task's own test command, reported as the project's runner reports when it is one that we know. */
export function taskTestCommand(project: ProjectCommand | null, tests: readonly string[]): ProjectCommand | null {
  if (tests.length === 0) return project
  if (project && project.argv.every((arg, index) => arg === '--silent' || tests.includes(arg) || tests[index] === arg)) {
    const rest = tests.filter((arg) => !project.argv.includes(arg) && arg !== '--')
    if (rest.length === 0) return project
    const behind = [...(project.argv.includes('--') ? [] : ['--']), ...rest]
    return project.report_in
      ? { ...project, argv: [...project.argv, ...(/^p?npm$/.test(project.argv[0] ?? '') ? behind : rest)] }
      : { ...project, report_args: [...project.report_args, ...rest] }
  }
  const line = tests.join(' ')
  if (isNodeTest(tests)) return nodeTestCommand(tests)
  if (/\bpytest\b/.test(line))
    return {
      argv: [...tests],
      runner: 'pytest',
      report_args: ['--junit-xml={report}'],
      report: { format: 'junit', from: 'file', path: 'report.xml' },
    }
  return {
    argv: [...tests],
    runner: tests[0] ?? 'command',
    report_args: [],
    report: { format: 'exit', from: 'stdout' },
  }
}

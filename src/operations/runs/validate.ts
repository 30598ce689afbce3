/** `vp validate`: the run's head measured by the project's own commands, and every gate of every task. Violations name the thing first. */
import { breachWords, gateTally, kpiViolation, openViolations } from '../../pas/embedded/reducer/gates.ts'
import type { RunState } from '../../pas/embedded/reducer/state.ts'
import type { GateOverride, ProjectFile } from '../../plms/contract/types.ts'
import type { KpiResult, Violation } from '../../pas/contract/types.ts'
import type { Kit } from '../kit.ts'
import type { Scene } from '../operation.ts'
import { changedTests } from './changed-tests.ts'
import { gatesOf } from './drive.ts'
import { headVerdict } from './verdict.ts'
import { humanState } from '../../workspace/human-repository.ts'
import { openRunScene, type RunScene } from './run-scene.ts'

export interface ValidatedGate {
  readonly task_id: string | null
  readonly kpi_name: string
  readonly actual: number | boolean | null
  readonly expected: unknown
  /** null: not measured. */
  readonly pass: boolean | null
  readonly measured: boolean
  readonly why: string | null
  readonly first_failure: string | null
}

export interface Validated {
  readonly run_id: string
  readonly commit: string
  readonly gates: readonly ValidatedGate[]
  readonly held: number
  readonly of: number
  readonly violations: readonly {
    readonly task: string | null
    readonly kind: string
    readonly name: string
    /** Kind, value, gate, task: in a line. */
    readonly words: string
    readonly file: string | null
    readonly line: number | null
    readonly was_in: string | null
    readonly gone_in: string | null
    readonly actual: number | boolean | null
    readonly expected: unknown
  }[]
  /** Files of tests from before the run that it changed. */
  readonly tests_changed: readonly string[]
  /** Gates that nothing here can measure; they do not block. */
  readonly not_measured: readonly string[]
}

export async function validateRun(
  kit: Kit,
  state: RunState,
  project: ProjectFile,
  overrides: readonly GateOverride[],
  { caller, signal }: Pick<Scene, 'caller' | 'signal'>,
): Promise<Validated> {
  const run = await openRunScene(kit, state, project)
  const verdict =
    state.head === state.base
      ? { kpis: [], violations: [] }
      : await headVerdict(
          kit,
          run,
          { gates: (lane) => gatesOf(lane, overrides, project), ...(caller.confirm ? { confirm: caller.confirm } : {}) },
          state,
          signal,
        )
  const perTask = state.order.flatMap((id): ValidatedGate[] => {
    const task = state.tasks[id]
    return (task?.kpis ?? []).map((kpi) => gateOf(kpi, `T${task?.card.payload.n}`))
  })
  const whole = verdict.kpis.map((kpi) => gateOf(kpi, null))
  const all: Violation[] = [
    ...openViolations(state),
    ...verdict.violations,
    ...verdict.kpis.filter((kpi) => kpi.measured && !kpi.pass).map((kpi) => kpiViolation(kpi, null)),
  ]
  const gates = [...perTask, ...whole]
  const tally = gateTally(
    gates,
    all.map(({ kind, task_id }) => ({ kind, task: task_id })),
  )
  return {
    run_id: state.run_id,
    commit: state.head,
    gates,
    ...tally,
    violations: await Promise.all(
      all.map(async (violation) => ({ ...(await named(kit, run, state, violation)), words: breachWords(state, violation, verdict.kpis) })),
    ),
    tests_changed: await changedTests(kit, run, state),
    not_measured: [...new Set(['echo', ...gates.filter((gate) => !gate.measured).map((gate) => gate.kpi_name)])],
  }
}

function gateOf(kpi: KpiResult, task: string | null): ValidatedGate {
  return {
    task_id: task,
    kpi_name: kpi.kpi_name,
    actual: kpi.value,
    expected: kpi.threshold,
    pass: kpi.measured ? kpi.pass : null,
    measured: kpi.measured,
    why: kpi.why ?? null,
    first_failure: kpi.first_failure ?? null,
  }
}

/** Where a vanished test stood, on which branch, and which commit lost it. */
async function named(kit: Kit, run: RunScene, state: RunState, violation: Violation): Promise<Omit<Validated['violations'][number], 'words'>> {
  const task = violation.task_id === null ? null : (state.tasks[violation.task_id] ?? null)
  const vanished = violation.kind === 'test deleted' || violation.kind === 'test did not run'
  const words = violation.name.split(' > ').at(-1) ?? violation.name
  const found = vanished ? await grepBase(kit, run, state.base, words) : null
  const place = violation.file ? { file: violation.file, line: violation.line ?? null } : found
  // What was never committed is gone in no commit.
  const lost = task?.commit ?? (state.head === state.base ? null : state.head)
  return {
    task: task ? `T${task.card.payload.n}` : null,
    kind: violation.kind,
    name: violation.name,
    file: place?.file ?? null,
    line: place?.line ?? null,
    was_in: vanished && place ? ((await humanState(kit.git, run.human)).branch?.replace('refs/heads/', '') ?? state.base) : null,
    gone_in: violation.kind === 'test deleted' ? lost : null,
    actual: violation.actual ?? null,
    expected: violation.expected ?? null,
  }
}

async function grepBase(kit: Kit, run: RunScene, base: string, words: string): Promise<{ file: string; line: number } | null> {
  if (words.length < 3) return null
  const { code, stdout } = await kit.git(['grep', '-n', '--fixed-strings', '--max-count=1', '-e', words.slice(0, 200), base, '--'], {
    gitDir: run.repository.gitDir,
    accept: [1],
  })
  const place = /^[0-9a-f]+:([^:]+):(\d+):/.exec(stdout.toString('utf8'))
  return code === 0 && place ? { file: place[1] ?? '', line: Number(place[2]) } : null
}

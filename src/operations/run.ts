/**
 * run.exec, run.test, run.lint, run.build: programs of the lane, and the project's own commands, in the sandbox.
 * A test run is kept by what it depended on, so the gate of an unchanged tree is the agent's own last run.
 */
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { once } from '../core/once.ts'
import { VpError } from '../core/errors.ts'
import { canonicalJson, sha256, type Json } from '../core/json.ts'
import {
  readLintRun,
  readTestRun,
  SHIELD,
  testArgv,
  testEnvironment,
  type LintMeasurement,
  type MeasuredBreach,
  type TestMeasurement,
} from '../pas/embedded/kpi/measure.ts'
import type { ProjectCommand } from '../plms/contract/types.ts'
import { decideCommand, refuseAdded } from '../policy/argv.ts'
import { ownGit } from '../policy/own-git.ts'
import { shownCommand } from '../policy/shown.ts'
import { missedLoopback } from '../sandbox/loopback.ts'
import { environmentDigest } from './environment.ts'
import { reportPath, type Execution } from './execution.ts'
import type { Breach } from './guarded.ts'
import { executeHeld } from './held-tree.ts'
import { detectCommands } from './projects/new.ts'
import { programOf } from './program.ts'
import { asksRaw, showing, type Ask, type Decision, type Scene } from './operation.ts'
import { revealArgv, type Revealed } from './reveal.ts'

const argvShape = once(() => z.array(z.string().check(z.maxLength(100_000))).check(z.maxLength(1000)))
const laneShape = once(() => z.optional(z.string()))
const breachesShape = once(() => z.array(z.object({ path: z.string(), kind: z.string(), outcome: z.enum(['removed', 'restored', 'left']) })))

export const runExec = showing({
  name: 'run.exec',
  summary: 'run one allowed program in the sandbox',
  params: () =>
    z.strictObject({
      argv: argvShape().check(z.minLength(1)),
      lane: laneShape(),
      cwd: z.optional(z.string()),
      timeout_ms: z.optional(z.int().check(z.gte(1), z.lte(3_600_000))),
    }),
  result: () =>
    z.object({
      exit_code: z.nullable(z.int()),
      signal: z.nullable(z.string()),
      ended_by: z.string(),
      output: z.string(),
      writes: z.array(z.string()),
      writes_whole: z.boolean(),
      /** `vp undo` of this call's receipt gives all of it back. */
      writes_undoable: z.boolean(),
      /** What it wrote and may not: taken back, or left where the outcome says so. */
      breaches: breachesShape(),
    }),
  effect: 'execute',
  scope: 'run.exec',
  decide: (params, scene) => decideArgv(params.argv, params.lane, scene),
  ask: (params) => askFor(params.argv),
  // A placeholder is numbered by what one attempt saw: a yes holds for its value.
  boundTo: (params, scene) => boundTo(params.argv, params.lane, scene),
  async handler(params, scene) {
    const { tree } = scene
    const request = {
      argv: argvToRun(params.argv, params.lane, scene).argv,
      lane: params.lane ?? tree.lane,
      ...(params.cwd === undefined ? {} : { cwd: params.cwd }),
      ...(params.timeout_ms === undefined ? {} : { timeoutMs: params.timeout_ms }),
      runId: scene.caller.runId,
    }
    const { run, writes, isWhole, isUndoable, breaches } = await executeHeld(scene, request)
    note(scene, run)
    return {
      exit_code: run.exit_code,
      signal: run.signal,
      ended_by: run.ended_by,
      output: forReader(run),
      writes: [...writes],
      writes_whole: isWhole,
      writes_undoable: isUndoable,
      breaches: plain(breaches),
    }
  },
  say: (params, result) => `${shownCommand(params.argv)} · exit ${result.exit_code ?? result.ended_by}`,
})

const testResult = once(() =>
  z.object({
    pass_rate: z.nullable(z.number()),
    report_path: z.string(),
    passed: z.int(),
    failed: z.int(),
    skipped: z.int(),
    exit_code: z.nullable(z.int()),
    output: z.string(),
    reused_from: z.nullable(z.string()),
    /** Files of the task that were there, and that no commit will have. */
    ignored: z.array(z.string()),
    breaches: breachesShape(),
  }),
)

export const runTest = showing({
  name: 'run.test',
  summary: "run the project's tests in the sandbox",
  params: () => z.strictObject({ args: z.optional(argvShape()), lane: laneShape() }),
  result: () => testResult(),
  effect: 'execute',
  scope: 'run.exec',
  decide: (params, scene) => decideProject(scene, 'test', params),
  async handler(params, scene) {
    const command = await projectCommand(scene, 'test')
    const { argv: args, kind } = argvToRun(['', ...(params.args ?? [])], params.lane, scene)
    const { measurement, receipt, reused, ignored } = await measureTests(scene, command, {
      ...params,
      args: args.slice(1),
      isKept: kind === 'plain' && !asksRaw(params),
    })
    const { passed, failed, skipped, exit_code, output, pass_rate } = measurement
    return {
      pass_rate,
      report_path: `receipt:${receipt}`,
      passed,
      failed,
      skipped,
      exit_code,
      output,
      reused_from: reused ? receipt : null,
      ignored: [...ignored],
      breaches: plain(measurement.breaches ?? []),
    }
  },
  say: (params, result) => `${['test', ...(params.args ?? [])].join(' ')} · ${result.passed} passed, ${result.failed} failed`,
})

export const runLint = showing({
  name: 'run.lint',
  summary: "run the project's linter in the sandbox",
  params: () => z.strictObject({ args: z.optional(argvShape()), lane: laneShape() }),
  result: () => z.object({ ok: z.boolean(), report_path: z.string(), exit_code: z.nullable(z.int()), output: z.string(), breaches: breachesShape() }),
  effect: 'execute',
  scope: 'run.exec',
  decide: (params, scene) => decideProject(scene, 'lint', params),
  async handler(params, scene) {
    const command = await projectCommand(scene, 'lint')
    const { measurement, receipt } = await measureLint(scene, command, { ...params, isKept: !asksRaw(params) })
    return {
      ok: measurement.pass === true,
      report_path: `receipt:${receipt}`,
      exit_code: measurement.exit_code,
      output: measurement.output,
      breaches: plain(measurement.breaches ?? []),
    }
  },
  say: (_params, result) => (result.ok ? 'clean' : (result.output.split('\n')[0] ?? 'failed')),
})

export const runBuild = showing({
  name: 'run.build',
  summary: "run the project's build in the sandbox",
  params: () => z.strictObject({ args: z.optional(argvShape()), lane: laneShape() }),
  result: () => z.object({ ok: z.boolean(), report_path: z.string(), exit_code: z.nullable(z.int()), output: z.string(), breaches: breachesShape() }),
  effect: 'execute',
  scope: 'run.exec',
  decide: (params, scene) => decideProject(scene, 'build', params),
  async handler(params, scene) {
    const { tree, caller } = scene
    const { argv } = await projectCommand(scene, 'build')
    // Never answered from an earlier run: what a build leaves in the tree is its point.
    const { run, breaches } = await executeHeld(scene, { argv: [...argv, ...(params.args ?? [])], lane: params.lane ?? tree.lane, runId: caller.runId })
    tree.touched()
    note(scene, run)
    return { ok: run.exit_code === 0, report_path: `receipt:${scene.receiptId}`, exit_code: run.exit_code, output: forReader(run), breaches: plain(breaches) }
  },
  say: (_params, result) => (result.ok ? 'built' : `exit ${result.exit_code ?? 'by a signal'}`),
})

type CommandName = 'test' | 'lint' | 'build'

/**
 * The project's command, kept by the human; the model cannot change it within a run. Where no project was made yet
 * it is what the repository's own files say. Throws `gate.unmeasured`.
 */
async function projectCommand(scene: Scene, which: CommandName): Promise<ProjectCommand> {
  const { tree } = scene
  const command = tree.project || tree.inAttempt ? tree.project?.[which] : (await detectCommands(scene.kit, tree.root))[which]
  if (!command)
    throw new VpError('gate.unmeasured', `no ${which} command is known for this project`, {
      next: [`add "${which}" to .vp/project.json`],
    })
  return command
}

const RUNNERS: Readonly<Record<string, readonly string[]>> = {
  'node:test': ['node', '--test'],
  pytest: ['pytest'],
  go: ['go', 'test'],
  cargo: ['cargo', 'test'],
}

interface Added {
  readonly args?: readonly string[] | undefined
  readonly lane?: string | undefined
}

/** The person's command is allowed; of the lane it has the limits. Words that a caller adds are judged as the whole that would run. Throws `plan.unknown_lane`. */
async function decideProject(scene: Scene, which: CommandName, { args = [], lane: named }: Added): Promise<Decision> {
  const lane = scene.kit.lane(named ?? scene.tree.lane, scene.tree.home)
  const revealed = revealArgv(['', ...args], lane, scene)
  if (revealed.kind === 'refused') return revealed.decision
  if (args.length > 0) {
    const command = await projectCommand(scene, which)
    const whole = (more: readonly string[]) => (which === 'test' ? testArgv(command, more, '') : [...command.argv, ...more])
    const added = revealed.argv.slice(1)
    // Behind the name of a script stands the runner, and takes what the script is given.
    const runner = which === 'test' ? RUNNERS[command.runner] : undefined
    const refused = refuseAdded(whole([]), whole(added), lane) ?? (runner ? refuseAdded(runner, [...runner, ...added], lane) : null)
    if (refused) return refused
  }
  return { effect: 'allow', rule: `project/${which}`, reason: `the ${which} command that a person keeps in .vp/project.json` }
}

/** On the argv that would run: a value must not open what its placeholder would not. */
function decideArgv(argv: readonly string[], laneName: string | undefined, scene: Scene): Decision {
  const { actor } = scene.caller
  const lane = scene.kit.lane(laneName ?? scene.tree.lane, scene.tree.home)
  const revealed = revealArgv(argv, lane, scene)
  if (revealed.kind === 'refused') return revealed.decision
  const decision = decideCommand(revealed.argv, lane, actor === 'operator' ? 'human' : actor)
  const own = decision.effect === 'deny' ? null : ownGit(argv)
  if (own === null) return decision
  const { scope, ...refusal } = own
  if (scope !== undefined && !scene.caller.scopes.has(scope))
    throw new VpError('policy.scope', `Missing scope: ${scope}`, { rule: `scope/${scope}`, next: [...own.next] })
  return refusal
}

function boundTo(argv: readonly string[], laneName: string | undefined, scene: Scene): Json {
  const revealed = revealArgv(argv, scene.kit.lane(laneName ?? scene.tree.lane, scene.tree.home), scene)
  return revealed.kind === 'revealed' ? revealed.sha : null
}

/** What the decision let through. */
function argvToRun(argv: readonly string[], laneName: string | undefined, scene: Scene): Exclude<Revealed, { kind: 'refused' }> {
  const revealed = revealArgv(argv, scene.kit.lane(laneName ?? scene.tree.lane, scene.tree.home), scene)
  if (revealed.kind === 'refused') throw new VpError('policy.denied', revealed.decision.reason, { rule: revealed.decision.rule })
  return revealed
}

function askFor(argv: readonly string[]): Ask {
  return {
    wants: shownCommand(argv),
    reaches: 'the tree of this task only, no network',
    undo: 'its files: all. Not: what it prints, the model reads that',
    fullyUndoable: false,
    maxExtent: 'run',
  }
}

interface How {
  readonly args?: readonly string[] | undefined
  /** Whose limits hold; the tree's own when absent. */
  readonly lane?: string | undefined
  /** false: measured anew, and for this time only. */
  readonly isKept?: boolean
}

export interface Measured<Measurement> {
  readonly measurement: Measurement
  readonly receipt: string
  readonly reused: boolean
  /** Files that were there and that no commit will have, since git ignores them. */
  readonly ignored: readonly string[]
}

const SHIELD_FILE = 'shield.cjs'

/** Tests of the tree as it is, from the store when the same tree was measured by the same means before. */
export async function measureTests(
  scene: Scene,
  command: ProjectCommand,
  { args = [], lane = scene.tree.lane, isKept = true }: How = {},
): Promise<Measured<TestMeasurement>> {
  const reportFile = command.report.path ?? 'report'
  const argv = testArgv(command, args, reportPath(reportFile))
  const env = testEnvironment(command, reportPath(reportFile), reportPath(SHIELD_FILE))
  const prepare = async (scratch: string) => writeFileSync(join(scratch, SHIELD_FILE), SHIELD)
  return measured(scene, isKept ? [...argv, ...Object.values(env)] : null, async () => {
    const reporting = command.report_in ? { env, prepare } : {}
    const { run, breaches } = await executeHeld(scene, { argv, lane, reportFile, measures: true, runId: scene.caller.runId, ...reporting })
    note(scene, run)
    if (missedLoopback(run.backend, run.output))
      throw new VpError('sandbox.no_loopback', `the tests open a socket, and ${run.backend} cannot give them a loopback of their own`, {
        next: [...(run.backend === 'landlock' ? ['apt install bubblewrap'] : []), 'vp doctor'],
      })
    return { ...readTestRun(command, maskedRun(run, isKept ? scene.tree.masking().plain : scene.kit.redactText)), ...told(breaches) }
  })
}

export async function measureLint(
  scene: Scene,
  command: ProjectCommand,
  { args = [], lane = scene.tree.lane, isKept = true }: How = {},
): Promise<Measured<LintMeasurement>> {
  const argv = [...command.argv, ...args]
  return measured(scene, isKept ? argv : null, async () => {
    const { run, breaches } = await executeHeld(scene, { argv, lane, measures: true, runId: scene.caller.runId })
    note(scene, run)
    return { ...readLintRun(maskedRun(run, scene.tree.masking().plain)), ...told(breaches) }
  })
}

/** Kept with the measurement: a tree that is measured once breaks it once. */
function told(breaches: readonly Breach[]): { breaches?: readonly MeasuredBreach[] } {
  return breaches.length === 0 ? {} : { breaches: plain(breaches) }
}

function plain(breaches: readonly MeasuredBreach[]): MeasuredBreach[] {
  return breaches.map(({ path, kind, outcome }) => ({ path, kind, outcome }))
}

/**
 * Masked before it is read and cut, since half of a secret passes for none; without numbers, as the measurement of a tree
 * is the same for every attempt that has this tree.
 */
function maskedRun(run: Execution, mask: (text: string) => string): Execution {
  return { ...run, stdout: mask(run.stdout), stderr: mask(run.stderr), report: run.report === null ? null : mask(run.report) }
}

const MAX_LEFT_OUT = 100

async function measured<Measurement extends { readonly ended_by: string }>(
  scene: Scene,
  /** null: not from the store, and not into it. */
  argv: readonly string[] | null,
  run: () => Promise<Measurement>,
): Promise<Measured<Measurement>> {
  const { kit, tree } = scene
  const treeId = await tree.record()
  // What is measured beside files that no commit will have is no measure of the tree.
  const ignored = await tree.unrecorded()
  if (ignored.length > 0) scene.notes['ignored'] = ignored.slice(0, MAX_LEFT_OUT)
  const key = treeId === null || argv === null || ignored.length > 0 ? null : await measurementKey(scene, treeId, argv)
  if (key !== null) {
    const known = await kit.store.read((tx) => tx.get<{ receipt_id: string; body: string }>('SELECT receipt_id, body FROM measurements WHERE key = ?', key))
    if (known) {
      scene.notes['reused_from'] = known.receipt_id
      return { measurement: JSON.parse(known.body) as Measurement, receipt: known.receipt_id, reused: true, ignored }
    }
  }
  const isPristine = await tree.isPristine()
  const measurement = await run()
  // What a measurement leaves behind is no work of the task: the tree that was measured is the one that goes on.
  const leftOut = treeId === null ? [] : await tree.restore(treeId)
  if (leftOut.length > 0) scene.notes['left_out'] = leftOut.slice(0, MAX_LEFT_OUT)
  // A run that a limit ended measured that limit, and one beside what no commit will have measured that too.
  if (key !== null && isPristine && measurement.ended_by === 'exit')
    scene.onReceipt.push(
      async (tx) =>
        void (await tx.run(
          'INSERT INTO measurements (key, receipt_id, body) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING',
          key,
          scene.receiptId,
          canonicalJson(measurement),
        )),
    )
  scene.notes['tree'] = treeId
  return { measurement, receipt: scene.receiptId, reused: false, ignored }
}

async function measurementKey(scene: Scene, tree: string, argv: readonly string[]): Promise<string> {
  const { backend } = await scene.kit.sandbox()
  const home = await scene.tree.environmentHome(scene.signal)
  const { file } = await programOf(scene.kit, scene.tree, argv[0] ?? '', home)
  return sha256(
    canonicalJson({
      tree,
      argv,
      toolchain: [file, statSync(file).mtimeMs],
      backend: backend.name,
      environment: environmentDigest(scene.tree, home),
      ...(scene.tree.shownGit ? { commit: scene.tree.shownGit.commit } : {}),
    }),
  )
}

function note(scene: Scene, run: Execution): void {
  scene.notes['sandbox'] = run.backend
  scene.notes['ended_by'] = run.ended_by
}

/** Output for a model or a person, the tree's place on this machine hidden. */
function forReader(run: Execution): string {
  return run.output.replaceAll(run.root, '/workspace')
}

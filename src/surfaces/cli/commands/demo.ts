/**
 * `vp demo`: the whole way on a sample, by the same operations as the commands, each row as soon as it is known. Only
 * the model's words are recorded; with `--live` they are the person's own model's.
 */
import { VpError, asVpError } from '../../../core/errors.ts'
import { breachError } from '../../../pas/embedded/reducer/gates.ts'
import type { Caller, Operation } from '../../../operations/operation.ts'
import { plmsApprove, plmsCreate, plmsEstimate, plmsPlan, plmsSimulate, plmsStart } from '../../../operations/plms.ts'
import type { Estimated, Simulated } from '../../../operations/projects/estimate.ts'
import type { NewProject } from '../../../operations/projects/new.ts'
import type { Planned } from '../../../operations/projects/plan.ts'
import type { Started } from '../../../operations/projects/start.ts'
import { problemWords } from '../../../ledger/verify.ts'
import { runComplete, runValidate, runVerify } from '../../../operations/runs.ts'
import type { Completed } from '../../../operations/runs/complete.ts'
import type { Validated } from '../../../operations/runs/validate.ts'
import type { VerifyResult } from '../../../operations/runs/verify.ts'
import { NOBODY } from '../../../operations/runs/watcher.ts'
import type { RunState, TaskState } from '../../../pas/embedded/reducer/state.ts'
import { commitAll } from '../../../workspace/new-repository.ts'
import type { Command, CommandContext, Edges } from '../command.ts'
import { paint } from '../finish.ts'
import { count, duration, tokenBand, tokens, usd, usdBand } from '../format.ts'
import { dots } from '../layout.ts'
import { DEMO_HEAD, DEMO_HEAD_LIVE, demoStep } from '../screens/demo.ts'
import { strong } from '../style.ts'
import { watchRun } from '../watch.ts'
import { makeDemoPlace, removeDemoPlace, resumeCommand, SAMPLE, startRepository, wayThere, wayToVp, type DemoPlace } from './demo-place.ts'
import { endError } from './outcomes.ts'

const PROOF = ['git log --stat', 'vp validate', 'vp replay', 'vp undo']

export const demoCommand: Command = {
  name: 'demo',
  group: 'machine',
  summary: 'the whole way on a sample, offline',
  usage: 'vp demo [--live]',
  examples: ['vp demo', 'VP_DEMO_DIR=vp-demo vp demo', 'vp demo --live'],
  flags: { live: { type: 'boolean', help: 'ask your own model instead of the recording' } },
  needsKit: true,
  exits: [0, 2, 3, 4, 5, 6, 7, 8, 130],
  json: 'directory, state, live, run_id, tasks[]{n,lane,status,attempts}, at_once[], gates{held,of}, commits[], branch, tokens, cost_usd, band, duration_ms, verified, look[]',
  async run(context) {
    const live = context.flags['live'] === true
    const startedAt = context.ports.clock.monotonic()
    const place = makeDemoPlace(context, live)
    say(context, live ? DEMO_HEAD_LIVE : DEMO_HEAD)
    const seen: Seen = { rehearsed: false, run: null }
    try {
      const played = await play(context, context.elsewhere(place), place, seen)
      const way = [...wayThere(context, place), ...wayToVp(context)]
      for (const [index, commands] of [...way.map((command) => [command]), PROOF].entries())
        say(context, demoStep(index === 0 ? 'look' : '', commands.map(strong).join(' · ')))
      const duration_ms = Math.round(context.ports.clock.monotonic() - startedAt)
      const result = { directory: place.cwd, state: place.state, live, ...played, duration_ms, look: [...way, ...PROOF] }
      return { result, screen: () => ({ stdout: [], stderr: [] }) }
    } catch (thrown) {
      throw withWay(context, place, asVpError(thrown), seen)
    }
  },
}

function say(context: CommandContext, line: string): void {
  if (!context.json) context.write(paint({ stdout: [line], stderr: [] }, context.looks).stdout)
}

/** How far it came: what there is to look at when it does not come to its end. */
interface Seen {
  rehearsed: boolean
  run: RunState | null
}

/** What is left behind and how to go on; what came to nothing is removed. */
function withWay(context: CommandContext, place: DemoPlace, error: VpError, seen: Seen): VpError {
  const byPerson = error.code === 'cancelled'
  const kept = place.temporary === null || seen.run !== null || (seen.rehearsed && !byPerson)
  if (!kept) removeDemoPlace(place)
  const goOn = seen.run?.status === 'completed' ? 'vp complete' : resumeCommand(context, place)
  const next = seen.run && error.code !== 'gate.failed' ? goOn : (error.details.next?.[0] ?? 'vp status')
  return new VpError(error.code, byPerson ? 'stopped by you' : error.message, {
    ...error.details,
    next: kept ? [...wayThere(context, place), next] : byPerson ? ['vp demo'] : (error.details.next ?? []),
    changed: kept ? 'all is kept' : 'nothing was kept',
    cause: error.cause,
  })
}

interface Played {
  readonly run_id: string
  readonly tasks: readonly { readonly n: number; readonly lane: string; readonly status: string; readonly attempts: number }[]
  /** The first tasks that ran at the same time. */
  readonly at_once: readonly number[]
  readonly gates: { readonly held: number; readonly of: number }
  readonly commits: readonly string[]
  readonly branch: string
  readonly tokens: number
  readonly cost_usd: number | null
  readonly band: { readonly tokens: readonly [number, number]; readonly cost_usd: readonly [number, number] | null }
  readonly verified: { readonly unaltered: boolean; readonly complete: boolean; readonly receipts: number }
}

async function play(context: CommandContext, demo: Edges, place: DemoPlace, seen: Seen): Promise<Played> {
  const row = (label: string, text: string) => say(context, demoStep(label, text))
  const call = async <Result>(operation: Operation, params: object, watched?: Caller['live']): Promise<Result> => {
    if (context.pause.aborted) throw new VpError('cancelled', '')
    return (await demo.call(operation, params, watched ? { live: watched } : {})).result as Result
  }
  const author = await startRepository(demo)
  const created = await call<NewProject>(plmsCreate, { name: SAMPLE })
  row('new', `${SAMPLE}, copied to ${place.temporary === null ? place.cwd : 'a temporary directory'}, ${count(created.index.files, 'file')} indexed`)

  const planned = await call<Planned>(plmsPlan, { prd: 'PRD.md' })
  const { git, clock, config } = demo.kit()
  await commitAll(git, demo.cwd, { message: 'chore: plan with vp\n', author, epochMs: clock.now() })
  const estimated = await call<Estimated>(plmsEstimate, {})
  seen.rehearsed = true
  const simulated = await call<Simulated>(plmsSimulate, { rehearsal_pct: 0.01 }, { watcher: NOBODY, pause: context.pause })
  // The caps of a small change; where no price is known only tokens can be counted.
  const caps = estimated.price_known
    ? { budget_usd: config.do_budget_usd, budget_tokens: null }
    : { budget_usd: null, budget_tokens: 2 * Math.round(simulated.rehearsed.tokens.ci_90[1]) }
  await call(plmsApprove, { ...caps, breach: 'pause', gates: [] })
  const band = bandOf(estimated, simulated)
  row(
    'plan',
    dots(`${count(planned.shape.tasks, 'task')} in ${count(planned.shape.lanes, 'lane')} from PRD.md`, `${bandWords(band)} est., rehearsed, approved`),
  )

  const started = await watched(context, demo, seen, (live) => call<Started>(plmsStart, {}, live))
  if (started.exit !== 0) throw endError(started)
  const ran = tasksOf(seen.run)
  const atOnce = firstAtOnce(ran)
  row('start', dots(atOnceWords(atOnce), ...repairWords(ran), started.backend, duration(started.duration_ms)))

  const validated = await call<Validated>(runValidate, { run: started.run_id })
  const [violation] = validated.violations
  if (violation) throw breachError(violation.words, { next: ['vp validate'] })
  row('gates', `${validated.held} of ${validated.of}: ${gateWords(validated)}`)

  const completed = await call<Completed>(runComplete, { run: started.run_id })
  const verified = await call<VerifyResult>(runVerify, { run: started.run_id })
  if (!verified.sound)
    throw new VpError(verified.unaltered ? 'ledger.incomplete' : 'ledger.altered', verified.problems.map(problemWords)[0] ?? 'the ledger does not hold', {
      next: ['vp verify'],
    })
  row('commits', dots(`${commitWords(started.commits, completed)}`, `${count(verified.receipts, 'receipt')}, unaltered, complete`))
  row('spent', spentWords(started, band, context.flags['live'] === true))
  return {
    run_id: started.run_id,
    tasks: ran.map((task) => ({ n: task.card.payload.n, lane: task.card.lane, status: task.status, attempts: task.attempt })),
    at_once: atOnce.map((task) => task.card.payload.n),
    gates: { held: validated.held, of: validated.of },
    commits: [...started.commits, completed.to],
    branch: completed.branch,
    tokens: started.tokens_total,
    cost_usd: started.cost_usd,
    band,
    verified: { unaltered: verified.unaltered, complete: verified.complete, receipts: verified.receipts },
  }
}

/** On a terminal the run is watched as `vp start` shows it; piped, the demo is its rows alone. */
async function watched<Result>(
  context: CommandContext,
  demo: Edges,
  seen: Seen,
  work: (live: NonNullable<Caller['live']>) => Promise<Result>,
): Promise<Result> {
  const watch = context.json || context.looks.lines ? null : watchRun({ ...context, ...demo })
  const { watcher, ...live } = watch?.live ?? { watcher: NOBODY, pause: context.pause }
  const onState = (state: RunState) => {
    seen.run = state
    watcher.onState(state)
  }
  try {
    return await work({ ...live, watcher: { ...watcher, onState } })
  } finally {
    watch?.end()
  }
}

const tasksOf = (state: RunState | null): TaskState[] => (state?.order ?? []).flatMap((id) => state?.tasks[id] ?? [])

/** The first task that another one ran beside, and that other one. */
function firstAtOnce(tasks: readonly TaskState[]): TaskState[] {
  const overlap = (a: TaskState, b: TaskState) => (a.started_at ?? 0) < (b.ended_at ?? 0) && (b.started_at ?? 0) < (a.ended_at ?? 0)
  for (const [index, task] of tasks.entries()) {
    const other = tasks.slice(index + 1).find((one) => overlap(task, one))
    if (other) return [task, other]
  }
  return []
}

const names = (tasks: readonly TaskState[]): string => tasks.map((task) => `T${task.card.payload.n}`).join(' and ')

function atOnceWords(tasks: readonly TaskState[]): string | null {
  return tasks.length === 0 ? null : `${names(tasks)} at once`
}

function repairWords(tasks: readonly TaskState[]): string[] {
  const repaired = tasks.filter((task) => task.attempt > 1)
  return repaired.length === 0 ? [] : [`${names(repaired)} failed ${repaired.length === 1 ? 'its gate, was' : 'their gates, were'} repaired`]
}

/** Each KPI once, with its lowest value. */
function gateWords(validated: Validated): string {
  const measured = validated.gates.filter((gate) => gate.measured)
  return [...new Set(measured.map((gate) => gate.kpi_name))]
    .map((kpi) => {
      const values = measured.filter((gate) => gate.kpi_name === kpi).flatMap((gate) => (typeof gate.actual === 'number' ? [gate.actual] : []))
      return values.length === 0 ? kpi : `${kpi} ${Math.min(...values).toFixed(2)}`
    })
    .join(', ')
}

function commitWords(commits: readonly string[], completed: Completed): string {
  const shown = commits.slice(0, 2).map((commit) => commit.slice(0, 7))
  const more = completed.commits - shown.length
  return `${shown.join(' ')}${more > 0 ? ` and ${more} more` : ''} on ${completed.branch}`
}

/** Money where the model has a price, tokens where it has none. */
function bandOf(estimated: Estimated, simulated: Simulated): Played['band'] {
  const { tokens, cost_usd } = simulated.rehearsed
  return { tokens: tokens.ci_90, cost_usd: estimated.price_known && cost_usd.ci_90[1] > 0 ? cost_usd.ci_90 : null }
}

const bandWords = (band: Played['band']): string => (band.cost_usd ? usdBand(...band.cost_usd) : `${tokenBand(...band.tokens)} tok`)

function spentWords(started: Started, band: Played['band'], live: boolean): string {
  const within = (value: number, [low, high]: readonly [number, number]) => (value >= low && value <= high ? 'inside the band' : 'outside the band')
  if (band.cost_usd && started.cost_usd !== null) return `${usd(started.cost_usd)}, ${within(started.cost_usd, band.cost_usd)}`
  const used = `${tokens(started.tokens_total)} tokens${live ? '' : ' when recorded'}, ${within(started.tokens_total, band.tokens)}`
  return dots(used, live ? usd(started.cost_usd) : '$0 now')
}

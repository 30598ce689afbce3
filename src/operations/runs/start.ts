/**
 * Starting a run: repository and identity are sound, the passport is written, then one job card per task, then
 * the run. In this order, so that a crash at any point leaves nothing that spends or confuses.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { VpError } from '../../core/errors.ts'
import type { Json } from '../../core/json.ts'
import { taskCount } from '../../core/run-words.ts'
import { runId as mintRunId, taskId as mintTaskId, type RunId, type TaskId } from '../../core/ids.ts'
import { isoUtc } from '../../core/ports.ts'
import { sealChain } from '../../ledger/checkpoints.ts'
import type { ProviderName } from '../../models/choose.ts'
import { DEFAULT_PARAMETERS } from '../../models/contract.ts'
import { presetOf } from '../../models/policy/presets.ts'
import { lastMeasuredWindow } from '../measured-window.ts'
import { checkPassport, printDocument, type Passport } from '../../ledger/passport.ts'
import { appendReceipt } from '../../ledger/receipts.ts'
import type { JobCard, RunKind } from '../../pas/contract/types.ts'
import type { Caps, ContextWindow, ForkOrigin, LaneParameters, RunState } from '../../pas/embedded/reducer/state.ts'
import { appendEvents, type EventDraft } from '../../pas/embedded/run-store.ts'
import type { PlanTask, ProjectFile } from '../../plms/contract/types.ts'
import { redactTexts } from '../../policy/redact.ts'
import type { Tx } from '../../store/contract.ts'
import { leafTasks } from '../../plms/embedded/plan.ts'
import { humanIdentity, openHumanRepository, requireBase, type HumanRepository } from '../../workspace/human-repository.ts'
import { createRunRepository } from '../../workspace/run-repository.ts'
import type { Kit } from '../kit.ts'
import type { StoredPlan } from '../projects/plans.ts'
import { inputsHere } from './inputs.ts'
import { keepProject } from './kept-project.ts'
import { keepRequirements } from './requirements.ts'
import { branchOf, runDirectory } from './run-scene.ts'

export interface StartRequest {
  readonly root: string
  readonly project: ProjectFile
  readonly plan: StoredPlan
  /** What its tasks are told of the requirements. */
  readonly requirements: string | null
  readonly kind: RunKind
  readonly origin?: 'do'
  readonly caps: Caps
  readonly model: {
    readonly name: string
    readonly model: string
    readonly host: string
    readonly tier: string
    readonly snapshot?: Json
    readonly parameters?: LaneParameters
  }
  /** A rehearsal runs some tasks only; absent: all leaves. */
  readonly only?: readonly number[]
  /** Of a fork: what it is given of the run that it comes from. */
  readonly fork?: ForkSeed
  /** Asked in the transaction that makes the run: one to join in its place, or null. What it writes is written with the run. */
  readonly enter?: (tx: Tx) => Promise<RunState | null>
}

export interface ForkSeed {
  readonly base: string
  readonly origin: ForkOrigin
  readonly context?: ContextWindow
  readonly parameters?: LaneParameters
  /** Into the new run's repository. */
  prepare(gitDir: string): Promise<void>
  /** Between the cards and the run's start. */
  events(cards: readonly JobCard[]): EventDraft[]
  /** In the transaction that makes the run. */
  write(tx: Tx, runId: RunId): Promise<void>
}

export interface StartedRun {
  readonly state: RunState
  /** It was there already: nothing was made. */
  readonly joined: boolean
}

/** What every run needs of the repository. Throws `workspace.*`, `usage.identity`; asked before anything is recorded. */
export async function requireStart(kit: Kit, root: string): Promise<{ human: HumanRepository; base: string }> {
  const human = await openHumanRepository(kit.git, root, kit.paths.views)
  const { commit } = await requireBase(kit.git, human)
  await humanIdentity(kit.git, human, kit.env)
  return { human, base: commit }
}

/** Creates the run and returns it executing. Throws `workspace.*`, `usage.identity`, `sandbox.unavailable`, `run.passport`. */
export async function startRun(kit: Kit, request: StartRequest): Promise<StartedRun> {
  const { human, base: here } = await requireStart(kit, request.root)
  const base = request.fork?.base ?? here
  const sandbox = await kit.sandbox()
  const runId = mintRunId(kit.clock, kit.random)
  const directory = runDirectory(kit, runId)
  const cards = jobCards(kit, request, runId)
  const window = await windowOf(kit, request.model)
  const parameters = parametersOf(request)
  const facts = { runId, commit: base, backend: sandbox.backend.name, weaknesses: sandbox.weaknesses }
  const passport = redactTexts(await makePassport(kit, request, facts), kit.redactText)
  kit.point('start.passport')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  writeFileSync(join(directory, 'replay_passport.json.new'), printDocument(passport))
  renameSync(join(directory, 'replay_passport.json.new'), join(directory, 'replay_passport.json'))
  keepProject(directory, request.project)
  keepRequirements(directory, request.requirements)
  createRunRepository(join(directory, 'repository.git'), human, { branch: branchOf(runId), commit: base })
  await request.fork?.prepare(join(directory, 'repository.git'))
  kit.point('start.before')
  const started = await kit.store.transaction(
    async (tx) => {
      const other = await request.enter?.(tx)
      if (other) return { state: other, joined: true }
      await appendReceipt(tx, kit, {
        op: 'run.passport',
        actor: 'operator',
        surface: 'engine',
        run_id: runId,
        outcome: 'ok',
        summary: `passport of ${request.kind} run, base ${base.slice(0, 7)}`,
        detail: { passport: JSON.parse(printDocument(passport)) },
      })
      for (const card of cards)
        await tx.run('INSERT INTO job_cards (id, run_id, body, created_at) VALUES (?, ?, ?, ?)', card.task_id, runId, JSON.stringify(card), kit.clock.now())
      const { state } = await appendEvents(tx, kit.clock.now(), runId, [
        {
          type: 'run_created',
          run_id: runId,
          project_id: request.project.project_id,
          kind: request.kind,
          ...(request.origin ? { origin: request.origin } : {}),
          caps: request.caps,
          plan_version: request.plan.version,
          expect_tasks: cards.length,
          max_attempts: kit.config.max_attempts,
          context: request.fork?.context ?? window,
          ...(parameters ? { parameters } : {}),
          base,
        },
        ...cards.map((card) => ({ type: 'card_submitted' as const, card })),
        ...(request.fork?.events(cards) ?? []),
        { type: 'run_started' },
      ])
      await request.fork?.write(tx, runId)
      await appendReceipt(tx, kit, {
        op: 'run.start',
        actor: 'human',
        surface: 'cli',
        run_id: runId,
        outcome: 'ok',
        summary: `${taskCount(cards.length)}, plan v${request.plan.version}`,
        sandbox: sandbox.backend.name,
      })
      await sealChain(tx, kit.clock, kit.key(), runId)
      return { state, joined: false }
    },
    { durable: true },
  )
  kit.point('start.after')
  if (started.joined) rmSync(directory, { recursive: true, force: true })
  const { status, reason } = started.state
  if (status === 'failed')
    throw new VpError(reason === 'plan.cycle' ? 'plan.cycle' : 'plan.invalid', `the plan cannot run: ${reason ?? ''}`, { next: ['vp plan'] })
  return started
}

/** As configured, and never more than the model has: as it was measured, else as it is known. */
async function windowOf(kit: Kit, { name, model, host }: StartRequest['model']): Promise<ContextWindow> {
  const { window_tokens } = kit.config.context
  const measured = await lastMeasuredWindow(kit, { provider: name as ProviderName, model, endpoint: { host, loopback: true } })
  return { ...kit.config.context, window_tokens: Math.min(window_tokens, measured ?? presetOf(model)?.window_tokens ?? window_tokens) }
}

/** A fork asks as the run that it comes from: its first requests are that one's. */
function parametersOf({ fork, model }: StartRequest): LaneParameters | undefined {
  return fork ? fork.parameters : model.parameters
}

function jobCards(kit: Kit, request: StartRequest, runId: RunId): JobCard[] {
  const leaves = leafTasks(request.plan.tasks).filter((task) => request.only === undefined || request.only.includes(task.n))
  const ids = new Map<number, TaskId>(leaves.map((task) => [task.n, mintTaskId(kit.random)]))
  return leaves.map((task, index) => ({
    task_id: ids.get(task.n) as TaskId,
    project_id: request.project.project_id,
    run_id: runId,
    lane: task.pas_lane,
    priority: 0.5,
    // A rehearsal's tasks stand alone: what they would wait for is not there.
    deps: request.only ? [] : task.deps.flatMap((dep) => ids.get(dep) ?? []),
    payload: { n: task.n, goal: task.title, files: task.files, tests: task.tests, complexity: task.complexity },
    budget_usd: (request.caps.micro_usd ?? 0) / 1e6,
    ci_width_hint: 0.3,
    created_at: kit.clock.now() + index,
  }))
}

async function makePassport(
  kit: Kit,
  request: StartRequest,
  facts: { runId: string; commit: string; backend: string; weaknesses: readonly string[] },
): Promise<Passport> {
  const { model, plan } = request
  const lanesAsked = parametersOf(request)
  const { runtime_version, os, ...snapshot } = await inputsHere(kit, request.project, request.root)
  const lanes = Object.fromEntries([...new Set(plan.tasks.map((task: PlanTask) => task.pas_lane))].map((lane) => [lane, `${model.name}:${model.model}`]))
  return checkPassport({
    version: 1,
    project_id: request.project.project_id,
    run_id: facts.runId,
    run_kind: request.kind,
    provider_matrix: { [`${model.name}/${model.model}`]: model.model },
    providers: { lanes, endpoint: model.host, tier: model.tier, ...(model.snapshot === undefined ? {} : { snapshot: model.snapshot }) },
    capabilities: { tool_call: 'assumed', ...DEFAULT_PARAMETERS, ...(lanesAsked ? { lanes: lanesAsked } : {}) },
    prd_sha: plan.prd_sha.slice(0, 16),
    prd_sha256: plan.prd_sha,
    plan_sha: plan.sha,
    plan_version: plan.version,
    env: { git_commit: facts.commit, runtime_version, os },
    env_snapshot: { ...snapshot },
    allowlist_policy_version: 'shipped-1',
    policy_version: 'shipped-1',
    sandbox: { backend: facts.backend, weaknesses: facts.weaknesses },
    commands: { test: request.project.test?.argv ?? null, lint: request.project.lint?.argv ?? null },
    caps: { micro_usd: request.caps.micro_usd, tokens: request.caps.tokens, breach: request.caps.breach },
    key: { id: kit.key().id, public: kit.key().publicKey },
    ...(request.fork ? { fork: request.fork.origin } : {}),
    started_at: isoUtc(kit.clock.now()),
  })
}

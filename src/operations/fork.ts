/** run.fork: a recorded task again from one of its turns, with another model. Approved by being typed, like `vp do`. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod/mini'
import type { Passport } from '../ledger/passport.ts'
import { VpError } from '../core/errors.ts'
import type { RunState } from '../pas/embedded/reducer/state.ts'
import type { ProjectFile } from '../plms/contract/types.ts'
import type { Kit } from './kit.ts'
import { modelKey } from './broker/calls.ts'
import { refuseDrift } from './broker/drift.ts'
import { policyInForce } from './model-policy.ts'
import { openModel, openOfTier, type OpenModel } from './models.ts'
import { operation, type Scene } from './operation.ts'
import { loadPlan } from './projects/plans.ts'
import { requireProject } from './projects/project.ts'
import { results } from './results.ts'
import { ownRun } from './runs/chosen-run.ts'
import { resumeRun } from './runs/drive.ts'
import { forkPoint, seedOf } from './runs/fork.ts'
import { reportRun, type RunReport } from './runs/report.ts'
import { openRunScene, runDirectory } from './runs/run-scene.ts'
import { requirementsOf } from './runs/requirements.ts'
import { driveSession, endError, type Session } from './runs/session.ts'
import { startRun } from './runs/start.ts'

export interface Forked extends RunReport {
  readonly exit: number
  readonly joined: boolean
  readonly fork: RunState['fork'] | null
}

interface Params {
  readonly run?: string | undefined
  readonly from: number
  readonly task?: string | undefined
  readonly model?: string | undefined
  readonly tier?: string | undefined
  /** Also with a model that is no longer the one of the recording, under the same name. */
  readonly allow_drift?: boolean | undefined
  readonly budget_usd?: number | undefined
  readonly budget_tokens?: number | undefined
}

export const runFork = operation<Params, Forked>({
  name: 'run.fork',
  summary: 'a recorded task again from one of its turns, with another model',
  params: () =>
    z.strictObject({
      run: z.optional(z.string()),
      from: z.int().check(z.gte(1), z.lte(10_000)),
      task: z.optional(z.string().check(z.regex(/^T?\d{1,6}$/i))),
      model: z.optional(z.string().check(z.minLength(3), z.maxLength(200))),
      tier: z.optional(z.string().check(z.minLength(1), z.maxLength(60))),
      allow_drift: z.optional(z.boolean()),
      budget_usd: z.optional(z.number().check(z.nonnegative())),
      budget_tokens: z.optional(z.int().check(z.nonnegative())),
    }) as never,
  result: () => results().resumed as never,
  effect: 'spend',
  scope: 'projects.start',
  decide: (_params, { caller }) =>
    caller.surface === 'cli' || caller.scopes.has('projects.approve')
      ? { effect: 'allow', rule: 'scope/projects.start', reason: 'a person typed it' }
      : { effect: 'ask', rule: 'global/unapproved-run', reason: 'a run that nobody approved' },
  ask: (params) => ({
    wants: `do a recorded task again from turn ${params.from}, with a model`,
    reaches: 'a tree of its own, then a branch vp/RUN of its own',
    undo: 'the branch: all. Not: what the model read and what it cost',
    fullyUndoable: false,
    maxExtent: 'call',
  }),
  async handler(params, scene) {
    const { kit, tree } = scene
    const { state, project } = await ownRun(scene, params.run)
    const point = await forkPoint(kit, state, params.from, params.task)
    const model = await openNamed(scene, params)
    if (params.allow_drift !== true) await requireSameModel(scene, state.run_id, params, model)
    const source = await openRunScene(kit, state, project)
    const plan = await kit.store.read((tx) => loadPlan(tx, state.project_id, state.plan_version))
    if (!plan) throw new VpError('plan.none', `plan v${state.plan_version} of run ${state.run_id} is gone`, { next: ['vp verify'] })
    const { state: fork } = await startRun(kit, {
      root: tree.root,
      project,
      plan,
      requirements: requirementsOf(scene, state),
      kind: 'replay',
      caps: {
        micro_usd: Math.round((params.budget_usd ?? kit.config.do_budget_usd) * 1e6),
        tokens: params.budget_tokens ?? kit.config.do_budget_tokens,
        breach: 'pause',
      },
      model: { name: model.provider.name, model: model.provider.model, host: model.host, tier: model.tier },
      only: [point.task.card.payload.n],
      fork: await seedOf(kit, source, point),
    })
    return toItsEnd(scene, { ...(await sessionOf(scene, fork, project)), model })
  },
  say: (params, result) => `from turn ${params.from} of ${result.fork?.run_id ?? 'a run'}: ${result.status}`,
})

/** The turns before were one model's; the same name with other bytes behind it goes on only where a person says so. Throws `replay.drift`. */
async function requireSameModel({ kit, signal }: Scene, run: string, { from }: Params, { provider }: OpenModel): Promise<void> {
  const receipts = await kit.store.read((tx) =>
    tx.all<{ op: string; body: string }>("SELECT op, body FROM receipts WHERE run_id = ? AND op = 'model.call' ORDER BY seq", run),
  )
  await refuseDrift(kit, receipts, { command: `vp replay ${run} --from ${from}`, only: modelKey(provider), signal })
}

/** A fork that was paused or killed goes on as one: under its own caps. */
export async function resumeFork(scene: Scene, state: RunState, project: ProjectFile, caps?: RunState['caps']): Promise<Forked> {
  if (state.status === 'completed') return reported(scene, state, 0)
  const { providers } = passportOf(scene.kit, state.run_id)
  const named = Object.values(providers.lanes)[0] ?? ''
  const first = policyInForce(scene.kit).policy.tiers?.[providers.tier]?.models[0]
  // The model that it was begun with: the tier's, while the policy has it there, else by its name.
  const model = await openNamed(
    scene,
    first && named.endsWith(`:${first.model}`) ? { tier: providers.tier } : named === '' || named.startsWith('recorded:') ? {} : { model: named },
  )
  return toItsEnd(scene, { ...(await sessionOf(scene, await resumeRun(scene.kit, state, caps), project)), model })
}

async function sessionOf(scene: Scene, state: RunState, project: ProjectFile): Promise<Omit<Session, 'model'>> {
  const record = await scene.kit.store.read((tx) => requireProject(tx, state.project_id))
  return { state, project, gates: record.approval?.gates ?? [] }
}

async function toItsEnd(scene: Scene, session: Session): Promise<Forked> {
  const end = await driveSession(scene, session)
  scene.notes['run'] = end.state.run_id
  const { exit, error } = endError(scene.kit, end)
  if (error) throw error
  return reported(scene, end.state, exit)
}

async function reported(scene: Scene, state: RunState, exit: number): Promise<Forked> {
  return { ...(await reportRun(scene.kit, state, null)), exit, joined: false, fork: state.fork ?? null }
}

/** `--model` names one; `--tier` takes the tier's first of the policy in force. Throws `usage.params` besides what opening throws. */
async function openNamed(scene: Scene, { model, tier }: Pick<Params, 'model' | 'tier'>): Promise<OpenModel> {
  const { kit } = scene
  if (model !== undefined) return openModel({ ...scene, kit: { ...kit, env: environmentFor(kit.env, model) } })
  if (tier === undefined) return openModel(scene)
  const { tiers = {} } = policyInForce(kit).policy
  const limits = Object.hasOwn(tiers, tier) ? tiers[tier] : undefined
  if (!limits)
    throw new VpError('usage.params', `the policy has no tier ${JSON.stringify(tier)}`, {
      why: `tiers: ${Object.keys(tiers).join(', ')}`,
      next: ['vp model list'],
    })
  return openOfTier(scene, tier, limits)
}

const providerIn = (setting: string | undefined): string | undefined => setting?.split(/[:/]/, 1)[0]

/** Address and key of the environment are of the model that it names: another provider gets neither. */
function environmentFor(env: Kit['env'], model: string): Kit['env'] {
  if (providerIn(env['VP_MODEL']) === providerIn(model)) return { ...env, VP_MODEL: model }
  const { VP_MODEL_BASE_URL: _address, VP_MODEL_API_KEY: _key, ...rest } = env
  return { ...rest, VP_MODEL: model }
}

function passportOf(kit: Kit, runId: string): Pick<Passport, 'providers'> {
  return JSON.parse(readFileSync(join(runDirectory(kit, runId), 'replay_passport.json'), 'utf8')) as Passport
}

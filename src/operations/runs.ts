/** run.*: control, proof and repair of runs, as operations. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { VpError } from '../core/errors.ts'
import type { RunId } from '../core/ids.ts'
import { appendReceipt, MACHINE_CHAIN } from '../ledger/receipts.ts'
import { problemWords } from '../ledger/verify.ts'
import { FINAL_RUN } from '../pas/contract/types.ts'
import type { Caps, RunState } from '../pas/embedded/reducer/state.ts'
import { appendEvents, findRun, latestHere } from '../pas/embedded/run-store.ts'
import { refuseDrift } from './broker/drift.ts'
import type { Kit, OpenKit } from './kit.ts'
import { resumeDo, type DoResult } from './do.ts'
import { resumeFork } from './fork.ts'
import { operation, type Scene } from './operation.ts'
import { requireProject } from './projects/project.ts'
import { resumeProject, type Started } from './projects/start.ts'
import { results } from './results.ts'
import { collectBundle, parseBundle, writeBundle, type Bundle } from './runs/bundle.ts'
import { verifyBundle } from './runs/bundle-proof.ts'
import { chosenRun, ownRun } from './runs/chosen-run.ts'
import { completeRun, type Completed } from './runs/complete.ts'
import { recordEnd } from './runs/end.ts'
import { queueOf } from './runs/ports.ts'
import { openRunScene, runDirectory } from './runs/run-scene.ts'
import { replayBundle, type Replayed } from './runs/replay.ts'
import { keptProject } from './runs/kept-project.ts'
import { requirementsOf } from './runs/requirements.ts'
import { hasChanged, undo, type Undone } from './runs/undo.ts'
import { validateRun, type Validated } from './runs/validate.ts'
import { headsKnownAt, verifyLedger, type VerifyResult } from './runs/verify.ts'
import { decideApproval, pendingQuestion } from './wrapper/approval.ts'

const runParam = { run: z.optional(z.string()) }
type RunParam = { run?: string | undefined }
const MAX_BUNDLE = 512 * 1024 * 1024

interface NewBudget {
  budget_usd?: number | undefined
  budget_tokens?: number | undefined
}

export const runResume = operation<RunParam & NewBudget, Started | DoResult>({
  name: 'run.resume',
  summary: 'go on with a paused or interrupted run',
  effect: 'spend',
  scope: 'run.control',
  result: () => results().resumed as never,
  params: () =>
    z.strictObject({
      ...runParam,
      budget_usd: z.optional(z.number().check(z.nonnegative())),
      budget_tokens: z.optional(z.int().check(z.nonnegative())),
    }) as never,
  async handler(params, scene) {
    const { state, project } = await ownRun(scene, params.run)
    const caps = newCaps(scene, state, params)
    if (state.fork) return resumeFork(scene, state, project, caps)
    return state.origin === 'do' ? resumeDo(scene, state, project, caps) : resumeProject(scene, project, state)
  },
  say: (_params, started) => `run ${started.run_id}: ${started.status}`,
})

/** A new cap is a decision: a person's, and about a goal that was typed; what a plan may spend stands in its approval. */
function newCaps({ caller }: Scene, state: RunState, budget: NewBudget): Caps | undefined {
  const { budget_usd: usd, budget_tokens: tokens } = budget
  if (usd === undefined && tokens === undefined) return undefined
  if (!caller.scopes.has('budget.override')) throw new VpError('policy.scope', 'Missing scope: budget.override', { rule: 'scope/budget.override' })
  if (state.origin !== 'do' && !state.fork)
    throw new VpError('usage.params', 'what the run of a plan may spend is approved with its plan', {
      next: [`vp approve${usd === undefined ? '' : ` --budget-usd ${usd}`}${tokens === undefined ? '' : ` --budget-tokens ${tokens}`}`, 'vp resume'],
    })
  return { ...state.caps, ...(usd === undefined ? {} : { micro_usd: Math.round(usd * 1e6) }), ...(tokens === undefined ? {} : { tokens }) }
}

interface Controlled {
  readonly status: string
  readonly run_id: string
  /** Attempts that have not ended yet. */
  readonly running: number
}

export const runPause = operation<RunParam & { reason?: string | undefined }, Controlled>({
  name: 'run.pause',
  summary: 'begin nothing new in a run',
  effect: 'execute',
  scope: 'run.control',
  result: () => results().controlled as never,
  params: () => z.strictObject({ ...runParam, reason: z.optional(z.string()) }) as never,
  handler: (params, scene) => control(scene, params, 'paused'),
})

export const runTerminate = operation<RunParam & { reason?: string | undefined }, Controlled>({
  name: 'run.terminate',
  summary: 'end a run for good',
  effect: 'execute',
  scope: 'run.control',
  result: () => results().controlled as never,
  params: () => z.strictObject({ ...runParam, reason: z.optional(z.string()) }) as never,
  handler: (params, scene) => control(scene, params, 'terminated'),
})

async function control(scene: Scene, params: RunParam & { reason?: string | undefined }, type: 'paused' | 'terminated'): Promise<Controlled> {
  const { kit } = scene
  const { state } = await ownRun(scene, params.run)
  if (FINAL_RUN.has(state.status)) throw new VpError('run.state', `run ${state.run_id} has ended: ${state.status}`, { next: ['vp status'] })
  const reason = params.reason === undefined ? 'by you' : kit.redactText(`by you: ${params.reason}`)
  const after = await kit.store.transaction(
    async (tx) => {
      await appendReceipt(tx, kit, {
        op: `run.${type}`,
        actor: 'human',
        surface: scene.caller.surface,
        run_id: state.run_id,
        outcome: 'ok',
        summary: reason,
      })
      const changed = await appendEvents(tx, kit.clock.now(), state.run_id, [{ type, reason }])
      if (FINAL_RUN.has(changed.state.status)) await recordEnd(tx, kit, changed.state)
      return changed
    },
    { durable: true },
  )
  const running = await settledAttempts(kit, state.run_id)
  return { status: after.state.status, run_id: state.run_id, running }
}

const SETTLE_MS = 12_000
const LOOK_MS = 100

/** Waits for the attempts under way to end or be cut, wherever they run; those of dead workers are given back. How many are left. */
async function settledAttempts(kit: Kit, runId: RunId): Promise<number> {
  const queue = queueOf(kit)
  for (const until = kit.clock.monotonic() + SETTLE_MS; ; await kit.sleep(LOOK_MS)) {
    const left = await queue.reclaim(runId)
    if (left === 0 || kit.clock.monotonic() > until) return left
  }
}

const EXTENTS = ['call', 'run', 'project'] as const

export const runApprove = operation<
  { approval: string; extent: 'call' | 'run' | 'project' | 'deny'; reason?: string | undefined },
  { approval: string; decision: string; extent: string | null; expires_at: string | null; run_id: string | null }
>({
  name: 'run.approve',
  summary: "answer a call's question",
  effect: 'write',
  scope: 'projects.approve',
  result: () => results().decided as never,
  params: () =>
    z.strictObject({
      approval: z.string(),
      extent: z.enum(['call', 'run', 'project', 'deny']),
      reason: z.optional(z.string()),
    }) as never,
  async handler(params, scene) {
    const { kit } = scene
    const question = await pendingQuestion(kit, params.approval)
    const { maxExtent } = question.ask
    if (params.extent !== 'deny' && EXTENTS.indexOf(params.extent) > EXTENTS.indexOf(maxExtent))
      throw new VpError('policy.denied', `this can be allowed for a ${maxExtent} at most, not for a ${params.extent}`, {
        rule: question.decision.rule,
        next: [`vp approve ${question.approval} --for ${maxExtent}`],
      })
    const { run_id } = await decideApproval(kit, question.approval, params.extent, params.reason === undefined ? null : kit.redactText(params.reason))
    if (run_id !== null)
      await kit.store.transaction((tx) =>
        appendEvents(tx, kit.clock.now(), run_id as RunId, [{ type: 'approval_decided', approval: question.approval, allowed: params.extent !== 'deny' }]),
      )
    return {
      approval: question.approval,
      decision: params.extent === 'deny' ? 'denied' : 'approved',
      extent: params.extent === 'deny' ? null : params.extent,
      expires_at: null,
      run_id,
    }
  },
})

export type ValidateResult = Validated & {
  /** Something of the run is in this checkout and can be taken back. */
  readonly undoable: boolean
}

export const runValidate = operation<RunParam, ValidateResult>({
  name: 'run.validate',
  summary: 'measure every gate on the run',
  effect: 'execute',
  scope: 'projects.view',
  result: () => results().validated as never,
  params: () => z.strictObject(runParam) as never,
  async handler(params, scene) {
    const { state, project } = await chosenRun(scene, params.run)
    const record = await scene.kit.store.read((tx) => requireProject(tx, state.project_id))
    // A goal that was typed is held to the shipped gates, whatever plan was approved beside it.
    const validated = await validateRun(scene.kit, state, project, state.origin === 'do' ? [] : (record.approval?.gates ?? []), scene)
    return { ...validated, undoable: await scene.kit.store.read((tx) => hasChanged(tx, scene.tree.root, state.run_id)) }
  },
  say: (_params, validated) => `${validated.held} of ${validated.of} gates hold, ${validated.violations.length} violations`,
})

export const runComplete = operation<RunParam & { merge?: boolean | undefined }, Completed>({
  name: 'run.complete',
  summary: 'bring a run whose gates hold to your branch',
  effect: 'publish',
  scope: 'projects.start',
  result: () => results().completed as never,
  params: () => z.strictObject({ ...runParam, merge: z.optional(z.boolean()) }) as never,
  async handler(params, scene) {
    const { state, project } = await ownRun(scene, params.run)
    return completeRun(scene, state, project, params.merge ?? false)
  },
  say: (_params, completed) =>
    completed.already ? `${completed.branch} holds it already` : `${completed.branch} ${completed.from.slice(0, 7)} → ${completed.to.slice(0, 7)}`,
})

export const runUndo = operation<{ id?: string | undefined; apply?: boolean | undefined }, Undone>({
  name: 'run.undo',
  summary: 'give back what was there before a change',
  effect: 'write',
  scope: 'fs.write',
  result: () => results().undone as never,
  params: () => z.strictObject({ id: z.optional(z.string()), apply: z.optional(z.boolean()) }) as never,
  handler: (params, scene) => undo(scene, params.id ?? null, params.apply ?? false),
  say: (_params, undone) => `${undone.applied ? 'restored' : 'would restore'} ${undone.restored}, refused ${undone.refused}`,
})

export const runVerify = operation<{ run?: string | undefined }, VerifyResult>({
  name: 'run.verify',
  summary: 'check that the ledger is unaltered and complete',
  effect: 'read',
  scope: 'audit.read',
  result: () => results().verified as never,
  params: () => z.strictObject(runParam) as never,
  async handler(params, scene) {
    const bundle = namedBundle(scene, params.run)
    if (bundle) return proofOf(scene, bundle)
    const { kit, tree } = scene
    const run = params.run === undefined ? null : await kit.store.read((tx) => findRun(tx, params.run ?? ''))
    const here = run === null ? (await kit.store.read((tx) => latestHere(tx, tree.root)))?.run_id : undefined
    const result = await verifyLedger(kit, kit as OpenKit, { root: tree.root, run, here })
    if (result.sound && run === null && here === undefined && result.run_id !== MACHINE_CHAIN)
      throw new VpError('run.none', 'there is no run here yet, so there is nothing to verify', { next: ['vp do "fix the failing test"', 'vp new --name NAME'] })
    return result
  },
})

export const ledgerAccept = operation<Record<never, never>, { accepted: readonly string[] }>({
  name: 'ledger.accept',
  summary: 'record that what the ledger lost is known to you',
  effect: 'write',
  scope: 'projects.approve',
  result: () => z.object({ accepted: z.array(z.string()) }) as never,
  params: () => z.strictObject({}) as never,
  async handler(_params, { kit, receiptId, onReceipt }) {
    await kit.store.transaction(async () => undefined) // the first write after a loss records it, and this may be the first
    const breaks = (kit as OpenKit).check().filter((problem) => problem.next !== undefined)
    onReceipt.push(async (tx) => void (await tx.run('UPDATE breaks SET accepted = ? WHERE accepted IS NULL', receiptId)))
    return { accepted: breaks.map(problemWords) }
  },
  say: (_params, { accepted }) => (accepted.length === 0 ? 'nothing is missing' : accepted.join('; ')),
})

/** The bundle file that a call names instead of a run. Any client but the terminal sees the workspace only. */
function namedBundle(scene: Scene, name: string | undefined): Bundle | null {
  if (name === undefined) return null
  if (scene.caller.surface === 'cli') {
    const found = statSync(name, { throwIfNoEntry: false })
    if (!found) return null
    // A folder, or a pipe that nobody writes to.
    if (!found.isFile()) throw new VpError('bundle.invalid', `${name} is no file`, { next: ['vp export RUN'] })
    return parseBundle(readFileSync(name), name)
  }
  const files = scene.tree.files()
  return files.exists(name) ? parseBundle(files.read(name, { maxBytes: MAX_BUNDLE }).bytes, name) : null
}

async function proofOf(scene: Scene, bundle: Bundle): Promise<VerifyResult> {
  const { kit, tree } = scene
  return verifyBundle(bundle, await headsKnownAt(kit, tree.root, bundle.run_id), kit.key().id)
}

export const runExport = operation<RunParam & { out?: string | undefined }, { path: string; run_id: string; receipts: number; bytes: number; key_id: string }>({
  name: 'run.export',
  summary: 'write one file that proves a run anywhere',
  effect: 'read',
  scope: 'audit.read',
  result: () => results().exported as never,
  params: () => z.strictObject({ ...runParam, out: z.optional(z.string()) }) as never,
  async handler(params, scene) {
    if (params.out !== undefined && scene.caller.surface !== 'cli')
      throw new VpError('path.denied', 'only a person at the terminal chooses where a bundle goes; without out it lies beside the run', {
        rule: 'out/terminal',
      })
    const { state, project } = await chosenRun(scene, params.run)
    const run = await openRunScene(scene.kit, state, keptProject(scene.kit, state.run_id) ?? project)
    const bundle = await collectBundle(scene.kit, run, state, requirementsOf(scene, state))
    if (params.out !== undefined && existsSync(params.out))
      throw new VpError('usage.params', `${params.out} is there already, and a bundle replaces nothing`, { next: [`vp export --out ${state.run_id}.vpb`] })
    const path = params.out ?? join(runDirectory(scene.kit, state.run_id), `${state.run_id}.vpb`)
    writeBundle(path, scene.kit.key(), bundle)
    return { path, run_id: state.run_id, receipts: bundle.receipts.length, bytes: readFileSync(path).length, key_id: bundle.key.id }
  },
})

/** `unasked`: models whose server could not be asked whether they are still the ones of the recording. */
export type ReplayedNow = Replayed & { readonly unasked: readonly string[] }

export const runReplay = operation<{ run?: string | undefined; allow_drift?: boolean | undefined }, ReplayedNow>({
  name: 'run.replay',
  summary: 'run it again from its recording, offline',
  effect: 'execute',
  scope: 'audit.read',
  result: () => results().replayed as never,
  params: () => z.strictObject({ ...runParam, allow_drift: z.optional(z.boolean()) }) as never,
  async handler(params, scene) {
    const { kit, tree } = scene
    const requireSame = async (replayed: Bundle, run: string) =>
      params.allow_drift ? [] : refuseDrift(kit, replayed.receipts, { command: `vp replay ${run}`, signal: scene.signal })
    const bundle = namedBundle(scene, params.run)
    if (bundle) {
      const proof = await proofOf(scene, bundle)
      if (!proof.unaltered)
        throw new VpError('ledger.altered', proof.problems.map(problemWords)[0] ?? 'the bundle is not as it was exported', {
          next: [`vp verify ${params.run}`],
        })
      const unasked = await requireSame(bundle, params.run ?? bundle.run_id)
      return { ...(await replayBundle(scene, bundle, tree.root)), unasked }
    }
    const { state, project } = await chosenRun(scene, params.run)
    const run = await openRunScene(kit, state, keptProject(kit, state.run_id) ?? project)
    const collected = await collectBundle(kit, run, state, requirementsOf(scene, state, run.human.root))
    const unasked = await requireSame(collected, state.run_id)
    return { ...(await replayBundle(scene, collected, run.human.root)), unasked }
  },
  say: (_params, { equal, trees, divergence }) =>
    equal ? `equal, ${trees.length} trees` : divergence === null ? 'nothing to compare' : `differs at ${divergence.task_id}`,
})

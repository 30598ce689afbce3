/**
 * Where the person's branch and a run that is done have changed the same lines, the run gets one more task: to bring
 * the two together in a tree of its own, out of what is left of the run's budget. Nothing of the person's is touched.
 * The passport stays as it was written: the plan that was approved is the same, the task is an event and a receipt.
 */
import { VpError } from '../../core/errors.ts'
import { taskId } from '../../core/ids.ts'
import { sealChain } from '../../ledger/checkpoints.ts'
import { appendReceipt } from '../../ledger/receipts.ts'
import type { JobCard, MergeOfSides } from '../../pas/contract/types.ts'
import { idleRepair } from '../../pas/embedded/reducer/repair.ts'
import { tokensOf } from '../../pas/embedded/reducer/budget.ts'
import type { RunState, TaskState } from '../../pas/embedded/reducer/state.ts'
import { appendEvents } from '../../pas/embedded/run-store.ts'
import { transition } from '../../plms/embedded/lifecycle.ts'
import { redactTexts } from '../../policy/redact.ts'
import { gitText, readRef, type RunGit } from '../../workspace/git.ts'
import { fileAt } from '../../workspace/tree-objects.ts'
import { mergeWithMarkers, treeChanges, treeOf, type MarkedMerge } from '../../workspace/run-repository.ts'
import { moveRef } from '../../workspace/refs.ts'
import type { Kit } from '../kit.ts'
import type { Scene } from '../operation.ts'
import { loadProject, saveProject } from '../projects/project.ts'
import { recordEnd } from './end.ts'
import type { RunScene } from './run-scene.ts'

const MAX_NAMED = 5
const MAX_WORDS = 20

export interface Conflict {
  /** Of the person's branch. */
  readonly person: string
  readonly branch: string
  readonly paths: readonly string[]
}

/** Adds the task and returns the error that says so. Throws `budget.cap` when nothing is left to do it with. */
export async function addRepair(scene: Scene, run: RunScene, state: RunState, conflict: Conflict): Promise<VpError> {
  const { kit } = scene
  refuseSpent(state, run, conflict)
  const card = redactTexts(await repairCard(kit, run, state, conflict), kit.redactText)
  await backToHead(kit, run, state)
  kit.point('repair.before')
  await kit.store.transaction(
    async (tx) => {
      const { state: after } = await appendEvents(tx, kit.clock.now(), state.run_id, [{ type: 'repair_added', card }])
      if (!after.tasks[card.task_id]) return // somebody else was first, with the same task
      await tx.run(
        'INSERT INTO job_cards (id, run_id, body, created_at) VALUES (?, ?, ?, ?)',
        card.task_id,
        state.run_id,
        JSON.stringify(card),
        card.created_at,
      )
      await appendReceipt(tx, kit, {
        op: 'run.repair',
        actor: 'human',
        surface: scene.caller.surface,
        run_id: state.run_id,
        task_id: card.task_id,
        outcome: 'ok',
        summary: `T${card.payload.n} added: ${card.payload.goal}`,
        detail: { run: state.head, person: conflict.person, paths: [...card.payload.files] },
      })
      const record = await loadProject(tx, state.project_id)
      // The next start of a project that was done: contracts/plms.md section 2.
      if (record && (record.status === 'validating' || record.status === 'completed'))
        await saveProject(tx, { ...record, status: transition('completed', 'start') })
      await sealChain(tx, kit.clock, kit.key(), state.run_id)
    },
    { durable: true },
  )
  return new VpError('workspace.moved', `${conflict.branch} and the run changed the same lines: ${named(conflict.paths)}`, {
    why: `T${card.payload.n} was added to the run: it brings both together in a tree of its own, within ${leftWords(state)}`,
    changed: 'your branch and files are as they were',
    next: ['vp resume', 'vp git pr'],
    data: { run_id: state.run_id, repair: `T${card.payload.n}`, paths: [...card.payload.files] },
  })
}

/** The state without a repair that the person has made unneeded, by bringing their branch and the run together themselves. */
export async function withoutMoot(scene: Scene, state: RunState, branchHolds: (commit: string) => Promise<boolean>): Promise<RunState> {
  const { kit } = scene
  const repair = idleRepair(state)
  if (!repair || !(await branchHolds(state.head))) return state
  return kit.store.transaction(
    async (tx) => {
      const { state: after } = await appendEvents(tx, kit.clock.now(), state.run_id, [{ type: 'repair_dropped', task_id: repair.task_id }])
      await appendReceipt(tx, kit, {
        op: 'run.repair',
        actor: 'human',
        surface: scene.caller.surface,
        run_id: state.run_id,
        task_id: repair.task_id,
        outcome: 'dropped',
        summary: `T${repair.card.payload.n} dropped: resolved by hand`,
      })
      if (after.status === 'completed') await recordEnd(tx, kit, after)
      return after
    },
    { durable: true },
  )
}

function refuseSpent(state: RunState, run: RunScene, { branch, paths }: Conflict): void {
  const { caps } = state
  const isSpent =
    (caps.micro_usd !== null && caps.micro_usd > 0 && state.micro_usd >= caps.micro_usd) || (caps.tokens !== null && tokensOf(state) >= caps.tokens)
  if (!isSpent) return
  throw new VpError(
    'budget.cap',
    `${branch} and the run changed the same lines (${named(paths)}), and nothing is left of the run’s budget to bring them together`,
    {
      changed: 'your branch and files are as they were',
      next: [`git merge ${run.branch.replace('refs/heads/', '')}`, 'vp git pr'],
    },
  )
}

function leftWords({ caps, micro_usd, tokens }: RunState): string {
  if (caps.micro_usd !== null && caps.micro_usd > 0) return `the $${((caps.micro_usd - micro_usd) / 1e6).toFixed(2)} left of its budget`
  return caps.tokens === null ? 'its budget' : `the ${caps.tokens - tokensOf({ tokens })} tokens left of its budget`
}

function named(paths: readonly string[]): string {
  return `${paths.slice(0, MAX_NAMED).join(', ')}${paths.length > MAX_NAMED ? ` and ${paths.length - MAX_NAMED} more` : ''}`
}

async function repairCard(kit: Kit, run: RunScene, state: RunState, conflict: Conflict): Promise<JobCard> {
  const { gitDir } = run.repository
  const base = await gitText(kit.git, ['merge-base', state.head, conflict.person], { gitDir })
  const marked = await conflictedTree(kit.git, gitDir, { run: state.head, person: conflict.person, base })
  const paths = [...new Set([...marked.paths, ...conflict.paths])].toSorted()
  const concerned = await tasksAt(kit, gitDir, state, paths)
  const merge: MergeOfSides = { run: state.head, person: conflict.person, base, branch: conflict.branch, paths, words: marked.words.slice(0, MAX_WORDS) }
  const last = concerned.at(-1)
  const free = state.caps.micro_usd === null ? 0 : state.caps.micro_usd - state.micro_usd
  return {
    task_id: taskId(kit.random),
    project_id: state.project_id,
    run_id: state.run_id,
    lane: laneOf(concerned),
    priority: 0.5,
    deps: state.order.filter((id) => state.tasks[id]?.status === 'succeeded'),
    payload: {
      n: Math.max(0, ...run.plan.tasks.map(({ n }) => n), ...Object.values(state.tasks).map(({ card }) => card.payload.n)) + 1,
      goal: `resolve the conflict with ${conflict.branch} in ${named(paths)}`,
      files: paths,
      tests: run.project.test ? [] : (last?.card.payload.tests ?? []),
      complexity: 'moderate',
      merge,
    },
    budget_usd: free / 1e6,
    ci_width_hint: 0.3,
    created_at: kit.clock.now(),
  }
}

/** Tasks whose commits touched a path, in the run's order; all of them when none did. */
async function tasksAt(kit: Kit, gitDir: string, state: RunState, paths: readonly string[]): Promise<TaskState[]> {
  const all = state.order.flatMap((id) => state.tasks[id] ?? [])
  const wanted = new Set(paths)
  const concerned: TaskState[] = []
  for (const task of all) {
    if (task.commit === null || task.card.payload.merge) continue
    const changed = await treeChanges(kit.git, gitDir, `${task.commit}^`, task.commit)
    if (changed.some(({ path }) => wanted.has(path))) concerned.push(task)
  }
  return concerned.length > 0 ? concerned : all
}

/** Of several lanes the one that is measured by tests, else the last. */
function laneOf(tasks: readonly TaskState[]): JobCard['lane'] {
  const lanes = tasks.map(({ card }) => card.lane)
  return lanes.includes('Code-Impl') ? 'Code-Impl' : (lanes.at(-1) ?? 'Code-Impl')
}

/** Passport and manifest of a `vp complete` that went no further are taken off the run's branch: they tell of another end. */
async function backToHead(kit: Kit, run: RunScene, state: RunState): Promise<void> {
  for (const gitDir of [run.repository.gitDir, run.human.view]) {
    const at = await readRef(kit.git, gitDir, run.branch)
    if (at !== null && at !== state.head) await moveRef(kit, gitDir, run.branch, state.head, at)
  }
}

/** The tree that a repair begins with: what git could merge, and its markers where it could not. */
export async function conflictedTree(git: RunGit, gitDir: string, { run, person, base }: Pick<MergeOfSides, 'run' | 'person' | 'base'>): Promise<MarkedMerge> {
  return mergeWithMarkers(git, gitDir, { base, run: await treeOf(git, gitDir, run), person: await treeOf(git, gitDir, person) })
}

const MARKER = /^(?:<{7}|>{7}|\|{7}|={7})(?: .*)?\r?$/

/** `path:line` of every marker that neither side has of its own, in the files where git found no answer. */
export async function markersLeft(git: RunGit, gitDir: string, merge: MergeOfSides, treeId: string): Promise<string[]> {
  const found: string[] = []
  for (const path of merge.paths) {
    const own = new Set(
      (await Promise.all([merge.run, merge.person].map((side) => linesAt(git, gitDir, side, path)))).flat().filter((line) => MARKER.test(line)),
    )
    for (const [index, line] of (await linesAt(git, gitDir, treeId, path)).entries())
      if (MARKER.test(line) && !own.has(line)) found.push(`${path}:${index + 1}`)
  }
  return found
}

async function linesAt(git: RunGit, gitDir: string, treeish: string, path: string): Promise<string[]> {
  return (await fileAt(git.objects(gitDir), treeish, path))?.toString('utf8').split('\n') ?? []
}

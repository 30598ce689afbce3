/**
 * A fork: a new run that does one task of a recorded one again, its first turns from the recording and the rest with the
 * model in force. The turns before are made for real in a tree of their own, so at the turn the files are the same; a
 * request that is not the recorded one ends it, before any model is asked.
 */
import { VpError } from '../../core/errors.ts'
import type { Json } from '../../core/json.ts'
import { appendReceipt, parseReceipt } from '../../ledger/receipts.ts'
import type { ModelAnswer } from '../../models/contract.ts'
import { answerSha } from '../../models/recorded.ts'
import type { JobCard } from '../../pas/contract/types.ts'
import { reduce } from '../../pas/embedded/reducer/reduce.ts'
import type { ForkOrigin, RunEvent, RunState, TaskState } from '../../pas/embedded/reducer/state.ts'
import { runEvents, type EventDraft } from '../../pas/embedded/run-store.ts'
import type { Tx } from '../../store/contract.ts'
import { handOver } from '../../workspace/run-repository.ts'
import type { Kit } from '../kit.ts'
import { copyRequests } from './kept-bodies.ts'
import type { RunScene } from './run-scene.ts'
import { startOf } from './start-tree.ts'
import type { ForkSeed } from './start.ts'

export interface ForkPoint {
  readonly origin: ForkOrigin
  /** Of the recorded run, as it was when the attempt began. */
  readonly state: RunState
  readonly task: TaskState
  readonly events: readonly RunEvent[]
}

/** The last recorded attempt of a task, and the turn to go on from. Throws `usage.params`, `run.none`. */
export async function forkPoint(kit: Kit, state: RunState, from: number, task: string | undefined): Promise<ForkPoint> {
  const { events, last, turns } = await kit.store.read(async (tx) => {
    const wanted = task === undefined ? '' : idOf(state, task)
    const row = await tx.get<{ body: string }>(
      "SELECT body FROM receipts WHERE run_id = ? AND op = 'model.call' AND outcome = 'ok' AND (? = '' OR task_id = ?) ORDER BY n DESC LIMIT 1",
      state.run_id,
      wanted,
      wanted,
    )
    const call = row ? parseReceipt(row) : null
    const n = state.tasks[call?.task_id ?? '']?.card.payload.n
    return {
      events: await runEvents(tx, state.run_id),
      last: call,
      turns: await tx.all<{ turn: number }>(
        "SELECT turn FROM exchanges WHERE run_id = ? AND task = ? AND attempt = ? AND response <> 'null' ORDER BY turn",
        state.run_id,
        `T${n}`,
        call?.attempt ?? 0,
      ),
    }
  })
  if (!last?.task_id || last.attempt === undefined)
    throw new VpError('run.none', `no model answered in run ${state.run_id}${task ? ` for ${task}` : ''}`, { next: ['vp status'] })
  const claimed = claimedAt(events, last.task_id, last.attempt)
  if (!claimed) throw new VpError('ledger.incomplete', `the start of attempt ${last.attempt} is not in the run's events`, { next: ['vp verify'] })
  const label = `T${claimed.task.card.payload.n}`
  const known = turns.filter(({ turn }, index) => turn === index + 1).length
  // After a submit there is no turn left for another model.
  const isSubmitted = (last.detail as { calls?: readonly string[] } | undefined)?.calls?.includes('submit') === true
  const most = isSubmitted ? known : known + 1
  if (from > most)
    throw new VpError('usage.params', `attempt ${last.attempt} of ${label} has ${known} recorded turns, so a fork is from one of 1 to ${most}`, {
      next: [`vp replay ${state.run_id} --from ${known}`],
    })
  if (claimed.task.card.payload.merge)
    throw new VpError('usage.params', `${label} merges with your branch as it was then, and cannot be forked`, { next: ['vp replay'] })
  return { ...claimed, events, origin: { run_id: state.run_id, task: label, attempt: last.attempt, turn: from } }
}

function idOf(state: RunState, name: string): string {
  const found = Object.values(state.tasks).find(({ card }) => `T${card.payload.n}` === name.toUpperCase().replace(/^T?/, 'T'))
  if (!found) throw new VpError('usage.params', `run ${state.run_id} has no task ${name}`, { next: ['vp status'] })
  return found.task_id
}

function claimedAt(events: readonly RunEvent[], taskId: string, attempt: number): { state: RunState; task: TaskState } | null {
  let state: RunState | null = null
  let claimed: { state: RunState; task: TaskState } | null = null
  for (const event of events) {
    const task = state?.tasks[taskId]
    if (state && task && event.type === 'task_claimed' && event.task_id === taskId && event.attempt === attempt) claimed = { state, task: { ...task, attempt } }
    state = reduce(state, event).state
  }
  return claimed
}

/** What a new run is given of the old one: its start, the words that were heard, and the answers of the turns before. */
export async function seedOf(kit: Kit, source: RunScene, { state, task, events, origin }: ForkPoint): Promise<ForkSeed> {
  const gitDir = source.repository.gitDir
  const carried = task.carry_tree !== null && task.carry_base !== null
  const base = carried ? state.head : (await startOf(kit.git, gitDir, state, task)).base
  if (base !== state.base) await handOver(kit.git, source.repository, source.human, { base: state.base, head: base })
  return {
    base,
    origin,
    ...(state.context ? { context: state.context } : {}),
    ...(state.parameters ? { parameters: state.parameters } : {}),
    prepare: async (to) => {
      if (task.carry_tree !== null) await copyTree(kit, gitDir, to, task.carry_tree)
    },
    events: ([card]) => [
      {
        type: 'forked',
        task_id: (card as JobCard).task_id,
        origin,
        why: task.why,
        feedback: task.feedback,
        carry_tree: carried ? task.carry_tree : null,
        carry_base: carried ? task.carry_base : null,
      },
      ...wordsFor(events, task, (card as JobCard).task_id, origin),
    ],
    write: (tx, runId) => copyAnswers(tx, kit, runId, origin),
  }
}

/** Every word that was said, so that their numbers hold; those of other tasks reach nobody. What was heard before the turn is heard there again. */
function wordsFor(events: readonly RunEvent[], task: TaskState, to: TaskState['task_id'], { attempt, turn }: ForkOrigin): EventDraft[] {
  return events.flatMap((event): EventDraft[] => {
    if (event.type === 'told') return [{ type: 'told', task_id: event.task_id === task.task_id ? to : event.task_id, text: event.text, receipt: event.receipt }]
    if (event.type !== 'heard' || event.task_id !== task.task_id || event.attempt !== attempt || event.turn >= turn) return []
    return [{ type: 'heard', task_id: to, attempt: 1, turn: event.turn, told: event.told }]
  })
}

async function copyAnswers(tx: Tx, kit: Kit, runId: string, origin: ForkOrigin): Promise<void> {
  const { run_id, task, attempt, turn } = origin
  await tx.run(
    `INSERT INTO exchanges (run_id, task, attempt, turn, request_sha, request, response)
       SELECT ?, task, 1, turn, request_sha, request, response FROM exchanges WHERE run_id = ? AND task = ? AND attempt = ? AND turn < ?`,
    runId,
    run_id,
    task,
    attempt,
    turn,
  )
  await copyRequests(tx, run_id, runId)
  const answers = await tx.all<{ turn: number; request_sha: string; response: string }>(
    'SELECT turn, request_sha, response FROM exchanges WHERE run_id = ? ORDER BY turn',
    runId,
  )
  const head = await tx.get<{ n: number; key: string }>('SELECT n, key FROM heads WHERE run_id = ?', run_id)
  await appendReceipt(tx, kit, {
    op: 'run.fork',
    actor: 'operator',
    surface: 'engine',
    run_id: runId,
    outcome: 'ok',
    summary: `from ${run_id}, ${task}, attempt ${attempt}, turn ${turn}`,
    // The calls were made, and receipted, in the other run: here is what they came to.
    detail: {
      recorded: answers.map((one) => ({ turn: one.turn, request_sha: one.request_sha, answer_sha: answerSha(JSON.parse(one.response) as ModelAnswer) })),
      origin: { ...origin },
      ledger: head ? { receipts: head.n, head: head.key } : null,
    } as Json,
  })
}

/** The objects of a tree that only the recorded run has. */
async function copyTree(kit: Kit, from: string, to: string, tree: string): Promise<void> {
  const listed = (await kit.git(['rev-list', '--objects', '--no-walk=unsorted', tree], { gitDir: from })).stdout.toString()
  const objects = listed.split('\n').map((line) => line.split(' ')[0] ?? '')
  const pack = (await kit.git(['pack-objects', '--stdout', '-q'], { gitDir: from, input: `${objects.filter(Boolean).join('\n')}\n` })).stdout
  // Loose, as all that a run's own repository has: `handOver` counts on it.
  await kit.git(['unpack-objects', '-q'], { gitDir: to, input: pack })
}

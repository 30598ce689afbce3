/**
 * `vp replay`: the same run again from its recording: every operation for real in the sandbox, no model, no network.
 * Trees are compared by id; the first divergence is named by task, turn and field. Nothing of it is kept.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runAgent } from '../../agent/loop.ts'
import { isVpError, VpError } from '../../core/errors.ts'
import { parseReceipt } from '../../ledger/receipts.ts'
import type { Provider } from '../../models/contract.ts'
import { maskRequest } from '../../models/meter.ts'
import { answerSha, recordedProvider } from '../../models/recorded.ts'
import { reduce } from '../../pas/embedded/reducer/reduce.ts'
import type { RunEvent, RunState, TaskState } from '../../pas/embedded/reducer/state.ts'
import { scopesOf } from '../../policy/scopes.ts'
import { openSqlite } from '../../store/sqlite.ts'
import { mergeTrees, treeOf } from '../../workspace/run-repository.ts'
import { agentTools } from '../agent-tools.ts'
import { environmentFor } from '../environment.ts'
import type { Kit } from '../kit.ts'
import type { Caller, Scene } from '../operation.ts'
import type { Bundle } from './bundle.ts'
import { receiptedPassport } from './bundle-proof.ts'
import { attemptInput } from './goal.ts'
import { inputsHere, unequalInputs } from './inputs.ts'
import { makeScratch } from '../scratch.ts'
import type { RunScene } from './run-scene.ts'
import { startOf } from './start-tree.ts'
import { openEars } from './told.ts'
import { openRunTree, type RunTree, type TreeRequest } from './trees.ts'

export interface Divergence {
  readonly task_id: string
  readonly turn: number | null
  readonly field: string
  readonly was: string
  readonly is: string
  readonly unequal_inputs: readonly string[]
}

export interface Replayed {
  readonly run_id: string
  /** Every tree that was recorded is the same again; of none nothing is proved, so it is false. */
  readonly equal: boolean
  readonly trees: readonly {
    readonly task_id: string
    readonly attempt: number
    readonly tree: string
    readonly equal: boolean
  }[]
  readonly operations: number
  readonly gates: number
  /** Connections that this process opened meanwhile. */
  readonly sockets: number
  readonly divergence: Divergence | null
  readonly duration_ms: number
}

type EndEvent = Extract<RunEvent, { type: 'attempt_failed' | 'merge_intended' }>

interface Claimed {
  readonly task: TaskState
  /** Of the run when the attempt began. */
  readonly state: RunState
}

/** Throws `bundle.invalid`, `sandbox.unavailable`, `environment.missing`; a divergence is a value. */
export async function replayBundle({ kit, caller, signal }: Pick<Scene, 'kit' | 'caller' | 'signal'>, bundle: Bundle, home: string): Promise<Replayed> {
  const startedAt = kit.clock.monotonic()
  const directory = makeScratch(kit, 'replay')
  const store = openSqlite(join(directory, 'replay.db'))
  const scratch: Kit = { ...kit, store }
  // A set-up is no part of the run: a yes to it, and its receipt, are this machine's own.
  const connections = countConnections()
  let packages = home
  const environment: TreeRequest['environment'] = async (tree, now) =>
    (packages = await environmentFor(kit, tree, caller.confirm ? { confirm: caller.confirm } : {}, now))
  try {
    const run = await unpack(scratch, bundle, directory, home)
    const trees: { task_id: string; attempt: number; tree: string; equal: boolean }[] = []
    const claimed = new Map<string, Claimed>()
    let state: RunState | null = null
    let divergence: Divergence | null = null
    let gates = 0
    for (const event of bundle.events) {
      if (event.type === 'task_claimed' && state) {
        const task = state.tasks[event.task_id]
        if (task) claimed.set(event.task_id, { task: { ...task, attempt: event.attempt }, state })
      }
      state = reduce(state, event).state
      if (event.type !== 'attempt_failed' && event.type !== 'merge_intended') continue
      const from = claimed.get(event.task_id)
      if (!from) continue
      const again = await replayAttempt(scratch, run, bundle, from, event, environment, signal)
      trees.push({
        task_id: `T${from.task.card.payload.n}`,
        attempt: event.attempt,
        tree: again.tree,
        equal: again.divergence === null,
      })
      if (event.type === 'merge_intended') gates += event.kpis.filter((kpi) => kpi.measured).length
      divergence = again.divergence
      if (divergence) break
    }
    const operations = (await store.read((tx) => tx.get<{ n: number }>("SELECT COUNT(*) AS n FROM receipts WHERE op <> 'model.call'")))?.n ?? 0
    return {
      run_id: bundle.run_id,
      equal: divergence === null && trees.length > 0,
      trees,
      operations,
      gates,
      sockets: connections.count,
      divergence: divergence && { ...divergence, unequal_inputs: await unequalOf(kit, bundle, packages) },
      duration_ms: Math.round(kit.clock.monotonic() - startedAt),
    }
  } finally {
    connections.end()
    store.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function unequalOf(kit: Kit, bundle: Bundle, root: string): Promise<string[]> {
  const passport = receiptedPassport(bundle.receipts.map(parseReceipt))
  if (!passport) return []
  try {
    return unequalInputs(passport, { ...(await inputsHere(kit, bundle.project, root)), backend: (await kit.sandbox()).backend.name })
  } catch (error) {
    if (isVpError(error)) return [error.message] // a program that is not here
    throw error
  }
}

/** As Node itself tells them. Source: Node's diagnostics_channel documentation, `net.client.socket`. */
function countConnections(): { readonly count: number; end(): void } {
  let count = 0
  const onSocket = () => void count++
  subscribe('net.client.socket', onSocket)
  return {
    get count() {
      return count
    },
    end: () => void unsubscribe('net.client.socket', onSocket),
  }
}

/** The bundle's objects in a repository of their own; the base is its root. */
async function unpack(kit: Kit, bundle: Bundle, directory: string, home: string): Promise<RunScene> {
  const gitDir = join(directory, 'repository.git')
  await kit.git(['init', '--quiet', '--bare', '--template=', `--object-format=${bundle.object_format}`, gitDir])
  await kit.git(['index-pack', '--stdin'], { gitDir, input: Buffer.from(bundle.pack, 'base64') })
  writeFileSync(join(gitDir, 'shallow'), (bundle.commits.roots ?? [bundle.commits.base]).map((commit) => `${commit}\n`).join(''))
  const human = { root: home, gitDir, commonDir: gitDir, view: gitDir, index: '', objectFormat: bundle.object_format }
  return {
    runId: bundle.run_id,
    project: bundle.project,
    plan: bundle.plan,
    human,
    repository: { gitDir, objectFormat: bundle.object_format },
    identity: { name: 'replay', email: 'replay@localhost' },
    branch: 'refs/heads/replay',
    directory,
  }
}

async function replayAttempt(
  kit: Kit,
  run: RunScene,
  bundle: Bundle,
  from: Claimed,
  event: EndEvent,
  environment: TreeRequest['environment'],
  signal: AbortSignal,
): Promise<{ tree: string; divergence: Divergence | null }> {
  const { task, state } = from
  const label = `T${task.card.payload.n}`
  const start = await startOf(kit.git, run.repository.gitDir, state, task)
  const tree = await openRunTree(kit, run, { name: `${label}-${task.attempt}`, lane: task.card.lane, ...start, environment }, signal)
  try {
    const error = await driveAttempt(kit, run, bundle, from, tree, signal)
    if (error?.code === 'environment.missing') throw error
    if (error) return { tree: '', divergence: divergenceOf(label, error) }
    const own = await tree.record()
    const alone = state.kind === 'rehearsal'
    const head = alone ? start.base : event.type === 'merge_intended' ? event.from : (event.carry_base ?? start.base)
    const result = await compareTrees(kit, run, { base: start.base, own, head }, event)
    return {
      tree: own,
      divergence: result === null ? null : { task_id: label, turn: null, field: 'tree', ...result, unequal_inputs: [] },
    }
  } finally {
    await tree.dispose()
  }
}

async function driveAttempt(kit: Kit, run: RunScene, bundle: Bundle, { task, state }: Claimed, tree: RunTree, signal: AbortSignal): Promise<VpError | null> {
  const scene = tree.attempt()
  const { payload } = task.card
  const caller: Caller = {
    actor: 'agent',
    surface: 'agent',
    scopes: scopesOf('agent'),
    runId: bundle.run_id,
    taskId: task.task_id,
    attempt: task.attempt,
    confirm: async ({ ask }) => (wasApproved(bundle, ask.wants) ? 'call' : 'deny'),
  }
  const { input } = await attemptInput(kit, run, state, task, tree, bundle.prd)
  const ears = openEars({ task_id: task.task_id, attempt: task.attempt })
  ears.take(bundle.events)
  const answers = receiptedProvider(recordedProvider(bundle.exchanges, 'recorded'), bundle, task)
  const label = `T${payload.n}`
  const last = lastTurn(bundle, label, task.attempt)
  const recorded = endingProvider(answers, last)
  // What was recorded is what left: behind the filter.
  const provider: Provider = { ...recorded, answer: (request, place, stop) => recorded.answer(maskRequest(scene.masking(), request), place, stop) }
  const outcome = await runAgent(
    { provider, tools: agentTools(kit, caller, scene), mask: scene.masking(), world: () => String(scene.world()), hear: async (turn) => ears.at(turn) },
    // How many turns there were says the recording, whatever this machine is set to.
    { ...input, maxTurns: Number.MAX_SAFE_INTEGER },
    signal,
  )
  if (outcome.kind === 'submitted' || outcome.error === null)
    return outcome.turns >= last
      ? null
      : new VpError('model.recording_differs', `${label}, attempt ${task.attempt} ended in turn ${outcome.turns}, ${last} were recorded`, {
          data: { turn: outcome.turns, field: 'turns', was: `${last}`, is: `${outcome.turns}, ${outcome.kind === 'stopped' ? outcome.message : 'submitted'}` },
        })
  if (!isVpError(outcome.error)) throw outcome.error
  return outcome.error.code === 'cancelled' && outcome.error.message === ENDED_HERE ? null : outcome.error
}

/** An answer that is not the one whose receipt was written is a divergence by itself, whatever came of it. */
function receiptedProvider(provider: Provider, bundle: Bundle, task: TaskState): Provider {
  const ours = bundle.receipts.filter((row) => row.op === 'model.call' && row.task_id === task.task_id && row.attempt === task.attempt).map(parseReceipt)
  return {
    ...provider,
    async answer(request, place, signal) {
      const answer = await provider.answer(request, place, signal)
      const receipt = ours.findLast((one) => one.turn === place.turn && one.outcome === 'ok')
      const is = answerSha(answer)
      if (receipt?.output_sha === undefined || receipt.output_sha === is) return answer
      throw new VpError(
        'model.recording_differs',
        `${place.task}, attempt ${place.attempt}, turn ${place.turn}: the answer is not the one that its receipt names`,
        {
          data: { ...place, field: 'answer', was: `sha256 ${receipt.output_sha.slice(0, 16)}`, is: `sha256 ${is.slice(0, 16)}` },
        },
      )
    },
  }
}

const lastTurn = (bundle: Bundle, task: string, attempt: number): number =>
  Math.max(0, ...bundle.exchanges.filter((one) => one.task === task && one.attempt === attempt).map((one) => one.turn))

const ENDED_HERE = 'the recording ends here'

/** An attempt that stopped by itself (no progress, turns) has no further answer; that is its end, not a divergence. */
function endingProvider(provider: Provider, last: number): Provider {
  return {
    ...provider,
    answer: (request, place, signal) => {
      if (place.turn <= last) return provider.answer(request, place, signal)
      return Promise.reject(new VpError('cancelled', ENDED_HERE))
    },
  }
}

async function compareTrees(
  kit: Kit,
  run: RunScene,
  trees: { base: string; own: string; head: string },
  event: EndEvent,
): Promise<{ was: string; is: string } | null> {
  const gitDir = run.repository.gitDir
  // What a conflict leaves is the others' work, and the attempt's own tree is nowhere recorded.
  if (event.type === 'attempt_failed' && event.why === 'conflict') return null
  const expected = event.type === 'merge_intended' ? event.tree : event.carry_tree
  if (expected === null) return null
  const moved = trees.head !== trees.base
  if (event.type === 'merge_intended') {
    if (event.tree !== trees.own) return { was: event.tree, is: trees.own }
    const to = await treeOf(kit.git, gitDir, event.to)
    const merged = moved ? await mergedTree(kit, run, trees) : trees.own
    return to === merged ? null : { was: to, is: merged }
  }
  const is = moved ? await mergedTree(kit, run, trees) : trees.own
  return expected === is ? null : { was: expected, is }
}

async function mergedTree(kit: Kit, run: RunScene, trees: { base: string; own: string; head: string }): Promise<string> {
  const { gitDir } = run.repository
  const merged = await mergeTrees(kit.git, gitDir, { base: trees.base, ours: await treeOf(kit.git, gitDir, trees.head), theirs: trees.own })
  return merged.kind === 'merged' ? merged.tree : `conflict in ${merged.paths.join(', ')}`
}

function wasApproved(bundle: Bundle, wants: string): boolean {
  return bundle.approvals.some((row) => (row.status === 'approved' || row.status === 'used') && (JSON.parse(row.request) as { wants?: string }).wants === wants)
}

function divergenceOf(task: string, error: VpError): Divergence {
  const data = error.details.data ?? {}
  const text = (name: string, fallback: string) => (typeof data[name] === 'string' ? data[name] : fallback)
  return {
    task_id: task,
    turn: typeof data['turn'] === 'number' ? data['turn'] : null,
    field: text('field', error.code),
    was: text('was', 'recorded'),
    is: text('is', error.message),
    unequal_inputs: [],
  }
}

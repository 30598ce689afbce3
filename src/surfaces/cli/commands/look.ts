/** `vp status`, `vp logs`, `vp` alone: reads of the ledger. Built-ins only, so that looking is cheap. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pathsFrom } from '../../../config/paths.ts'
import { shortReceipt } from '../../../core/ids.ts'
import { isoUtc } from '../../../core/ports.ts'
import { FINAL_RUN } from '../../../pas/contract/types.ts'
import { logLines, verbOf, type LogLine } from '../../../pas/embedded/log-lines.ts'
import type { TaskState } from '../../../pas/embedded/reducer/state.ts'
import { nextOfProject, noRun } from '../../../operations/projects/no-run.ts'
import { runStatus, type RunStatusReport } from '../../../pas/embedded/status.ts'
import type { Tx } from '../../../store/contract.ts'
import type { Command, CommandContext } from '../command.ts'
import { followEnd, followLine, nextArgv } from '../envelope.ts'
import { paint } from '../finish.ts'
import { liveViewOf, type RowWords } from '../live-view.ts'
import { openRegion } from '../region.ts'
import { liveFrame } from '../screens/live.ts'
import { COUNT, numberFlag, textFlag } from '../parse.ts'
import { logsScreen, type LogRow } from '../screens/events.ts'
import { statusScreen, tasksDone } from '../screens/status.ts'
import { whereAmIScreen, type WhereAmIView } from '../screens/where-am-i.ts'
import { foreignNote, noted, projectHere, runHere, shortRun, withLedger } from './ledger-reader.ts'

export const statusCommand: Command = {
  name: 'status',
  group: 'run',
  summary: 'where a run stands',
  usage: 'vp status [RUN] [--follow]',
  takes: 1,
  examples: ['vp status', 'vp status 9c1f', 'vp status --json | jq .result.tasks'],
  flags: { follow: { type: 'boolean', help: 'stay and show every change' } },
  needsKit: false,
  exits: [0, 2],
  json: 'contract runs/status, state, tasks[]{…,doing}, approvals[], tokens, energy_kwh{lo,hi,source}, autonomy, next[]',
  async run(context) {
    if (context.flags['follow'] === true) return follow(context)
    const { view, result, foreign } = await readStatus(context)
    return { result, ...noted(context, foreign), screen: (look) => statusScreen(view, look) }
  },
}

/** `isFollowed`: with the last words of each task too, which costs a read of the run's receipts. */
async function readStatus(context: CommandContext, isFollowed = false) {
  return withLedger(context, (store) =>
    store.read(async (tx) => {
      const root = projectHere(context.cwd)?.root ?? null
      const found = await runHere(tx, root, context.positionals[0])
      if (!found) throw await noRun(tx, root)
      const foreign = isFollowed ? null : await foreignNote(tx, root, context.positionals[0])
      const status = await runStatus(tx, found.state, found.name, presentOf(context))
      const next = nextOfStatus(status)
      const view = { ...status, run: await shortRun(tx, status.run_id), next }
      const last = new Map((isFollowed ? await logLines(tx, found.state, { after: 0 }) : []).map((line) => [line.task, line]))
      const words = (task: TaskState): RowWords => {
        const line = last.get(task.card.payload.n)
        return line ? { doing: `${verbOf(line.op)} ${line.text}`, note: '', waits: false } : { doing: 'open its tree', note: '', waits: false }
      }
      return { view, result: { ...status, next: nextArgv(next) }, state: found.state, words, foreign }
    }),
  )
}

const presentOf = ({ ports }: CommandContext) => ({ now: ports.clock.now(), isAlive: ports.isAlive })

/** What the state allows, at most two commands. */
export function nextOf(status: string, approvals: readonly string[], raise: readonly string[] | null): readonly string[] {
  if (approvals[0]) return [`vp approve ${approvals[0]}`, ...(status === 'paused' ? ['vp resume'] : [])]
  if (status === 'paused') return raise ?? ['vp resume']
  if (status === 'interrupted') return ['vp resume', 'vp logs']
  if (status === 'completed') return ['vp complete']
  if (status === 'needs_review') return ['vp validate']
  if (FINAL_RUN.has(status as 'failed')) return ['vp start']
  return ['vp status --follow']
}

function nextOfStatus({ state, approvals, raise, brought_to }: RunStatusReport): readonly string[] {
  if (brought_to !== null) return ['git log --stat', 'vp verify']
  return nextOf(
    state,
    approvals.map((one) => one.approval),
    raise,
  )
}

const LOOK_MS = 500

/** On a terminal the live view, piped a screen at every change; Ctrl-C ends the view, not the run. */
async function follow(context: CommandContext): Promise<null> {
  const region =
    context.looks.lines || context.json
      ? null
      : openRegion(
          (text) => context.writeErr(text),
          () => context.columns(),
        )
  let last = ''
  let seq = 0
  for (;;) {
    const { view, result, state, words } = await readStatus(context, true)
    const mark = JSON.stringify([view.state, view.tasks.map((task) => [task.n, task.status, task.attempt]), view.approvals.length, view.spend_usd])
    const isOver = FINAL_RUN.has(view.status as 'failed') || context.pause.aborted
    if (region) {
      const live = liveViewOf(state, { project: view.name, run: view.run, backend: '', now: context.ports.clock.now(), keys: 'Ctrl-C ends this view', words })
      region.draw(liveFrame(live, context.looks.err, Math.max(4, context.rows() - 2)))
      if (isOver) {
        region.erase()
        context.write(paint(statusScreen(view, context.looks.out), context.looks).stdout)
      }
    } else if (mark !== last) {
      const t = isoUtc(context.ports.clock.now())
      if (context.json) context.write(followLine(++seq, 'op', { t, run_id: view.run_id, status: view.status, tasks: result.tasks }))
      else context.write(paint(statusScreen({ ...view, next: [] }, context.looks.out), context.looks).stdout)
    }
    last = mark
    if (isOver) break
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  if (context.json) context.write(followEnd(0))
  return null
}

export const logsCommand: Command = {
  name: 'logs',
  group: 'run',
  summary: 'the ledger in words',
  usage: 'vp logs [RUN] [--follow] [--task T9] [--tail N]',
  takes: 1,
  examples: ['vp logs --tail 20', 'vp logs --follow --task T9', 'vp logs 9c1f --json | jq -c .result.lines[]'],
  flags: {
    follow: { type: 'boolean', help: 'stay and show what comes' },
    task: { type: 'string', help: 'one task only' },
    tail: { type: 'string', help: 'the last N lines' },
  },
  needsKit: false,
  exits: [0, 2],
  json: 'run_id, lines[]{seq,receipt,t,task,op,outcome,text}',
  async run(context) {
    const task = textFlag(context.flags, 'task')
    const tail = numberFlag(context.flags, 'tail', COUNT)
    const read = (after: number) =>
      withLedger(context, (store) =>
        store.read(async (tx) => {
          const root = projectHere(context.cwd)?.root ?? null
          const found = await runHere(tx, root, context.positionals[0])
          if (!found) throw await noRun(tx, root)
          return { foreign: await foreignNote(tx, root, context.positionals[0]), state: found.state, lines: await logLines(tx, found.state, { after, task }) }
        }),
      )
    const first = await read(0)
    const said = noted(context, first.foreign)
    const shown = tail === undefined ? first.lines : first.lines.slice(-tail)
    if (context.flags['follow'] !== true)
      return {
        result: { run_id: first.state.run_id, lines: shown },
        ...said,
        screen: (look) => logsScreen()({ lines: shown.map(logRow) }, look),
      }
    const print = (lines: readonly LogLine[]) => {
      for (const line of lines) {
        const { seq, ...rest } = line
        context.write(context.json ? followLine(seq, 'op', rest) : paint(logsScreen()({ lines: [logRow(line)] }, context.looks.out), context.looks).stdout)
      }
    }
    print(shown)
    let at = first.lines.at(-1)?.seq ?? 0
    let state = first.state
    while (!FINAL_RUN.has(state.status) && !context.pause.aborted) {
      await new Promise((resolve) => setTimeout(resolve, 400))
      const more = await read(at)
      print(more.lines)
      at = more.lines.at(-1)?.seq ?? at
      state = more.state
    }
    if (context.json) context.write(followEnd(0))
    return null
  },
}

function logRow(line: LogLine): LogRow {
  return { t: Date.parse(line.t), task: line.task, verb: verbOf(line.op), text: line.text, receipt: shortReceipt(line.receipt) }
}

export const whereCommand: Command = {
  name: '',
  group: 'run',
  summary: 'where am I',
  usage: 'vp',
  examples: ['vp', 'vp --json', 'vp --version'],
  flags: { version: { type: 'boolean', help: 'the version' } },
  needsKit: false,
  exits: [0],
  json: 'kind, name, state, run, next[]',
  async run(context) {
    if (context.flags['version'] === true) return { result: { version: context.version }, screen: () => ({ stdout: [context.version], stderr: [] }) }
    const here = projectHere(context.cwd)
    const view = await withLedger(context, (store) => store.read((tx) => whereAmI(tx, context, here?.root ?? null, here?.project_id ?? null)))
    return { result: view, screen: (look) => whereAmIScreen(view, look) }
  },
}

async function whereAmI(tx: Tx, context: CommandContext, root: string | null, projectId: number | null): Promise<WhereAmIView> {
  const project =
    projectId === null
      ? undefined
      : await tx.get<{ name: string; status: string; record: string }>('SELECT name, status, record FROM projects WHERE id = ?', projectId)
  const found = root ? await runHere(tx, root, undefined) : null
  const now = context.ports.clock.now()
  const isOver = !found || FINAL_RUN.has(found.state.status)
  // Without a project a run is a small change, and what there is to say; with one it may be the last thing that happened.
  const isShown = !project || !['completed', 'cancelled', 'planning', 'pending_approval', 'approved'].includes(project.status)
  if (found && isShown) {
    const status = await runStatus(tx, found.state, found.name, presentOf(context))
    const left =
      !isOver && status.tasks_completed > 0 && status.elapsed_ms
        ? (status.elapsed_ms / status.tasks_completed) * (status.tasks_total - status.tasks_completed)
        : null
    return {
      kind: 'run',
      name: found.name,
      run: await shortRun(tx, status.run_id),
      state: status.state,
      elapsed_ms: status.elapsed_ms ?? 0,
      tasks: { total: status.tasks_total, done: tasksDone(status), running: status.tasks_running },
      spend_usd: status.spend_usd,
      budget_usd: status.budget_usd,
      tokens_total: status.tokens_total,
      budget_tokens: status.budget_tokens,
      runway_ms: status.runway_minutes === null ? null : status.runway_minutes * 60_000,
      left_ms: left,
      approvals: status.approvals,
      next: nextOfStatus(status),
    }
  }
  if (project) {
    const record = JSON.parse(project.record) as { estimate: PlanBands | null; rehearsed: PlanBands | null }
    const plan = await tx.get<{ version: number; body: string }>(
      'SELECT version, body FROM plans WHERE project_id = ? ORDER BY version DESC LIMIT 1',
      projectId,
    )
    const bands = (record.rehearsed ?? record.estimate)?.total
    return {
      kind: 'project',
      name: project.name,
      state: project.status === 'approved' ? 'approved, not started' : project.status.replace('_', ' '),
      plan: plan ? { version: plan.version, tasks: (JSON.parse(plan.body) as { tasks: unknown[] }).tasks.length } : null,
      estimate: bands ? { cost_usd: bands.cost_usd.ci_90, duration_ms: bands.duration_ms.ci_90 } : null,
      next: nextOfProject(project.status, root ?? context.cwd),
    }
  }
  const sandbox = sandboxCache(pathsFrom(context.env).state, now)
  return {
    kind: 'nothing',
    git: root === null ? null : { branch: branchOf(root), changed_files: null },
    model: context.env['VP_MODEL'] ?? 'ollama:qwen2.5-coder:7b',
    ...sandbox,
  }
}

interface PlanBands {
  readonly total: {
    readonly cost_usd: { readonly ci_90: [number, number] }
    readonly duration_ms: { readonly ci_90: [number, number] }
  }
}

function sandboxCache(state: string, now: number): { sandbox: string | null; checked_ms_ago: number | null } {
  try {
    const file = join(state, 'sandbox.json')
    const { name } = JSON.parse(readFileSync(file, 'utf8')) as { name?: unknown }
    return { sandbox: typeof name === 'string' ? name : null, checked_ms_ago: Math.max(0, Math.round(now - statSync(file).mtimeMs)) }
  } catch {
    return { sandbox: null, checked_ms_ago: null } // never probed
  }
}

function branchOf(root: string): string | null {
  try {
    const head = readHead(root)
    return head.startsWith('ref: refs/heads/') ? head.slice(16) : null
  } catch {
    return null
  }
}

function readHead(root: string): string {
  return readFileSync(join(root, '.git', 'HEAD'), 'utf8').trim()
}

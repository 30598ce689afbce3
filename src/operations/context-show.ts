/**
 * context.show: what the last request of a task held, built again from the ledger: pins with their source receipts, items
 * with their tokens and form, and what was left out and why. Held against the bytes that were sent.
 */
import * as z from 'zod/mini'
import { once } from '../core/once.ts'
import { contextAt, openContext, pinsAt, WINDOW_POLICY, type Context } from '../agent/context/context.ts'
import { callTitle, citeOf } from '../agent/context/story.ts'
import { VpError } from '../core/errors.ts'
import { canonicalJson } from '../core/json.ts'
import { parseReceipt, type Receipt } from '../ledger/receipts.ts'
import { estimateTokens } from '../models/prices.ts'
import type { RunEvent, RunState, TaskState } from '../pas/embedded/reducer/state.ts'
import { runEvents } from '../pas/embedded/run-store.ts'
import { operation } from './operation.ts'
import { chosenState } from './runs/chosen-run.ts'
import { withRequests } from './runs/kept-bodies.ts'
import { storyOf, type Turn } from './runs/story.ts'
import { openEars } from './runs/told.ts'

const count = once(() => z.int())
const text = once(() => z.nullable(z.string()))
const contextShape = once(() =>
  z.object({
    run_id: z.string(),
    task: z.string(),
    attempt: count(),
    /** Whose request is shown: the last one that was sent. */
    turn: count(),
    window: z.object({
      window_tokens: count(),
      room_tokens: count(),
      used_tokens: count(),
      fraction_used: z.number(),
      fraction: z.number(),
      hard_stop: z.number(),
    }),
    pins: z.array(
      z.object({
        kind: z.string(),
        text: z.string(),
        about: z.string(),
        cite: z.string(),
        since: count(),
        until: z.nullable(count()),
        receipt: text(),
        holds: z.boolean(),
      }),
    ),
    items: z.array(
      z.object({
        id: z.string(),
        title: z.string(),
        form: z.string(),
        tokens: count(),
        file: z.optional(z.string()),
        lines: z.optional(z.tuple([count(), count()])),
        receipt: text(),
      }),
    ),
    dropped: z.array(z.object({ id: z.string(), title: z.string(), reason: z.string(), receipt: text() })),
    compactions: z.array(z.object({ turn: count(), reason: z.string(), before_tokens: count(), after_tokens: count() })),
    instructions: z.array(z.object({ path: z.string(), sha256: z.string(), characters: count(), shown: count() })),
    /** Of that name too, and not read: no text, or too large. */
    unread: z.array(z.object({ path: z.string(), bytes: count() })),
    /** Built again from the ledger it has the bytes that were sent. */
    proved: z.boolean(),
  }),
)
export type ContextShown = z.infer<ReturnType<typeof contextShape>>

interface Row {
  readonly turn: number
  readonly request_sha: string
  readonly request: string
  readonly response: string
}

export const contextShow = operation<{ run?: string | undefined; task?: string | undefined }, ContextShown>({
  name: 'context.show',
  summary: "what a task's last request held, and what was left out of it",
  params: () => z.strictObject({ run: z.optional(z.string()), task: z.optional(z.string().check(z.regex(/^T?\d{1,6}$/i))) }) as never,
  result: () => contextShape() as never,
  effect: 'read',
  scope: 'audit.read',
  async handler(params, scene) {
    const { kit } = scene
    const state = await chosenState(scene, params.run)
    const { rows, receipts, events, label } = await kit.store.read(async (tx) => {
      const wanted = params.task === undefined ? null : taskOf(state, `T${params.task.replace(/^T/i, '')}`)
      if (wanted === undefined) throw new VpError('usage.params', `run ${state.run_id} has no task ${params.task}`, { next: ['vp status'] })
      const last = await tx.get<{ task_id: string; attempt: number }>(
        "SELECT task_id, attempt FROM receipts WHERE run_id = ? AND op = 'model.call' AND outcome <> 'retry' AND (? = '' OR task_id = ?) ORDER BY n DESC LIMIT 1",
        state.run_id,
        wanted?.task_id ?? '',
        wanted?.task_id ?? '',
      )
      const task = last ? state.tasks[last.task_id] : undefined
      if (!last || !task)
        throw new VpError('run.none', `no model was asked yet${params.task === undefined ? ' in this run' : ` for ${params.task}`}`, { next: ['vp status'] })
      const label = { task: `T${task.card.payload.n}`, attempt: last.attempt }
      return {
        label,
        rows: await withRequests(
          tx,
          state.run_id,
          await tx.all<Row>(
            'SELECT turn, request_sha, request, response FROM exchanges WHERE run_id = ? AND task = ? AND attempt = ? ORDER BY turn',
            state.run_id,
            label.task,
            label.attempt,
          ),
        ),
        receipts: (
          await tx.all<{ body: string }>(
            'SELECT body FROM receipts WHERE run_id = ? AND (task_id = ? OR task_id IS NULL) ORDER BY n',
            state.run_id,
            task.task_id,
          )
        ).map(parseReceipt),
        events: await runEvents(tx, state.run_id),
      }
    })
    return shown({ state, label, rows, receipts, events })
  },
  say: (_params, { task, turn, pins, dropped }) => `${task}, turn ${turn}: ${pins.length} pins, ${dropped.length} left out`,
})

interface Told {
  readonly state: RunState
  readonly label: { readonly task: string; readonly attempt: number }
  readonly rows: readonly Row[]
  readonly receipts: readonly Receipt[]
  readonly events: readonly RunEvent[]
}

/** From what the ledger holds alone: the same ledger, the same bytes. */
function shown({ state, label, rows, receipts, events }: Told): ContextShown {
  const task = taskOf(state, label.task)
  const ours = receipts.filter((one) => one.task_id === task?.task_id && one.attempt === label.attempt)
  const ears = openEars({ task_id: task?.task_id ?? ('' as TaskState['task_id']), attempt: label.attempt })
  ears.take(events)
  const turns = rows.map((row): Turn => ({
    turn: row.turn,
    request: JSON.parse(row.request) as Turn['request'],
    answer: JSON.parse(row.response) as Turn['answer'],
  }))
  const payload = task?.card.payload
  const story = storyOf(turns, ours, ears.at, { words: payload ? [payload.goal] : [], files: payload?.files ?? [] })
  if (!story) throw new VpError('ledger.incomplete', `the first request of ${label.task} is not in the ledger`, { next: ['vp verify'] })
  const policy = state.context ?? WINDOW_POLICY
  const opened = openContext(story.opening, policy, { tools: story.last.tools, answer: story.last.max_tokens })
  const context = contextAt(opened, story.entries, story.turn)
  const receiptOf = sources(receipts, ours, events)
  return {
    run_id: state.run_id,
    ...label,
    turn: story.turn,
    window: {
      window_tokens: policy.window_tokens,
      room_tokens: context.room,
      used_tokens: context.tokens,
      fraction_used: Math.round((context.tokens / Math.max(1, context.room)) * 1000) / 1000,
      fraction: policy.fraction,
      hard_stop: policy.hard_stop,
    },
    pins: pinsAt(context, story.turn).map(({ from, kind, text: words, about, cite, until }) => ({
      kind,
      text: words,
      about,
      cite,
      since: from,
      until,
      receipt: receiptOf(cite),
      holds: context.messages.some((message) => message.text.includes(words)),
    })),
    ...itemsOf(context, receiptOf),
    compactions: context.compactions.map(({ turn, reason, before_tokens, after_tokens }) => ({ turn, reason, before_tokens, after_tokens })),
    ...instructionsOf(ours),
    proved: canonicalJson(context.messages as never) === canonicalJson(story.last.messages as never),
  }
}

function itemsOf(context: Context, receiptOf: (cite: string) => string | null): Pick<ContextShown, 'items' | 'dropped'> {
  const titles = new Map(context.entries.flatMap((entry) => (entry.kind === 'result' ? [[citeOf(entry), callTitle(entry.call)] as const] : [])))
  const title = (id: string) => titles.get(id) ?? 'words of the model'
  const compaction = context.compactions.at(-1)
  const kept = context.entries.filter((entry) => entry.kind === 'result' && (compaction === undefined || entry.turn >= compaction.kept_turn))
  return {
    items: [
      ...(compaction?.items ?? []).map((item) => ({ ...item, title: title(item.id), receipt: receiptOf(item.id) })),
      ...kept.flatMap((entry) => {
        const id = entry.kind === 'result' ? citeOf(entry) : ''
        return [{ id, title: title(id), form: 'full', tokens: estimateTokens(entry.kind === 'result' ? entry.text : ''), receipt: receiptOf(id) }]
      }),
    ] as ContextShown['items'],
    dropped: (compaction?.dropped ?? []).map(({ id, reason }) => ({ id, title: title(id), reason, receipt: receiptOf(id) })),
  }
}

/** `goal`, `told 2`, `t4c1` → the receipt that proves it. */
function sources(receipts: readonly Receipt[], ours: readonly Receipt[], events: readonly RunEvent[]): (cite: string) => string | null {
  const told = events.flatMap((event) => (event.type === 'told' ? [event.receipt] : []))
  return (cite) => {
    if (cite === 'goal') return receipts.find((one) => one.op === 'run.start')?.id ?? null
    const n = /^told (\d+)$/.exec(cite)?.[1]
    if (n !== undefined) return told[Number(n) - 1] ?? null
    const [, turn, call] = /^t(\d+)c(\d+)$/.exec(cite) ?? []
    return ours.find((one) => String(one.turn) === turn && String(one.call) === call)?.id ?? null
  }
}

function instructionsOf(ours: readonly Receipt[]): Pick<ContextShown, 'instructions' | 'unread'> {
  const detail = ours.findLast((one) => one.op === 'context.instructions')?.detail as
    | { files?: ContextShown['instructions']; unread?: ContextShown['unread'] }
    | undefined
  return { instructions: detail?.files ?? [], unread: detail?.unread ?? [] }
}

function taskOf(state: RunState, label: string): TaskState | undefined {
  return Object.values(state.tasks).find((task) => `T${task.card.payload.n}` === label)
}

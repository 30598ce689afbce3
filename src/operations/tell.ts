/** run.tell: a person's words to a run at work. They become a pin of each task at its next turn, and stay one. */
import * as z from 'zod/mini'
import { once } from '../core/once.ts'
import { VpError } from '../core/errors.ts'
import { appendReceipt } from '../ledger/receipts.ts'
import { FINAL_RUN, FINAL_TASK } from '../pas/contract/types.ts'
import type { RunState, TaskState } from '../pas/embedded/reducer/state.ts'
import { appendEvents, requireRun } from '../pas/embedded/run-store.ts'
import { operation } from './operation.ts'
import { ownRun } from './runs/chosen-run.ts'

const MAX_TEXT = 2000
/** Of one run: pins are never dropped, so there is an end to them. */
const MAX_TOLD = 50

const toldShape = once(() =>
  z.object({
    run_id: z.string(),
    /** The how many-th of the run, from 1. */
    n: z.int(),
    text: z.string(),
    /** Tasks that will hear it: `T3`. */
    hears: z.array(z.string()),
    when: z.enum(['next turn', 'when resumed']),
  }),
)
export type ToldResult = z.infer<ReturnType<typeof toldShape>>

export const runTell = operation<{ run?: string | undefined; text: string; task?: string | undefined }, ToldResult>({
  name: 'run.tell',
  summary: 'words to a run at work: a pin of its tasks from their next turn on',
  params: () =>
    z.strictObject({
      run: z.optional(z.string()),
      text: z.string().check(z.minLength(1), z.maxLength(MAX_TEXT)),
      task: z.optional(z.string().check(z.regex(/^T?\d{1,6}$/i))),
    }) as never,
  result: () => toldShape() as never,
  effect: 'write',
  scope: 'run.control',
  async handler(params, scene) {
    const { kit, caller } = scene
    const text = kit.redactText(params.text.replace(/[^\P{C}\n\t]/gu, '').trim())
    if (text === '') throw new VpError('usage.params', 'there are no words in it', { next: ['vp tell RUN "keep the public API as it is"'] })
    const { state: chosen } = await ownRun(scene, params.run)
    return kit.store.transaction(
      async (tx) => {
        const state = await requireRun(tx, chosen.run_id)
        const listeners = listenersOf(state, params.task)
        if ((state.told ?? 0) >= MAX_TOLD)
          throw new VpError('limit.reached', `a run hears ${MAX_TOLD} times from a person at most`, { next: ['vp pause', 'vp do "GOAL"'] })
        const receipt = await appendReceipt(tx, kit, {
          op: 'run.tell',
          actor: caller.actor,
          surface: caller.surface,
          run_id: state.run_id,
          ...(params.task === undefined ? {} : { task_id: listeners[0]?.task_id }),
          outcome: 'ok',
          summary: `“${text.replace(/\s+/g, ' ').slice(0, 200)}”`,
          detail: { text },
        })
        const told = { type: 'told', task_id: params.task === undefined ? null : (listeners[0]?.task_id ?? null), text, receipt: receipt.id } as const
        const { state: after } = await appendEvents(tx, kit.clock.now(), state.run_id, [told])
        return {
          run_id: state.run_id,
          n: after.told ?? 0,
          text,
          hears: listeners.map(({ card }) => `T${card.payload.n}`),
          when: state.status === 'paused' ? ('when resumed' as const) : ('next turn' as const),
        }
      },
      { durable: true },
    )
  },
  say: (_params, { hears, when }) => `${hears.join(', ')} · ${when}`,
})

/** Throws `run.state` where nobody is left to hear, `usage.params` for a task that the run has not. */
function listenersOf(state: RunState, name: string | undefined): TaskState[] {
  const ended = (what: string) => new VpError('run.state', `${what}, so nobody would hear it`, { next: ['vp status', 'vp do "GOAL"'] })
  if (FINAL_RUN.has(state.status)) throw ended(`run ${state.run_id} has ended: ${state.status}`)
  const tasks = state.order.flatMap((id) => state.tasks[id] ?? [])
  const n = name === undefined ? null : Number(name.replace(/^T/i, ''))
  const meant = n === null ? tasks : tasks.filter(({ card }) => card.payload.n === n)
  if (meant.length === 0 && n !== null) throw new VpError('usage.params', `run ${state.run_id} has no task T${n}`, { next: ['vp status'] })
  const open = meant.filter(({ status }) => !FINAL_TASK.has(status))
  if (open.length === 0) throw ended(n === null ? 'every task of the run has ended' : `task T${n} has ended`)
  return open
}

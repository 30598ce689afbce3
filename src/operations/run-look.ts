/** run.status, run.logs, run.subscribe: where a run stands, its ledger in words, and what becomes of it. */
import * as z from 'zod/mini'
import { VpError } from '../core/errors.ts'
import { FINAL_RUN } from '../pas/contract/types.ts'
import { openFeed, type Feed, type FeedItem } from '../pas/embedded/feed.ts'
import { logLines, type LogLine } from '../pas/embedded/log-lines.ts'
import { runEvents, runEventsAfter } from '../pas/embedded/run-store.ts'
import { runStatus, type RunStatusReport } from '../pas/embedded/status.ts'
import type { Kit } from './kit.ts'
import { operation } from './operation.ts'
import { requireProject } from './projects/project.ts'
import { results } from './results.ts'
import { chosenState } from './runs/chosen-run.ts'

export const runStatusRead = operation<{ run?: string | undefined }, RunStatusReport>({
  name: 'run.status',
  summary: 'where a run stands: tasks, spend, gates, pending approvals',
  params: () => z.strictObject({ run: z.optional(z.string()) }) as never,
  result: () => results().runStatusResult as never,
  effect: 'read',
  scope: 'projects.view',
  async handler(params, scene) {
    const { kit } = scene
    const state = await chosenState(scene, params.run)
    return kit.store.read(async (tx) => runStatus(tx, state, (await requireProject(tx, state.project_id)).name, { now: kit.clock.now(), isAlive: kit.isAlive }))
  },
})

export const runLogs = operation<
  { run?: string | undefined; task?: string | undefined; after?: number | undefined; tail?: number | undefined },
  { run_id: string; lines: readonly LogLine[] }
>({
  name: 'run.logs',
  summary: "a run's receipts in words, oldest first",
  params: () =>
    z.strictObject({
      run: z.optional(z.string()),
      task: z.optional(z.string()),
      after: z.optional(z.int().check(z.nonnegative())),
      tail: z.optional(z.int().check(z.gte(1), z.lte(10_000))),
    }) as never,
  result: () => results().runLogsResult as never,
  effect: 'read',
  scope: 'projects.view',
  async handler(params, scene) {
    const state = await chosenState(scene, params.run)
    const lines = await scene.kit.store.read((tx) => logLines(tx, state, { after: params.after ?? 0, task: params.task }))
    return { run_id: state.run_id, lines: lines.slice(-(params.tail ?? 10_000)) }
  },
})

export const runSubscribe = operation<
  { run?: string | undefined; after?: number | undefined },
  { run_id: string; channel: string; seq: number; status: string }
>({
  name: 'run.subscribe',
  summary: 'what becomes of a run, as notifications `event`, until it ends or the call is cancelled',
  // `after`: the last `seq` that the client knows, 0 for all; absent: what comes from now on.
  params: () => z.strictObject({ run: z.optional(z.string()), after: z.optional(z.int().check(z.nonnegative())) }) as never,
  result: () => results().subscribed as never,
  effect: 'read',
  scope: 'projects.view',
  async handler(params, scene) {
    const { kit, caller } = scene
    const { follow } = caller
    if (!follow) throw new VpError('usage.params', 'nothing can be sent here after an answer', { next: ['vp status --follow'] })
    const { run_id } = await chosenState(scene, params.run)
    const channel = `run:${run_id}`
    const feed = openFeed()
    const events = await kit.store.read((tx) => runEvents(tx, run_id))
    const known = events.flatMap((event) => feed.push(event))
    const seq = known.at(-1)?.seq ?? 0
    const missed = known.filter((item) => item.seq > (params.after ?? seq))
    scene.onEnd.push(() => follow({ channel, items: (signal) => feedItems(kit, { run_id, feed, missed, read: events.length }, signal) }))
    return { run_id, channel, seq, status: feed.state()?.status ?? '' }
  },
})

const LOOK_MS = 200

interface Following {
  readonly run_id: string
  readonly feed: Feed
  readonly missed: readonly FeedItem[]
  /** Events that are in the feed already. */
  readonly read: number
}

/** The log is the only source: whichever process writes to it, its events come in its order. */
async function* feedItems(kit: Kit, { run_id, feed, missed, read }: Following, signal: AbortSignal): AsyncGenerator<FeedItem> {
  const told = (item: FeedItem): FeedItem => ({ ...item, data: kit.redactJson(item.data) as FeedItem['data'] })
  for (const item of missed) yield told(item)
  for (let n = read; !signal.aborted && !FINAL_RUN.has(feed.state()?.status ?? 'pending');) {
    const events = await kit.store.read((tx) => runEventsAfter(tx, run_id, n))
    n += events.length
    for (const event of events) for (const item of feed.push(event)) yield told(item)
    if (events.length === 0) await kit.sleep(LOOK_MS, signal).catch(() => undefined) // let go of: the loop ends
  }
}

/** run.status, run.logs: where a run stands, and its ledger in words. */
import * as z from 'zod/mini'
import { logLines, type LogLine } from '../pas/embedded/log-lines.ts'
import { runStatus, type RunStatusReport } from '../pas/embedded/status.ts'
import { operation } from './operation.ts'
import { requireProject } from './projects/project.ts'
import { runLogsResult, runStatusResult } from './results.ts'
import { chosenState } from './runs/chosen-run.ts'

export const runStatusRead = operation<{ run?: string | undefined }, RunStatusReport>({
  name: 'run.status',
  summary: 'where a run stands: tasks, spend, gates, pending approvals',
  params: z.strictObject({ run: z.optional(z.string()) }) as never,
  result: runStatusResult as never,
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
  params: z.strictObject({
    run: z.optional(z.string()),
    task: z.optional(z.string()),
    after: z.optional(z.int().check(z.nonnegative())),
    tail: z.optional(z.int().check(z.gte(1), z.lte(10_000))),
  }) as never,
  result: runLogsResult as never,
  effect: 'read',
  scope: 'projects.view',
  async handler(params, scene) {
    const state = await chosenState(scene, params.run)
    const lines = await scene.kit.store.read((tx) => logLines(tx, state, { after: params.after ?? 0, task: params.task }))
    return { run_id: state.run_id, lines: lines.slice(-(params.tail ?? 10_000)) }
  },
})

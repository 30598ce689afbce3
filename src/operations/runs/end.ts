/**
 * What a run leaves behind besides its commits on its own branch: refs in the human's repository, and the record of
 * its end. All of it may be done again after a crash and then changes nothing.
 */
import { sealChain } from '../../ledger/checkpoints.ts'
import { appendReceipt } from '../../ledger/receipts.ts'
import type { Json } from '../../core/json.ts'
import { eventsSha, runEvents } from '../../pas/embedded/run-store.ts'
import type { RunState } from '../../pas/embedded/reducer/state.ts'
import type { Tx } from '../../store/contract.ts'
import { readRef } from '../../workspace/git.ts'
import type { HumanRepository } from '../../workspace/human-repository.ts'
import { handOver } from '../../workspace/run-repository.ts'
import { moveRef } from '../../workspace/refs.ts'
import type { Kit } from '../kit.ts'
import { loadProject, saveProject } from '../projects/project.ts'
import type { RunScene } from './run-scene.ts'

/** So that the human's gc cannot take what the run borrows, and so that `vp verify` misses a run that is gone. */
export async function keepBase(kit: Kit, human: HumanRepository, runId: string, commit: string): Promise<void> {
  const ref = `refs/vp/base/${runId}`
  if ((await readRef(kit.git, human.view, ref)) === null) await moveRef(kit, human.view, ref, commit, null)
}

/** `vp/<run>` in the human's repository: the run's commits, reachable while it goes on. Refs only. */
export async function publishBranch(kit: Kit, run: RunScene, state: RunState, head: string): Promise<void> {
  if (head === state.base || state.kind === 'rehearsal' || (state.kind === 'replay' && !state.fork)) return
  const at = await readRef(kit.git, run.human.view, run.branch)
  if (at === head) return
  const isRuns = at === null || (await isWithin(kit, run, at, head))
  await handOver(kit.git, run.repository, run.human, { base: at !== null && isRuns ? at : state.base, head })
  // Commits of a person's own on it stay; `vp complete` says so.
  if (isRuns) await moveRef(kit, run.human.view, run.branch, head, at)
}

async function isWithin(kit: Kit, run: RunScene, commit: string, head: string): Promise<boolean> {
  return (await kit.git(['merge-base', '--is-ancestor', commit, head], { gitDir: run.repository.gitDir, accept: [1, 128] })).code === 0
}

async function eventsProof(tx: Tx, runId: string): Promise<Json> {
  const events = await runEvents(tx, runId)
  return { events: events.length, events_sha: eventsSha(events) }
}

/** The project follows its baseline runs; rehearsals and replays change nothing (plms.md section 2). */
export async function recordEnd(tx: Tx, kit: Kit, state: RunState): Promise<void> {
  await appendReceipt(tx, kit, {
    op: 'run.end',
    actor: 'operator',
    surface: 'engine',
    run_id: state.run_id,
    outcome: state.status,
    summary: state.reason ?? state.status,
    // What a person reads of a run is folded from its events: with this the chain, which commits know, holds them too.
    detail: await eventsProof(tx, state.run_id),
  })
  await sealChain(tx, kit.clock, kit.key(), state.run_id)
  if (state.kind === 'rehearsal' || state.kind === 'replay') return
  const record = await loadProject(tx, state.project_id)
  const status = state.status === 'needs_review' ? 'needs_review' : state.status === 'paused' ? 'paused' : state.status === 'completed' ? 'validating' : null
  if (record && status) await saveProject(tx, { ...record, status })
}

/**
 * `vp export`: one file that proves a run anywhere: receipts, checkpoints, events, plan, recordings, and the git
 * objects of its base tree and commits. Gzipped JSON lines; holds what the ledger holds, which is masked already.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { VpError } from '../../core/errors.ts'
import { canonicalJson } from '../../core/json.ts'
import type { CheckpointRow } from '../../ledger/checkpoints.ts'
import type { ReceiptRow } from '../../ledger/receipts.ts'
import type { Exchange } from '../../models/recorded.ts'
import type { RunEvent, RunState } from '../../pas/embedded/reducer/state.ts'
import { runEvents } from '../../pas/embedded/run-store.ts'
import type { ProjectFile } from '../../plms/contract/types.ts'
import type { Kit } from '../kit.ts'
import { loadPlan, type StoredPlan } from '../projects/plans.ts'
import type { RunScene } from './run-scene.ts'
import { readRef } from '../../workspace/git.ts'

export interface Bundle {
  readonly run_id: string
  readonly key: { readonly id: string; readonly public: string }
  readonly receipts: readonly ReceiptRow[]
  readonly checkpoints: readonly CheckpointRow[]
  readonly events: readonly RunEvent[]
  readonly exchanges: readonly Exchange[]
  readonly approvals: readonly { readonly request: string; readonly status: string }[]
  readonly plan: StoredPlan
  readonly project: ProjectFile
  readonly prd: string | null
  /** `roots`: commits of the person's, without the history before them; absent: the base alone. */
  readonly commits: { readonly base: string; readonly head: string; readonly branch: string; readonly roots?: readonly string[] }
  /** `path → mode, sha` is in it; base64 of a pack with the base's tree and every commit after it. */
  readonly pack: string
  readonly object_format: 'sha1' | 'sha256'
}

/** Loaded when there is a bundle to read or write: it costs a start of vp 5 ms. */
const zlib = () => process.getBuiltinModule('node:zlib')
const MAX_BUNDLE = 512 * 1024 * 1024

/** Everything of one run, read in one transaction. */
export async function collectBundle(kit: Kit, run: RunScene, state: RunState, prd: string | null): Promise<Bundle> {
  const rows = await kit.store.read(async (tx) => ({
    receipts: await tx.all<ReceiptRow>('SELECT * FROM receipts WHERE run_id = ? ORDER BY n', state.run_id),
    checkpoints: await tx.all<CheckpointRow>('SELECT * FROM checkpoints WHERE run_id = ? ORDER BY n', state.run_id),
    events: await runEvents(tx, state.run_id),
    exchanges: await tx.all<{
      task: string
      attempt: number
      turn: number
      request_sha: string
      request: string
      response: string
    }>("SELECT * FROM exchanges WHERE run_id = ? AND response <> 'null' ORDER BY task, attempt, turn", state.run_id),
    approvals: await tx.all<{ request: string; status: string }>('SELECT request, status FROM approvals WHERE run_id = ?', state.run_id),
    plan: await loadPlan(tx, state.project_id, state.plan_version),
  }))
  if (!rows.plan) throw new VpError('plan.none', `plan v${state.plan_version} is gone`)
  const branch = (await readRef(kit.git, run.repository.gitDir, run.branch)) ?? state.head
  const roots = rootsOf(state)
  return {
    run_id: state.run_id,
    key: { id: kit.key().id, public: kit.key().publicKey },
    ...rows,
    plan: rows.plan,
    project: run.project,
    prd,
    exchanges: rows.exchanges.map(({ task, attempt, turn, request_sha, request, response }) => ({
      task,
      attempt,
      turn,
      request_sha,
      request: JSON.parse(request) as Exchange['request'],
      answer: JSON.parse(response) as Exchange['answer'],
    })),
    commits: { base: state.base, head: state.head, branch, ...(roots.length > 1 ? { roots } : {}) },
    pack: (await packOf(kit, run, roots, branch)).toString('base64'),
    object_format: run.repository.objectFormat,
  }
}

/** The base, and what repairs brought in. */
function rootsOf(state: RunState): string[] {
  const merges = Object.values(state.tasks).flatMap((task) => task.card.payload.merge ?? [])
  const ours = new Set(Object.values(state.tasks).map((task) => task.commit))
  return [...new Set([state.base, ...merges.flatMap(({ base, person }) => [base, person])])].filter((commit) => !ours.has(commit))
}

/** The base as a root of its own (no history before it), and so whatever a repair brought in, then the run's commits and every tree an attempt ended in. */
async function packOf(kit: Kit, run: RunScene, roots: readonly string[], branch: string): Promise<Buffer> {
  const { git } = kit
  const gitDir = run.repository.gitDir
  const commits = (await git(['rev-list', branch, ...roots.map((root) => `^${root}`)], { gitDir })).stdout.toString().split('\n').filter(Boolean)
  const listed = (
    await git(['rev-list', '--objects', '--no-walk=unsorted', ...[...roots, ...commits].map((commit) => `${commit}^{tree}`)], {
      gitDir,
      accept: [128],
    })
  ).stdout.toString()
  const trees = listed
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter(Boolean)
  return (
    await git(['pack-objects', '--stdout', '-q'], {
      gitDir,
      input: `${[...new Set([...roots, ...commits, ...trees])].join('\n')}\n`,
    })
  ).stdout
}

export function writeBundle(path: string, bundle: Bundle): void {
  mkdirSync(dirname(path), { recursive: true })
  const { receipts, checkpoints, events, exchanges, approvals, pack, ...head } = bundle
  const lines = [
    { format: 'vp-bundle', version: 1, ...head },
    ...receipts.map((row) => ({ receipt: row })),
    ...checkpoints.map((row) => ({ checkpoint: row })),
    ...events.map((event) => ({ event })),
    ...exchanges.map((exchange) => ({ exchange })),
    ...approvals.map((approval) => ({ approval })),
    { pack },
  ]
  writeFileSync(path, zlib().gzipSync(lines.map((line) => canonicalJson(line) + '\n').join('')), { mode: 0o600 })
}

/** Throws `bundle.invalid`; nothing in a bundle is trusted before `vp verify` has read it. */
export function parseBundle(bytes: Buffer): Bundle {
  const refuse = (why: string, cause?: unknown) => new VpError('bundle.invalid', `this is no bundle of vp: ${why}`, cause === undefined ? {} : { cause })
  let lines: Record<string, unknown>[]
  try {
    lines = zlib()
      .gunzipSync(bytes, { maxOutputLength: MAX_BUNDLE })
      .toString('utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  } catch (cause) {
    throw refuse('it does not unpack', cause)
  }
  const [head, ...rest] = lines
  if (!head || head['format'] !== 'vp-bundle' || head['version'] !== 1) throw refuse('its first line is another format')
  const pick = <Row>(name: string): Row[] => rest.flatMap((line) => (line[name] === undefined ? [] : [line[name] as Row]))
  const bundle = {
    ...(head as unknown as Bundle),
    receipts: pick<ReceiptRow>('receipt'),
    checkpoints: pick<CheckpointRow>('checkpoint'),
    events: pick<RunEvent>('event'),
    exchanges: pick<Exchange>('exchange'),
    approvals: pick<{ request: string; status: string }>('approval'),
    pack: pick<string>('pack')[0] ?? '',
  }
  if (
    typeof bundle.run_id !== 'string' ||
    !/^r-[\w-]{1,64}$/.test(bundle.run_id) ||
    typeof bundle.key?.public !== 'string' ||
    !bundle.plan ||
    !bundle.commits ||
    bundle.pack === ''
  )
    throw refuse('it lacks its parts')
  return bundle
}

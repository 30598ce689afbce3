/**
 * `vp export`: one file that proves a run anywhere: receipts, checkpoints, events, plan, recordings, and the git
 * objects of its base tree and commits. Gzipped JSON lines; holds what the ledger holds, which is masked already.
 * The last line seals all lines before it with the ledger's key; decision 0011 says what that proves and what not.
 */
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { VpError } from '../../core/errors.ts'
import { canonicalJson, sha256 } from '../../core/json.ts'
import type { CheckpointRow } from '../../ledger/checkpoints.ts'
import { verifyingKey, type SigningKey } from '../../ledger/keys.ts'
import type { ReceiptRow } from '../../ledger/receipts.ts'
import { withoutRepeats, withRepeats, type Kept } from '../../models/grown.ts'
import type { Exchange } from '../../models/recorded.ts'
import type { RunEvent, RunState } from '../../pas/embedded/reducer/state.ts'
import { runEvents } from '../../pas/embedded/run-store.ts'
import type { ProjectFile } from '../../plms/contract/types.ts'
import { atPath } from '../../store/directory.ts'
import type { Kit } from '../kit.ts'
import { loadPlan, type StoredPlan } from '../projects/plans.ts'
import { withRequests } from './kept-bodies.ts'
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

interface ExchangeRow {
  readonly task: string
  readonly attempt: number
  readonly turn: number
  readonly request_sha: string
  readonly request: string
  readonly response: string
}

/** Everything of one run, read in one transaction. */
export async function collectBundle(kit: Kit, run: RunScene, state: RunState, prd: string | null): Promise<Bundle> {
  const rows = await kit.store.read(async (tx) => ({
    receipts: await tx.all<ReceiptRow>('SELECT * FROM receipts WHERE run_id = ? ORDER BY n', state.run_id),
    checkpoints: await tx.all<CheckpointRow>('SELECT * FROM checkpoints WHERE run_id = ? ORDER BY n', state.run_id),
    events: await runEvents(tx, state.run_id),
    exchanges: await withRequests(
      tx,
      state.run_id,
      await tx.all<ExchangeRow>("SELECT * FROM exchanges WHERE run_id = ? AND response <> 'null' ORDER BY task, attempt, turn", state.run_id),
    ),
    approvals: await tx.all<{ request: string; status: string }>('SELECT request, status FROM approvals WHERE run_id = ?', state.run_id),
    plan: await loadPlan(tx, state.project_id, state.plan_version),
  }))
  if (!rows.plan) throw new VpError('plan.none', `plan v${state.plan_version} is gone`)
  const branch = (await readRef(kit.git, run.repository.gitDir, run.branch)) ?? state.head
  const forked = rows.events.find((event) => event.type === 'forked')
  const roots = rootsOf(state, forked?.carry_base ?? null)
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
      request: recorded<Exchange['request']>(request, task, turn),
      answer: recorded<Exchange['answer']>(response, task, turn),
    })),
    commits: { base: state.base, head: state.head, branch, ...(roots.length > 1 ? { roots } : {}) },
    pack: (await packOf(kit, run, { roots, branch, carried: forked?.carry_tree ?? null })).toString('base64'),
    object_format: run.repository.objectFormat,
  }
}

function recorded<Part>(text: string, task: string, turn: number): Part {
  try {
    return JSON.parse(text) as Part
  } catch (cause) {
    throw new VpError('ledger.altered', `${task}, turn ${turn}: what is recorded is not JSON`, { cause, next: ['vp verify'] })
  }
}

/** The base, what repairs brought in, and what a fork's files grew from. */
function rootsOf(state: RunState, carried: string | null): string[] {
  const merges = Object.values(state.tasks).flatMap((task) => task.card.payload.merge ?? [])
  const ours = new Set(Object.values(state.tasks).map((task) => task.commit))
  return [...new Set([state.base, ...(carried === null ? [] : [carried]), ...merges.flatMap(({ base, person }) => [base, person])])].filter(
    (commit) => !ours.has(commit),
  )
}

/** The base as a root of its own (no history before it), and so whatever a repair brought in, then the run's commits and every tree an attempt ended in. */
async function packOf(
  kit: Kit,
  run: RunScene,
  { roots, branch, carried }: { readonly roots: readonly string[]; readonly branch: string; readonly carried: string | null },
): Promise<Buffer> {
  const { git } = kit
  const gitDir = run.repository.gitDir
  const commits = (await git(['rev-list', branch, ...roots.map((root) => `^${root}`)], { gitDir })).stdout.toString().split('\n').filter(Boolean)
  const listed = (
    await git(
      ['rev-list', '--objects', '--no-walk=unsorted', ...[...roots, ...commits].map((commit) => `${commit}^{tree}`), ...(carried === null ? [] : [carried])],
      {
        gitDir,
        accept: [128],
      },
    )
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

const VERSION = 3
/** No name, no time, no system: each byte of the wrapping is known, so that a changed one shows. Source: RFC 1952. */
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])

interface Seal {
  readonly sha256: string
  readonly key_id: string
  readonly signature: string
}

const sealBytes = (sha: string): Buffer => Buffer.from(`vp-bundle ${VERSION} ${sha}`)

export function printBundle(key: SigningKey, bundle: Bundle): Buffer {
  const { receipts, checkpoints, events, exchanges, approvals, pack, ...head } = bundle
  const lines = [
    { format: 'vp-bundle', version: VERSION, ...head },
    ...receipts.map((row) => ({ receipt: row })),
    ...checkpoints.map((row) => ({ checkpoint: row })),
    ...events.map((event) => ({ event })),
    ...withoutRepeats(exchanges).map((exchange) => ({ exchange })),
    ...approvals.map((approval) => ({ approval })),
    { pack },
  ]
  const text = lines.map((line) => canonicalJson(line) + '\n').join('')
  const sha = sha256(text)
  const seal: Seal = { sha256: sha, key_id: key.id, signature: key.sign(sealBytes(sha)).toString('base64url') }
  const bytes = zlib().gzipSync(text + canonicalJson({ seal }) + '\n')
  GZIP_HEADER.copy(bytes)
  return bytes
}

/** In a directory that is there. Throws `usage.params` where it cannot be, `store.full`; then nothing is left of it. */
export function writeBundle(path: string, key: SigningKey, bundle: Bundle): void {
  const bytes = printBundle(key, bundle)
  const fd = atPath(path, [`vp export --out ${bundle.run_id}.vpb`], () => openSync(path, 'w', 0o600))
  try {
    writeFileSync(fd, bytes)
  } catch (error) {
    rmSync(path, { force: true })
    throw error
  } finally {
    closeSync(fd)
  }
}

/**
 * What the seal covers, and nothing else. Throws `bundle.invalid` for a file that is something else, and `ledger.altered`
 * for a bundle that is not as it was sealed. Whose key that is says `bundle-proof.ts`.
 */
export function parseBundle(bytes: Buffer, name: string): Bundle {
  const isOurs = name.endsWith('.vpb') || bytes.subarray(0, 2).equals(GZIP_HEADER.subarray(0, 2))
  if (!isOurs) throw new VpError('bundle.invalid', 'this is no bundle of vp')
  const text = unwrap(bytes)
  const end = text.lastIndexOf('\n', text.length - 2) + 1
  const lines = parseLines(text)
  const [head, ...rest] = lines
  if (!head || head['format'] !== 'vp-bundle') throw new VpError('bundle.invalid', 'this is no bundle of vp: its first line is another format')
  if (head['version'] !== VERSION)
    throw new VpError('bundle.invalid', `this bundle has format ${String(head['version'])}, this vp knows ${VERSION}`, { next: ['vp export RUN'] })
  const pick = <Row>(part: string): Row[] => rest.flatMap((line) => (line[part] === undefined ? [] : [line[part] as Row]))
  const bundle = {
    ...(head as unknown as Bundle),
    receipts: pick<ReceiptRow>('receipt'),
    checkpoints: pick<CheckpointRow>('checkpoint'),
    events: pick<RunEvent>('event'),
    exchanges: withRepeats(pick<Kept>('exchange')),
    approvals: pick<{ request: string; status: string }>('approval'),
    pack: pick<string>('pack')[0] ?? '',
  }
  requireSeal(bundle.key?.public, text.slice(0, end), rest.at(-1)?.['seal'] as Partial<Seal> | undefined)
  if (!/^r-[\w-]{1,64}$/.test(String(bundle.run_id)) || !bundle.plan || !bundle.commits || bundle.pack === '') throw altered('it lacks its parts')
  return bundle
}

function altered(why: string, cause?: unknown): VpError {
  return new VpError('ledger.altered', `this bundle is not as it was exported: ${why}`, {
    next: ['ask whoever made it for another copy'],
    ...(cause === undefined ? {} : { cause }),
  })
}

function unwrap(bytes: Buffer): string {
  let unpacked: { buffer: Buffer; engine: { bytesWritten: number } }
  try {
    unpacked = zlib().gunzipSync(bytes, { maxOutputLength: MAX_BUNDLE, info: true }) as unknown as typeof unpacked
  } catch (cause) {
    throw altered('it does not unpack', cause)
  }
  if (unpacked.engine.bytesWritten !== bytes.length) throw altered('something was added to it')
  const text = unpacked.buffer.toString('utf8')
  if (text.includes('"format":"vp-bundle"') && !bytes.subarray(0, GZIP_HEADER.length).equals(GZIP_HEADER)) throw altered('it was packed anew')
  return text
}

function parseLines(text: string): Record<string, unknown>[] {
  try {
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  } catch (cause) {
    if (text.includes('"format":"vp-bundle"')) throw altered('a line is not JSON', cause)
    throw new VpError('bundle.invalid', 'this is no bundle of vp', { cause })
  }
}

function requireSeal(publicKey: unknown, sealed: string, seal: Partial<Seal> | undefined): void {
  if (!seal) throw altered('it has no seal')
  const sha = sha256(sealed)
  if (seal.sha256 !== sha) throw altered('its lines are not those that were sealed')
  let key: ReturnType<typeof verifyingKey>
  try {
    key = verifyingKey(String(publicKey))
  } catch (cause) {
    throw altered('its key is none', cause)
  }
  if (key.id !== seal.key_id || !key.verify(sealBytes(sha), Buffer.from(String(seal.signature), 'base64url'))) throw altered('its seal is not by its key')
}

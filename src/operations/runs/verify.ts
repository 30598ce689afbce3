/** `vp verify`: the ledger's own files, every chain in question, and what commits and refs remember of it. */
import { VpError } from '../../core/errors.ts'
import { shortReceipt } from '../../core/ids.ts'
import { parseTrailers } from '../../ledger/passport.ts'
import type { CheckpointRow } from '../../ledger/checkpoints.ts'
import { MACHINE_CHAIN, type ReceiptRow } from '../../ledger/receipts.ts'
import { problemWords, verifyChain, verifyCheckpoints, type ChainVerdict, type KnownHead, type LedgerProblem } from '../../ledger/verify.ts'
import type { RunGit } from '../../workspace/git.ts'
import { nulList } from '../../workspace/git.ts'
import { openHumanRepository } from '../../workspace/human-repository.ts'
import { hasBlob } from '../blobs.ts'
import type { Kit, OpenKit } from '../kit.ts'
import { wrongBodies } from './sent-bodies.ts'

export interface Verified extends ChainVerdict {
  readonly run_id: string
  readonly problems: readonly LedgerProblem[]
}

export interface VerifyResult extends Verified {
  readonly sound: boolean
  readonly all: readonly Verified[]
  readonly source: 'ledger' | 'bundle'
  /** The newest run of this checkout: what is told where no run is named and all hold. Absent: there is none, or another was named. */
  readonly here?: string
  /** Of a bundle: whose key sealed it, and how that key is known here; null: it is not. */
  readonly signed?: { readonly key_id: string; readonly known_as: 'own' | 'commit' | null }
}

/** Heads that commits with our trailers know, for one run, in one repository. */
async function knownHeads(git: RunGit, gitDir: string, runId: string): Promise<KnownHead[]> {
  const { stdout, code } = await git(['log', '--all', '--fixed-strings', `--grep=VP-Run: ${runId}`, '--format=%H%n%B', '-z'], { gitDir, accept: [128] })
  if (code !== 0) return []
  return nulList(stdout).flatMap((entry) => {
    const [commit = '', ...body] = entry.split('\n')
    const trailers = parseTrailers(body.join('\n'))
    return trailers?.run === runId ? [{ receipts: trailers.ledger.receipts, head: trailers.ledger.head, by: `commit ${commit.slice(0, 7)}` }] : []
  })
}

/** The heads of one run that the commits of the repository at `root` know; none outside a repository. */
export async function headsKnownAt(kit: Kit, root: string, runId: string): Promise<KnownHead[]> {
  const human = await openHumanRepository(kit.git, root, kit.paths.views).catch(() => null)
  return human ? knownHeads(kit.git, human.view, runId) : []
}

/** What the repository at `root` remembers in its commits and refs: heads by run, and runs that have a base ref. */
async function rememberedBy(kit: Kit, root: string): Promise<{ known: Map<string, readonly KnownHead[]>; expected: string[] }> {
  const known = new Map<string, readonly KnownHead[]>()
  const human = await openHumanRepository(kit.git, root, kit.paths.views).catch(() => null) // outside a repository nobody remembers
  if (!human) return { known, expected: [] }
  const refs = nulList((await kit.git(['for-each-ref', '--format=%(refname)%00', 'refs/vp/base/'], { gitDir: human.view })).stdout)
    .map((ref) => ref.trim().replace('refs/vp/base/', ''))
    .filter(Boolean)
  for (const run of refs) known.set(run, await knownHeads(kit.git, human.view, run))
  return { known, expected: refs }
}

export interface LedgerQuestion {
  readonly root: string
  readonly run: string | null
  /** The newest run of the checkout at `root`. */
  readonly here?: string | undefined
}

/** One run, or with null everything that this ledger holds, against what the repository at `root` remembers. `vp doctor` asks the same. */
export async function verifyLedger(kit: Kit, checker: Pick<OpenKit, 'check'>, asked: LedgerQuestion): Promise<VerifyResult> {
  const { root, run: runId, here } = asked
  const keys = new Map([[kit.key().id, kit.key()]])
  const store = checker.check()
  const { known, expected } = await rememberedBy(kit, root)
  const { runs, checkpoints } = await kit.store.read(async (tx) => ({
    runs: (await tx.all<{ run_id: string }>('SELECT DISTINCT run_id FROM receipts')).map((row) => row.run_id),
    checkpoints: await tx.all<CheckpointRow>('SELECT * FROM checkpoints ORDER BY n'),
  }))
  const present = new Set(runs)
  const lost = expected.filter((run) => !present.has(run))
  const problems: LedgerProblem[] = [
    ...store,
    ...(await damagedCopies(kit)),
    ...(await kit.store.read((tx) => wrongBodies(tx, runId))),
    ...verifyCheckpoints(checkpoints, present, keys),
    ...lost.map((run) => ({ kind: 'incomplete' as const, detail: `run ${run} is missing: the repository has its base ref`, since: null })),
  ]
  const wanted = runId === null ? [...new Set([...runs, ...known.keys()])].toSorted() : [runId]
  const all: Verified[] = []
  for (const chain of wanted.length > 0 ? wanted : [MACHINE_CHAIN]) {
    const { receipts, head } = await kit.store.read(async (tx) => ({
      receipts: await tx.all<ReceiptRow>('SELECT * FROM receipts WHERE run_id = ? ORDER BY n', chain),
      head: await tx.get<{ n: number; key: string }>('SELECT n, key FROM heads WHERE run_id = ?', chain),
    }))
    const noted = head && { receipts: head.n, head: head.key, by: 'its noted head' }
    all.push(withProblems(chain, verifyChain(chain, { receipts, checkpoints, known: known.get(chain) ?? [], noted, keys }), problems))
  }
  const told = runId ?? here ?? MACHINE_CHAIN
  const worst =
    all.find((one) => one.first_altered) ??
    all.find((one) => one.missing) ??
    all.find((one) => !isSound(one) && one.run_id === told) ??
    all.find((one) => !isSound(one)) ??
    all.find((one) => one.run_id === told) ??
    all.find((one) => one.run_id === MACHINE_CHAIN) ??
    all.at(-1)
  if (!worst) throw new VpError('run.none', 'there is nothing to verify yet', { next: ['vp start'] })
  return { ...worst, sound: all.every(isSound), all, source: 'ledger', ...(here === undefined ? {} : { here }) }
}

/** What `vp undo` would give back and cannot: every copy is read, since garbage has a name too. */
async function damagedCopies(kit: Kit): Promise<LedgerProblem[]> {
  const rows = await kit.store.read((tx) =>
    tx.all<{ sha: string; path: string; receipt_id: string }>(
      'SELECT before_sha AS sha, MIN(path) AS path, MIN(receipt_id) AS receipt_id FROM before_images WHERE before_sha IS NOT NULL GROUP BY before_sha',
    ),
  )
  const lost = rows.filter(({ sha }) => !hasBlob(kit, sha))
  const [first] = lost
  if (!first) return []
  const detail = `${lost.length} of ${rows.length} copies kept for vp undo are gone or damaged: ${kit.redactText(first.path)} of ${shortReceipt(first.receipt_id)}${lost.length > 1 ? ` and ${lost.length - 1} more` : ''}`
  return [{ kind: 'damaged', detail, since: null, next: [`put ${kit.paths.blobs} back from a copy of your own`] }]
}

/** A chain is as whole as the files that hold it. */
export function withProblems(run_id: string, verdict: ChainVerdict, problems: readonly LedgerProblem[]): Verified {
  const open = problems.filter((problem) => problem.accepted === undefined)
  return {
    ...verdict,
    unaltered: verdict.unaltered && open.every((problem) => problem.kind === 'incomplete'),
    complete: verdict.complete && open.every((problem) => problem.kind !== 'incomplete'),
    run_id,
    problems,
  }
}

export function isSound(verified: Verified): boolean {
  return verified.unaltered && verified.complete
}

/** The first thing that does not hold: an altered receipt before a missing one, a missing one before the rest. */
export function verifyError(result: VerifyResult): VpError {
  const { first_altered: altered, missing, problems } = result
  const next = ['vp doctor']
  if (altered) return new VpError('ledger.altered', `receipt ${altered.n} of ${altered.of}: ${altered.id}, ${altered.why}`, { next })
  if (missing)
    return new VpError(
      'ledger.incomplete',
      `${missing.by} knows receipt ${missing.to}: ${missing.from === missing.to ? `${missing.to} is` : `${missing.from}–${missing.to} are`} missing`,
      { next },
    )
  const [worst] = (['damaged', 'altered', 'incomplete'] as const).flatMap((kind) =>
    problems.filter((problem) => problem.kind === kind && problem.accepted === undefined),
  )
  if (!worst) return new VpError('ledger.incomplete', 'the ledger does not hold', { next })
  const code = ({ damaged: 'store.damaged', altered: 'ledger.altered', incomplete: 'ledger.incomplete' } as const)[worst.kind]
  return new VpError(code, problemWords(worst), { next: [...(worst.next ?? next)] })
}

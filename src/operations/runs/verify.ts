/** `vp verify`: the ledger's own files, every chain in question, and what commits and refs remember of it. */
import { VpError } from '../../core/errors.ts'
import { parseTrailers } from '../../ledger/passport.ts'
import type { CheckpointRow } from '../../ledger/checkpoints.ts'
import { MACHINE_CHAIN, type ReceiptRow } from '../../ledger/receipts.ts'
import { verifyChain, verifyCheckpoints, type ChainVerdict, type KnownHead, type LedgerProblem } from '../../ledger/verify.ts'
import type { RunGit } from '../../workspace/git.ts'
import { nulList } from '../../workspace/git.ts'
import { openHumanRepository } from '../../workspace/human-repository.ts'
import type { Kit, OpenKit } from '../kit.ts'

export interface Verified extends ChainVerdict {
  readonly run_id: string
  readonly problems: readonly LedgerProblem[]
}

export interface VerifyResult extends Verified {
  readonly sound: boolean
  readonly all: readonly Verified[]
  readonly source: 'ledger' | 'bundle'
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

/** One run, or with null everything that this ledger holds, against what the repository at `root` remembers. `vp doctor` asks the same. */
export async function verifyLedger(kit: Kit, checker: Pick<OpenKit, 'check'>, root: string, runId: string | null): Promise<VerifyResult> {
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
    ...verifyCheckpoints(checkpoints, present, keys),
    ...lost.map((run) => ({ kind: 'incomplete' as const, detail: `run ${run} is missing: the repository has its base ref`, since: null })),
  ]
  const wanted = runId === null ? [...new Set([...runs, ...known.keys()])].toSorted() : [runId]
  const all: Verified[] = []
  for (const chain of wanted.length > 0 ? wanted : [MACHINE_CHAIN]) {
    const receipts = await kit.store.read((tx) => tx.all<ReceiptRow>('SELECT * FROM receipts WHERE run_id = ? ORDER BY n', chain))
    all.push(withProblems(chain, verifyChain(chain, { receipts, checkpoints, known: known.get(chain) ?? [], keys }), problems))
  }
  const worst = all.find((one) => one.first_altered) ?? all.find((one) => one.missing) ?? all.at(-1)
  if (!worst) throw new VpError('run.none', 'there is nothing to verify yet', { next: ['vp start'] })
  return { ...worst, sound: all.every(isSound), all, source: 'ledger' }
}

/** A chain is as whole as the files that hold it. */
export function withProblems(run_id: string, verdict: ChainVerdict, problems: readonly LedgerProblem[]): Verified {
  return {
    ...verdict,
    unaltered: verdict.unaltered && problems.every((problem) => problem.kind === 'incomplete'),
    complete: verdict.complete && problems.every((problem) => problem.kind !== 'incomplete'),
    run_id,
    problems,
  }
}

export function isSound(verified: Verified): boolean {
  return verified.unaltered && verified.complete
}

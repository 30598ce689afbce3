/** `vp verify`: the ledger's own files, every chain in question, and what commits and refs remember of it. */
import { parseTrailers } from '../../ledger/passport.ts'
import type { CheckpointRow } from '../../ledger/checkpoints.ts'
import { MACHINE_CHAIN, type ReceiptRow } from '../../ledger/receipts.ts'
import { verifyChain, verifyCheckpoints, type ChainVerdict, type KnownHead } from '../../ledger/verify.ts'
import type { RunGit } from '../../workspace/git.ts'
import { nulList } from '../../workspace/git.ts'
import type { Kit } from '../kit.ts'

export interface StoreChecker {
  check(): { kind: 'damaged' | 'incomplete'; detail: string }[]
}

export interface Verified extends ChainVerdict {
  readonly run_id: string
  readonly problems: readonly string[]
}

/** Heads that commits with our trailers know, for one run, in one repository. */
export async function knownHeads(git: RunGit, gitDir: string, runId: string): Promise<KnownHead[]> {
  const { stdout, code } = await git(['log', '--all', '--fixed-strings', `--grep=VP-Run: ${runId}`, '--format=%H%n%B', '-z'], { gitDir, accept: [128] })
  if (code !== 0) return []
  return nulList(stdout).flatMap((entry) => {
    const [commit = '', ...body] = entry.split('\n')
    const trailers = parseTrailers(body.join('\n'))
    return trailers?.run === runId ? [{ receipts: trailers.ledger.receipts, head: trailers.ledger.head, by: `commit ${commit.slice(0, 7)}` }] : []
  })
}

/** One run, or with null everything this ledger holds. `known` are heads that others remember; `expected` runs that refs name. */
export async function verifyLedger(
  kit: Kit,
  checker: StoreChecker,
  runId: string | null,
  known: ReadonlyMap<string, readonly KnownHead[]>,
  expected: readonly string[],
): Promise<Verified[]> {
  const keys = new Map([[kit.key().id, kit.key()]])
  const store = checker.check().map((problem) => (problem.kind === 'damaged' ? `store.damaged: ${problem.detail}` : `incomplete: ${problem.detail}`))
  const { runs, checkpoints } = await kit.store.read(async (tx) => ({
    runs: (await tx.all<{ run_id: string }>('SELECT DISTINCT run_id FROM receipts')).map((row) => row.run_id),
    checkpoints: await tx.all<CheckpointRow>('SELECT * FROM checkpoints ORDER BY n'),
  }))
  const present = new Set(runs)
  const general = [
    ...store,
    ...verifyCheckpoints(checkpoints, present, keys),
    ...expected.filter((run) => !present.has(run)).map((run) => `run ${run} is missing: the repository has its base ref`),
  ]
  const wanted = runId === null ? [...new Set([...runs, ...known.keys()])].toSorted() : [runId]
  const verified: Verified[] = []
  for (const chain of wanted) {
    const receipts = await kit.store.read((tx) => tx.all<ReceiptRow>('SELECT * FROM receipts WHERE run_id = ? ORDER BY n', chain))
    const verdict = verifyChain(chain, { receipts, checkpoints, known: known.get(chain) ?? [], keys })
    verified.push({ ...verdict, run_id: chain, problems: runId === null || chain === runId ? general : [] })
  }
  if (verified.length === 0)
    verified.push({
      ...verifyChain(MACHINE_CHAIN, { receipts: [], checkpoints: [], known: [], keys }),
      run_id: MACHINE_CHAIN,
      problems: general,
    })
  return verified
}

export function isSound(verified: Verified): boolean {
  return verified.unaltered && verified.complete && verified.problems.length === 0
}

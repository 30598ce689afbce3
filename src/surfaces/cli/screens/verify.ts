/** `vp verify` and `vp replay`: unaltered and complete are two questions; the first difference is named. */
import { shortReceipt } from '../../../core/ids.ts'
import type { LedgerProblem } from '../../../ledger/verify.ts'
import { clock, clockMinute, count as counted, duration, isoSeconds } from '../format.ts'
import { renderer } from '../finish.ts'
import { dots, nextLines } from '../layout.ts'
import { bad, good, hang } from '../style.ts'

export interface VerifyView {
  readonly unaltered: boolean
  readonly complete: boolean
  readonly receipts: number
  /** Shortest unique forms. */
  readonly head: { readonly id: string; readonly key?: string } | null
  readonly first_altered: {
    readonly n: number
    readonly of: number
    readonly id: string
    readonly op: string
    /** The task's number; null: of no task. */
    readonly task: number | null
    readonly ts: number
    readonly why: string
  } | null
  readonly missing: {
    readonly from: number
    readonly to: number
    readonly since: number | null
    readonly by: string
  } | null
  /** Who outside the ledger knows the last head: `commit 41d0c7e`. */
  readonly known_by: string | null
  /** The receipt that it knows; the last one when absent. */
  readonly known?: { readonly n: number; readonly id: string } | null
  /** Of a bundle: whose key sealed it. */
  readonly signed?: { readonly key_id: string; readonly known_as: 'own' | 'commit' | null }
  /** What is wrong beyond the chain, in the files or the signatures. */
  readonly problems?: readonly LedgerProblem[]
  readonly next?: readonly string[]
}

const LABEL = 12

export function verifyScreen(zone?: string) {
  return renderer<VerifyView>((view) => ({
    stdout: [...unalteredLines(view, zone), ...completeLines(view, zone), ...signedLines(view)],
    stderr: nextLines(view.next ?? []),
  }))
}

function unalteredLines(view: VerifyView, zone: string | undefined): string[] {
  const found = view.first_altered
  const whole = `${counted(view.receipts, 'receipt')}, every key and link holds`
  const problems = (view.problems ?? []).filter((problem) => problem.kind !== 'incomplete' && problem.accepted === undefined).map(problemLine)
  if (found === null) return problems.length > 0 ? [...problems, hang('', LABEL) + whole] : [hang(good('unaltered'), LABEL) + whole]
  const task = found.task === null ? '' : `T${found.task} `
  const before = found.n > 1 ? `${found.n === 2 ? '1' : `1–${found.n - 1}`} ${found.n === 2 ? 'holds' : 'hold'}` : null
  const after =
    found.n < found.of ? `${found.n + 1 === found.of ? found.of : `${found.n + 1}–${found.of}`} ${found.n + 1 === found.of ? 'hangs' : 'hang'} on it` : null
  const hold = [before, after].filter((part) => part !== null).join(', ')
  return [
    hang(bad('ALTERED'), LABEL) + `receipt ${found.n} of ${found.of}: ${found.id}, ${task}${found.op}, ${clock(found.ts, zone)}`,
    hang('', LABEL) + dots(found.why, hold),
    ...problems,
  ]
}

function problemLine({ kind, detail, since, accepted }: LedgerProblem): string {
  return (
    hang(accepted === undefined ? bad(kind.toUpperCase()) : 'accepted', LABEL) +
    (since === null ? detail : `since ${isoSeconds(since.ts)}, after ${shortReceipt(since.receipt)}: ${detail}`)
  )
}

function completeLines(view: VerifyView, zone: string | undefined): string[] {
  const [accepted, open] = [true, false].map((is) => (view.problems ?? []).filter((problem) => (problem.accepted !== undefined) === is))
  const problems = (open ?? []).filter((problem) => problem.kind === 'incomplete').map(problemLine)
  return [...(view.missing !== null || problems.length === 0 ? [completeLine(view, zone), ...problems] : problems), ...(accepted ?? []).map(problemLine)]
}

const KNOWN_AS = { own: 'this machine’s own', commit: 'the key of the run that a commit here knows' } as const

function signedLines({ signed }: VerifyView): string[] {
  if (!signed) return []
  const { key_id, known_as } = signed
  const whose = known_as === null ? 'known by nothing here: ask whoever exported it for theirs' : KNOWN_AS[known_as]
  return [hang('signed', LABEL) + `by key ${key_id}, ${whose}`]
}

function completeLine(view: VerifyView, zone: string | undefined): string {
  const { missing } = view
  if (missing !== null) {
    const range = missing.from === missing.to ? `${missing.from} is` : `${missing.from}–${missing.to} are`
    const since = missing.since === null ? '' : `, since ${clockMinute(missing.since, zone)}`
    return hang(bad('INCOMPLETE'), LABEL) + `${missing.by} knows receipt ${missing.to}: ${range} missing${since}`
  }
  const label = hang(view.unaltered ? good('complete') : 'complete', LABEL)
  if (!view.unaltered || view.head === null) return `${label}${view.receipts} of ${view.receipts}`
  const alone = view.signed ? 'known to this bundle alone' : 'known to this ledger alone'
  const after = view.known ? view.receipts - view.known.n : 0
  if (view.known && after > 0) return `${label}up to ${view.known.id}, the one that ${view.known_by} knows · ${counted(after, 'receipt')} after it, ${alone}`
  return label + (view.known_by === null ? `its head is ${view.head.id}, ${alone}` : `its head ${view.head.id} is the one that ${view.known_by} knows`)
}

export interface ReplayView {
  readonly equal: boolean
  readonly trees: readonly { readonly task_id: string; readonly equal: boolean }[]
  readonly operations: number
  readonly gates?: number
  readonly sockets?: number
  readonly elapsed_ms?: number | null
  readonly divergence: {
    readonly task: number | null
    readonly turn: number | null
    readonly op?: string
    readonly field: string
    readonly was: string | number | boolean | null
    readonly is: string | number | boolean | null
    /** In words: `was 31 passed, is 30 passed, 1 failed: test/coupon.test.ts:12`. */
    readonly detail?: string
    readonly equal_inputs?: readonly string[]
    /** In words: `node was 26.10.0, is 24.3.0`. */
    readonly unequal_inputs: readonly string[]
  } | null
  readonly next?: readonly (string | { readonly command: string })[]
}

export const replayScreen = renderer<ReplayView>((view) => ({
  stdout: view.equal || view.divergence === null ? [equalLine(view)] : differsLines(view.divergence),
  stderr: nextLines(view.next ?? []),
}))

function equalLine(view: ReplayView): string {
  // Of none of none nothing is proved.
  if (view.trees.length === 0) return `${hang('nothing', LABEL)}no attempt of this run came to its end, so no tree is compared`
  const equal = view.trees.filter((tree) => tree.equal).length
  const counts = [
    `${equal} of ${counted(view.trees.length, 'tree')}`,
    counted(view.operations, 'operation'),
    view.gates === undefined ? null : counted(view.gates, 'gate'),
  ]
  return (
    hang(good('equal'), LABEL) +
    dots(
      counts.filter((part) => part !== null).join(', '),
      view.sockets !== undefined && counted(view.sockets, 'socket'),
      view.elapsed_ms !== undefined && view.elapsed_ms !== null && duration(view.elapsed_ms),
    )
  )
}

function differsLines(found: NonNullable<ReplayView['divergence']>): string[] {
  const where = [found.task === null ? null : `T${found.task}`, found.turn === null ? null : `turn ${found.turn}`, found.op].filter((part) => part)
  const equal = found.equal_inputs ?? []
  const inputs = dots(equal.length > 0 && `${equal.join(', ')} equal`, found.unequal_inputs.length > 0 ? found.unequal_inputs.join(', ') : 'none differs')
  return [
    hang(bad('DIFFERS'), LABEL) +
      `${where.join(', ')}${where.length > 0 ? ': ' : ''}${found.field} was ${String(found.was)}, is ${String(found.is)} · stopped here`,
    ...(found.detail === undefined ? [] : [hang('', LABEL) + found.detail]),
    hang('', LABEL) + `inputs: ${inputs}`,
  ]
}

/**
 * `vp verify BUNDLE`: the chain of its receipts, what those receipts say of all else in it, and whose key sealed it.
 * A seal is worth as much as its key: who makes everything anew with a key of their own is found out by what lies
 * outside, the machine's own key or a commit that knows a receipt of this chain.
 */
import { canonicalJson, sha256 } from '../../core/json.ts'
import { verifyingKey } from '../../ledger/keys.ts'
import type { Passport } from '../../ledger/passport.ts'
import { parseReceipt, type Receipt } from '../../ledger/receipts.ts'
import { verifyChain, type KnownHead, type LedgerProblem } from '../../ledger/verify.ts'
import { answerSha, requestSha } from '../../models/recorded.ts'
import { eventsSha } from '../../pas/embedded/run-store.ts'
import type { Bundle } from './bundle.ts'
import { isSound, withProblems, type VerifyResult } from './verify.ts'

/** `known` are the heads that commits here remember of its run; `own` is the id of this machine's key. */
export function verifyBundle(bundle: Bundle, known: readonly KnownHead[], own: string): VerifyResult {
  const key = verifyingKey(bundle.key.public)
  const keys = new Map([[key.id, key]])
  const verdict = verifyChain(bundle.run_id, { receipts: bundle.receipts, checkpoints: bundle.checkpoints, known, keys })
  const problems = verdict.first_altered ? [] : whatReceiptsDeny(bundle).map((detail): LedgerProblem => ({ kind: 'altered', detail, since: null }))
  const verified = withProblems(bundle.run_id, verdict, problems)
  const known_as = key.id === own ? ('own' as const) : verdict.known ? ('commit' as const) : null
  return { ...verified, sound: isSound(verified), all: [verified], source: 'bundle', signed: { key_id: key.id, known_as } }
}

/** As it was receipted. */
export function receiptedPassport(receipts: readonly Receipt[]): Passport | undefined {
  return (receipts.find((one) => one.op === 'run.passport')?.detail as { passport?: Passport } | undefined)?.passport
}

/** What stands in a bundle and is not what its receipts name. The receipts themselves hold: that was asked before. */
function whatReceiptsDeny(bundle: Bundle): string[] {
  const receipts = bundle.receipts.map(parseReceipt)
  const passport = receiptedPassport(receipts)
  const { sha, version: _, ...plan } = bundle.plan
  const denied: [boolean, string][] = [
    [receipts.length > 0, 'no receipt is in the bundle'],
    [bundle.checkpoints.length > 0, 'no signed checkpoint is in the bundle'],
    [passport !== undefined, 'no receipt holds the passport'],
    [passport?.key.id === bundle.key.id && passport.key.public === bundle.key.public, 'the passport names another key than the one that sealed it'],
    [passport?.plan_sha === sha && sha === sha256(canonicalJson(plan)), 'the plan is not the one of the passport'],
    [passport?.env.git_commit === bundle.commits.base, 'the base is not the one of the passport'],
    [bundle.exchanges.every((exchange) => isReceipted(exchange, receipts)), 'what was said to the model, or by it, is not what its receipts name'],
    [receipts.every((one) => holdsEvents(one, bundle)), 'the events are not those that the receipt of the run’s end names'],
  ]
  return denied.filter(([holds]) => !holds).map(([, detail]) => detail)
}

function isReceipted({ request, request_sha, answer }: Bundle['exchanges'][number], receipts: readonly Receipt[]): boolean {
  if (requestSha(request) !== request_sha) return false
  const sha = answerSha(answer)
  return receipts.some(
    (one) => (one.op === 'model.call' && one.input_sha === request_sha && (one.output_sha ?? sha) === sha) || isCopied(one, request_sha, sha),
  )
}

/** Of a fork: answered in the run that it comes from. */
function isCopied({ op, detail }: Receipt, request: string, answer: string): boolean {
  if (op !== 'run.fork') return false
  const { recorded = [] } = (detail ?? {}) as { recorded?: readonly { request_sha: string; answer_sha: string }[] }
  return recorded.some((one) => one.request_sha === request && one.answer_sha === answer)
}

function holdsEvents(receipt: Receipt, bundle: Bundle): boolean {
  if (receipt.op !== 'run.end') return true
  const { events, events_sha } = (receipt.detail ?? {}) as { events?: number; events_sha?: string }
  // One from before receipts named this proves nothing of it, and the seal alone does.
  return events === undefined || (events <= bundle.events.length && events_sha === eventsSha(bundle.events.slice(0, events)))
}

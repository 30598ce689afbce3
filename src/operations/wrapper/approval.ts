/**
 * Step 5: where the policy asks, a recorded yes to exactly this call lets it through: given before, given now at
 * a terminal, or by `--yes` for what can be undone whole. Otherwise the question is recorded and the call ends.
 */
import { VpError } from '../../core/errors.ts'
import { approvalId } from '../../core/ids.ts'
import { canonicalJson, sha256 } from '../../core/json.ts'
import { appendReceipt } from '../../ledger/receipts.ts'
import { redactTexts } from '../../policy/redact.ts'
import type { Kit } from '../kit.ts'
import type { Ask, Caller, CallQuestion, Decision } from '../operation.ts'
import type { Call, Step } from './call.ts'

const PENDING_MS = 7 * 86_400_000

interface ApprovalRow {
  readonly id: string
  readonly status: string
  readonly extent: string | null
}

/** Who is asked, and for what they already answered. */
export type Asker = Pick<Caller, 'confirm' | 'runId' | 'taskId' | 'yes'>

/** What a person is asked: a call that the policy wants their word on, or the set-up of an environment. */
export interface Matter {
  readonly operation: string
  readonly project: number | null
  readonly ask: Ask
  readonly decision: Decision
  /** Digest of what a yes is bound to. */
  readonly sha: string
}

export interface PersonsAnswer {
  readonly kind: 'yes' | 'no' | 'later'
  /** Null where `--yes` stood for the person. */
  readonly approval: string | null
}

interface StandingAnswer extends PersonsAnswer {
  /** It is a yes that holds once. */
  readonly once: boolean
}

export const approval: Step = async (call) => {
  const { decision, scene } = call
  if (decision?.effect !== 'ask') return
  // A person reads it, and so does whoever sees `vp status`, the ledger, or a bundle of it.
  const ask = redactTexts(call.operation.ask?.(call.params, scene) ?? plainAsk(call), scene.kit.redactText)
  const matter = { operation: call.operation.name, project: scene.tree.project?.project_id ?? null, ask, decision, sha: callSha(call) }
  const { kind, approval: id } = await answerTo(scene.kit, scene.caller, matter)
  const about = { rule: decision.rule, ...(id === null ? {} : { approval: id }) }
  if (kind === 'no') throw new VpError('approval.denied', 'a person denied this call', about)
  if (kind === 'later')
    throw new VpError('approval.needed', `${call.operation.name} needs a person's yes: ${ask.wants}`, {
      ...about,
      why: decision.reason,
      next: [`vp approve ${id}`],
    })
  if (id === null) return
  scene.notes['approval'] = id
}

/**
 * The answer of before while it holds, else one given now at a terminal; where nobody is, the question is recorded once. A yes that holds once is
 * used up here, before what it is for begins, so that neither a kill nor a twin makes it hold twice.
 */
export async function answerTo(kit: Kit, asker: Asker, matter: Matter): Promise<PersonsAnswer> {
  for (;;) {
    const answer = await standingOrNew(kit, asker, matter)
    if (!answer.once) return answer
    const claimed = await kit.store.transaction((tx) => tx.run("UPDATE approvals SET status = 'used' WHERE id = ? AND status = 'approved'", answer.approval))
    if (claimed === 1) return answer // else a twin was quicker
  }
}

async function standingOrNew(kit: Kit, asker: Asker, matter: Matter): Promise<StandingAnswer> {
  // One that was used up is no open question: the same call again is a new one.
  const earlier = await kit.store.read((tx) =>
    tx.get<ApprovalRow>(
      `SELECT id, status, extent FROM approvals WHERE call_sha = ? AND (extent = 'project' OR run_id IS ? OR run_id = ?)
         AND status <> 'used' AND expires_at > ? ORDER BY rowid DESC LIMIT 1`,
      matter.sha,
      asker.runId ?? null,
      asker.runId ?? '',
      kit.clock.now(),
    ),
  )
  if (earlier?.status === 'approved') return { kind: 'yes', approval: earlier.id, once: earlier.extent === 'call' }
  if (earlier?.status === 'denied') return { kind: 'no', approval: earlier.id, once: false }
  if (asker.yes && matter.ask.fullyUndoable) return { kind: 'yes', approval: null, once: false }
  const id = earlier?.id ?? (await recordPending(kit, asker, matter))
  const answer = asker.confirm ? await asker.confirm({ ask: matter.ask, decision: matter.decision, approval: id, taskId: asker.taskId }) : 'later'
  if (answer === 'later') return { kind: 'later', approval: id, once: false }
  await decideApproval(kit, id, answer)
  return { kind: answer === 'deny' ? 'no' : 'yes', approval: id, once: answer === 'call' }
}

interface PendingRow {
  readonly id: string
  readonly task_id: string | null
  readonly request: string
  readonly created_at: number
}

/** The pending question that a whole id or a unique part of one names. Throws `approval.not_found`. */
export async function pendingQuestion(kit: Kit, typed: string): Promise<CallQuestion> {
  const rows = await kit.store.read((tx) =>
    tx.all<PendingRow>("SELECT id, task_id, request, created_at FROM approvals WHERE status = 'pending' AND instr(id, ?) > 0", typed),
  )
  const [row] = rows
  if (!row || rows.length > 1)
    throw new VpError('approval.not_found', row ? `${typed} fits ${rows.length} approvals` : `no approval ${typed} is pending`, { next: ['vp status'] })
  const request = JSON.parse(row.request) as Omit<Ask, 'maxExtent' | 'fullyUndoable'> & { max_extent: Ask['maxExtent']; rule: string; reason: string }
  return {
    ask: { wants: request.wants, reaches: request.reaches, undo: request.undo, maxExtent: request.max_extent, fullyUndoable: false },
    decision: { effect: 'ask', rule: request.rule, reason: request.reason },
    approval: row.id,
    taskId: row.task_id ?? undefined,
    waits_ms: Math.max(0, kit.clock.now() - row.created_at),
  }
}

/** Records a person's answer, once. Throws `approval.not_found`. */
export async function decideApproval(
  kit: Kit,
  id: string,
  answer: 'call' | 'run' | 'project' | 'deny',
  reason: string | null = null,
): Promise<{ run_id: string | null }> {
  return kit.store.transaction(
    async (tx) => {
      const row = await tx.get<{ id: string; run_id: string | null; status: string }>(
        "SELECT id, run_id, status FROM approvals WHERE id = ? AND status = 'pending'",
        id,
      )
      if (!row) throw new VpError('approval.not_found', `no approval ${id} is pending`, { next: ['vp status'] })
      const allowed = answer !== 'deny'
      await tx.run(
        'UPDATE approvals SET status = ?, extent = ?, reason = ?, decided_at = ? WHERE id = ?',
        allowed ? 'approved' : 'denied',
        allowed ? answer : null,
        reason,
        kit.clock.now(),
        id,
      )
      await appendReceipt(tx, kit, {
        op: 'approval.decide',
        actor: 'human',
        run_id: row.run_id ?? undefined,
        outcome: allowed ? 'approved' : 'denied',
        detail: { approval: id, extent: allowed ? answer : null, reason },
      })
      return { run_id: row.run_id }
    },
    { durable: true },
  )
}

async function recordPending(kit: Kit, asker: Asker, { operation, project, ask, decision, sha }: Matter): Promise<string> {
  const id = approvalId(kit.random)
  const request = {
    operation,
    wants: ask.wants,
    reaches: ask.reaches,
    undo: ask.undo,
    max_extent: ask.maxExtent,
    rule: decision.rule,
    reason: decision.reason,
    input_sha: sha,
  }
  await kit.store.transaction((tx) =>
    tx.run(
      "INSERT INTO approvals (id, project_id, run_id, task_id, call_sha, request, status, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, 'pending', ?, ?)",
      id,
      project,
      asker.runId ?? null,
      asker.taskId ?? null,
      sha,
      canonicalJson(request),
      kit.clock.now(),
      kit.clock.now() + PENDING_MS,
    ),
  )
  return id
}

/** Binds a yes to exactly this call in this repository: operation, parameters and what they meant, whoever repeats them. */
function callSha({ operation, params, scene }: Call): string {
  return sha256(canonicalJson([operation.name, scene.tree.home, scene.tree.lane, params ?? null, operation.boundTo?.(params, scene) ?? null]))
}

function plainAsk(call: Call): Ask {
  return {
    wants: call.operation.summary,
    reaches: 'the repository',
    undo: 'not undoable',
    fullyUndoable: false,
    maxExtent: 'call',
  }
}

/**
 * Step 5: where the policy asks, a recorded yes to exactly this call lets it through: given before, given now at
 * a terminal, or by `--yes` for what can be undone whole. Otherwise the question is recorded and the call ends.
 */
import { VpError } from '../../core/errors.ts'
import { approvalId } from '../../core/ids.ts'
import { canonicalJson, sha256 } from '../../core/json.ts'
import { appendReceipt } from '../../ledger/receipts.ts'
import type { Ask, CallQuestion, Decision } from '../operation.ts'
import type { Call, Step } from './call.ts'

const PENDING_MS = 7 * 86_400_000

interface ApprovalRow {
  readonly id: string
  readonly status: string
  readonly extent: string | null
  readonly expires_at: number
}

export const approval: Step = async (call) => {
  const { decision, scene } = call
  if (decision?.effect !== 'ask') return
  const { kit, caller } = scene
  const ask = call.operation.ask?.(call.params, scene) ?? plainAsk(call)
  const sha = callSha(call)
  const earlier = await kit.store.read((tx) =>
    tx.get<ApprovalRow>(
      `SELECT id, status, extent, expires_at FROM approvals WHERE call_sha = ? AND (extent = 'project' OR run_id IS ? OR run_id = ?) ORDER BY created_at DESC LIMIT 1`,
      sha,
      caller.runId ?? null,
      caller.runId ?? '',
    ),
  )
  const usable = earlier && earlier.expires_at > kit.clock.now() ? earlier : undefined
  if (usable?.status === 'approved') return use(call, usable)
  if (usable?.status === 'denied') throw new VpError('approval.denied', 'a person denied this call', { rule: decision.rule, approval: usable.id })
  if (caller.yes && ask.fullyUndoable) return
  // One that was used up is no open question: the same call again is a new one.
  const id = usable?.status === 'pending' ? usable.id : await recordPending(call, ask, decision, sha)
  const answer = caller.confirm ? await caller.confirm({ ask, decision, approval: id, taskId: caller.taskId }) : 'later'
  if (answer === 'later')
    throw new VpError('approval.needed', `${call.operation.name} needs a person's yes: ${ask.wants}`, {
      approval: id,
      rule: decision.rule,
      why: decision.reason,
      next: [`vp approve ${id}`],
    })
  await decideApproval(call.scene.kit, id, answer)
  if (answer === 'deny') throw new VpError('approval.denied', 'a person denied this call', { rule: decision.rule, approval: id })
}

interface PendingRow {
  readonly id: string
  readonly task_id: string | null
  readonly request: string
  readonly created_at: number
}

/** The pending question that a whole id or a unique part of one names. Throws `approval.not_found`. */
export async function pendingQuestion(kit: Call['scene']['kit'], typed: string): Promise<CallQuestion> {
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
  kit: Call['scene']['kit'],
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

async function use(call: Call, row: ApprovalRow): Promise<void> {
  call.scene.notes['approval'] = row.id
  if (row.extent !== 'call') return
  call.scene.onReceipt.push(async (tx) => void (await tx.run("UPDATE approvals SET status = 'used' WHERE id = ?", row.id)))
}

async function recordPending(call: Call, ask: Ask, decision: Decision, sha: string): Promise<string> {
  const { kit, caller, tree } = call.scene
  const id = approvalId(kit.random)
  const request = {
    operation: call.operation.name,
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
      tree.project?.project_id ?? null,
      caller.runId ?? null,
      caller.taskId ?? null,
      sha,
      canonicalJson(request),
      kit.clock.now(),
      kit.clock.now() + PENDING_MS,
    ),
  )
  return id
}

/** Binds a yes to exactly this call: operation, parameters and what they meant, whoever repeats them. */
function callSha({ operation, params, scene }: Call): string {
  return sha256(canonicalJson([operation.name, scene.tree.lane, params ?? null, operation.boundTo?.(params, scene) ?? null]))
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

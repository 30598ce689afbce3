/** What an approval still allows: its caps hold for all runs of its plan together, whoever starts them and when. */
import { VpError } from '../../core/errors.ts'
import { tokensOf } from '../../pas/embedded/reducer/budget.ts'
import type { Caps, RunState } from '../../pas/embedded/reducer/state.ts'
import type { PlanApproval } from '../../plms/contract/types.ts'
import type { Tx } from '../../store/contract.ts'

/** The caps of one run: those approved, less what the plan's other runs spent. Rehearsals have a purse of their own. */
export async function capsLeft(tx: Tx, projectId: number, approval: PlanApproval, self: string | null): Promise<Caps> {
  const rows = await tx.all<{ summary: string }>(
    `SELECT r.summary AS summary FROM runs r JOIN plans p ON p.project_id = r.project_id AND p.version = json_extract(r.summary, '$.plan_version')
       WHERE r.project_id = ? AND p.sha = ? AND r.kind IN ('baseline', 'hotfix') AND r.run_id IS NOT ?`,
    projectId,
    approval.plan_sha,
    self,
  )
  const others = rows.map((row) => JSON.parse(row.summary) as RunState).filter((run) => run.origin !== 'do')
  const earlier = { micro_usd: sum(others.map((run) => run.micro_usd)), tokens: sum(others.map(tokensOf)) }
  const left = (cap: number | null, spent: number) => (cap === null ? null : Math.max(0, cap - spent))
  return {
    micro_usd: left(approval.budget_micro_usd, earlier.micro_usd),
    tokens: left(approval.budget_tokens, earlier.tokens),
    breach: approval.breach,
    ...(earlier.micro_usd + earlier.tokens > 0 ? { earlier } : {}),
  }
}

/** Throws `budget.cap` where earlier runs took all of a cap, so that a run could not make one call. */
export function requireLeft({ micro_usd, tokens, earlier }: Caps): void {
  if (!earlier) return
  const isSpent = (left: number | null, spent: number) => left === 0 && spent > 0
  const spent = isSpent(tokens, earlier.tokens)
    ? { words: `${earlier.tokens} tokens`, next: `vp approve --budget-tokens ${2 * earlier.tokens}` }
    : isSpent(micro_usd, earlier.micro_usd)
      ? { words: `$${(earlier.micro_usd / 1e6).toFixed(2)}`, next: `vp approve --budget-usd ${(Math.ceil(earlier.micro_usd / 5000) / 100).toFixed(2)}` }
      : null
  if (spent)
    throw new VpError('budget.cap', `nothing is left of what was approved: earlier runs of this plan took ${spent.words}`, {
      why: 'a budget holds for all runs of a plan together; more is a new decision',
      next: [spent.next, 'vp start'],
    })
}

const sum = (figures: readonly number[]) => figures.reduce((total, figure) => total + figure, 0)

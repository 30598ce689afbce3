/**
 * What a call has to fit into before it is made: its run's caps, its project's or test's, its lane's, its tier's minute, and
 * the policy's own cap over all runs. Asked in the transaction that holds its worst case, so that no two processes share a cent.
 */
import { VpError } from '../../core/errors.ts'
import { waitFor, type RateLimits, type Use } from '../../models/broker/windows.ts'
import { raiseCommands } from '../../pas/embedded/raise.ts'
import { tokensOf } from '../../pas/embedded/reducer/budget.ts'
import type { RunState, Shortfall } from '../../pas/embedded/reducer/state.ts'
import { requireRun } from '../../pas/embedded/run-store.ts'
import type { Tx } from '../../store/contract.ts'
import { callsSeen } from '../broker/calls.ts'
import { requireProject } from '../projects/project.ts'
import type { Purse } from './spend.ts'

export interface Rates extends RateLimits {
  readonly tier: string
  /** `cost_optimization.budget_cap_usd`: of all runs under this version of the policy together. */
  readonly cap: { readonly policy: string; readonly micro_usd: number } | null
}

/** Ms until the tier's minute has room again; 0: it has. Throws `limit.reached` for a call that never fits. */
export async function minuteIsFull(tx: Tx, rates: Rates | null, worst: Use, now: number): Promise<number> {
  if (!rates) return 0
  const wait = waitFor(await callsSeen(tx, now), rates.tier, rates, worst, now)
  if (wait !== null) return wait
  throw new VpError(
    'limit.reached',
    `one call could take ${worst.tokens} tokens and cost $${(worst.micro_usd / 1e6).toFixed(2)}, ${rates.tier} allows less than that a minute`,
    {
      why: `${rates.max_tokens_per_min} tokens and $${(rates.max_micro_usd_per_min / 1e6).toFixed(2)} a minute`,
      next: ['vp model show', 'raise max_tokens_per_min or max_cost_per_min_usd in the policy: vp model set POLICY.json'],
    },
  )
}

/** Every hold counts, of whatever policy: in doubt a call waits for the next version, never the other way round. */
export async function refuseOverPolicy(tx: Tx, rates: Rates | null, worst: Use): Promise<void> {
  if (!rates?.cap) return
  const { policy, micro_usd: cap } = rates.cap
  // What costs nothing is never too dear, also where a server billed more than was left.
  const free = Math.max(0, cap - (await usedOfPolicy(tx, policy)))
  if (worst.micro_usd > free)
    throw new VpError(
      'budget.policy',
      `the next call could cost $${(worst.micro_usd / 1e6).toFixed(2)}, $${(Math.max(0, free) / 1e6).toFixed(2)} of the $${(cap / 1e6).toFixed(2)} of the policy is free`,
      {
        why: `all runs under policy ${policy} together may spend $${(cap / 1e6).toFixed(2)}`,
        next: ['raise cost_optimization.budget_cap_usd with a new version: vp model set POLICY.json'],
      },
    )
}

/** Micro-USD that are spent under a policy, or held. */
export async function usedOfPolicy(tx: Tx, policy: string): Promise<number> {
  const spent = await tx.get<{ micro_usd: number }>('SELECT micro_usd FROM policy_spend WHERE policy = ?', policy)
  const held = await tx.get<{ usd: number | null }>('SELECT SUM(micro_usd) AS usd FROM holds')
  return Number(spent?.micro_usd ?? 0) + Number(held?.usd ?? 0)
}

/** In the transaction that writes what was spent. */
export async function addPolicySpend(tx: Tx, cap: Rates['cap'], microUsd: number): Promise<void> {
  if (!cap || microUsd === 0) return
  await tx.run(
    'INSERT INTO policy_spend (policy, micro_usd) VALUES (?, ?) ON CONFLICT (policy) DO UPDATE SET micro_usd = policy_spend.micro_usd + excluded.micro_usd',
    cap.policy,
    microUsd,
  )
}

export async function refuseOverCap(tx: Tx, purse: Purse, scope: string, worst: { tokens: number; micro_usd: number }): Promise<void> {
  const held = await tx.get<{ usd: number | null; tokens: number | null }>(
    'SELECT SUM(micro_usd) AS usd, SUM(tokens) AS tokens FROM holds WHERE scope = ?',
    scope,
  )
  const usd = (micro: number) => `$${(micro / 1e6).toFixed(2)}`
  if (purse.kind === 'test') {
    const free = purse.cap_micro_usd - purse.spent.micro_usd
    if (worst.micro_usd > free)
      throw new VpError(
        'budget.cap',
        `the next call could cost ${usd(worst.micro_usd)}, ${usd(Math.max(0, free))} of ${usd(purse.cap_micro_usd)} for this test is free`,
        {
          next: ['vp model test MODEL --budget-usd N'],
        },
      )
    return
  }
  if (purse.kind === 'project') {
    const spent = (await requireProject(tx, purse.project_id)).spent_before_approval_micro_usd
    const free = purse.cap_micro_usd - spent - (held?.usd ?? 0)
    if (worst.micro_usd > free)
      throw new VpError(
        'budget.cap',
        `the next call could cost ${usd(worst.micro_usd)}, ${usd(Math.max(0, free))} of ${usd(purse.cap_micro_usd)} before approval is free`,
        { next: ['set before_approval_usd in the user configuration (vp config show)'] },
      )
    return
  }
  const state = await requireRun(tx, purse.run_id)
  refuseOverLane(state, purse, worst)
  const { caps } = state
  const { earlier } = caps
  const freeUsd = caps.micro_usd === null ? Infinity : caps.micro_usd - state.micro_usd - (held?.usd ?? 0)
  const freeTokens = caps.tokens === null ? Infinity : caps.tokens - tokensOf(state) - (held?.tokens ?? 0)
  // Ten such calls more, or as much again: a figure that the run can go on with.
  const needs = (cap: number, used: number, next: number) => Math.max(2 * cap, used + 10 * next)
  if (worst.micro_usd > Math.max(0, freeUsd)) {
    const approved = usd((caps.micro_usd ?? 0) + (earlier?.micro_usd ?? 0))
    const cap: Shortfall = { cap: 'micro_usd', needs: needs(caps.micro_usd ?? 0, state.micro_usd + (held?.usd ?? 0), worst.micro_usd) }
    throw overCap(`the next call could cost ${usd(worst.micro_usd)}, ${usd(Math.max(0, freeUsd))} of ${approved} is free`, state, cap, worst.tokens)
  }
  if (worst.tokens > freeTokens) {
    const approved = (caps.tokens ?? 0) + (earlier?.tokens ?? 0)
    const cap: Shortfall = { cap: 'tokens', needs: needs(caps.tokens ?? 0, tokensOf(state) + (held?.tokens ?? 0), worst.tokens) }
    throw overCap(`the next call could take ${worst.tokens} tokens, ${Math.max(0, freeTokens)} of ${approved} are free`, state, cap, worst.tokens)
  }
}

function refuseOverLane({ tasks }: RunState, { task_id, task_cap = {} }: Extract<Purse, { kind: 'run' }>, worst: Use): void {
  const task = tasks[task_id]
  const next = ['raise the constraints of the lane in the policy: vp model set POLICY.json']
  if (!task) return
  if (task_cap.micro_usd !== undefined && task.micro_usd + worst.micro_usd > task_cap.micro_usd)
    throw new VpError(
      'budget.policy',
      `the next call could bring this task to $${((task.micro_usd + worst.micro_usd) / 1e6).toFixed(2)}, its lane allows $${(task_cap.micro_usd / 1e6).toFixed(2)}`,
      { next },
    )
  if (task_cap.tokens !== undefined && task.tokens + worst.tokens > task_cap.tokens)
    throw new VpError('budget.policy', `the next call could bring this task to ${task.tokens + worst.tokens} tokens, its lane allows ${task_cap.tokens}`, {
      next,
    })
}

function overCap(message: string, state: RunState, shortfall: Shortfall, tokens: number): VpError {
  return new VpError('budget.cap', message, {
    why: `at most ${tokens} tokens, cache cold: refused, not made`,
    next: raiseCommands({ ...state, status: 'paused', reason: 'budget.cap', shortfall }) ?? [],
    data: { shortfall },
  })
}

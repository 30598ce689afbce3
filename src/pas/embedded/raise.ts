/** What a person types so that a run which a budget stopped can go on. Pure; built-ins only, `vp status` says it. */
import { tokensOf } from './reducer/budget.ts'
import type { RunState, Shortfall } from './reducer/state.ts'

/** Commands in their order; null where no budget holds the run. A goal that was typed is resumed with its new cap, a plan is approved anew. */
export function raiseCommands(state: RunState): string[] | null {
  // A tier that would go on costs more than is left: that is a budget too.
  if (state.status !== 'paused' || (!state.reason?.startsWith('budget') && !state.shortfall)) return null
  // No budget of the run would help: the policy's own figure is in the way.
  if (state.reason?.startsWith('budget.policy')) return ['vp model set POLICY.json', 'vp resume']
  if (state.reason?.startsWith('budget.price_unknown')) return ['vp model list', 'vp resume']
  const { cap, needs } = state.shortfall ?? guarded(state)
  const isDo = state.origin === 'do'
  const figure = needs + (isDo ? 0 : (state.caps.earlier?.[cap] ?? 0))
  const flag = cap === 'tokens' ? `--budget-tokens ${roundUp(figure)}` : `--budget-usd ${(Math.ceil(figure / 1e4) / 100).toFixed(2)}`
  return isDo ? [`vp resume ${state.run_id.split('-').at(-1)} ${flag}`] : [`vp approve ${flag}`, 'vp resume']
}

/** The guard looks ahead and names no call: twice what was spent, or the cap, is room to go on. */
function guarded(state: RunState): Shortfall {
  const { caps } = state
  const tokens = tokensOf(state)
  if (caps.tokens !== null && tokens > caps.tokens) return { cap: 'tokens', needs: 2 * tokens }
  const done = Object.values(state.tasks).filter((task) => task.status === 'succeeded').length
  const projected = (state.micro_usd / Math.max(1, done)) * Math.max(1, state.order.length)
  return { cap: 'micro_usd', needs: Math.max(2 * (caps.micro_usd ?? 0), projected) }
}

/** To two digits, as a person would say it. */
function roundUp(count: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, count))) - 1)
  return Math.ceil(count / unit) * unit
}

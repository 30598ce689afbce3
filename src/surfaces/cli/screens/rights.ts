/** `vp policy explain`: the decision, where it stands, and what would be let through instead. */
import { renderer } from '../finish.ts'
import { dots } from '../layout.ts'
import { attention, bad, good, hang } from '../style.ts'

export interface PolicyExplainView {
  readonly effect: 'allow' | 'ask' | 'deny'
  readonly rule: string
  readonly reason?: string
  readonly file?: string | null
  readonly line?: number | null
  readonly nearest?: string | null
  /** Of what is let through: `bwrap`, `no network`, `900s`. */
  readonly terms?: readonly string[]
}

export const policyExplainScreen = renderer<PolicyExplainView>((view) => {
  const paint = { allow: good, ask: attention, deny: bad }[view.effect]
  const place = view.file ? ` (${view.file}${view.line ? `:${view.line}` : ''})` : ''
  const text =
    view.effect === 'allow' ? dots(`${view.rule}${place}`, (view.terms ?? []).join(', ')) : `${view.rule}${place}${view.reason ? `, ${view.reason}` : ''}`
  return {
    stdout: [hang(paint(view.effect), 7) + text, ...(view.nearest ? [hang('', 7) + `nearest allowed: ${view.nearest}`] : [])],
  }
})

/** `vp approve` for a plan: what the person signs, loosened gates first. */
import type { ApprovalView } from '../../../operations/projects/approve.ts'
import { threshold } from '../../../core/gate-words.ts'
import { count as counted, usd, usdBand } from '../format.ts'
import { renderer } from '../finish.ts'
import { dots, labelled, nextLines } from '../layout.ts'
import { attention, strong } from '../style.ts'

export interface GateView {
  readonly lane: string
  readonly kpi: string
  readonly threshold: unknown
  readonly looser: boolean
  /** The shipped threshold, where it was changed. */
  readonly shipped?: unknown
}

export interface ApproveView {
  readonly plan_version: number
  readonly plan_sha: string
  readonly tasks: number
  readonly budget_usd: number | null
  readonly budget_tokens?: number | null
  readonly breach: string
  readonly band?: { readonly lo: number; readonly hi: number } | null
  readonly gates: readonly GateView[]
  /** All gates in force, in words, `test_pass_rate >= 0.90`. */
  readonly gates_in_force: readonly string[]
  readonly programs: number
  readonly network: boolean
  readonly receipt?: string | null
  readonly next?: readonly string[]
}

const LABEL = 10

/** The operation's view in the words of the screen. */
export function approveView(view: ApprovalView): ApproveView {
  const loosened = new Map(view.gates.map((gate) => [`${gate.lane} ${gate.kpi}`, gate.threshold]))
  const inForce = view.shipped_gates.map((gate) => `${gate.kpi} ${threshold(loosened.get(`${gate.lane} ${gate.kpi}`) ?? gate.threshold)}`.trim())
  return { ...view, gates_in_force: [...new Set(inForce)] }
}

/** What is about to be signed: talk, so stderr. */
export const approveAskScreen = renderer<ApproveView>((view) => ({
  stderr: [
    ...view.gates.filter((gate) => gate.looser).map(looserLine),
    labelled(
      'plan',
      dots(
        `v${view.plan_version}, ${counted(view.tasks, 'task')}, sha ${view.plan_sha.slice(0, 4)}`,
        `${budgetText(view)}, then ${view.breach}`,
        bandText(view),
      ),
      LABEL,
    ),
    labelled('gates', dots(gatesText(view.gates_in_force), 'no test may be weakened'), LABEL),
    labelled('may', `write in its own worktrees, run ${counted(view.programs, 'program')}; ${view.network ? 'network' : 'no network'}, no push`, LABEL),
  ],
}))

function looserLine(gate: GateView): string {
  const shipped = gate.shipped === undefined ? '' : `, the shipped gate is ${threshold(gate.shipped)}`
  return labelled(`${attention('!')} looser`, `${gate.lane} ${gate.kpi} ${threshold(gate.threshold)}${shipped}`, LABEL)
}

function budgetText(view: ApproveView): string {
  const caps = [view.budget_usd === null ? null : usd(view.budget_usd), view.budget_tokens == null ? null : `${view.budget_tokens.toLocaleString('en')} tokens`]
  return caps.filter((cap) => cap !== null).join(' and ') || 'no budget'
}

function bandText(view: ApproveView): string | null {
  return view.band ? `band ${usdBand(view.band.lo, view.band.hi)}` : null
}

function gatesText(gates: readonly string[]): string {
  const shown = gates.slice(0, 2).join(', ')
  return gates.length > 2 ? `${shown}, ${gates.length - 2} more` : shown === '' ? 'none' : shown
}

/** `approve as A. Person? y/n [n] `. */
export function approveQuestion(name: string): string {
  return `approve as ${name.replace(/\.$/, '')}? y/n [n] `
}

/** What it says once it is signed. */
export const approvedScreen = renderer<Pick<ApproveView, 'receipt' | 'next'>>((view) => ({
  stdout: [dots(`${strong('approved')}${view.receipt ? `, receipt ${view.receipt}` : ''}`, 'a changed plan needs a new approval')],
  stderr: nextLines(view.next ?? ['vp start']),
}))

export interface DecisionView {
  readonly approval: string
  readonly decision: 'allow' | 'deny'
  readonly extent: 'call' | 'run' | 'project' | null
  readonly expires_at?: string | null
  readonly wants?: string
  readonly next?: readonly string[]
}

const EXTENTS = {
  call: 'this call',
  run: 'these exact arguments, until the run ends',
  project: 'this project',
} as const

/** `vp approve ID`, answered. */
export const decisionScreen = renderer<DecisionView>((view) => ({
  stdout: [
    view.decision === 'deny'
      ? dots(`${view.approval} denied`, view.wants)
      : dots(`${view.approval} allowed: ${EXTENTS[view.extent ?? 'call']}`, view.wants, view.expires_at ? `until ${view.expires_at}` : null),
  ],
  stderr: nextLines(view.next ?? []),
}))

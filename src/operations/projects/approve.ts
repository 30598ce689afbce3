/** `vp approve`: a recorded human decision about one plan: caps, breach policy, gates. A changed plan needs another. */
import { VpError } from '../../core/errors.ts'
import type { PasLane, Threshold } from '../../pas/contract/types.ts'
import { canonicalKpi, LANE_GATES, REPOSITORY_GATES } from '../../pas/embedded/reducer/gates.ts'
import { latestRun } from '../../pas/embedded/run-store.ts'
import type { GateOverride, ProjectFile } from '../../plms/contract/types.ts'
import { laneByName } from '../../plms/embedded/lanes.ts'
import { transition } from '../../plms/embedded/lifecycle.ts'
import { leafTasks } from '../../plms/embedded/plan.ts'
import { humanIdentity, openHumanRepository } from '../../workspace/human-repository.ts'
import type { Scene } from '../operation.ts'
import { loadPlan } from './plans.ts'
import { planCommandFor } from './prd-place.ts'
import { requireProject, saveProject } from './project.ts'

export interface ApprovalRequest {
  /** null: as the plan's approval so far says, no cap if it says nothing. */
  readonly budget_usd: number | null
  readonly budget_tokens: number | null
  readonly breach?: 'pause' | 'ask' | 'kill' | undefined
  /** `lane:kpi>=x`, as typed; those of the plan's approval so far hold on beside them. */
  readonly gates: readonly string[]
  /** Shown what is signed, answers yes or no, null where nobody answers; absent: the flags were the decision. */
  readonly confirm?: (view: ApprovalView) => Promise<boolean | null>
}

export interface ApprovalView {
  readonly plan_version: number
  readonly tasks: number
  readonly plan_sha: string
  readonly budget_usd: number | null
  readonly budget_tokens: number | null
  readonly breach: string
  readonly band: { readonly lo: number; readonly hi: number } | null
  readonly gates: readonly RequestedGate[]
  /** Programs that the lanes of the plan let through, and whether any of them may reach a network. */
  readonly programs: number
  readonly network: boolean
  /** Who signs: the name in git. */
  readonly author: string
  readonly shipped_gates: readonly { readonly lane: string; readonly kpi: string; readonly threshold: Threshold }[]
}

export interface RequestedGate extends GateOverride {
  /** What it replaces: an earlier approval's, or the shipped one. */
  readonly shipped: Threshold | null
}

export interface Approved extends ApprovalView {
  readonly receipt: string
}

/** Where a plan has been run already, a further decision about it (more budget for another run) changes no status. */
const WAS_RUN: ReadonlySet<string> = new Set(['validating', 'completed', 'needs_review'])

/** Throws `plan.none`, `project.state`, `approval.denied`, `approval.needed` for a looser gate, or no cap at all, that nobody can confirm. */
export async function approvePlan(scene: Scene, project: ProjectFile, request: ApprovalRequest): Promise<Approved> {
  const { kit } = scene
  const { record, plan, run } = await kit.store.read(async (tx) => ({
    record: await requireProject(tx, project.project_id),
    plan: await loadPlan(tx, project.project_id),
    run: await latestRun(tx, project.project_id),
  }))
  if (!plan) throw new VpError('plan.none', 'there is no plan to approve', { next: [planCommandFor(scene.tree.root)] })
  // A second decision about the same plan changes what it names; the rest of the first stands.
  const before = record.approval?.plan_sha === plan.sha ? record.approval : null
  const status = before && WAS_RUN.has(record.status) ? record.status : transition(record.status, 'approve')
  const asked = request.gates.map((text) => parseGate(text, before?.gates))
  const kept = (before?.gates ?? []).filter((gate) => !asked.some((one) => one.lane === gate.lane && one.kpi === gate.kpi))
  const gates: RequestedGate[] = [...kept.map((gate) => ({ ...gate, shipped: shippedGate(gate.lane as PasLane, gate.kpi) })), ...asked]
  const budget = request.budget_usd ?? (before?.budget_micro_usd == null ? null : before.budget_micro_usd / 1e6)
  const tokens = request.budget_tokens ?? before?.budget_tokens ?? null
  const breach = request.breach ?? before?.breach ?? 'pause'
  const cost = (record.rehearsed ?? record.estimate)?.total.cost_usd.ci_90 ?? null
  const view: ApprovalView = {
    plan_version: plan.version,
    tasks: leafTasks(plan.tasks).length,
    plan_sha: plan.sha,
    budget_usd: budget,
    budget_tokens: tokens,
    breach,
    band: cost ? { lo: cost[0], hi: cost[1] } : null,
    gates,
    ...(await rightsOf(
      scene,
      plan.tasks.map((task) => task.pas_lane),
    )),
    shipped_gates: [...new Set(plan.tasks.map((task) => task.pas_lane))].flatMap((lane) =>
      LANE_GATES[lane].map((gate) => ({ lane, kpi: gate.kpi_name, threshold: gate.threshold })),
    ),
  }
  const looser = asked.filter((gate) => gate.looser)
  if (looser.length > 0 && !request.confirm)
    throw new VpError(
      'approval.needed',
      `${looser.map((gate) => `${gate.lane} ${gate.kpi}`).join(', ')} would be looser than what holds now, and only a person at a terminal may loosen a gate`,
      { next: ['vp approve … in a terminal'] },
    )
  // Without anybody to ask the flags are the decision, and flags without a cap decide nothing.
  if (!request.confirm && budget === null && tokens === null)
    throw new VpError('approval.needed', 'no cap is named and nobody is at a terminal, so nobody has decided anything', {
      next: [`vp approve --budget-usd ${cost ? budgetOver(cost[1]) : 'N'} --no-input`, 'vp approve in a terminal'],
    })
  const answer = request.confirm ? await request.confirm(view) : true
  if (!answer)
    throw new VpError(answer === null ? 'approval.needed' : 'approval.denied', answer === null ? 'not approved: nobody answered' : 'not approved', {
      changed: 'nothing was changed',
      next: ['vp approve --budget-usd N'],
    })
  const micro = budget === null ? null : Math.round(budget * 1e6)
  const running = run && (run.status === 'paused' || run.status === 'executing') && run.plan_version === plan.version
  scene.onReceipt.push(async (tx) => {
    const fresh = await requireProject(tx, project.project_id)
    const approval = {
      plan_version: plan.version,
      plan_sha: plan.sha,
      budget_micro_usd: micro,
      budget_tokens: tokens,
      breach,
      gates,
      approved_at: kit.clock.now(),
      receipt: scene.receiptId,
    }
    await saveProject(tx, { ...fresh, status: running ? fresh.status : status, approval })
  })
  scene.notes['approval'] = {
    plan_version: plan.version,
    plan_sha: plan.sha,
    budget_usd: budget,
    budget_tokens: tokens,
    breach,
    looser: looser.length,
  }
  return { ...view, receipt: scene.receiptId }
}

/** A round figure over a band's upper end, in dollars. */
export function budgetOver(usd: number): string {
  const high = usd * 1.3
  return high >= 1 ? String(Math.ceil(high)) : Math.max(0.1, Math.ceil(high * 10) / 10).toFixed(2)
}

async function rightsOf(scene: Scene, names: readonly string[]): Promise<Pick<ApprovalView, 'programs' | 'network' | 'author'>> {
  const { kit, tree } = scene
  const lanes = [...new Set(names)].map((name) => kit.lane(name, tree.root))
  const human = await openHumanRepository(kit.git, tree.root, kit.paths.views)
  return {
    programs: new Set(lanes.flatMap((lane) => lane.commands.allow.map((rule) => rule.argv[0]))).size,
    network: lanes.some((lane) => lane.network.outbound),
    author: (await humanIdentity(kit.git, human, kit.env)).name,
  }
}

const GATE = /^\s*([\w-]+)\s*:\s*([\w]+)\s*(>=|<=|==|<)\s*([\w.]+)\s*$/

const shippedGate = (lane: PasLane, kpi: string): Threshold | null => shippedGates(lane).find((gate) => gate.kpi_name === kpi)?.threshold ?? null

const shippedGates = (lane: PasLane) => [...LANE_GATES[lane], ...REPOSITORY_GATES]

/**
 * `Code-Impl:test_pass_rate>=0.95`, against the gates in force. Throws `usage.flag`, also for a gate that nothing measures or
 * that no value could pass: what is signed has to mean something.
 */
export function parseGate(text: string, inForce: readonly GateOverride[] = []): RequestedGate {
  const wrong = () =>
    new VpError('usage.flag', `--gate takes lane:kpi>=x, not ${JSON.stringify(text.slice(0, 60))}`, {
      next: ["vp approve --gate 'Code-Impl:test_pass_rate>=0.95'"],
    })
  const [, laneText = '', kpiText = '', operator, valueText = ''] = GATE.exec(text) ?? []
  const lane = laneByName(laneText)?.pas_lane
  if (!lane || !operator) throw wrong()
  const kpi = canonicalKpi(kpiText)
  const threshold = thresholdOf(operator, valueText)
  if (!threshold) throw wrong()
  const known = shippedGates(lane).map((gate) => gate.kpi_name)
  if (!known.includes(kpi))
    throw new VpError('usage.flag', `nothing measures ${kpi} in ${lane}, so no gate can hold it`, {
      why: `measured there: ${known.join(', ')}`,
      next: ["vp approve --gate 'Code-Impl:test_pass_rate>=0.95'"],
    })
  if (kpi === 'test_pass_rate' && Object.values(threshold).some((value) => typeof value !== 'number' || value > 1))
    throw new VpError('usage.flag', `test_pass_rate is at most 1, so ${operator} ${valueText} could never hold or never fail`, {
      next: ["vp approve --gate 'Code-Impl:test_pass_rate>=0.95'"],
    })
  const shipped = inForce.find((gate) => gate.lane === lane && gate.kpi === kpi)?.threshold ?? shippedGate(lane, kpi)
  return { lane, kpi, threshold, shipped, looser: shipped !== null && isLooser(shipped, threshold) }
}

function thresholdOf(operator: string, text: string): Threshold | null {
  if (operator === '==')
    return {
      expected: text === 'true' ? true : text === 'false' ? false : Number.isNaN(Number(text)) ? text : Number(text),
    }
  const value = Number(text)
  if (!Number.isFinite(value)) return null
  return operator === '>=' ? { min: value } : operator === '<=' ? { max: value } : { lt: value }
}

/** Anything that is not at least as strict counts as looser. */
function isLooser(shipped: Threshold, wanted: Threshold): boolean {
  if ('min' in shipped && 'min' in wanted) return wanted.min < shipped.min
  if ('max' in shipped && 'max' in wanted) return wanted.max > shipped.max
  return JSON.stringify(shipped) !== JSON.stringify(wanted)
}

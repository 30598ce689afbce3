/** A project's life as a table: what may follow what, and why not. Source: contracts/plms.md section 2. Pure. */
import { VpError } from '../../core/errors.ts'
import type { ProjectStatus } from '../contract/types.ts'

export type Trigger =
  | 'clarify'
  | 'finalize'
  | 'plan'
  | 'estimate'
  | 'estimated'
  | 'approve'
  | 'reject_prd'
  | 'start'
  | 'pause'
  | 'resume'
  | 'replan'
  | 'tasks_ended'
  | 'gates_pass'
  | 'gates_fail'
  | 'override'
  | 'cancel'

const ANY_OPEN: readonly ProjectStatus[] = [
  'ideation',
  'clarifying',
  'planning',
  'estimating',
  'pending_approval',
  'approved',
  'executing',
  'validating',
  'needs_review',
  'paused',
]

const TABLE: Readonly<Record<Trigger, { readonly from: readonly ProjectStatus[]; readonly to: ProjectStatus }>> = {
  clarify: { from: ['ideation'], to: 'clarifying' },
  finalize: { from: ['clarifying', 'ideation'], to: 'planning' },
  // A new plan may be made as long as nothing runs on the old one; it needs a new approval.
  plan: {
    from: ['ideation', 'clarifying', 'planning', 'estimating', 'pending_approval', 'approved', 'completed', 'needs_review'],
    to: 'planning',
  },
  estimate: { from: ['planning', 'pending_approval', 'approved', 'completed', 'needs_review'], to: 'estimating' },
  estimated: { from: ['estimating'], to: 'pending_approval' },
  approve: { from: ['pending_approval', 'approved', 'executing', 'paused'], to: 'approved' },
  reject_prd: { from: ['pending_approval'], to: 'planning' },
  start: { from: ['approved', 'executing', 'completed', 'needs_review'], to: 'executing' },
  pause: { from: ['executing'], to: 'paused' },
  resume: { from: ['paused'], to: 'executing' },
  replan: { from: ['executing', 'paused'], to: 'estimating' },
  tasks_ended: { from: ['executing'], to: 'validating' },
  gates_pass: { from: ['validating', 'needs_review'], to: 'completed' },
  gates_fail: { from: ['validating'], to: 'needs_review' },
  override: { from: ['needs_review'], to: 'completed' },
  cancel: { from: ANY_OPEN, to: 'cancelled' },
}

const NEXT: Readonly<Partial<Record<ProjectStatus, readonly string[]>>> = {
  ideation: ['vp plan --from-prd docs/PRD.md'],
  planning: ['vp estimate'],
  estimating: ['vp estimate'],
  pending_approval: ['vp approve --budget-usd N'],
  approved: ['vp start'],
  executing: ['vp status --follow'],
  paused: ['vp resume'],
  validating: ['vp validate', 'vp complete'],
  needs_review: ['vp validate'],
}

/** The status after `trigger`. Throws `project.state` with what could be done instead. */
export function transition(status: ProjectStatus, trigger: Trigger): ProjectStatus {
  const row = TABLE[trigger]
  if (row.from.includes(status)) return row.to
  throw new VpError('project.state', `the project is ${status.replace('_', ' ')}, so it cannot ${trigger.replace('_', ' ')} now`, {
    next: [...(NEXT[status] ?? ['vp status'])],
  })
}

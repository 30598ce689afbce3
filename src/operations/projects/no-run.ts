/** What to do where no run is to be looked at: the next step of the project's life. Built-ins only: `vp status` says it. */
import { VpError } from '../../core/errors.ts'
import type { Tx } from '../../store/contract.ts'
import { planCommandFor } from './prd-place.ts'

/** What comes next in the life of a project that has no run to speak of. */
export function nextOfProject(status: string, root: string): readonly string[] {
  if (status === 'ideation' || status === 'clarifying') return [planCommandFor(root)]
  return PROJECT_NEXT[status] ?? ['vp']
}

const PROJECT_NEXT: Readonly<Record<string, readonly string[]>> = {
  planning: ['vp estimate'],
  estimating: ['vp estimate'],
  pending_approval: ['vp approve --budget-usd N'],
  approved: ['vp start'],
  completed: ['git log', 'vp verify'],
  needs_review: ['vp validate'],
}

/** The error of a look at no run, with the step that the project of this checkout is at. */
export async function noRun(tx: Tx, root: string | null): Promise<VpError> {
  const project = await tx.get<{ status: string }>("SELECT status FROM projects WHERE root = ? AND name <> 'vp do' ORDER BY id DESC LIMIT 1", root ?? '')
  const next = project ? nextOfProject(project.status, root ?? '') : ['vp do "fix the failing test"', 'vp new --name NAME']
  return new VpError('run.none', 'there is no run here yet', { next })
}

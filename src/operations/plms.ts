/** plms.*: the project's way from an idea to a run, as operations. */
import * as z from 'zod/mini'
import { taskCount } from '../core/run-words.ts'
import { RUN_KINDS } from '../pas/contract/types.ts'
import { operation, type Scene } from './operation.ts'
import { approvePlan, type ApprovalRequest, type Approved } from './projects/approve.ts'
import { estimateProject, simulateProject, type Estimated, type Simulated } from './projects/estimate.ts'
import { newProject, type NewProject } from './projects/new.ts'
import { planProject, type Planned } from './projects/plan.ts'
import { requireProjectFile } from './projects/project.ts'
import { startProject, type Started } from './projects/start.ts'
import { results } from './results.ts'

const project = (scene: Scene) => scene.tree.project ?? requireProjectFile(scene.tree.root)

export const plmsCreate = operation<{ name: string; template?: string | undefined }, NewProject>({
  name: 'plms.create',
  summary: 'make a project of this repository',
  effect: 'write',
  scope: 'projects.create',
  result: () => results().projectMade as never,
  params: () => z.strictObject({ name: z.string(), template: z.optional(z.string()) }) as never,
  handler: (params, scene) => newProject(scene.kit, scene.tree.root, params.name, params.template ?? null),
  say: (params) => params.name,
})

export const plmsPlan = operation<{ prd?: string | undefined; answers?: Record<string, string> | undefined }, Planned>({
  name: 'plms.plan',
  summary: 'make a plan from a PRD',
  effect: 'spend',
  scope: 'projects.create',
  result: () => results().planned as never,
  params: () =>
    z.strictObject({
      prd: z.optional(z.string()),
      answers: z.optional(z.record(z.string(), z.string())),
    }) as never,
  handler(params, scene) {
    // A person at the terminal may name any file of theirs; any other client only what the workspace may show.
    if (params.prd !== undefined && scene.caller.surface !== 'cli') scene.tree.files().read(params.prd)
    return planProject(scene, project(scene), {
      prd: params.prd ?? null,
      answers: params.answers ?? {},
      ...(scene.caller.dialogue ? { ask: scene.caller.dialogue.answer } : {}),
    })
  },
  say: (_params, planned) => `plan v${planned.plan_version}, ${taskCount(planned.shape.tasks)}`,
})

export const plmsEstimate = operation<Record<string, never>, Estimated>({
  name: 'plms.estimate',
  summary: 'price the plan, with bands',
  effect: 'read',
  scope: 'projects.view',
  result: () => results().estimated as never,
  params: () => z.strictObject({}) as never,
  handler: (_params, scene) => estimateProject(scene, project(scene)),
})

export const plmsSimulate = operation<{ rehearsal_pct: number }, Simulated>({
  name: 'plms.simulate',
  summary: 'rehearse a sample of the plan in throw-away trees',
  effect: 'spend',
  scope: 'projects.simulate',
  result: () => results().simulated as never,
  params: () => z.strictObject({ rehearsal_pct: z.number().check(z.gte(0.001), z.lte(0.2)) }),
  handler: (params, scene) => simulateProject(scene, project(scene), params.rehearsal_pct),
  say: (_params, simulated) => `${simulated.sampling_metrics.n_sample} of ${taskCount(simulated.sampling_metrics.n_total)}`,
})

export const plmsApprove = operation<Omit<ApprovalRequest, 'confirm'>, Approved>({
  name: 'plms.approve',
  summary: 'approve the plan: budget, breach policy, gates',
  effect: 'write',
  scope: 'projects.approve',
  result: () => results().approvedPlan as never,
  params: () =>
    z.strictObject({
      budget_usd: z.nullable(z.number().check(z.nonnegative())),
      budget_tokens: z.nullable(z.int().check(z.nonnegative())),
      breach: z.optional(z.enum(['pause', 'ask', 'kill'])),
      gates: z.array(z.string()),
    }) as never,
  handler: (params, scene) =>
    approvePlan(scene, project(scene), {
      ...params,
      ...(scene.caller.dialogue ? { confirm: scene.caller.dialogue.approve } : {}),
    }),
  say: (params, approved) => `plan v${approved.plan_version}${params.budget_usd === null ? '' : `, $${params.budget_usd}`}`,
})

export const plmsStart = operation<{ run_kind?: (typeof RUN_KINDS)[number] | undefined; detach?: boolean | undefined }, Started>({
  name: 'plms.start',
  summary: 'run the approved plan',
  effect: 'spend',
  scope: 'projects.start',
  result: () => results().started as never,
  params: () => z.strictObject({ run_kind: z.optional(z.enum(RUN_KINDS)), detach: z.optional(z.boolean()) }) as never,
  handler: (params, scene) => startProject(scene, project(scene), params.run_kind ?? 'baseline', params.detach ?? false),
  say: (_params, started) => `run ${started.run_id}: ${started.status}`,
})

/**
 * The words of the PLMS contract (contracts/plms.md): lifecycle, plan, estimates, approval. Shapes only.
 * Money inside is micro-USD; the wire and `--json` carry USD.
 */
import type { Complexity, PasLane, Threshold } from '../../pas/contract/types.ts'

export const PROJECT_STATUSES = [
  'ideation',
  'clarifying',
  'planning',
  'estimating',
  'pending_approval',
  'approved',
  'executing',
  'validating',
  'completed',
  'needs_review',
  'paused',
  'cancelled',
] as const
export type ProjectStatus = (typeof PROJECT_STATUSES)[number]

export type StoreHint = 'vec' | 'graph' | 'text' | 'hybrid'

/** One leaf or parent of the task tree; `n` is the plan's number, shown as `T7`. */
export interface PlanTask {
  readonly n: number
  readonly title: string
  readonly parent_n: number | null
  readonly pas_lane: PasLane
  readonly plms_lane: number
  readonly complexity: Complexity
  readonly deps: readonly number[]
  readonly files: readonly string[]
  /** Argv of the task's own test command; empty: the project's. */
  readonly tests: readonly string[]
  readonly store_hint: StoreHint
  /** 1-based line of the PRD it came from, when it was listed there. */
  readonly line: number | null
  /** Attributes that were inferred rather than written. */
  readonly inferred: readonly ('lane' | 'complexity')[]
}

export interface Plan {
  readonly version: number
  readonly prd_sha: string
  readonly tasks: readonly PlanTask[]
}

export interface Question {
  readonly id: string
  readonly text: string
  readonly default: string
  readonly source: string
  readonly answer: string | null
}

/** What a project begins with instead of a model's questions and tasks. contracts/plms.md section 13. */
export interface Template {
  readonly template_name: string
  readonly description: string
  readonly default_questions: readonly { readonly text: string; readonly default: string }[]
  readonly task_tree_template: readonly { readonly name: string; readonly tmd_lane: number | string; readonly complexity: Complexity }[]
  readonly default_slo?: { readonly min_echo_cos: number }
}

/** Mean and 90 % interval. */
export interface Band {
  readonly mean: number
  readonly ci_90: readonly [number, number]
}

export interface Bands {
  readonly tokens: Band
  readonly duration_ms: Band
  readonly cost_usd: Band
  readonly energy_kwh: Band
}

export interface LaneEstimate extends Bands {
  readonly lane: PasLane
  readonly tasks: number
  /** `prior` or `runs`. */
  readonly method: 'prior' | 'runs'
  /** Observations behind it. */
  readonly n: number
}

export interface PlanEstimate {
  readonly lanes: readonly LaneEstimate[]
  readonly total: Bands & { readonly tasks: number; readonly method: 'prior' | 'runs' | 'mixed'; readonly n: number }
  /** Wall time of the longest chain, with what can run at once beside it. */
  readonly parallel: number
}

export interface GateOverride {
  readonly lane: string
  readonly kpi: string
  readonly threshold: Threshold
  readonly looser: boolean
}

export interface PlanApproval {
  readonly plan_version: number
  readonly plan_sha: string
  readonly budget_micro_usd: number | null
  readonly budget_tokens: number | null
  readonly breach: 'pause' | 'ask' | 'kill'
  readonly gates: readonly GateOverride[]
  readonly approved_at: number
  readonly receipt: string
}

/** What `vp new` found and the human keeps in `.vp/project.json`. Committed; a model cannot change it within a run. */
export interface ProjectFile {
  readonly version: 1
  readonly project_id: number
  readonly name: string
  readonly test: ProjectCommand | null
  readonly lint: ProjectCommand | null
  /** Absent in files that were written before there was one. */
  readonly build?: ProjectCommand | null
  /** The repository's own pre-commit hook, as a fact: what runs, in the sandbox, is found anew. Without it there is no such gate. */
  readonly hooks?: { readonly pre_commit: { readonly kind: 'git' | 'husky' | 'pre-commit'; readonly argv: readonly string[] } }
  /** How commits are titled here, from the last of them. Without it titles stay as the model writes them. */
  readonly commits?: {
    readonly style: 'conventional' | 'ticket' | 'gitmoji' | 'plain'
    readonly types: readonly string[]
    readonly scopes: readonly string[]
    readonly ticket: string | null
    readonly begins: 'lower' | 'upper' | null
    readonly max_length: number
    readonly full_stop: boolean
    readonly signoff: boolean
  }
  readonly environment: {
    readonly reuse: readonly string[]
    readonly setup: readonly (readonly string[])[]
    readonly lock_files: readonly string[]
  }
  readonly needs_git: boolean
}

export interface ProjectCommand {
  /** What a person would type. */
  readonly argv: readonly string[]
  /** `node:test`, `vitest`, `jest`, `pytest`, `go`, `cargo`, `make`, … */
  readonly runner: string
  /** Arguments that make the runner write its own report; appended to `argv`, or where `report_in` says. */
  readonly report_args: readonly string[]
  /** For a `node --test` that would take what stands behind its paths for one more path. Absent: behind `argv`. */
  readonly report_in?: 'NODE_OPTIONS'
  readonly report: {
    readonly format: 'tap' | 'junit' | 'go-json' | 'cargo' | 'exit'
    readonly from: 'stdout' | 'file'
    readonly path?: string
  }
}

/**
 * The words of the PAS contract (contracts/pas.md): lanes, cards, runs, receipts, KPIs. Shapes only.
 */
import type { RunId, TaskId } from '../../core/ids.ts'

export const PAS_LANES = ['Code-Impl', 'Code-API-Design', 'Data-Schema', 'Data-Loader', 'Narrative', 'Graph-Ops', 'Vector-Ops'] as const
export type PasLane = (typeof PAS_LANES)[number]

export const RUN_KINDS = ['baseline', 'rehearsal', 'replay', 'hotfix'] as const
export type RunKind = (typeof RUN_KINDS)[number]

/** Section 4, run states. */
export type RunStatus = 'pending' | 'planning' | 'executing' | 'validating' | 'completed' | 'needs_review' | 'failed' | 'terminated' | 'paused'
export const FINAL_RUN: ReadonlySet<RunStatus> = new Set(['completed', 'needs_review', 'failed', 'terminated'])

export type TaskStatus = 'queued' | 'running' | 'waiting_io' | 'merging' | 'succeeded' | 'failed' | 'skipped'
export const FINAL_TASK: ReadonlySet<TaskStatus> = new Set(['succeeded', 'failed', 'skipped'])

export const COMPLEXITIES = ['trivial', 'simple', 'moderate', 'complex', 'very_complex'] as const
export type Complexity = (typeof COMPLEXITIES)[number]

export type Threshold = { readonly min: number } | { readonly max: number } | { readonly lt: number } | { readonly expected: number | boolean | string }

/** Two commits that a repair task brings together, where git alone could not. */
export interface MergeOfSides {
  /** The run's head, and the commit of the person's branch: the parents of what the task commits. */
  readonly run: string
  readonly person: string
  /** What both grew from. */
  readonly base: string
  /** The person's branch, without `refs/heads/`. */
  readonly branch: string
  /** Where git found no answer, and its own words for each place. */
  readonly paths: readonly string[]
  readonly words: readonly string[]
}

/** What a task is, as the engine and the agent need it. */
export interface TaskPayload {
  /** The plan's number: tasks are `T7` everywhere a person looks. */
  readonly n: number
  readonly goal: string
  readonly files: readonly string[]
  /** Argv of the task's own test command; empty: the project's. */
  readonly tests: readonly string[]
  readonly complexity: Complexity
  /** Of a repair task: what it merges. */
  readonly merge?: MergeOfSides
}

export interface JobCard {
  readonly task_id: TaskId
  readonly project_id: number
  readonly run_id: RunId
  readonly lane: PasLane
  readonly priority: number
  readonly deps: readonly TaskId[]
  readonly payload: TaskPayload
  readonly budget_usd: number
  readonly ci_width_hint: number
  readonly deadline_at?: number
  readonly created_at: number
}

export interface KpiResult {
  readonly kpi_name: string
  readonly value: number | boolean | null
  readonly threshold: Threshold
  /** null: not measured. */
  readonly pass: boolean | null
  /** false: measurable neither on the base tree nor now; it gates nothing and is said. */
  readonly measured: boolean
  /** Why it was not measured, in the runner's own words where it had any. */
  readonly why?: string
  /** First failing thing, in words that name it. */
  readonly first_failure?: string
}

/** A named breach: what it is comes before any number. */
export interface Violation {
  readonly kind:
    | 'test deleted'
    | 'test skipped'
    | 'test broken'
    | 'test did not run'
    | 'tests not measured'
    | 'kpi'
    | 'task failed'
    | 'setting changed'
    | 'foreign content changed'
    | 'protected file written'
    | 'conflict left'
  readonly name: string
  readonly task_id: TaskId | null
  readonly file?: string
  readonly line?: number
  readonly was_in?: string
  readonly gone_in?: string
  readonly actual?: number | boolean | null
  readonly expected?: Threshold
}

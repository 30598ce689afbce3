/**
 * State, events and commands of one run. Everything that happens to a run is an event; folding its events gives
 * the state on every machine alike. No clock: events carry their time.
 */
import type { RunId, TaskId } from '../../../core/ids.ts'
import type { JobCard, KpiResult, RunKind, RunStatus, TaskStatus, Violation } from '../../contract/types.ts'

export type BreachPolicy = 'pause' | 'ask' | 'kill'

export interface Caps {
  readonly micro_usd: number | null
  readonly tokens: number | null
  readonly breach: BreachPolicy
  /** What earlier runs under the same approval took of it; `micro_usd` and `tokens` are what they left. Absent: nothing. */
  readonly earlier?: { readonly micro_usd: number; readonly tokens: number }
}

/** The cap that stopped a run, and what it would have to be for the run to go on. */
export interface Shortfall {
  readonly cap: 'micro_usd' | 'tokens'
  readonly needs: number
}

/** Measured and failed, ended without submitting, passed but could not be merged, or not to be tried again. */
export type AttemptEnd = 'gate' | 'unfinished' | 'conflict' | 'fatal'

export interface ContextWindow {
  readonly window_tokens: number
  readonly fraction: number
  readonly hard_stop: number
}

/** By lane; one that is not there has the default. */
export type LaneParameters = Readonly<Record<string, { readonly temperature: number; readonly max_tokens: number }>>

/** Where a fork goes on from. */
export interface ForkOrigin {
  readonly run_id: string
  /** `T3` */
  readonly task: string
  readonly attempt: number
  /** Its first own turn; those before are recorded. */
  readonly turn: number
}

export interface Range {
  readonly lo: number
  readonly hi: number
}

export interface TaskState {
  readonly task_id: TaskId
  readonly card: JobCard
  readonly status: TaskStatus
  /** The attempt under way or last made; 0 before the first. */
  readonly attempt: number
  readonly started_at: number | null
  readonly ended_at: number | null
  /** How the last attempt ended, what the next one is told, and from which tree it goes on. */
  readonly why: AttemptEnd | null
  readonly feedback: string | null
  readonly carry_tree: string | null
  /** Commit that `carry_tree` grew from: what a merge compares with. */
  readonly carry_base: string | null
  readonly reason: string | null
  readonly commit: string | null
  readonly kpis: readonly KpiResult[]
  readonly violations: readonly Violation[]
  readonly waits_for: string | null
  readonly micro_usd: number
  readonly tokens: number
  readonly lines: { readonly add: number; readonly del: number; readonly files: number } | null
  /** The last turn that was the first to hear words of a person's; absent: none was. */
  readonly heard?: { readonly attempt: number; readonly turn: number }
}

export interface RunState {
  readonly run_id: RunId
  readonly project_id: number
  readonly kind: RunKind
  /** `do`: a goal typed at a terminal. Only its tests can prove it, and its end is that of `vp complete`. Absent: a plan. */
  readonly origin?: 'do'
  readonly status: RunStatus
  readonly reason: string | null
  /** Of a run that a cap paused before a call. */
  readonly shortfall?: Shortfall
  readonly caps: Caps
  readonly plan_version: number
  readonly expect_tasks: number
  readonly max_attempts: number
  /** How conversations fill the model's window: the same when the run is resumed or replayed. Absent: the default. */
  readonly context?: ContextWindow
  /** How a lane's answers are asked for: the same when the run is resumed, forked or replayed. Absent: the default. */
  readonly parameters?: LaneParameters
  readonly base: string
  /** Commit that the run branch points to. */
  readonly head: string
  readonly merging: {
    readonly task_id: TaskId
    readonly attempt: number
    readonly from: string
    readonly to: string
  } | null
  readonly tasks: Readonly<Record<string, TaskState>>
  readonly order: readonly TaskId[]
  readonly micro_usd: number
  readonly tokens: { readonly in: number; readonly out: number; readonly think: number; readonly tool_use: number }
  readonly price_unknown: boolean
  /** Range of the model calls' energy, µWh; absent: not measured. */
  readonly micro_wh?: Range
  /** What the run's head came to as a whole, once it was validated. */
  readonly whole?: { readonly kpis: readonly KpiResult[]; readonly violations: readonly Violation[] }
  readonly prompts: number
  /** How often a person spoke to the run; absent: never. */
  readonly told?: number
  readonly fork?: ForkOrigin
  readonly created_at: number
  readonly started_at: number | null
  readonly ended_at: number | null
}

export type RunEvent = { readonly ts: number } & (
  | {
      readonly type: 'run_created'
      readonly run_id: RunId
      readonly project_id: number
      readonly kind: RunKind
      readonly origin?: 'do'
      readonly caps: Caps
      readonly plan_version: number
      readonly expect_tasks: number
      readonly max_attempts: number
      readonly context?: ContextWindow
      readonly parameters?: LaneParameters
      readonly base: string
    }
  | { readonly type: 'card_submitted'; readonly card: JobCard }
  | { readonly type: 'run_started' }
  /** A run that was done is open again for one more task. */
  | { readonly type: 'repair_added'; readonly card: JobCard }
  /** The person has brought both together themselves. */
  | { readonly type: 'repair_dropped'; readonly task_id: TaskId }
  | { readonly type: 'task_claimed'; readonly task_id: TaskId; readonly attempt: number; readonly worker: string }
  | { readonly type: 'lease_lost'; readonly task_id: TaskId; readonly attempt: number }
  | { readonly type: 'task_waits'; readonly task_id: TaskId; readonly attempt: number; readonly approval: string }
  | { readonly type: 'approval_decided'; readonly approval: string; readonly allowed: boolean }
  | {
      readonly type: 'spent'
      readonly task_id: TaskId | null
      readonly micro_usd: number | null
      readonly tokens: { readonly in: number; readonly out: number; readonly think: number; readonly tool_use: number }
      readonly micro_wh?: Range
    }
  | {
      readonly type: 'attempt_failed'
      readonly task_id: TaskId
      readonly attempt: number
      readonly why: AttemptEnd
      readonly reason: string
      readonly feedback: string
      readonly carry_tree: string | null
      readonly carry_base: string | null
      readonly kpis: readonly KpiResult[]
      readonly violations: readonly Violation[]
    }
  | {
      readonly type: 'merge_intended'
      readonly task_id: TaskId
      readonly attempt: number
      /** The attempt's own tree and the commit it began from; `to` differs when the branch had moved. */
      readonly base: string
      readonly tree: string
      readonly from: string
      readonly to: string
      readonly kpis: readonly KpiResult[]
      readonly lines: { readonly add: number; readonly del: number; readonly files: number }
    }
  /** A run that goes on from a turn of another: its one task begins as that attempt began. */
  | {
      readonly type: 'forked'
      readonly task_id: TaskId
      readonly origin: ForkOrigin
      readonly why: AttemptEnd | null
      readonly feedback: string | null
      readonly carry_tree: string | null
      readonly carry_base: string | null
    }
  /** Words of a person's to the run, or to one of its tasks; masked. */
  | { readonly type: 'told'; readonly task_id: TaskId | null; readonly text: string; readonly receipt: string }
  /** Told words, by their number in the run from 1, that this turn of an attempt was the first to hear. */
  | { readonly type: 'heard'; readonly task_id: TaskId; readonly attempt: number; readonly turn: number; readonly told: readonly number[] }
  | { readonly type: 'merge_dropped'; readonly task_id: TaskId }
  | { readonly type: 'task_merged'; readonly task_id: TaskId }
  | { readonly type: 'paused'; readonly reason: string; readonly shortfall?: Shortfall }
  | { readonly type: 'resumed'; readonly caps?: Caps }
  | { readonly type: 'terminated'; readonly reason: string }
  | { readonly type: 'failed'; readonly reason: string }
  | { readonly type: 'validated'; readonly violations: readonly Violation[]; readonly kpis?: readonly KpiResult[] }
)

/** What the engine has to do next; asking twice does no harm. */
export type RunCommand =
  | { readonly kind: 'release'; readonly task_id: TaskId }
  | { readonly kind: 'cancel'; readonly task_id: TaskId }
  | { readonly kind: 'validate' }
  | { readonly kind: 'notify'; readonly what: 'paused' | 'waiting' | 'ended'; readonly reason: string }

export interface Reduced {
  readonly state: RunState
  readonly commands: readonly RunCommand[]
}

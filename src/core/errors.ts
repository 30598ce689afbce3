/**
 * The one error class and the one table of codes. A code decides exit status, JSON-RPC code and whether
 * trying again can help; nothing else in the program does. Names are `area.reason`.
 */

interface CodeFacts {
  readonly exit: number
  readonly rpc: number
  readonly retryable: boolean
}

const DENIED = { exit: 4, rpc: -32001, retryable: false }
const APPROVAL = { exit: 5, rpc: -32002, retryable: true }
const CONFLICT = { exit: 7, rpc: -32003, retryable: true }
const NOT_FOUND = { exit: 2, rpc: -32004, retryable: false }
const LIMIT = { exit: 6, rpc: -32005, retryable: false }
const BUDGET = { exit: 6, rpc: -32006, retryable: false }
const PROVIDER = { exit: 8, rpc: -32007, retryable: true }
const NO_SANDBOX = { exit: 4, rpc: -32008, retryable: false }
const CANCELLED = { exit: 130, rpc: -32009, retryable: true }
const USAGE = { exit: 2, rpc: -32602, retryable: false }
const GATE = { exit: 3, rpc: -32003, retryable: false }
const DEFECT = { exit: 1, rpc: -32603, retryable: false }

/** Every code the program can answer with. Exit statuses: contracts/vp.md section 1. */
export const CODES = {
  internal: DEFECT,
  'install.damaged': DEFECT,

  'usage.flag': USAGE,
  'usage.unknown_command': { ...USAGE, rpc: -32601 },
  'usage.params': USAGE,
  'usage.project': USAGE,
  'usage.identity': USAGE,
  'config.invalid': USAGE,
  'rpc.parse': { ...USAGE, rpc: -32700 },
  'rpc.request': { ...USAGE, rpc: -32600 },

  'path.invalid': DENIED,
  'path.denied': DENIED,
  'path.not_found': NOT_FOUND,
  'path.not_regular': DENIED,
  'path.too_large': { ...LIMIT, exit: 2 },

  'policy.denied': DENIED,
  'policy.scope': DENIED,
  'policy.invalid': USAGE,
  'token.refused': DENIED,
  'token.not_found': NOT_FOUND,
  'approval.needed': APPROVAL,
  'approval.denied': DENIED,
  'approval.stale': APPROVAL,
  'approval.not_found': NOT_FOUND,

  'patch.parse': { ...USAGE, retryable: true },
  'patch.rejected': CONFLICT,
  'patch.stale': CONFLICT,
  'patch.ambiguous': CONFLICT,
  'patch.unsupported': DENIED,
  'undo.not_found': NOT_FOUND,
  'undo.ambiguous': USAGE,
  'undo.refused': CONFLICT,

  'sandbox.unavailable': NO_SANDBOX,
  'sandbox.no_loopback': NO_SANDBOX,
  'sandbox.breach': DENIED,
  'sandbox.program_missing': { ...NOT_FOUND, exit: 4 },
  'environment.missing': { ...USAGE, exit: 7 },
  'environment.setup_failed': { ...USAGE, exit: 7 },

  'store.locked': { ...CONFLICT, exit: 7 },
  'store.newer': { ...CONFLICT, retryable: false },
  'store.damaged': { ...GATE, exit: 3 },
  'store.unusable': USAGE,
  'store.network_fs': { ...CONFLICT, retryable: false },
  'store.full': { ...CONFLICT, retryable: true },
  'idempotency.reused': { ...CONFLICT, retryable: false },
  'ledger.altered': GATE,
  'ledger.incomplete': GATE,

  'workspace.not_a_repository': USAGE,
  'workspace.no_commits': USAGE,
  'workspace.unsupported': USAGE,
  'workspace.busy': CONFLICT,
  'workspace.git': CONFLICT,
  'workspace.moved': CONFLICT,
  'sign.unsupported': USAGE,
  'sign.failed': CONFLICT,

  'model.none': { ...PROVIDER, retryable: false },
  'model.consent': APPROVAL,
  'model.unreachable': PROVIDER,
  'model.rate_limited': PROVIDER,
  'model.server': PROVIDER,
  'model.stalled': PROVIDER,
  'model.cut': PROVIDER,
  'model.protocol': PROVIDER,
  'model.auth': { ...PROVIDER, retryable: false },
  'model.quota': { ...PROVIDER, retryable: false },
  'model.not_found': { ...PROVIDER, retryable: false },
  'model.too_large': { ...PROVIDER, retryable: false },
  'model.truncated': { ...PROVIDER, retryable: false },
  'model.request': { ...PROVIDER, retryable: false },
  'model.refused': { ...PROVIDER, retryable: false },
  'model.no_eligible_tier': { ...PROVIDER, retryable: false },
  'model.offline': { ...DENIED, exit: 4 },
  'model.recording_differs': { exit: 3, rpc: -32007, retryable: false },

  'budget.cap': BUDGET,
  'budget.policy': BUDGET,
  'budget.price_unknown': BUDGET,
  'limit.reached': LIMIT,

  'project.exists': { ...CONFLICT, retryable: false },
  'project.none': USAGE,
  'project.state': CONFLICT,
  'plan.invalid': USAGE,
  'plan.cycle': USAGE,
  'plan.unknown_lane': USAGE,
  'plan.none': USAGE,
  'plan.model_output': { ...PROVIDER, exit: 3 },
  'prd.invalid': USAGE,
  'run.none': NOT_FOUND,
  'run.ambiguous': USAGE,
  'run.state': CONFLICT,
  'run.stopped': { exit: 3, rpc: -32003, retryable: false },
  'run.passport': DEFECT,

  'gate.failed': GATE,
  'gate.unmeasured': GATE,
  'replay.differs': GATE,
  'replay.nothing': GATE,
  'replay.drift': GATE,
  'bundle.invalid': USAGE,
  'forge.unsupported': USAGE,
  'forge.failed': { ...PROVIDER, exit: 9 },
  'forge.rate_limited': { ...PROVIDER, exit: 9 },
  'forge.auth': { ...PROVIDER, exit: 9, retryable: false },
  'forge.refused': { ...PROVIDER, exit: 9, retryable: false },

  cancelled: CANCELLED,
  'platform.unsupported': NO_SANDBOX,
} as const satisfies Record<string, CodeFacts>

export type ErrorCode = keyof typeof CODES

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(CODES, text)
}

/** What every error of a code can be answered with, where whoever threw it knows no better. Commands to copy, or words. */
const NEXT: Partial<Record<ErrorCode, readonly string[]>> = {
  internal: ['vp doctor', 'run it again with --debug and keep the output'],
  'usage.flag': ['vp help'],
  'usage.params': ['vp help'],
  'path.invalid': ['name it from the repository’s root, like src/a.ts'],
  'path.denied': ['name a file of the repository that is neither a link nor protected'],
  'path.not_found': ['git ls-files'],
  'path.not_regular': ['name a file'],
  'path.too_large': ['read a part of it'],
  'policy.denied': ['vp help policy explain'],
  'config.invalid': ['correct that file, or move it away'],
  'sandbox.program_missing': ['install the program, or name another'],
  'approval.not_found': ['vp status'],
  'undo.not_found': ['vp logs'],
  'bundle.invalid': ['vp export RUN'],
  'run.none': ['vp status'],
  'gate.failed': ['vp validate'],
  'gate.unmeasured': ['add --test COMMAND'],
  'patch.parse': ['write a unified diff: --- a/PATH, +++ b/PATH, @@, and lines that begin with a blank, - or +'],
  'patch.rejected': ['read the file again and rebuild the patch'],
  'model.no_eligible_tier': ['vp model list', 'vp model test'],
  'model.quota': ['look at the plan and the billing of this key', 'vp model list'],
  'model.not_found': ['vp model list', 'check VP_MODEL and VP_MODEL_BASE_URL'],
  'model.too_large': ['choose a model with a larger window', 'split the task'],
  'model.truncated': ['vp model probe', 'choose a model with a larger window'],
  'store.locked': ['vp status'],
  'limit.reached': ['vp logs'],
  cancelled: ['the same command again; a run goes on with vp resume'],
}

/** What the thrower said, else the way to the approval, else what fits the code. */
export function nextSteps(error: VpError): readonly string[] {
  const { next, approval } = error.details
  if (next !== undefined && next.length > 0) return next.slice(0, 3)
  return approval === undefined ? (NEXT[error.code] ?? []) : [`vp approve ${approval}`]
}

export interface ErrorDetails {
  /** As far as known, why it happened: one sentence. */
  readonly why?: string
  /** `also`: more lines of the same file that are in it together. */
  readonly where?: { readonly file: string; readonly line?: number; readonly also?: readonly number[] }
  /** Commands to copy, the best first. */
  readonly next?: readonly string[]
  /** The rule that refused, as `lane/rule`. */
  readonly rule?: string
  /** Id of the pending approval. */
  readonly approval?: string
  /** What changed before the error; `nothing was changed` when absent. */
  readonly changed?: string
  /** Anything else a program may want. Never a secret. */
  readonly data?: Readonly<Record<string, unknown>>
}

const MARKER = Symbol.for('vp.error')

/** The program's only error. Recognised by `isVpError`, so that two copies of this file agree. */
export class VpError extends Error {
  readonly [MARKER] = true
  readonly code: ErrorCode
  readonly details: ErrorDetails
  constructor(code: ErrorCode, message: string, details: ErrorDetails & { cause?: unknown } = {}) {
    const { cause, ...rest } = details
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'VpError'
    this.code = code
    this.details = rest
  }
  get retryable(): boolean {
    return CODES[this.code].retryable
  }
}

export function isVpError(value: unknown): value is VpError {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[MARKER] === true
}

/** Any thrown value as a VpError; what is not ours becomes `internal`, disk-full and locks their own codes. */
export function asVpError(thrown: unknown): VpError {
  if (isVpError(thrown)) return thrown
  const code = (thrown as { code?: unknown } | null)?.code
  if (code === 'ENOSPC' || code === 'EDQUOT') return new VpError('store.full', 'no space left on the disk', { cause: thrown, next: ['df -h'] })
  if ((thrown as { name?: unknown } | null)?.name === 'AbortError') return new VpError('cancelled', 'cancelled', { cause: thrown })
  return new VpError('internal', thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown })
}

/**
 * What the operations on projects and runs answer, as schemas: the source of the result part of `rpc.discover`. Field
 * names are those of the contracts. A surface test parses real answers with them, so they cannot drift.
 */
import * as z from 'zod/mini'
import { once } from '../core/once.ts'

export const results = once(() => {
  const usd = z.nullable(z.number())
  const text = z.nullable(z.string())
  const count = z.int()
  const any = z.unknown()
  const span = z.tuple([z.number(), z.number()])
  const band = z.object({ mean: z.number(), ci_90: span })
  const bands = { tokens: band, duration_ms: band, cost_usd: band, energy_kwh: band }
  const total = z.object({ tasks: count, method: z.string(), n: count, ...bands })
  const lanes = z.array(z.object({ lane: z.string(), tasks: count, method: z.string(), n: count, ...bands }))
  const argv = z.array(z.string())

  const projectMade = z.object({
    project_id: count,
    name: z.string(),
    template_used: text,
    index: z.object({ files: count, symbols: z.null() }),
    test: z.nullable(argv),
    lint: z.nullable(argv),
    environment: z.object({ reuse: z.array(z.string()), setup: z.array(argv), lock_files: z.array(z.string()) }),
    hooks: z.nullable(z.object({ pre_commit: z.object({ kind: z.string(), argv }) })),
    commits: text,
    signoff: z.boolean(),
    evidence: z.array(z.string()),
    files_written: z.array(z.string()),
  })

  const planned = z.object({
    prd_path: z.string(),
    prd_version: count,
    plan_version: count,
    template_used: text,
    questions: z.array(z.object({ id: z.string(), text: z.string(), default: z.string(), source: z.string(), answer: text })),
    tasks: z.array(
      z.object({
        task_id: z.string(),
        n: count,
        name: z.string(),
        parent_task_id: text,
        lane: z.string(),
        complexity: z.string(),
        deps: z.array(count),
        files: z.array(z.string()),
        tests: z.array(z.string()),
        inferred: z.array(z.string()),
      }),
    ),
    shape: z.object({ tasks: count, lanes: count, longest_chain: count, width: count }),
    decomposed_by_model: z.boolean(),
    tokens: count,
    cost_usd: usd,
  })

  const estimated = z.object({
    lanes,
    total,
    parallel: z.number(),
    plan_version: count,
    provider: z.string(),
    price_known: z.boolean(),
    rehearsal_usd: z.number(),
  })

  const rehearsal = { tokens: z.number(), duration_ms: z.number(), cost_usd: z.number(), echo_cos_mean: z.null() }
  const simulated = z.object({
    simulation_results: z.object({
      rehearsal_actual: z.object(rehearsal),
      extrapolated_full: z.object({ ...rehearsal, ci_90: z.object({ tokens: span, cost_usd: span, duration_ms: span }) }),
      risk_factors: z.array(z.object({ lane: count, issue: z.string(), samples: count })),
    }),
    sampling_metrics: z.looseObject({ n_sample: count, n_total: count }),
    warnings: z.array(z.string()),
    run_id: z.string(),
    estimated: total,
    rehearsed: total,
    risk: z.array(z.looseObject({ lane: z.string(), note: text })),
    runway: z.object({ minutes: z.nullable(span), plan_minutes: span, budget_usd: usd }),
    spent_usd: usd,
    sampled: z.array(count),
  })

  const gate = { lane: z.string(), kpi: z.string(), threshold: any }
  const approvedPlan = z.object({
    plan_version: count,
    tasks: count,
    plan_sha: z.string(),
    budget_usd: usd,
    budget_tokens: z.nullable(count),
    breach: z.string(),
    band: z.nullable(z.object({ lo: z.number(), hi: z.number() })),
    gates: z.array(z.looseObject({ ...gate, looser: z.boolean() })),
    shipped_gates: z.array(z.looseObject(gate)),
    receipt: z.string(),
  })

  const energyBand = z.nullable(z.object({ lo: z.number(), hi: z.number(), source: z.string() }))

  const report = {
    run_id: z.string(),
    kind: z.string(),
    status: z.string(),
    reason: text,
    tasks_total: count,
    tasks_completed: count,
    tasks_failed: count,
    tasks_skipped: count,
    gates: z.object({ held: count, of: count }),
    lines: z.object({ files: count, add: count, del: count }),
    cost_usd: usd,
    band: z.nullable(z.object({ lo: z.number(), hi: z.number(), inside: z.boolean() })),
    tokens: z.object({ in: count, out: count, think: count, tool_use: count }),
    tokens_total: count,
    energy_kwh: energyBand,
    duration_ms: z.number(),
    prompts: count,
    commits: z.array(z.string()),
    branch: z.string(),
    passport_path: z.string(),
    approvals: z.array(z.string()),
    backend: z.string(),
    open_calls: count,
    raise: z.nullable(z.array(z.string())),
    exit: count,
  }
  const started = z.object({ ...report, joined: z.boolean() })

  const completed = z.object({
    run_id: z.string(),
    from: z.string(),
    to: z.string(),
    branch: z.string(),
    commits: count,
    signed: count,
    not_signed: text,
    how: z.enum(['fast-forward', 'merge']),
    ledger_head: z.string(),
    gates: z.object({ held: count, of: count }),
    tests: z.object({ before: z.nullable(count), after: z.nullable(count), changed: z.array(z.string()) }),
    hunks: z.optional(z.object({ applied: count, changed: count })),
    already: z.boolean(),
  })

  const home = {
    goal: z.string(),
    completed: z.nullable(completed),
    not_completed: z.nullable(z.object({ code: z.string(), message: z.string(), next: z.array(z.string()) })),
  }

  const done = z.object({ ...report, ...home })

  /** As `started`, or as `done` where the run was one small change. */
  const fork = z.optional(z.nullable(z.object({ run_id: z.string(), task: z.string(), attempt: count, turn: count })))
  const resumed = z.object({ ...report, joined: z.optional(z.boolean()), fork, ...z.partial(z.object(home)).shape })

  const controlled = z.object({ run_id: z.string(), status: z.string(), running: count })

  const decided = z.object({ approval: z.string(), decision: z.enum(['approved', 'denied']), extent: text, expires_at: text, run_id: text })

  const measuredValue = z.nullable(z.union([z.number(), z.boolean()]))
  const validated = z.object({
    run_id: z.string(),
    undoable: z.boolean(),
    commit: z.string(),
    gates: z.array(
      z.object({
        task_id: text,
        kpi_name: z.string(),
        actual: measuredValue,
        expected: any,
        pass: z.nullable(z.boolean()),
        measured: z.boolean(),
        why: text,
        first_failure: text,
      }),
    ),
    held: count,
    of: count,
    violations: z.array(
      z.object({
        task: text,
        kind: z.string(),
        name: z.string(),
        words: z.string(),
        file: text,
        line: z.nullable(count),
        was_in: text,
        gone_in: text,
        actual: measuredValue,
        expected: any,
      }),
    ),
    tests_changed: z.array(z.string()),
    not_measured: z.array(z.string()),
  })

  const undone = z.object({
    id: z.string(),
    files: z.array(z.object({ path: z.string(), outcome: z.string(), reason: text, add: z.nullable(count), del: z.nullable(count) })),
    restored: count,
    refused: count,
    applied: z.boolean(),
    diff: z.string(),
    diff_omitted: count,
    caveat: text,
  })

  const verdict = {
    run_id: z.string(),
    unaltered: z.boolean(),
    complete: z.boolean(),
    receipts: count,
    head: z.nullable(z.object({ id: z.string(), hash: z.string() })),
    first_altered: z.nullable(z.looseObject({ n: count, of: count, id: z.string(), why: z.string() })),
    missing: z.nullable(z.object({ from: count, to: count, since: z.nullable(z.number()), by: z.string() })),
    known_by: text,
    known: z.nullable(z.object({ n: count, id: z.string() })),
    problems: z.array(
      z.object({
        kind: z.enum(['damaged', 'altered', 'incomplete']),
        detail: z.string(),
        since: z.nullable(z.object({ receipt: z.string(), ts: z.number() })),
        accepted: z.optional(z.string()),
        next: z.optional(z.array(z.string())),
      }),
    ),
  }
  const verified = z.object({
    ...verdict,
    sound: z.boolean(),
    all: z.array(z.object(verdict)),
    source: z.enum(['ledger', 'bundle']),
    signed: z.optional(z.object({ key_id: z.string(), known_as: z.nullable(z.enum(['own', 'commit'])) })),
    here: z.optional(z.string()),
  })

  const exported = z.object({ path: z.string(), run_id: z.string(), receipts: count, bytes: count, key_id: z.string() })

  const replayed = z.object({
    run_id: z.string(),
    equal: z.boolean(),
    trees: z.array(z.object({ task_id: z.string(), attempt: count, tree: z.string(), equal: z.boolean() })),
    operations: count,
    gates: count,
    sockets: count,
    divergence: z.nullable(
      z.object({ task_id: z.string(), turn: z.nullable(count), field: z.string(), was: z.string(), is: z.string(), unequal_inputs: z.array(z.string()) }),
    ),
    duration_ms: z.number(),
    unasked: z.array(z.string()),
  })

  const runStatusResult = z.looseObject({
    run_id: z.string(),
    name: z.string(),
    project_id: count,
    run_kind: z.string(),
    status: z.string(),
    state: z.string(),
    brought_to: text,
    paused_reason: text,
    plan_version: count,
    tasks_total: count,
    tasks_completed: count,
    tasks_failed: count,
    tasks_running: count,
    tasks_queued: count,
    tasks_skipped: count,
    spend_usd: usd,
    budget_usd: usd,
    runway_minutes: z.nullable(z.number()),
    projected_spend_usd: usd,
    kpi_violations: z.array(z.looseObject({ task_id: text, kpi_name: z.string(), pass: z.literal(false) })),
    tasks: z.array(
      z.object({
        task_id: z.string(),
        n: count,
        lane: z.string(),
        status: z.string(),
        attempt: count,
        cost_usd: z.number(),
        ms: z.nullable(z.number()),
        reason: text,
        doing: text,
      }),
    ),
    energy_kwh: energyBand,
    spend_energy_kwh: z.nullable(z.number()),
    autonomy: z.nullable(z.number()),
    approvals: z.array(z.object({ approval: z.string(), task: z.nullable(count), wants: z.string(), waits_ms: z.number() })),
    started_at: text,
    finished_at: text,
    elapsed_ms: z.nullable(z.number()),
    validation_pass: z.nullable(z.boolean()),
  })

  /** `seq`: of the last event before the answer. */
  const subscribed = z.object({ run_id: z.string(), channel: z.string(), seq: count, status: z.string() })

  const runLogsResult = z.object({
    run_id: z.string(),
    lines: z.array(
      z.object({
        seq: count,
        receipt: z.string(),
        t: z.string(),
        task: z.nullable(count),
        op: z.string(),
        outcome: z.string(),
        text: z.string(),
      }),
    ),
  })
  return {
    projectMade,
    planned,
    estimated,
    simulated,
    approvedPlan,
    started,
    completed,
    done,
    resumed,
    controlled,
    decided,
    validated,
    undone,
    verified,
    exported,
    replayed,
    runStatusResult,
    subscribed,
    runLogsResult,
  }
})

/**
 * The schema, as numbered forward steps. A step, once released, never changes. Times are epoch milliseconds,
 * money is micro-USD, JSON columns are canonical JSON. Row sums are laid over every table by `sums.ts`.
 */
export interface Migration {
  readonly version: number
  readonly sql: readonly string[]
}

export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    sql: [
      // The ledger. seq orders the machine, n orders one chain (a run, or 'machine' for what belongs to none).
      `CREATE TABLE receipts (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, run_id TEXT NOT NULL, n INTEGER NOT NULL,
         ts BIGINT NOT NULL, op TEXT NOT NULL, task_id TEXT, attempt INTEGER, outcome TEXT NOT NULL, body TEXT NOT NULL,
         prev TEXT NOT NULL, key TEXT NOT NULL, UNIQUE (run_id, n))`,
      `CREATE TABLE heads (run_id TEXT PRIMARY KEY, n INTEGER NOT NULL, key TEXT NOT NULL)`,
      `CREATE TABLE checkpoints (n INTEGER PRIMARY KEY, run_id TEXT NOT NULL, receipts INTEGER NOT NULL, head TEXT NOT NULL,
         prev TEXT NOT NULL, key_id TEXT NOT NULL, signature TEXT NOT NULL, ts BIGINT NOT NULL)`,
      `CREATE TABLE idempotency (key TEXT PRIMARY KEY, request TEXT NOT NULL, response TEXT NOT NULL, created_at BIGINT NOT NULL)`,
      `CREATE TABLE approvals (id TEXT PRIMARY KEY, project_id INTEGER, run_id TEXT, task_id TEXT, call_sha TEXT NOT NULL,
         request TEXT NOT NULL, status TEXT NOT NULL, extent TEXT, reason TEXT, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL,
         decided_at BIGINT)`,
      `CREATE TABLE consents (repository TEXT NOT NULL, subject TEXT NOT NULL, given_at BIGINT NOT NULL, PRIMARY KEY (repository, subject))`,
      `CREATE TABLE before_images (receipt_id TEXT NOT NULL, path TEXT NOT NULL, root TEXT NOT NULL, before_sha TEXT, before_mode INTEGER,
         after_sha TEXT, after_mode INTEGER, PRIMARY KEY (receipt_id, path))`,

      // PLMS
      `CREATE TABLE projects (id INTEGER PRIMARY KEY, root TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, record TEXT NOT NULL,
         created_at BIGINT NOT NULL)`,
      `CREATE TABLE plans (project_id INTEGER NOT NULL, version INTEGER NOT NULL, sha TEXT NOT NULL, body TEXT NOT NULL,
         created_at BIGINT NOT NULL, PRIMARY KEY (project_id, version))`,
      `CREATE TABLE priors (lane TEXT NOT NULL, provider TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (lane, provider))`,

      // PAS
      `CREATE TABLE runs (run_id TEXT PRIMARY KEY, project_id INTEGER NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL,
         events INTEGER NOT NULL, summary TEXT NOT NULL, created_at BIGINT NOT NULL)`,
      `CREATE INDEX runs_by_project ON runs (project_id, created_at)`,
      `CREATE TABLE run_events (run_id TEXT NOT NULL, n INTEGER NOT NULL, ts BIGINT NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL,
         PRIMARY KEY (run_id, n))`,
      `CREATE TABLE job_cards (id TEXT PRIMARY KEY, run_id TEXT NOT NULL, body TEXT NOT NULL, created_at BIGINT NOT NULL)`,
      `CREATE INDEX job_cards_by_run ON job_cards (run_id)`,
      `CREATE TABLE leases (task_id TEXT PRIMARY KEY, run_id TEXT NOT NULL, project_id INTEGER NOT NULL, lane TEXT NOT NULL,
         attempt INTEGER NOT NULL, token TEXT NOT NULL,
         worker TEXT NOT NULL, expires_at BIGINT NOT NULL)`,
      `CREATE TABLE task_receipts (run_id TEXT NOT NULL, task_id TEXT NOT NULL, attempt INTEGER NOT NULL, body TEXT NOT NULL,
         created_at BIGINT NOT NULL, PRIMARY KEY (run_id, task_id, attempt))`,
      `CREATE TABLE kpi_receipts (run_id TEXT NOT NULL, task_id TEXT NOT NULL, attempt INTEGER NOT NULL, kpi_name TEXT NOT NULL,
         body TEXT NOT NULL, created_at BIGINT NOT NULL, PRIMARY KEY (run_id, task_id, attempt, kpi_name))`,
      `CREATE TABLE measurements (key TEXT PRIMARY KEY, receipt_id TEXT NOT NULL, body TEXT NOT NULL)`,
      `CREATE TABLE exchanges (run_id TEXT NOT NULL, task TEXT NOT NULL, attempt INTEGER NOT NULL, turn INTEGER NOT NULL,
         request_sha TEXT NOT NULL, request TEXT NOT NULL, response TEXT NOT NULL, PRIMARY KEY (run_id, task, attempt, turn))`,
      `CREATE TABLE holds (id TEXT PRIMARY KEY, scope TEXT NOT NULL, micro_usd BIGINT NOT NULL, tokens BIGINT NOT NULL, worker TEXT NOT NULL)`,
      `CREATE INDEX holds_by_scope ON holds (scope)`,
    ],
  },
  {
    version: 2,
    sql: [
      // Each time that a process drove a run, to its last sign of life; over: it ended by itself.
      `CREATE TABLE drivers (run_id TEXT NOT NULL, worker TEXT NOT NULL, began_at BIGINT NOT NULL, seen_at BIGINT NOT NULL,
         over INTEGER NOT NULL, PRIMARY KEY (run_id, worker, began_at))`,
    ],
  },
  {
    version: 3,
    sql: [
      // Of a token only its digest is kept; scopes are a JSON list.
      `CREATE TABLE tokens (id TEXT PRIMARY KEY, sha TEXT NOT NULL UNIQUE, actor TEXT NOT NULL, scopes TEXT NOT NULL,
         created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, revoked_at BIGINT)`,
    ],
  },
  {
    version: 4,
    sql: [
      // What the anchor said against this database, found by transaction tx; the receipt is the last from before it,
      // accepted the receipt of a person's word that this loss is known.
      `CREATE TABLE breaks (tx BIGINT PRIMARY KEY, kind TEXT NOT NULL, detail TEXT NOT NULL, receipt_id TEXT, ts BIGINT, accepted TEXT)`,
    ],
  },
  {
    version: 5,
    sql: [
      // Calls of the last hour, for what all processes share: rolling limits, health, latency. Not the ledger: rows go.
      `CREATE TABLE model_calls (id TEXT PRIMARY KEY, tier TEXT NOT NULL, model TEXT NOT NULL, ts BIGINT NOT NULL, tokens BIGINT NOT NULL,
         micro_usd BIGINT NOT NULL, ms BIGINT, outcome TEXT NOT NULL)`,
      // What a model was seen to do in a capability test, by what the model was (its digest) and what was asked (the policy).
      `CREATE TABLE capability_results (model TEXT NOT NULL, digest TEXT NOT NULL, policy TEXT NOT NULL, test TEXT NOT NULL, body TEXT NOT NULL,
         created_at BIGINT NOT NULL, PRIMARY KEY (model, digest, policy, test))`,
      // The last that a server said of a model: digest, template, parameters.
      // What all runs under one version of the policy have spent together.
      `CREATE TABLE policy_spend (policy TEXT PRIMARY KEY, micro_usd BIGINT NOT NULL)`,
      `CREATE TABLE model_facts (model TEXT PRIMARY KEY, body TEXT NOT NULL, seen_at BIGINT NOT NULL)`,
    ],
  },
  {
    version: 6,
    sql: [
      // By their hashes, which receipts name: bodies as they left (kind sent), and requests of exchanges (kind request), whose own column
      // is empty from here on. Of each what it adds (deflated) to an earlier one of its kind and run.
      `CREATE TABLE kept_bodies (n INTEGER PRIMARY KEY, run_id TEXT NOT NULL, kind TEXT NOT NULL, sha TEXT NOT NULL, task TEXT NOT NULL,
         attempt INTEGER NOT NULL, turn INTEGER NOT NULL, base TEXT, head BIGINT NOT NULL, tail BIGINT NOT NULL, added BYTEA NOT NULL,
         UNIQUE (run_id, kind, sha))`,
    ],
  },
  {
    version: 7,
    // Of the call that is held for: who finds its process dead settles it. Null: held by a vp of before.
    sql: ['ALTER TABLE holds ADD COLUMN call TEXT'],
  },
]

/**
 * The run passport, written before the first task, and the artifact manifest, written after the last. Everything
 * a replay needs to know of the surroundings; never a credential, never a path of this machine.
 * Source: contracts/plms.md section 9, pas.md section 10.
 */
import { VpError } from '../core/errors.ts'
import { canonicalJson, type Json } from '../core/json.ts'

export interface Passport {
  readonly version: 1
  readonly project_id: number
  readonly run_id: string
  readonly run_kind: string
  /** Provider → version, as PLMS wants it. */
  readonly provider_matrix: Readonly<Record<string, string>>
  readonly providers: {
    readonly lanes: Readonly<Record<string, string>>
    readonly endpoint: string
    readonly tier: string
    /** What was known of the model when the run began; each call's receipt says what it was made of. */
    readonly snapshot?: Json
  }
  readonly capabilities: Readonly<Record<string, Json>>
  /** First 16 hex digits of prd_sha256. */
  readonly prd_sha: string
  readonly prd_sha256: string
  readonly plan_sha: string
  readonly plan_version: number
  readonly env: { readonly git_commit: string; readonly runtime_version: string; readonly os: string }
  readonly env_snapshot: Readonly<Record<string, Json>>
  readonly allowlist_policy_version: string
  readonly policy_version: string
  readonly sandbox: { readonly backend: string; readonly weaknesses: readonly string[] }
  readonly commands: { readonly test: readonly string[] | null; readonly lint: readonly string[] | null }
  readonly caps: { readonly micro_usd: number | null; readonly tokens: number | null; readonly breach: string }
  readonly key: { readonly id: string; readonly public: string }
  /** Of a fork: the run, task, attempt and turn that it goes on from. */
  readonly fork?: { readonly run_id: string; readonly task: string; readonly attempt: number; readonly turn: number }
  readonly started_at: string
}

const REQUIRED = ['project_id', 'run_id', 'run_kind', 'provider_matrix', 'capabilities', 'prd_sha', 'env', 'started_at'] as const

/** Throws `run.passport` naming what is missing. */
export function checkPassport(value: unknown): Passport {
  const passport = value as Record<string, unknown> | null
  const missing = REQUIRED.filter((field) => passport === null || typeof passport !== 'object' || passport[field] === undefined || passport[field] === null)
  if (missing.length > 0) throw new VpError('run.passport', `the passport lacks ${missing.join(', ')}`)
  return value as Passport
}

export interface ArtifactManifest {
  readonly run_id: string
  readonly from: string
  readonly to: string
  readonly artifacts: readonly {
    readonly path: string
    readonly kind: string
    readonly sha256: string | null
    readonly bytes: number
  }[]
  readonly gates: readonly Json[]
  readonly ledger: { readonly receipts: number; readonly head: string; readonly key_id: string }
}

/** Indented, keys sorted, newline at the end: the same bytes for the same value. */
export function printDocument(value: unknown): string {
  return JSON.stringify(JSON.parse(canonicalJson(value)), null, 2) + '\n'
}

export interface Trailers {
  readonly run: string
  /** `T3`; absent on the commit that ends a run. */
  readonly task: string | null
  readonly ledger: { readonly receipts: number; readonly head: string }
  /** `A. Person <person@example.org>`: the person signs off what vp commits for them. */
  readonly signoff?: string | undefined
}

/** Subject, body and the trailers by which a commit and the ledger know each other. */
export function commitMessage(title: string, body: string, trailers: Trailers): string {
  const clean = (text: string) =>
    text
      .replace(/[^\P{C}\n]/gu, '')
      .replace(/^(VP-[\w-]+):/gim, '$1 :')
      .trim()
  const subject = (clean(title).split('\n')[0] ?? '').slice(0, 100).trim()
  const lines = [
    `VP-Run: ${trailers.run}`,
    ...(trailers.task ? [`VP-Task: ${trailers.task}`] : []),
    `VP-Ledger: ${trailers.ledger.receipts}:${trailers.ledger.head}`,
    ...(trailers.signoff ? [`Signed-off-by: ${trailers.signoff.replace(/[\r\n]/g, ' ')}`] : []),
  ]
  const paragraph = wrap(clean(body), 100)
  return `${subject === '' ? 'chore: task' : subject}\n\n${paragraph === '' ? '' : `${paragraph}\n\n`}${lines.join('\n')}\n`
}

/** The trailers of a commit message, or null when it is not one of ours. */
export function parseTrailers(message: string): Trailers | null {
  const last = message.trimEnd().split('\n\n').at(-1) ?? ''
  const field = (name: string) => new RegExp(`^${name}: (.+)$`, 'm').exec(last)?.[1] ?? null
  const run = field('VP-Run')
  const ledger = /^(\d{1,12}):([0-9a-f]{64})$/.exec(field('VP-Ledger') ?? '')
  if (!run || !ledger) return null
  return { run, task: field('VP-Task'), ledger: { receipts: Number(ledger[1]), head: ledger[2] ?? '' } }
}

function wrap(text: string, width: number): string {
  return text
    .split('\n')
    .map((line) => {
      const out: string[] = []
      let current = ''
      for (const word of line.split(' ')) {
        if (current !== '' && current.length + word.length >= width) {
          out.push(current)
          current = word
        } else current = current === '' ? word : `${current} ${word}`
      }
      return [...out, current].join('\n')
    })
    .join('\n')
}

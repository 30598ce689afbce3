/**
 * Title and body of a pull request, from what the ledger knows of a run: what was asked, what each task became, which
 * gates hold, how to check it. Pure text; no forge is asked, no path of this machine is in it.
 */
import { measured, threshold } from '../../core/gate-words.ts'
import type { KpiResult, Violation } from '../../pas/contract/types.ts'

export interface PullRequestFacts {
  readonly run_id: string
  readonly plan_version: number
  readonly base: string
  readonly head: string
  /** The requirements' own title, or null for a run without a PRD. */
  readonly heading: string | null
  readonly tasks: readonly {
    readonly n: number
    readonly title: string
    readonly lane: string
    readonly status: string
    readonly attempts: number
    readonly commit: string | null
    readonly subject: string | null
    readonly gates: readonly KpiResult[]
  }[]
  /** Of the run's head as a whole. */
  readonly whole: readonly KpiResult[]
  /** As every other screen counts them. */
  readonly tally: { readonly held: number; readonly of: number }
  readonly violations: readonly Violation[]
  readonly receipts: { readonly count: number; readonly head: string; readonly key_id: string }
  readonly cost_usd: number | null
  readonly tokens: number
  /** Passport and manifest are committed. */
  readonly completed: boolean
  readonly passport: {
    readonly models: readonly string[]
    readonly tier: string
    readonly backend: string
    readonly policy: string
    readonly plan_sha: string
    readonly prd_sha: string
    readonly started_at: string
    /** Of the file. */
    readonly sha: string
  } | null
}

export function pullRequest(facts: PullRequestFacts): { title: string; body: string } {
  const only = facts.tasks.length === 1 ? facts.tasks[0] : undefined
  const title = only?.subject ?? facts.heading ?? only?.title ?? `${facts.tasks.length} tasks of run ${facts.run_id}`
  return {
    title: oneLine(title).slice(0, 100),
    body: [
      section('Asked for', asked(facts)),
      section('Tasks', facts.tasks.map(taskLine)),
      section('Gates', gateLines(facts)),
      section('Passport', passportLines(facts)),
      section('Proof', proofLines(facts)),
    ].join('\n'),
  }
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim()

function section(name: string, lines: readonly string[]): string {
  return `## ${name}\n\n${lines.join('\n')}\n`
}

function asked(facts: PullRequestFacts): string[] {
  if (facts.heading) return [oneLine(facts.heading)]
  return facts.tasks.map((task) => oneLine(task.title))
}

function taskLine(task: PullRequestFacts['tasks'][number]): string {
  const done = task.status === 'succeeded'
  const words = [
    `T${task.n} ${oneLine(task.title)}`,
    task.lane,
    done ? null : task.status,
    task.attempts > 1 ? `${task.attempts} attempts` : null,
    task.commit?.slice(0, 12) ?? null,
  ]
  return `- [${done ? 'x' : ' '}] ${words.filter((word) => word !== null).join(' · ')}`
}

function gateLines({ tasks, whole, tally, violations }: PullRequestFacts): string[] {
  const all = [...tasks.flatMap((task) => task.gates.map((gate) => ({ of: `T${task.n}`, gate }))), ...whole.map((gate) => ({ of: 'all', gate }))]
  const gates = all.filter(({ gate }) => gate.measured)
  const row = (...cells: string[]) => `| ${cells.map((cell) => oneLine(cell).replaceAll('|', '\\|')).join(' | ')} |`
  const rows = gates.map(({ of, gate }) => row(of, gate.kpi_name, measured(gate.value), threshold(gate.threshold), gate.pass ? 'holds' : '**fails**'))
  return [
    `${tally.held} of ${tally.of} measured gates hold.`,
    '',
    ...(gates.length === 0 ? [] : [row('task', 'gate', 'measured', 'wanted', ''), '|---|---|---|---|---|', ...rows, '']),
    ...all.filter(({ gate }) => !gate.measured).map(({ of, gate }) => `- not measured: ${of} ${gate.kpi_name}${gate.why ? `, ${oneLine(gate.why)}` : ''}`),
    ...violations.map((violation) => `- FAILS: ${violation.kind}, “${oneLine(violation.name)}”`),
  ]
}

function passportLines({ passport, completed, run_id }: PullRequestFacts): string[] {
  if (!passport) return ['Not kept on this machine.']
  return [
    `- ${passport.models.map((model) => `\`${model}\``).join(', ')}, ${passport.tier}; sandbox ${passport.backend}; policy ${passport.policy}`,
    `- plan \`${passport.plan_sha.slice(0, 16)}\`, requirements \`${passport.prd_sha.slice(0, 16)}\`, begun ${passport.started_at}`,
    `- passport \`${passport.sha}\`${completed ? `, with the manifest in \`.vp/runs/${run_id}/\`` : ''}`,
  ]
}

function proofLines(facts: PullRequestFacts): string[] {
  const cost = facts.cost_usd === null ? 'price unknown' : `$${facts.cost_usd.toFixed(2)}`
  return [
    `- run \`${facts.run_id}\`, plan v${facts.plan_version}, \`${facts.base.slice(0, 12)}..${facts.head.slice(0, 12)}\``,
    `- ${facts.receipts.count} receipts, ledger head \`${facts.receipts.head}\`, key \`${facts.receipts.key_id}\``,
    `- ${cost}, ${facts.tokens} tokens`,
    `- to check it: \`vp verify ${facts.run_id}\`, \`vp replay ${facts.run_id}\``,
  ]
}

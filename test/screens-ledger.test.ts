/**
 * The screens that read the ledger, from ledgers that are the same on every machine, byte by byte: what the verb itself
 * reads, folds and draws. `VP_WRITE_SCREENS=1` writes the fixtures anew.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openLedger } from '../src/compose/ledger.ts'
import { pathsFrom } from '../src/config/paths.ts'
import type { TaskId, RunId } from '../src/core/ids.ts'
import { appendReceipt } from '../src/ledger/receipts.ts'
import type { JobCard, Violation } from '../src/pas/contract/types.ts'
import type { RunEvent } from '../src/pas/embedded/reducer/state.ts'
import { appendEvents } from '../src/pas/embedded/run-store.ts'
import type { CommandContext, Outcome } from '../src/surfaces/cli/command.ts'
import { logsCommand, statusCommand, whereCommand } from '../src/surfaces/cli/commands/look.ts'
import { paint } from '../src/surfaces/cli/finish.ts'
import type { Look } from '../src/surfaces/cli/style.ts'
import { seeded } from './e2e/kit.ts'

const FOLDER = join(import.meta.dirname, 'screens-ledger')
const write = process.env['VP_WRITE_SCREENS'] === '1'
const START = Date.UTC(2026, 10, 22, 14, 31, 2)
const RUN = 'r-2026-11-22-143102-9c1f' as RunId
const T = ['t-1', 't-2', 't-3'] as const satisfies readonly string[]
const root = mkdtempSync(join(tmpdir(), 'vp-screens-'))
after(() => rmSync(root, { recursive: true, force: true }))

const NOT_YET = { value: null, threshold: { min: 0.9 }, pass: false, measured: false }
const passed = { kpi_name: 'test_pass_rate', value: 1, threshold: { min: 0.9 }, pass: true, measured: true } as const
const failed = { kpi_name: 'test_pass_rate', value: 0.83, threshold: { min: 0.9 }, pass: false, measured: true, first_failure: 'adds two coupons' } as const

function card(n: number, deps: readonly number[]): JobCard {
  return {
    task_id: T[n - 1] as TaskId,
    project_id: 1,
    run_id: RUN,
    lane: n === 3 ? 'Narrative' : 'Code-Impl',
    priority: 0.5,
    deps: deps.map((dep) => T[dep - 1] as TaskId),
    budget_usd: 1,
    ci_width_hint: 0.3,
    created_at: START,
    payload: { n, goal: ['Totals with tax', 'Refuse an expired coupon', 'Explain the cart'][n - 1] ?? '', files: [], tests: [], complexity: 'simple' },
  }
}

/** An event without its time, which the step has. */
type Happening = RunEvent extends infer Each ? (Each extends RunEvent ? Omit<Each, 'ts'> : never) : never
type Step = { readonly at: number } & ({ readonly events: readonly Happening[] } | { readonly receipt: Parameters<typeof appendReceipt>[2] })

const tokens = { in: 61_000, out: 19_000, think: 4000, tool_use: 0 }
const id = (n: number) => T[n - 1] as TaskId
const receipt = (n: number, op: string, summary: string, outcome = 'ok') =>
  ({ op, actor: 'agent', surface: 'agent', run_id: RUN, task_id: id(n), attempt: 1, outcome, summary }) as Parameters<typeof appendReceipt>[2]

/** Approved, under way: T1 done, T2 waits for a person, T3 behind it. */
const UNDER_WAY: readonly Step[] = [
  {
    at: 0,
    events: [
      {
        type: 'run_created',
        run_id: RUN,
        project_id: 1,
        kind: 'baseline',
        caps: { micro_usd: 4_000_000, tokens: null, breach: 'pause' },
        plan_version: 3,
        expect_tasks: 3,
        max_attempts: 3,
        base: '6f01b2c'.padEnd(40, '0'),
      },
      ...[card(1, []), card(2, []), card(3, [1, 2])].map((one) => ({ type: 'card_submitted' as const, card: one })),
      { type: 'run_started' },
      { type: 'task_claimed', task_id: id(1), attempt: 1, worker: 'w' },
      { type: 'task_claimed', task_id: id(2), attempt: 1, worker: 'w' },
    ],
  },
  { at: 4, receipt: receipt(1, 'fs.read', 'src/cart/totals.ts') },
  { at: 21, receipt: receipt(1, 'fs.edit', 'src/cart/totals.ts:41') },
  { at: 40, receipt: receipt(1, 'run.test', 'npm test · 31 passed, 0 failed') },
  { at: 41, events: [{ type: 'spent', task_id: id(1), micro_usd: 1_120_000, tokens }] },
  {
    at: 62,
    events: [
      {
        type: 'merge_intended',
        task_id: id(1),
        attempt: 1,
        base: '6f01b2c'.padEnd(40, '0'),
        tree: 'a'.repeat(40),
        from: '6f01b2c'.padEnd(40, '0'),
        to: '8e2f1aa'.padEnd(40, '0'),
        kpis: [passed, { ...NOT_YET, kpi_name: 'linter_pass' }],
        lines: { add: 12, del: 3, files: 1 },
      },
      { type: 'task_merged', task_id: id(1) },
    ],
  },
  { at: 70, receipt: receipt(2, 'run.exec', 'node -e …', 'approval') },
]
const WAITS: Step = { at: 71, events: [{ type: 'task_waits', task_id: id(2), attempt: 1, approval: 'ap_3kf2xx' }] }

const DELETED_TEST: Violation = { kind: 'test deleted', name: 'rejects an expired coupon', task_id: id(2), file: 'test/coupon.test.ts', line: 41 }

function deletesTheTest(attempt: number): Step[] {
  const again: Step = { at: 70 + attempt * 30, events: [{ type: 'task_claimed', task_id: id(2), attempt, worker: 'w' }] }
  const ends: Step = {
    at: 90 + attempt * 30,
    events: [
      {
        type: 'attempt_failed',
        task_id: id(2),
        attempt,
        why: 'gate',
        reason: 'test deleted: rejects an expired coupon',
        feedback: '',
        carry_tree: null,
        carry_base: null,
        kpis: [failed],
        violations: [DELETED_TEST],
      },
    ],
  }
  return attempt === 1 ? [ends] : [again, ends]
}

/** The same, and T2 deletes a test three times over: the run needs a person. */
const DELETED: readonly Step[] = [...[1, 2, 3].flatMap(deletesTheTest), { at: 200, events: [{ type: 'validated', violations: [DELETED_TEST] }] }]

const LEDGERS: Readonly<Record<string, { readonly steps: readonly Step[]; readonly project: string; readonly approval?: true }>> = {
  nothing: { steps: [], project: 'ideation' },
  waiting: { steps: [...UNDER_WAY, WAITS], project: 'executing', approval: true },
  'paused by a person': {
    steps: [...UNDER_WAY, { at: 80, events: [{ type: 'paused', reason: 'by you' }] }],
    project: 'executing',
  },
  'needs review': { steps: [...UNDER_WAY, ...DELETED], project: 'needs_review' },
}

async function makeLedger(name: string): Promise<{ cwd: string; state: string; now: number }> {
  const { steps, project, approval } = LEDGERS[name] as (typeof LEDGERS)[string]
  const [cwd, state] = [join(root, name, 'repository'), join(root, name, 'state')]
  mkdirSync(join(cwd, '.git'), { recursive: true })
  mkdirSync(join(cwd, '.vp'))
  writeFileSync(join(cwd, '.git', 'HEAD'), 'ref: refs/heads/main\n')
  writeFileSync(join(cwd, '.vp', 'project.json'), '{"project_id":1,"name":"shop-api"}')
  const { store } = openLedger(pathsFrom({ VP_STATE_DIR: state }))
  let now = START
  const chance = seeded(7)
  const ports = {
    clock: { now: () => now, monotonic: () => now - START },
    random: { bytes: (count: number) => Uint8Array.from({ length: count }, () => (chance() * 256) | 0) },
  }
  try {
    await store.transaction((tx) =>
      tx.run(
        'INSERT INTO projects (id, root, name, status, record, created_at) VALUES (1, ?, ?, ?, ?, ?)',
        cwd,
        'shop-api',
        project,
        '{"estimate":null,"rehearsed":null}',
        START,
      ),
    )
    for (const step of steps) {
      now = START + step.at * 1000
      await store.transaction(async (tx) => {
        if ('events' in step) await appendEvents(tx, now, RUN, step.events as readonly RunEvent[])
        else await appendReceipt(tx, ports, step.receipt)
      })
    }
    if (approval)
      await store.transaction((tx) =>
        tx.run(
          'INSERT INTO approvals (id, project_id, run_id, task_id, call_sha, request, status, created_at, expires_at) VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?)',
          'ap_3kf2xx',
          RUN,
          id(2),
          'x',
          JSON.stringify({ wants: 'run node -e …' }),
          'pending',
          now,
          now + 7 * 86_400_000,
        ),
      )
  } finally {
    store.close()
  }
  return { cwd, state, now: now + 62_000 }
}

const terminal: Look = { width: 80, colour: false, ascii: false, plain: false, tty: true }
const VARIANTS: Readonly<Record<string, Look>> = {
  '80': terminal,
  '40': { ...terminal, width: 40 },
  '80 ascii': { ...terminal, ascii: true },
  '80 colour': { ...terminal, colour: true },
  plain: { ...terminal, plain: true },
  piped: { ...terminal, tty: false },
}
const COMMANDS = { status: statusCommand, logs: logsCommand, vp: whereCommand } as const

/** What a command gets of its terminal, as far as these three look at it. */
function context(place: Awaited<ReturnType<typeof makeLedger>>): CommandContext {
  const looks = { out: terminal, err: terminal, lines: false }
  const ports = { clock: { now: () => place.now, monotonic: () => 0 }, random: { bytes: (count: number) => new Uint8Array(count) } }
  const env = { VP_STATE_DIR: place.state, TZ: 'UTC' }
  return { cwd: place.cwd, env, flags: {}, positionals: [], rest: [], json: false, looks, ports, version: '0' } as unknown as CommandContext
}

async function drawn(command: (typeof COMMANDS)[keyof typeof COMMANDS], place: Awaited<ReturnType<typeof makeLedger>>): Promise<string> {
  const outcome = await command.run(context(place)).catch((error: Error) => error)
  if (outcome instanceof Error) return `== error\n${outcome.message}\n`
  const { screen, result } = outcome as Outcome
  const parts = Object.entries(VARIANTS).map(([variant, look]) => {
    const { stdout, stderr } = paint(screen(look), { out: look, err: look })
    return `== ${variant}\n${stdout}${stderr}`
  })
  return `${parts.join('')}== json\n${JSON.stringify(result, null, 1)}\n`.replaceAll('\x1b', '␛')
}

process.env['TZ'] = 'UTC'
for (const name of Object.keys(LEDGERS))
  test(`from the ledger: ${name}`, async () => {
    const place = await makeLedger(name)
    for (const [verb, command] of Object.entries(COMMANDS)) {
      const file = join(FOLDER, `${name.replaceAll(' ', '-')}.${verb}.txt`)
      const text = await drawn(command, place)
      if (write) writeFileSync(file, text)
      assert.equal(text, readFileSync(file, 'utf8'), `${verb}: VP_WRITE_SCREENS=1 writes it anew`)
    }
  })

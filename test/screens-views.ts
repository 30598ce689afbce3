/**
 * The views behind the screens of design/cli.md section 4: one row a screen, drawn by `screens.test.ts` and compared
 * with `screens/NAME.txt`, whose first part is the design's text.
 */
import { VpError } from '../src/core/errors.ts'
import { errorScreen } from '../src/surfaces/cli/error.ts'
import type { Screen } from '../src/surfaces/cli/finish.ts'
import { helpScreen, type HelpEntry } from '../src/surfaces/cli/help.ts'
import { approveAskScreen, approveQuestion, approvedScreen, type ApproveView } from '../src/surfaces/cli/screens/approve.ts'
import { askScreen, budgetStopScreen } from '../src/surfaces/cli/screens/ask.ts'
import { demoScreen } from '../src/surfaces/cli/screens/demo.ts'
import { doctorScreen } from '../src/surfaces/cli/screens/doctor.ts'
import { egressScreen, type EgressView } from '../src/surfaces/cli/screens/egress.ts'
import { contextScreen, toldScreen, type ContextView } from '../src/surfaces/cli/screens/steer.ts'
import { estimateScreen, simulateScreen, type BandsView, type BandView } from '../src/surfaces/cli/screens/estimate.ts'
import { aliveFields, eventLines, logsScreen, pipedEventLine } from '../src/surfaces/cli/screens/events.ts'
import { branchesScreen, committedScreen } from '../src/surfaces/cli/screens/git.ts'
import { modelListScreen } from '../src/surfaces/cli/screens/models.ts'
import { modelPullScreen, pullLine } from '../src/surfaces/cli/screens/pull.ts'
import { modelProbeScreen } from '../src/surfaces/cli/screens/probe.ts'
import { newScreen, planScreen, questionLine, questionsHead, type QuestionView } from '../src/surfaces/cli/screens/plan.ts'
import { doneScreen } from '../src/surfaces/cli/screens/by-hand.ts'
import { changedTestsLines, completeScreen, validateScreen } from '../src/surfaces/cli/screens/prove.ts'
import { patchScreen, undoneScreen, undoPreviewScreen, undoQuestion, type UndoView } from '../src/surfaces/cli/screens/repair.ts'
import { reportScreen } from '../src/surfaces/cli/screens/report.ts'
import { policyCheckScreen, policyExplainScreen, tokenCreatedScreen, tokenListScreen, tokenRevokedScreen } from '../src/surfaces/cli/screens/rights.ts'
import { doPlanScreen, doScreen } from '../src/surfaces/cli/screens/small-change.ts'
import { statusScreen } from '../src/surfaces/cli/screens/status.ts'
import { replayScreen, verifyScreen } from '../src/surfaces/cli/screens/verify.ts'
import { whereAmIScreen } from '../src/surfaces/cli/screens/where-am-i.ts'
import type { Look } from '../src/surfaces/cli/style.ts'

const ZONE = 'UTC'
const MIN = 60_000
const at = (time: string) => Date.parse(`2026-11-22T${time}Z`)
const band = (lo: number, mean: number, hi: number): BandView => ({ mean, ci_90: [lo, hi] })
const bands = (tokens: [number, number], minutes: [number, number], cost: [number, number, number]): BandsView => ({
  tokens: band(tokens[0], (tokens[0] + tokens[1]) / 2, tokens[1]),
  duration_ms: band(minutes[0] * MIN, ((minutes[0] + minutes[1]) / 2) * MIN, minutes[1] * MIN),
  cost_usd: band(...cost),
  energy_kwh: band(0.04, 0.07, 0.11),
})

const WAITING = { approval: 'ap_3kf2', task: 7, wants: 'run node -e …', waits_ms: 62_000 }
const QUESTIONS: QuestionView[] = [
  {
    id: 'api',
    text: 'May the public API change?',
    default: 'additions only',
    source: 'PRD section 4',
    answer: 'additions only',
  },
  { id: 'db', text: 'Which database do the tests use?', default: 'sqlite', source: 'package.json', answer: 'postgres' },
  { id: 'tax', text: 'Which countries?', default: 'DE', source: 'PRD section 2', answer: 'DE' },
]

/** 24 tasks in 4 lanes, longest chain 6; the design shows the first four. */
const TREE = (() => {
  const task = (n: number, name: string, lane: string, complexity: string, deps: number[], parent: string | null = null) => ({
    n,
    name,
    parent_task_id: parent,
    lane,
    complexity,
    deps,
  })
  const shown = [
    task(1, 'Describe /v2/carts in openapi.yaml', 'API-Design', 'simple', []),
    task(2, 'Cart table and migration', 'Data-Schema', 'moderate', []),
    { ...task(0, 'Carts', '', '', []), is_parent: true },
    task(3, 'Create, read, delete', 'Impl', 'complex', [1, 2], 'carts'),
    task(4, 'Totals with tax', 'Impl', 'moderate', [2], 'carts'),
  ]
  return shown
})()

const PLAN = {
  prd_path: '.vp/prd.md',
  prd_version: 1,
  plan_version: 1,
  questions: QUESTIONS,
  parallel: 10,
  longest_chain: 6,
  use: { tokens: 9_100, cost_usd: 0.03 },
}

const APPROVE: ApproveView = {
  plan_version: 3,
  plan_sha: '5b2c77aa00',
  tasks: 24,
  budget_usd: 4,
  breach: 'pause',
  band: { lo: 1.8, hi: 3.1 },
  gates: [{ lane: 'Narrative', kpi: 'readability', threshold: { max: 13 }, shipped: { max: 12 }, looser: true }],
  gates_in_force: ['test_pass_rate >= 0.90', 'linter_pass', 'a', 'b', 'c', 'd'],
  programs: 31,
  network: false,
  receipt: 'r_01JDX4',
}

const UNDO: UndoView = {
  files: [
    {
      path: 'test/coupon.test.ts',
      outcome: 'restore',
      reason: 'the deleted test comes back, as at 14:31',
      add: 18,
      del: 0,
    },
    { path: 'src/cart/totals.ts', outcome: 'restore', reason: 'as at 14:31', add: 12, del: 41 },
    { path: 'README.md', outcome: 'refused', reason: "changed by you at 15:02, after the run's 14:51", add: 0, del: 0 },
  ],
  restored: 2,
  refused: 1,
  dry_run: true,
  diff: ['--- a/src/cart/totals.ts', '+++ b/src/cart/totals.ts', '@@ -1,2 +1,2 @@', ' const one = 1', '-const two = 3 · off', '+const two = 2 · off', ''].join(
    '\n',
  ),
  diff_omitted: 1,
}

const gate = (pass: boolean) => ({
  kpi_name: 'test_pass_rate',
  actual: 1,
  expected: { min: 0.9 },
  pass,
  measured: true,
})

const egressCall = (turn: number, time: string, bytes: number, more: Partial<EgressView['calls'][number]> = {}): EgressView['calls'][number] => ({
  task: 'T1',
  attempt: 1,
  turn,
  ts: at(time),
  outcome: 'ok',
  sends: 1,
  host: 'api.example.org',
  path: '/v1/messages',
  sha256: `${turn}c3f9a1e5b8d2046`.repeat(4),
  bytes,
  masked: 0,
  unmasked: 0,
  kept: true,
  proved: true,
  body: '{}',
  ...more,
})
const CONTEXT: ContextView = {
  task: 'T9',
  attempt: 1,
  turn: 41,
  window: { window_tokens: 32_768, room_tokens: 27_900, used_tokens: 14_210, fraction_used: 0.509 },
  pins: [
    { kind: 'words', text: 'Totals with tax', cite: 'goal', about: '', holds: true },
    { kind: 'words', text: 'Use cents.\nNever floats.', cite: 'told 2', about: '', holds: true },
    { kind: 'failed', text: 'policy.denied: commands have no network', cite: 't12c1', about: 'run npm install', holds: true },
    { kind: 'identifier', text: 'src/cart/totals.ts', cite: 't14c2', about: '', holds: true },
    { kind: 'violation', text: 'FAILED adds two coupons (test/coupon.test.ts:12)', cite: 't40c1', about: '', holds: true },
  ],
  items: [
    { id: 't38c1', title: 'read src/cart/totals.ts', form: 'full', tokens: 2210 },
    { id: 't22c1', title: 'search “cart_id”', form: 'snippet', tokens: 180 },
  ],
  dropped: [{ id: 't3c1', title: 'read src/cart/totals.ts', reason: 'changed by t14c2' }],
  compactions: [{ turn: 31, reason: '21140 of 27900 tokens, over 0.75 of the room', before_tokens: 21_140, after_tokens: 13_900 }],
  instructions: [{ path: 'AGENTS.md', characters: 5200, shown: 1988 }],
  proved: true,
  next: [],
}

const EGRESS: EgressView = {
  calls: [
    egressCall(1, '14:02:11', 4_812),
    egressCall(2, '14:02:19', 11_240, { masked: 2, sends: 2 }),
    egressCall(3, '14:02:40', 12_003, { attempt: 2, masked: 2, outcome: 'model.stalled' }),
  ],
  requests: 4,
  bytes: 39_295,
  masked: 4,
  unmasked: 0,
  hosts: ['api.example.org'],
  missing: 0,
  proved: true,
}
/** Of a call that had no connection. */
const NOTHING_LEFT = { outcome: 'model.unreachable', sends: 0, host: null, path: null, sha256: null, bytes: 0, kept: false, body: null }
/** Of a receipt from before bodies were kept. */
const BEFORE_BODIES = { path: null, sha256: null, bytes: null, kept: false, proved: false, body: null }

/** Names of section 3's help screen, each in its group. */
const HELP: [group: string, names: string[]][] = [
  ['plan', ['new', 'plan', 'estimate', 'simulate', 'approve']],
  ['run', ['start', 'status', 'logs', 'pause', 'resume', 'terminate']],
  ['prove', ['validate', 'complete', 'verify', 'replay', 'egress show', 'context show']],
  ['repair', ['undo', 'fs patch']],
  ['by hand', ['do', 'fs read', 'search', 'run test', 'run exec', 'git branch', 'git commit', 'git push', 'git pr']],
  ['models', ['model list', 'model show', 'model set', 'model test', 'model probe', 'model pull']],
  ['rights', ['policy explain', 'policy check', 'token create', 'token list', 'token revoke']],
  ['surfaces', ['serve', 'rpc', 'mcp', 'acp', 'ci', 'hook install', 'relay']],
  ['machine', ['doctor', 'demo', 'completion bash', 'completion zsh', 'completion fish']],
]
const ENTRIES: HelpEntry[] = HELP.flatMap(([group, names]) =>
  names.map((name) => ({ name, group, summary: '', usage: '', examples: [], flags: {}, exits: [0], json: '' })),
)

const err = (...lines: string[]): Screen => ({ stdout: [], stderr: lines })
const error =
  (...args: ConstructorParameters<typeof VpError>) =>
  () =>
    errorScreen(new VpError(...args))

/** Name of the fixture → what draws it. */
const TOKEN = { id: 'tk_4h2k9x', actor: 'ci', scopes: ['fs.read', 'search', 'run.exec'], state: 'valid', expires_at: '2025-11-07T16:32:41.000Z' } as const

export const SCREENS: Readonly<Record<string, (look: Look) => Screen>> = {
  'where-nothing': (look) =>
    whereAmIScreen(
      {
        kind: 'nothing',
        git: { branch: 'main', changed_files: 2 },
        model: 'ollama:qwen2.5-coder:7b',
        sandbox: 'bwrap',
        checked_ms_ago: 3 * 60 * MIN,
      },
      look,
    ),
  'where-project': (look) =>
    whereAmIScreen(
      {
        kind: 'project',
        name: 'shop-api',
        state: 'approved, not started',
        plan: { version: 3, tasks: 24 },
        estimate: { cost_usd: [1.8, 3.1], duration_ms: [21 * MIN, 34 * MIN] },
        next: ['vp start'],
      },
      look,
    ),
  'where-run': (look) =>
    whereAmIScreen(
      {
        kind: 'run',
        name: 'shop-api',
        run: '9c1f',
        state: 'executing',
        elapsed_ms: 958_000,
        tasks: { total: 24, done: 7, running: 9 },
        spend_usd: 1.12,
        budget_usd: 4,
        runway_ms: 41 * MIN,
        left_ms: 22 * MIN,
        approvals: [WAITING],
        next: ['vp approve ap_3kf2', 'vp status --follow'],
      },
      look,
    ),
  'doctor-ready': (look) =>
    doctorScreen(
      {
        ready: true,
        checks: [
          { name: 'node', status: 'ok', detail: '26.10.0, pinned by vp (yours, 20.20.2, only runs npm)', fix: [] },
          { name: 'git', status: 'ok', detail: '2.39.5 · author set · commits signed with your SSH key', fix: [] },
          {
            name: 'sandbox',
            status: 'ok',
            detail: 'bwrap 0.8.0 · tried and refused: write outside, read keys, connect',
            fix: [],
          },
          {
            name: 'model',
            status: 'ok',
            detail: 'ollama:qwen2.5-coder:7b · window 32,768 measured · tool calls work',
            fix: [],
          },
          { name: 'ledger', status: 'ok', detail: '412 receipts, unaltered · 38 MB, disk has 61 GB free', fix: [] },
        ],
      },
      look,
    ),
  'doctor-weak': (look) =>
    doctorScreen(
      {
        ready: true,
        checks: [
          {
            name: 'sandbox',
            status: 'weak',
            detail: 'landlock, as bwrap is not found. It does not refuse edits to\n.git/hooks or hide processes; every receipt will say landlock',
            fix: ['apt install bubblewrap'],
          },
        ],
      },
      look,
    ),
  'doctor-no-model': (look) =>
    doctorScreen(
      {
        ready: false,
        checks: [
          {
            name: 'model',
            status: 'missing',
            detail: 'nothing answers at 127.0.0.1:11434, no API key in the environment',
            fix: [],
          },
        ],
        verdict: ': plan, start and do need a model',
        next: [{ command: 'ollama pull qwen2.5-coder:7b', note: 'local, free, 4.7 GB' }, 'export VP_MODEL=anthropic:NAME VP_MODEL_API_KEY=KEY'],
      },
      look,
    ),
  'doctor-no-key': (look) =>
    doctorScreen(
      {
        ready: false,
        checks: [
          {
            name: 'model',
            status: 'missing',
            detail: 'tier API-Premium is anthropic:NAME, ANTHROPIC_API_KEY is not set',
            fix: [],
          },
        ],
        verdict: ' for 3 of 24 tasks; the others have Local-Small',
      },
      look,
    ),
  new: (look) => newScreen({ project_id: 7, name: 'shop-api', index: { files: 214, symbols: 1902 }, files_written: 3 }, look),
  'error-project-exists': error('project.exists', 'shop-api was made here on Monday (.vp/project.json)', {
    next: ['vp plan', 'vp new --name OTHER'],
  }),
  questions: () => err(questionsHead(QUESTIONS.length), ...QUESTIONS.slice(0, 2).map((question, index) => questionLine(question, index, 3))),
  plan: (look) => {
    const drawn = planScreen({ ...PLAN, tasks: TREE }, look)
    return {
      stdout: [...drawn.stdout.slice(0, -1), 'plan v1: 24 tasks in 4 lanes, longest chain 6, up to 10 at once'],
      stderr: drawn.stderr,
    }
  },
  'error-plan-cycle': error('plan.cycle', 'T4 waits for T9, T9 waits for T4', {
    where: { file: 'docs/PRD.md', line: 61, also: [88] },
    next: ['drop one “after”, plan again'],
  }),
  estimate: (look) =>
    estimateScreen(
      {
        lanes: [
          { lane: 'Impl', tasks: 13, method: 'runs', n: 14, ...bands([96_000, 184_000], [9, 17], [1.02, 1.42, 1.88]) },
          {
            lane: 'API-Design',
            tasks: 2,
            method: 'prior',
            n: 0,
            ...bands([10_000, 18_000], [1, 2], [0.12, 0.18, 0.26]),
          },
          {
            lane: 'Data-Schema',
            tasks: 4,
            method: 'prior',
            n: 0,
            ...bands([18_000, 44_000], [2, 6], [0.21, 0.38, 0.6]),
          },
          { lane: 'Narrative', tasks: 5, method: 'prior', n: 0, ...bands([9_000, 21_000], [1, 3], [0.08, 0.14, 0.22]) },
        ],
        total: { tasks: 24, ...bands([148_000, 252_000], [18, 31], [1.62, 2.1, 2.75]) },
        parallel: 10,
        next_cost_usd: 0.09,
      },
      look,
    ),
  simulate: (look) =>
    simulateScreen(
      {
        rehearsal_pct: 0.01,
        tasks_run: 4,
        tasks_total: 24,
        lanes: 4,
        estimated: bands([148_000, 252_000], [18, 31], [1.62, 2.1, 2.75]),
        rehearsed: bands([160_000, 261_000], [21, 34], [1.8, 2.4, 3.1]),
        risk: [
          { lane: 'Impl', estimate: 'low', execution: 'low', gates: 'low' },
          {
            lane: 'Narrative',
            estimate: 'high',
            execution: 'low',
            gates: 'high',
            kpi: { name: 'readability', actual: 12.6, threshold: { max: 12 } },
          },
        ],
        runway: { budget_usd: 4, lasts_ms: [38 * MIN, 66 * MIN], needs_ms: [21 * MIN, 34 * MIN] },
        spent_usd: 0.09,
        next: ['vp approve --budget-usd 4'],
      },
      look,
    ),
  'approve-ask': (look) => err(...approveAskScreen(APPROVE, look).stderr, `${approveQuestion('A. Person')}y`),
  approved: (look) => approvedScreen({ receipt: 'r_01JDX4' }, look),
  'error-approval-stale': error('approval.stale', 'the plan is v4, the approval v3 (T6 new, T9 larger)', {
    next: ['vp estimate', 'vp approve'],
    changed: 'nothing was started',
  }),
  'live-events': (look) =>
    err(
      ...eventLines(
        {
          t: at('14:45:52'),
          run: '9c1f',
          task: 4,
          event: 'done',
          text: 'test_pass_rate 1.00, linter_pass · 2 files +41 -12 · $0.16',
        },
        look,
        ZONE,
      ),
      ...eventLines(
        {
          t: at('14:46:31'),
          run: '9c1f',
          task: 9,
          event: 'again',
          text: 'linter_pass failed, src/tax.ts:14 · attempt 2 of 3',
        },
        look,
        ZONE,
      ),
    ),
  'piped-events': () =>
    err(
      pipedEventLine({
        t: at('13:44:10'),
        run: '9c1f',
        task: 2,
        event: 'done',
        text: '',
        fields: { files: 3, add: 88, del: 2, cost_usd: '0.11', ms: 48_211 },
      }),
      pipedEventLine({
        t: at('13:46:31'),
        run: '9c1f',
        task: 9,
        event: 'again',
        text: '',
        fields: { gate: 'linter_pass', at: 'src/tax.ts:14', attempt: '2/3' },
      }),
      pipedEventLine({
        t: at('13:47:31'),
        run: '9c1f',
        task: null,
        event: 'alive',
        text: '',
        fields: aliveFields({ running: 9, waiting: 1, oldest: 3, cost_usd: 1.12 }),
      }),
    ),
  paused: (look) =>
    reportScreen(
      {
        run_id: 'r-2026-11-22-143102-9c1f',
        run: '9c1f',
        status: 'paused',
        tasks_total: 24,
        tasks_completed: 7,
        tasks_failed: 0,
        tasks_skipped: 0,
        cost_usd: 1.19,
        band: null,
        commits: [],
        branch: null,
        passport_path: null,
        approvals: [],
        paused: { by: 'you', keep: 10, open_calls: 0 },
        next: ['vp resume', 'vp terminate 9c1f'],
      },
      look,
    ),
  'over-budget': (look) =>
    reportScreen(
      {
        run_id: 'r-2026-11-22-143102-9c1f',
        run: '9c1f',
        status: 'paused',
        // The word of the document.
        reason: 'budget_guard',
        tasks_total: 24,
        tasks_completed: 7,
        tasks_failed: 0,
        tasks_skipped: 0,
        cost_usd: 1.19,
        band: null,
        commits: [],
        branch: null,
        passport_path: null,
        approvals: [],
        next: ['vp approve --budget-usd 5.80'],
      },
      look,
    ),
  'do-over-budget': (look) =>
    doScreen({ run_id: 'r', run: '9c1f', status: 'paused', reason: 'budget_guard', commit: null, branch: null, cost_usd: 0.51, elapsed_ms: 30_000 }, look),
  'report-skipped': (look) =>
    reportScreen(
      {
        run_id: 'r-2026-11-22-143102-9c1f',
        run: '9c1f',
        status: 'needs_review',
        reason: 'test deleted “rejects an expired coupon”',
        tasks_total: 3,
        tasks_completed: 3,
        tasks_failed: 1,
        tasks_skipped: 1,
        cost_usd: 0.11,
        band: null,
        commits: ['8e2f1aa'],
        branch: 'vp/9c1f',
        passport_path: null,
        approvals: [],
        next: ['vp validate'],
      },
      look,
    ),
  report: (look) =>
    reportScreen(
      {
        run_id: 'r-2026-11-22-143102-9c1f',
        run: '9c1f',
        status: 'completed',
        tasks_total: 24,
        tasks_completed: 24,
        tasks_failed: 0,
        tasks_skipped: 0,
        gates: { hold: 27, of: 27 },
        files: { changed: 61, add: 1204, del: 331 },
        cost_usd: 2.31,
        band: { lo: 1.8, hi: 3.1, inside: true },
        elapsed_ms: 26 * MIN,
        tokens: 171_000,
        energy_kwh: { lo: 0.052, hi: 0.07, source: 'estimate' },
        prompts: 1,
        commits: Array.from({ length: 24 }, (_, index) => String(index)),
        branch: 'vp/9c1f',
        passport_path: '.vp/runs/r/replay_passport.json',
        approvals: [],
        next: ['git diff main...vp/9c1f', 'vp complete'],
      },
      look,
    ),
  ask: (look) =>
    askScreen(
      {
        approval: 'ap_3kf2',
        index: 1,
        of: 1,
        task: { n: 7, name: 'Seed the cart fixtures' },
        run: '9c1f',
        waits_ms: 62_000,
        wants: `node -e 'require("./tools/seed").write("test/fixtures/carts.json")'`,
        rule: 'code-impl/inline-code',
        where: { file: '.vp/lanes/code-impl.yaml', line: 14 },
        reason: "the arguments of node -e are a program, so the program's name proves nothing",
        reaches: "T7's worktree only · no network · 900s, 8192 MB · bwrap",
        undo: 'its files: all (vp undo T7) · not: what it prints, the model reads that',
        max_extent: 'run',
        not_offered: 'inline code is never a standing rule',
      },
      look,
    ),
  'budget-stop': (look) =>
    budgetStopScreen(
      {
        could_cost_usd: 0.21,
        free_usd: 0.14,
        budget_usd: 4,
        tokens_in: 18_200,
        tokens_out_max: 4096,
        cache: 'cold',
        spent_usd: 3.86,
        most: { lane: 'Impl', usd: 3.02 },
        left_tasks: [23, 24],
        left_band: { lo: 0.3, hi: 0.55 },
        next: [
          { command: 'vp approve --budget-usd 4.60, then vp resume' },
          { command: 'vp model set local-only.json, then vp resume', note: '$0, same gates' },
        ],
      },
      look,
    ),
  status: (look) =>
    statusScreen(
      {
        run_id: 'r-2026-11-22-143102-9c1f',
        run: '9c1f',
        name: 'shop-api',
        run_kind: 'baseline',
        status: 'executing',
        elapsed_ms: 958_000,
        plan_version: 3,
        tasks_total: 24,
        tasks_completed: 7,
        tasks_failed: 0,
        tasks_running: 9,
        tasks_queued: 7,
        spend_usd: 1.12,
        budget_usd: 4,
        usd_per_minute: 0.07,
        runway_minutes: 41,
        projected_spend_usd: 3.84,
        gates: { hold: 12, measured: 12, to_come: 15, not_measured: ['echo'] },
        tokens: { in: 61_000, out: 19_000, think: 4_000, tool_use: 0 },
        energy_kwh: { lo: 0.024, hi: 0.031, source: 'estimate' },
        prompts: 1,
        autonomy: 1,
        approvals: [WAITING],
      },
      look,
    ),
  logs: (look) =>
    logsScreen(ZONE)(
      {
        lines: [
          {
            t: at('14:46:20'),
            task: 9,
            verb: 'test',
            text: 'npm test · 31 passed, 0 failed · 11s',
            receipt: 'r_01JDX9',
          },
          {
            t: at('14:46:31'),
            task: 9,
            verb: 'again',
            text: 'linter_pass failed, src/tax.ts:14 no-unused-vars',
            receipt: 'r_01JDXA',
          },
        ],
      },
      look,
    ),
  validate: (look) =>
    validateScreen(
      {
        commit: '41d0c7e0aa',
        gates: [
          ...Array.from({ length: 25 }, () => gate(true)),
          gate(false),
          gate(false),
          {
            kpi_name: 'echo',
            actual: null,
            expected: null,
            pass: false,
            measured: false,
            why: 'no embedding model is set',
          },
        ],
        violations: [
          {
            kind: 'test deleted',
            name: 'rejects an expired coupon',
            n: 9,
            file: 'test/coupon.test.ts',
            line: 41,
            was_in: 'main',
            gone_in: '8e2f1aa',
          },
          {
            kind: 'kpi',
            name: 'test_pass_rate',
            n: 9,
            actual: 0.83,
            expected: { min: 0.9 },
            first_failure: 'adds two coupons',
            failures: 2,
          },
        ],
        next: ['vp logs --task T9', 'vp undo T9'],
      },
      look,
    ),
  'error-gate-failed': error('gate.failed', 'test deleted, “rejects an expired coupon” (T9); 1 more', {
    next: ['vp validate'],
    changed: 'main stays at 6f01b2c',
  }),
  complete: (look) =>
    completeScreen(
      {
        branch: 'main',
        from: '6f01b2c',
        to: '41d0c7e',
        how: 'fast-forward',
        commits: Array.from({ length: 24 }, () => 'c'),
        signed: 24,
        gates: { hold: 27, of: 27 },
        tests: { before: 201, after: 214, changed: [] },
        passport_path: '.vp/runs/',
      },
      look,
    ),
  verify: (look) =>
    verifyScreen(ZONE)(
      {
        unaltered: true,
        complete: true,
        receipts: 412,
        head: { id: 'r_01JE2K' },
        first_altered: null,
        missing: null,
        known_by: 'commit 41d0c7e',
      },
      look,
    ),
  'verify-altered': (look) =>
    verifyScreen(ZONE)(
      {
        unaltered: false,
        complete: true,
        receipts: 412,
        head: { id: 'r_01JE2K' },
        first_altered: {
          n: 207,
          of: 412,
          id: 'r_01JDX9',
          op: 'run.test',
          task: 9,
          ts: at('14:46:20'),
          why: 'its key does not fit its bytes',
        },
        missing: null,
        known_by: 'commit 41d0c7e',
      },
      look,
    ),
  'verify-incomplete': (look) =>
    verifyScreen(ZONE)(
      {
        unaltered: true,
        complete: false,
        receipts: 398,
        head: { id: 'r_01JE00' },
        first_altered: null,
        missing: { from: 399, to: 412, since: at('14:55:10'), by: 'commit 41d0c7e' },
        known_by: null,
      },
      look,
    ),
  'verify-rolled-back': (look) =>
    verifyScreen(ZONE)(
      {
        unaltered: true,
        complete: false,
        receipts: 398,
        head: { id: 'r_01JE00' },
        first_altered: null,
        missing: null,
        known_by: null,
        problems: [{ kind: 'incomplete', detail: 'transactions 812 to 840 are missing', since: { receipt: 'r_01JE00', ts: at('14:55:10') } }],
      },
      look,
    ),
  'verify-damaged': (look) =>
    verifyScreen(ZONE)(
      {
        unaltered: false,
        complete: true,
        receipts: 412,
        head: { id: 'r_01JE2K' },
        first_altered: null,
        missing: null,
        known_by: 'commit 41d0c7e',
        problems: [{ kind: 'damaged', detail: 'table projects', since: null }],
      },
      look,
    ),
  egress: (look) => egressScreen(ZONE)(EGRESS, look),
  'egress-differs': (look) =>
    egressScreen(ZONE)(
      {
        ...EGRESS,
        calls: EGRESS.calls.map((call, index) => (index === 1 ? { ...call, proved: false } : call)),
        unmasked: 1,
        proved: false,
        next: ['vp verify'],
      },
      look,
    ),
  'egress-damaged': (look) =>
    egressScreen(ZONE)(
      { ...EGRESS, calls: EGRESS.calls.map((call, index) => (index === 1 ? { ...call, proved: false, body: null } : call)), proved: false },
      look,
    ),
  'egress-missing': (look) =>
    egressScreen(ZONE)(
      {
        ...EGRESS,
        calls: [
          egressCall(1, '14:02:11', 0, NOTHING_LEFT),
          egressCall(1, '14:02:13', 4_812, { kept: false, proved: false, body: null }),
          egressCall(2, '14:02:19', 0, BEFORE_BODIES),
        ],
        requests: 2,
        bytes: 4_812,
        masked: 0,
        missing: 2,
        proved: false,
      },
      look,
    ),
  'egress-nothing': (look) =>
    egressScreen(ZONE)(
      { ...EGRESS, calls: [egressCall(1, '14:02:11', 0, { ...NOTHING_LEFT, outcome: 'ok' })], requests: 0, bytes: 0, masked: 0, hosts: [] },
      look,
    ),
  told: (look) => toldScreen({ hears: ['T3', 'T5', 'T9'], when: 'next turn', text: 'Keep the public API as it is.', next: ['vp context show 9c1f'] }, look),
  'told-paused': (look) => toldScreen({ hears: ['T9'], when: 'when resumed', text: 'Use cents.\nNever floats.', next: ['vp resume'] }, look),
  context: (look) => contextScreen(CONTEXT, look),
  'context-differs': (look) =>
    contextScreen({ ...CONTEXT, items: [], dropped: [], compactions: [], instructions: [], attempt: 2, proved: false, next: ['vp verify'] }, look),
  replay: (look) =>
    replayScreen(
      {
        equal: true,
        trees: Array.from({ length: 24 }, (_, index) => ({ task_id: `task-${index}`, equal: true })),
        operations: 412,
        gates: 27,
        sockets: 0,
        elapsed_ms: 41_000,
        divergence: null,
      },
      look,
    ),
  'replay-nothing': (look) => replayScreen({ equal: false, trees: [], operations: 0, gates: 0, sockets: 0, elapsed_ms: 90, divergence: null }, look),
  'replay-differs': (look) =>
    replayScreen(
      {
        equal: false,
        trees: [],
        operations: 120,
        divergence: {
          task: 9,
          turn: 4,
          op: 'run.test',
          field: 'exit_code',
          was: 0,
          is: 1,
          detail: 'was 31 passed, is 30 passed, 1 failed: test/coupon.test.ts:12',
          equal_inputs: ['tree', 'arguments'],
          unequal_inputs: ['node was 26.10.0, is 24.3.0'],
        },
        next: ['vp doctor', 'vp replay 9c1f --from 4 --tier Local-Medium (a fork)'],
      },
      look,
    ),
  'undo-preview': (look) => {
    const sums = undoPreviewScreen(UNDO, look).stdout
    return {
      stdout: [...sums.slice(0, -1), '60 of 61 files, 1,498 lines · branch, index and stash are not touched'],
      stderr: [`${undoQuestion({ files: [...Array.from({ length: 60 }, () => UNDO.files[0]), UNDO.files[2]].filter((file) => file !== undefined) })}y`],
    }
  },
  undone: (look) => undoneScreen({ ...UNDO, diff: '', diff_omitted: 0, restored: 60, refused: 1, dry_run: false, receipt: 'r_01JE31' }, look),
  patch: (look) =>
    patchScreen(
      {
        applied: false,
        diff_path: 'fix.diff',
        hunks: [
          { file: 'src/cart/totals.ts', line: 41, outcome: 'fits', drift: 0 },
          { file: 'src/cart/totals.ts', line: 91, outcome: 'fits', drift: 3 },
          { file: 'src/tax.ts', line: 12, outcome: 'already-applied' },
        ],
      },
      look,
    ),
  'patch-broken': (look) =>
    patchScreen(
      {
        applied: true,
        receipt: 'r_01JE31',
        hunks: [{ file: 'src/tax.css', line: 12, outcome: 'applied', drift: 0 }],
        broken: [
          { path: 'a.json', line: 2, message: 'Unexpected token' },
          ...Array.from({ length: 8 }, (_, n) => ({
            path: `${n}.css`,
            line: 3,
            message: 'the parser does not read this as CSS',
            doubt: 'the parser may be behind the language',
          })),
        ],
      },
      look,
    ),
  'error-patch-ambiguous': error('patch.ambiguous', 'hunk 2 of 3 fits two places in src/cart/totals.ts', {
    why: 'lines 88–93 and 140–145 are the same (fix.diff:17)',
    next: ['add line 87 or 139 to its context'],
    changed: 'nothing was written',
  }),
  'do-plan': (look) => doPlanScreen({ lane: 'Impl', cost_usd: [0.02, 0.09], duration_ms: [MIN, 3 * MIN], cap_usd: 0.5 }, look),
  'do-events': (look) =>
    err(
      ...eventLines(
        {
          t: at('14:02:11'),
          run: '',
          task: null,
          event: 'test',
          text: 'npm test · 11 passed, 1 failed: “adds two carts”',
        },
        look,
        ZONE,
      ),
      ...eventLines(
        {
          t: at('14:02:31'),
          run: '',
          task: null,
          event: 'edit',
          text: 'src/cart/add.ts:14',
          detail: ['-  return a.items', '+  return [...a.items, ...b.items]'],
        },
        look,
        ZONE,
      ),
      ...eventLines(
        {
          t: at('14:02:41'),
          run: '',
          task: null,
          event: 'gate',
          text: 'test_pass_rate 1.00 (12 of 12), linter_pass, no test weakened',
        },
        look,
        ZONE,
      ),
    ),
  do: (look) =>
    doScreen(
      {
        run_id: 'r',
        status: 'completed',
        commit: { sha: '8e2f1aa', subject: 'fix(cart): keep the items of both carts' },
        branch: 'main',
        cost_usd: 0.04,
        elapsed_ms: 30_000,
      },
      look,
    ),
  'do-test-changed': (look) =>
    doScreen(
      {
        run_id: 'r',
        status: 'completed',
        commit: { sha: '8e2f1aa', subject: 'fix(cart): keep the items of both carts' },
        branch: 'main',
        cost_usd: 0.04,
        elapsed_ms: 30_000,
        tests_changed: ['test/cart.test.js', 'test/coupon.test.js', 'test/tax.test.js', 'test/totals.test.js'],
      },
      look,
    ),
  'validate-test-changed': (look) =>
    validateScreen({ commit: '41d0c7e0aa', gates: [gate(true), gate(true)], violations: [], tests_changed: ['test/cart.test.js'] }, look),
  'complete-already': (look) =>
    doneScreen(
      {
        done: 'main holds run 9c1f already, at 41d0c7e · nothing was moved',
        more: changedTestsLines(['test/cart.test.js']),
        next: ['git log --stat', 'vp verify'],
      },
      look,
    ),
  'error-gate-unmeasured': error('gate.unmeasured', 'no test command found, so “done” cannot be proved', {
    next: ['add --test "make check"'],
  }),
  'policy-allow': (look) =>
    policyExplainScreen(
      {
        effect: 'allow',
        rule: 'code-impl/npm-run',
        file: '.vp/lanes/code-impl.yaml',
        line: 9,
        terms: ['bwrap', 'no network', '900s'],
      },
      look,
    ),
  'policy-ask': (look) =>
    policyExplainScreen(
      {
        effect: 'ask',
        rule: 'code-impl/inline-code',
        reason: '-e makes node run code from its arguments',
        shipped: 'Code-Impl',
        nearest: 'node * (code-impl/node)',
      },
      look,
    ),
  'policy-deny': (look) =>
    policyExplainScreen(
      {
        effect: 'deny',
        rule: 'global/git-force',
        reason: 'shipped; no lane and no flag can allow it',
        nearest: 'vp git push, by a person with the scope git.push',
      },
      look,
    ),
  'policy-check': (look) =>
    policyCheckScreen(
      {
        files: [
          { file: '/home/ada/.config/vp/lanes/code-impl.yaml', ok: true, rules: 12, examples: 4, cut: [] },
          {
            file: '.vp/lanes/code-impl.yaml',
            ok: true,
            rules: 3,
            examples: 1,
            cut: [{ what: 'code-impl/curl-x: a refusal by global/no-network stays', line: 9 }],
          },
          {
            file: '.vp/lanes/narrative.yaml',
            ok: false,
            rules: 0,
            examples: 0,
            error: { message: 'narrative/make does not match its example make all', line: 7 },
            cut: [],
          },
        ],
        shipped: { lanes: 7, examples: 145 },
      },
      look,
    ),
  'token-created': (look) => tokenCreatedScreen({ ...TOKEN, token: 'vp_4tG0xZ1mB8wQm3s7cJ2yVhN5kLrT9uPdE6fA0iSgXoY' }, look),
  'token-list': (look) => tokenListScreen({ tokens: [TOKEN, { ...TOKEN, id: 'tk_8qz1c3', state: 'expired', scopes: ['git.push'], actor: 'remote' }] }, look),
  'token-list-empty': (look) => tokenListScreen({ tokens: [] }, look),
  'token-revoked': (look) => tokenRevokedScreen({ ...TOKEN, state: 'revoked' }, look),
  'model-list': (look) =>
    modelListScreen(
      {
        tiers: [
          {
            name: 'Local-Small',
            models: [
              {
                model: 'ollama:qwen2.5-coder:7b',
                price: { in_per_million_usd: 0, out_per_million_usd: 0 },
                window_tokens: 32_768,
                tests: { passed: 3, of: 4 },
                p50_ms: 2000,
              },
            ],
          },
          {
            name: 'Local-Medium',
            models: [
              {
                model: 'ollama:phi4:14b',
                price: { in_per_million_usd: 0, out_per_million_usd: 0 },
                window_tokens: 16_384,
                tests: { passed: 4, of: 4 },
                p50_ms: 5000,
              },
            ],
          },
          {
            name: 'API-Premium',
            models: [
              {
                model: 'anthropic:NAME',
                price: { in_per_million_usd: 3, out_per_million_usd: 15 },
                window_tokens: 200_000,
                tests: null,
              },
            ],
          },
        ],
        policy: '2026-11-07-001',
        prices_of: '2026-11-01',
      },
      look,
    ),
  'model-list-untested': (look) =>
    modelListScreen(
      {
        tiers: [
          {
            name: 'Local-Small',
            models: [
              { model: 'ollama:qwen2.5-coder:7b', price: null, window_tokens: 32_768, tests: { passed: 3, of: 4 }, p50_ms: 2000 },
              { model: 'ollama:phi4:14b', price: null, window_tokens: null, tests: null, p50_ms: 420 },
              { model: 'ollama:OTHER', price: null, window_tokens: null, tests: null },
            ],
          },
        ],
      },
      look,
    ),
  'model-pull': (look) =>
    modelPullScreen(
      {
        model: 'llama_cpp:qwen2.5-coder-7b',
        file: '/home/a/.local/share/vp/models/qwen2.5-coder-7b.gguf',
        bytes: 4_683_073_248,
        sha256: '60e05f21'.repeat(8),
        verified: true,
        resumed_from: 1_200_000_000,
        window_trained: 32_768,
      },
      look,
    ),
  'model-pulling': (look) => ({
    stdout: [],
    stderr: [
      pullLine({ what: 'downloading', done: 1_873_000_000, total: 4_683_000_000 }, 61_000, look.tty && !look.plain ? look.width : null),
      pullLine({ what: 'verifying sha256 digest', done: 0, total: null }, 61_000, look.tty && !look.plain ? look.width : null),
    ],
  }),
  'model-probe': (look) =>
    modelProbeScreen(
      {
        model: 'ollama:qwen2.5-coder:7b',
        drift: null,
        window: {
          stock: 4096,
          effective: 16_384,
          is_at_least: false,
          set: 16_384,
          stock_look: { sent: 15_750, seen: 4096 },
          whole: { sent: 15_750, seen: 15_748 },
          markers: { of: 16, back: Array.from({ length: 16 }, (_, index) => index + 1) },
        },
        dialect: 'hermes',
        calls: { asked: 20, right: 20 },
        repairs: 2,
        tok_per_s: 41.2,
        first_token_ms: 612,
      },
      look,
    ),
  demo: (look) =>
    demoScreen(
      {
        live: false,
        steps: [
          { label: 'new', text: 'calculator-api, copied to a temporary directory, 11 files indexed' },
          { label: 'plan', text: '6 tasks in 3 lanes from PRD.md · $0.04–0.11 est., rehearsed, approved' },
          { label: 'start', text: 'T1 and T2 at once · T4 failed its gate, was repaired · landlock · 11s' },
          { label: 'gates', text: '9 of 9: test_pass_rate 1.00, linter_pass, readability 8.2' },
          { label: 'commits', text: '3f1c09a 77de2b1 on main, signed off, with their receipts' },
          { label: 'spent', text: '$0.07 when recorded, inside the band · $0 now' },
          { label: 'look', text: 'cd vp-demo · git log --stat · vp validate · vp replay · vp undo' },
        ],
      },
      look,
    ),
  'git-branches': (look) =>
    branchesScreen(
      {
        branches: [
          { name: 'fix/retry', sha: '41d0c7e9aa0134', current: true },
          { name: 'main', sha: '6f01b2c2bb8812', current: false },
          { name: 'vp/r-2026-11-22-143102-9c1f', sha: '41d0c7e9aa0134', current: false },
        ],
        created: null,
        next: [],
      },
      look,
    ),
  'git-committed': (look) =>
    committedScreen(
      {
        sha: '8e2f1aa0c4d1',
        branch: 'fix/retry',
        subject: 'fix(cart): keep the items of both carts',
        files: 3,
        omitted: ['src/cart/.env', 'vendor/tool/'],
        warnings: [],
        next: ['vp git push'],
      },
      look,
    ),
  help: () => helpScreen(ENTRIES),
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VpError } from '../core/errors.ts'
import { canonicalJson, type Json } from '../core/json.ts'
import { endpointOf, type ModelSpec } from '../models/choose.ts'
import type { ModelAnswer } from '../models/contract.ts'
import { meteredProvider, type MeterPorts, type Settlement } from '../models/meter.ts'
import { FREE } from '../models/prices.ts'
import { openProvider } from '../models/providers/index.ts'
import { startScriptedServer, type ScriptedAnswer } from '../models/scripted-server.ts'
import { parseQuestions, parseTasks } from './decompose.ts'
import { runAgent, type AgentOutcome, type AgentTool } from './loop.ts'
import { bounded, goalMessage, SYSTEM_PROMPT, type GoalInput, type LastAttempt } from './prompt.ts'
import { AGENT_TOOLS } from './tools.ts'

const submit: ScriptedAnswer = { calls: [{ name: 'submit', arguments: { title: 'fix: it', summary: 's' } }] }
const read: ScriptedAnswer = { calls: [{ name: 'read', arguments: { path: 'a.ts' } }] }

async function drive(
  script: (n: number) => ScriptedAnswer,
  options: { deny?: VpError } = {},
): Promise<{
  outcome: AgentOutcome
  settled: Settlement[]
  failures: string[]
  requests: readonly { messages: readonly { role: string; content: string | null }[] }[]
}> {
  const server = await startScriptedServer((_request, n) => script(n))
  const settled: Settlement[] = []
  const failures: string[] = []
  const recorded = new Map<string, ModelAnswer>()
  const ports: MeterPorts = {
    monotonic: () => 0,
    chance: () => 0.5,
    sleep: async () => {},
    redact: (text) => ({ text: text.replaceAll('hunter22', '[REDACTED]'), hits: text.includes('hunter22') ? 1 : 0 }),
    recall: async (place, sha) => recorded.get(`${place.turn}${sha}`) ?? null,
    hold: async () => 'h',
    settle: async (_hold, settlement) => void settled.push(settlement),
    failedTry: async (_place, error) => void failures.push(error.code),
  }
  const spec: ModelSpec = {
    provider: 'openai_compatible',
    model: 'scripted',
    baseUrl: server.baseUrl,
    apiKey: null,
    endpoint: endpointOf(server.baseUrl),
    tier: 'Local-Small',
    source: 'test',
  }
  const provider = meteredProvider(ports, await openProvider(spec, { stallMs: 150 }), {
    price: FREE,
    tier: 'Local-Small',
    allowUnknownPrice: true,
    retryBaseMs: 1,
  })
  const tools: AgentTool[] = AGENT_TOOLS.map((toolSpec) => ({
    spec: toolSpec,
    async call(args: Json) {
      if (toolSpec.name === 'submit') return { text: '', done: args as { title: string; summary: string } }
      if (options.deny) throw options.deny
      return { text: 'export const password = "hunter22"' }
    },
  }))
  try {
    const outcome = await runAgent(
      { provider, tools, world: () => 'same' },
      { system: SYSTEM_PROMPT, goal: 'g', place: { task: 'T1', attempt: 1 }, maxTurns: 12, maxTokensPerCall: 500 },
      new AbortController().signal,
    )
    return { outcome, settled, failures, requests: server.requests }
  } finally {
    await server.close()
  }
}

test('system prompt and tools stay within 4,000 characters', () => {
  const size = SYSTEM_PROMPT.length + canonicalJson(AGENT_TOOLS).length
  assert.ok(size <= 4000, `${size}`)
})

for (const whole of [false, true])
  test(`reads, then submits (${whole ? 'whole answers' : 'streaming'}); what leaves is masked; usage is settled`, async () => {
    const { outcome, settled, requests } = await drive((n) =>
      n === 1 ? { ...(read as object), whole, usage: { in: 100, out: 7 } } : { ...(submit as object), whole },
    )
    assert.deepEqual(outcome, { kind: 'submitted', title: 'fix: it', summary: 's', turns: 2 })
    assert.equal(settled[0]?.usage.tokens_in, 100)
    assert.ok(!JSON.stringify(requests).includes('hunter22'))
    assert.match(JSON.stringify(requests[1]), /REDACTED/)
  })

const faults: [title: string, script: (n: number) => ScriptedAnswer, want: { failures?: string[]; reason?: string; code?: string; submitted?: boolean }][] = [
  [
    '429 with a hint, then fine',
    (n) => (n === 1 ? { fault: 'status', status: 429, headers: { 'retry-after': '0' } } : submit),
    { failures: ['model.rate_limited'], submitted: true },
  ],
  ['500 three times', () => ({ fault: 'status', status: 500 }), { failures: ['model.server', 'model.server'], reason: 'model', code: 'model.server' }],
  ['401 is not tried again', () => ({ fault: 'status', status: 401 }), { failures: [], reason: 'model', code: 'model.auth' }],
  ['a cut stream, then fine', (n) => (n === 1 ? { fault: 'cut' } : submit), { failures: ['model.cut'], submitted: true }],
  ['a stall, then fine', (n) => (n === 1 ? { fault: 'stall' } : submit), { failures: ['model.stalled'], submitted: true }],
  ['garbage', () => ({ fault: 'garbage' }), { reason: 'model', code: 'model.protocol' }],
  ['a captive portal', () => ({ fault: 'html' }), { reason: 'model', code: 'model.protocol' }],
  ['malformed arguments are told to the model', (n) => (n === 1 ? { calls: [{ name: 'read', arguments: '{"path": "a' }] } : submit), { submitted: true }],
  ['an unknown tool is told to the model', (n) => (n === 1 ? { calls: [{ name: 'bash', arguments: { command: 'ls' } }] } : submit), { submitted: true }],
  ['no tool call is nudged once, then works', (n) => (n === 1 ? { text: 'All tests pass now.' } : submit), { submitted: true }],
  ['only talk', () => ({ text: 'done!' }), { reason: 'no_progress' }],
  ['the same call in the same world', () => read, { reason: 'no_progress' }],
  ['never finishes', (n) => ({ calls: [{ name: 'read', arguments: { path: `f${n}` } }] }), { reason: 'turns' }],
]
for (const [title, script, want] of faults)
  test(`fault: ${title}`, async () => {
    const { outcome, failures, settled } = await drive(script)
    if (want.submitted) assert.equal(outcome.kind, 'submitted')
    else
      assert.ok(
        outcome.kind === 'stopped' && outcome.reason === want.reason && (want.code === undefined || outcome.error?.code === want.code),
        JSON.stringify(outcome),
      )
    if (want.failures) assert.deepEqual(failures, want.failures)
    assert.ok(settled.length > 0)
  })

test('a refusal by policy goes back to the model; a pending approval ends the attempt', async () => {
  const denied = await drive((n) => (n === 1 ? read : submit), {
    deny: new VpError('policy.denied', 'not in the lane', { rule: 'code-impl/default' }),
  })
  assert.equal(denied.outcome.kind, 'submitted')
  assert.match(JSON.stringify(denied.requests[1]), /code-impl\/default/)
  const waiting = await drive(() => read, { deny: new VpError('approval.needed', 'asks', { approval: 'ap_1' }) })
  assert.ok(waiting.outcome.kind === 'stopped' && waiting.outcome.reason === 'waiting' && waiting.outcome.error?.details.approval === 'ap_1')
})

test('the goal message is the same on every machine and says what failed', () => {
  const input: GoalInput = {
    task: 'T1',
    goal: 'Fix it',
    lane: 'Code-Impl',
    files: ['a.ts'],
    test: 'npm test',
    tree: ['a.ts', 'b.ts'],
    context: null,
    last: { why: 'gate', feedback: 'linter_pass failed, a.ts:3' },
  }
  assert.equal(goalMessage(input), goalMessage(structuredClone(input)))
  assert.match(goalMessage(input), /did not pass:\nlinter_pass failed, a\.ts:3\nMend that/)
  assert.ok(goalMessage({ ...input, tree: Array.from({ length: 5000 }, (_, index) => `src/deep/${index}/f.ts`) }).length < 4000)
  assert.ok(bounded('x'.repeat(50_000)).length <= 8000)
})

const ends: [why: LastAttempt['why'], isInFiles: boolean, wasMeasured: boolean][] = [
  ['gate', true, true],
  ['unfinished', true, false],
  ['conflict', false, false],
]
for (const [why, isInFiles, wasMeasured] of ends)
  test(`the goal says what is true of a last attempt that ended by ${why}`, () => {
    const goal = goalMessage({
      task: 'T1',
      goal: 'Fix it',
      lane: 'Code-Impl',
      files: [],
      test: null,
      tree: [],
      context: null,
      last: { why, feedback: 'Reason.' },
    })
    assert.match(goal, /Reason\./)
    assert.equal(goal.includes('is in the files already'), isInFiles)
    assert.equal(goal.includes('nothing of it is in the files'), !isInFiles)
    assert.equal(goal.includes('did not pass'), wasMeasured)
  })

test('plans are read from bare, fenced and wrapped JSON; anything else is a typed refusal', () => {
  const plan = '{"tasks":[{"title":"A","deps":[]},{"title":"B","lane":"Narrative","deps":[1]}]}'
  for (const text of [plan, `Sure!\n\`\`\`json\n${plan}\n\`\`\`\nok`, `Here: ${plan} done`])
    assert.deepEqual(
      parseTasks(text).map((task) => task.title),
      ['A', 'B'],
    )
  for (const text of ['no', '{"tasks":[]}', '{"tasks":[{}]}', '[1]']) assert.throws(() => parseTasks(text), { code: 'plan.model_output' })
  assert.equal(parseQuestions(`{"questions":${JSON.stringify(Array.from({ length: 9 }, () => ({ text: 'q', default: 'd', source: 's' })))}}`).length, 5)
})

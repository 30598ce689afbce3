import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VpError, type ErrorCode } from '../core/errors.ts'
import { canonicalJson, type Json } from '../core/json.ts'
import { endpointOf, type ModelSpec } from '../models/choose.ts'
import type { ModelAnswer, ModelRequest, Provider } from '../models/contract.ts'
import { bodyKeeper } from '../models/kept-body.ts'
import { meteredProvider, type MeterPorts, type Settlement } from '../models/meter.ts'
import { FREE } from '../models/prices.ts'
import { openProvider } from '../models/providers/index.ts'
import { startScriptedServer, type ScriptedAnswer } from '../models/scripted-server.ts'
import { parseQuestions, parseTasks } from './decompose.ts'
import type { AgentTool } from './calls.ts'
import { WINDOW_POLICY } from './context/context.ts'
import { runAgent, type AgentOutcome, type AgentPorts } from './loop.ts'
import { bounded, goalMessage, type GoalInput, type LastAttempt } from './prompt.ts'
import { PROMPTS } from './prompts.ts'
import { AGENT_TOOLS } from './tools.ts'

const OPENING = { system: 's', goal: 'g', words: [], files: [] }
const OPEN = { text: (text: string) => text, json: (value: unknown) => value }
const submit: ScriptedAnswer = { calls: [{ name: 'submit', arguments: { title: 'fix: it', summary: 's' } }] }
const read: ScriptedAnswer = { calls: [{ name: 'read', arguments: { path: 'a.ts' } }] }

async function drive(
  script: (n: number) => ScriptedAnswer,
  options: { hear?: AgentPorts['hear']; deny?: VpError; stallMs?: number } = {},
): Promise<{
  outcome: AgentOutcome
  settled: Settlement[]
  failures: string[]
  called: string[]
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
    mask: {
      text: (text) => text.replaceAll('hunter22', '[REDACTED]'),
      json: (value) => JSON.parse(JSON.stringify(value).replaceAll('hunter22', '[REDACTED]')),
    },
    keep: async (body) => bodyKeeper().keep(body),
    maskAnswer: (answer) => answer,
    recall: async (place, sha) => recorded.get(`${place.turn}${sha}`) ?? null,
    hold: async () => 'h',
    settle: async (_hold, settlement) => void settled.push(settlement),
    failedTry: async (_hold, { error }) => void failures.push(error.code),
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
  const provider = meteredProvider(ports, await openProvider(spec, { stallMs: options.stallMs ?? 30_000 }), {
    price: FREE,
    tier: 'Local-Small',
    allowUnknownPrice: true,
    retryBaseMs: 1,
  })
  const called: string[] = []
  const tools: AgentTool[] = AGENT_TOOLS.map((toolSpec) => ({
    spec: toolSpec,
    async call(args: Json) {
      called.push(toolSpec.name)
      if (toolSpec.name === 'submit') return { text: '', done: args as { title: string; summary: string } }
      if (options.deny) throw options.deny
      return { text: 'export const password = "hunter22"' }
    },
  }))
  try {
    const outcome = await runAgent(
      { provider, tools, mask: ports.mask, world: () => 'same', ...(options.hear ? { hear: options.hear } : {}) },
      {
        opening: { ...OPENING, system: PROMPTS.system },
        place: { task: 'T1', attempt: 1 },
        maxTurns: 12,
        parameters: { temperature: 0, max_tokens: 500 },
        window: WINDOW_POLICY,
      },
      new AbortController().signal,
    )
    return { outcome, settled, failures, called, requests: server.requests }
  } finally {
    await server.close()
  }
}

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

test('what an answer calls behind its submit is done before it', async () => {
  const calls = [
    ...(submit as { calls: { name: string; arguments: object }[] }).calls,
    { name: 'edit', arguments: { path: 'a', old: 'b', new: 'c' } },
    { name: 'test', arguments: {} },
  ]
  const { outcome, called } = await drive(() => ({ calls }) as ScriptedAnswer)
  assert.deepEqual([outcome.kind, called], ['submitted', ['edit', 'test', 'submit']])
})

test('what a person said while the work was submitted holds it back for a turn', async () => {
  const heard = new Set<number>()
  // Told once, at the turn behind the first submit; whoever asks again for that turn hears the same.
  const hear = async (turn: number) => (turn === 2 ? (heard.add(turn), [{ n: 1, text: 'leave b alone' }]) : [])
  const { outcome, called, requests } = await drive(() => submit, { hear })
  assert.deepEqual([outcome.kind, outcome.turns, called, [...heard]], ['submitted', 2, ['submit', 'submit'], [2]])
  assert.match(JSON.stringify(requests[1]), /Not submitted yet.*leave b alone/)
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
  [
    'a number that is none is told to the model',
    (n) => (n === 1 ? { calls: [{ name: 'read', arguments: '{"path": "a", "from": 1e999}' }] } : submit),
    { submitted: true },
  ],
  [
    'nesting without end is told to the model',
    (n) => (n === 1 ? { calls: [{ name: 'read', arguments: `{"path": ${'['.repeat(5000)}${']'.repeat(5000)}}` }] } : submit),
    { submitted: true },
  ],
  [
    'a number that is none in words',
    (n) => (n === 1 ? { text: '<tool_call>{"name": "read", "arguments": {"path": "a", "from": -1e999}}</tool_call>' } : submit),
    { submitted: true },
  ],
  ['an unknown tool is told to the model', (n) => (n === 1 ? { calls: [{ name: 'bash', arguments: { command: 'ls' } }] } : submit), { submitted: true }],
  ['no tool call is nudged once, then works', (n) => (n === 1 ? { text: 'All tests pass now.' } : submit), { submitted: true }],
  ['only talk', () => ({ text: 'done!' }), { reason: 'no_progress' }],
  ['the same call in the same world', () => read, { reason: 'no_progress' }],
  ['never finishes', (n) => ({ calls: [{ name: 'read', arguments: { path: `f${n}` } }] }), { reason: 'turns' }],
]
for (const [title, script, want] of faults)
  test(`fault: ${title}`, async () => {
    const { outcome, failures, settled } = await drive(script, title.startsWith('a stall') ? { stallMs: 300 } : {})
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
    titles: null,
    tree: ['a.ts', 'b.ts'],
    context: null,
    conflict: null,
    last: { why: 'gate', feedback: 'linter_pass failed, a.ts:3' },
  }
  assert.equal(goalMessage(input), goalMessage(structuredClone(input)))
  assert.match(goalMessage(input), /did not pass:\nlinter_pass failed, a\.ts:3\nMend that/)
  assert.ok(goalMessage({ ...input, tree: Array.from({ length: 5000 }, (_, index) => `src/deep/${index}/f.ts`) }).length < 4000)
  assert.ok(bounded('x'.repeat(50_000), 8000).length <= 8000)
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
      titles: null,
      tree: [],
      context: null,
      conflict: null,
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

/** The loop alone, with a provider and one tool that are functions of the turn. */
async function loop(answer: (turn: number) => Partial<ModelAnswer>, world: (calls: number) => string, maxTurns = 12, schema: Json = {}) {
  const asked: ModelRequest[] = []
  let calls = 0
  const usage = { tokens_in: 0, tokens_out: 0, tokens_think: 0, tokens_cached: 0, tokens_tool_use: 0 }
  const provider: Provider = {
    name: 'p',
    model: 'm',
    endpoint: { host: 'h', loopback: true },
    async answer(request, { turn }) {
      asked.push(request)
      return { text: '', calls: [], finish: 'stop', usage, usage_source: 'provider', ...answer(turn) }
    },
  }
  const tool: AgentTool = { spec: { name: 'test', description: 'd', schema }, call: async (args) => ({ text: `${++calls} ${canonicalJson(args)}` }) }
  const outcome = await runAgent(
    { provider, tools: [tool], mask: OPEN, world: () => world(calls) },
    { opening: OPENING, place: { task: 'T1', attempt: 1 }, maxTurns, parameters: { temperature: 0, max_tokens: 500 }, window: WINDOW_POLICY },
    new AbortController().signal,
  )
  return { outcome: outcome.kind === 'stopped' ? `${outcome.reason} after ${outcome.turns}` : outcome.kind, asked }
}

const TEST = { calls: [{ id: 'c', name: 'test', arguments: {} }] }
const stops: [title: string, answer: (turn: number) => Partial<ModelAnswer>, world: (calls: number) => string, want: string][] = [
  ['the same call a third time while nothing changed', () => TEST, () => 'same', 'no_progress after 3'],
  ['the same call again and again while the files change', () => TEST, String, 'turns after 12'],
  ['silent three times in a row', () => ({}), () => 'same', 'no_progress after 3'],
  ['silent now and then', (turn) => (turn % 3 === 0 ? TEST : {}), String, 'turns after 12'],
]
for (const [title, answer, world, want] of stops) test(`stop: ${title}`, async () => assert.equal((await loop(answer, world)).outcome, want))

test('a conversation of many turns only grows', async () => {
  const { asked } = await loop(() => TEST, String, 40)
  assert.equal(asked.length, 40)
  for (const [index, request] of asked.entries()) assert.deepEqual(request.messages.slice(0, -2), index === 0 ? [] : asked[index - 1]?.messages)
})

const endings: [code: ErrorCode, want: string][] = [
  ['budget.cap', 'budget after 1'],
  ['budget.price_unknown', 'budget after 1'],
  ['cancelled', 'cancelled after 1'],
  ['model.refused', 'refused after 1'],
  ['model.auth', 'model after 1'],
]
for (const [code, want] of endings)
  test(`stop: ${code}`, async () => {
    const failing = () => {
      throw new VpError(code, 'x')
    }
    assert.equal((await loop(failing, String)).outcome, want)
  })

test('a call that the limit cut is told so, and not made', async () => {
  const cut: Partial<ModelAnswer> = { finish: 'length', calls: [{ id: 'c', name: 'test', arguments: { malformed: '{"a": "b' } }] }
  const { asked } = await loop((turn) => (turn === 1 ? cut : {}), String)
  assert.match(asked[1]?.messages.at(-1)?.text ?? '', /longer than one turn allows/)
})

test('no message without words is sent, which servers refuse', async () => {
  const { asked } = await loop((turn) => (turn === 1 ? { text: '\n' } : TEST), String)
  for (const { messages } of asked)
    for (const message of messages) assert.ok(message.text.trim() !== '' || (message.role === 'assistant' && message.calls.length > 0), JSON.stringify(message))
})

test('an argument that is none is told once, then left out', async () => {
  const schema = { type: 'object', properties: { args: { type: 'array', items: { type: 'string' } } } }
  const odd = (turn: number): Partial<ModelAnswer> => ({ calls: [{ id: `c${turn}`, name: 'test', arguments: { args: [`${turn}`], cwd: 'src' } }] })
  const { asked } = await loop(odd, String, 3, schema)
  assert.deepEqual(
    asked.slice(1).map(({ messages }) => messages.at(-1)?.text),
    ['test: "cwd" is none of its arguments. It takes args (optional). Nothing was done.', '1 {"args":["2"]}'],
  )
})

/**
 * Every provider × every fault: on real HTTP, through the meter, with a cap. Each is one typed outcome; what was asked
 * how often, after which waits, and what it cost is in the row. Bodies are what each provider's documentation shows.
 */
import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { OPEN } from '../../src/operations/masking.ts'
import { isVpError, type ErrorCode } from '../../src/core/errors.ts'
import { chooseModel, type OwnProvider } from '../../src/models/choose.ts'
import type { ModelAnswer, ModelRequest } from '../../src/models/contract.ts'
import { bodyKeeper } from '../../src/models/kept-body.ts'
import { meteredProvider, type FailedTry, type MeterPorts, type Settlement } from '../../src/models/meter.ts'
import { openProvider } from '../../src/models/providers/index.ts'
import { WIRES, type Said, type Wire } from '../fixtures/model-wires.ts'

const REQUEST: ModelRequest = {
  messages: [
    { role: 'system', text: 'You are an engineer.' },
    { role: 'user', text: 'Fix it.' },
  ],
  tools: [{ name: 'read', description: 'reads', schema: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] } }],
  max_tokens: 300,
  temperature: 0,
}
const PLACE = { task: 'T1', attempt: 1, turn: 1 }
const USAGE = { in: 120, out: 30, think: 10, cached: 0 }
/** Long enough for a slow machine; rows that wait for it set their own. */
const STALL_MS = 20_000
/** Micro-USD per token, in and out. */
const PRICE = { in_per_million_usd: 1, out_per_million_usd: 2 }
const SAID = USAGE.in + 2 * (USAGE.out + USAGE.think)
const CALLS = [{ name: 'read', arguments: { path: 'a' } }]

interface ErrorBody {
  readonly type: string
  readonly message: string
  /** Google's name of the status. */
  readonly status: string
  readonly details?: readonly object[]
}

/** An error document as each provider sends it. */
const ERROR_BODY: Readonly<Record<OwnProvider, (status: number, body: ErrorBody) => object>> = {
  ollama: (_code, { message }) => ({ error: message }),
  openai_compatible: (code, { type, message }) => ({ error: { message, type, param: null, code } }),
  openai: (_code, { type, message }) => ({ error: { message, type, param: null, code: type } }),
  anthropic: (_code, { type, message }) => ({ type: 'error', error: { type, message }, request_id: 'req_1' }),
  google: (code, { message, status, details }) => ({ error: { code, message, status, ...(details ? { details } : {}) } }),
}

interface Row {
  readonly fault: string
  /** What the server does, try by try; the last for all that follow. */
  readonly serve: readonly Serve[]
  readonly outcome: ErrorCode | { readonly text: string; readonly finish: ModelAnswer['finish']; readonly calls?: readonly string[] }
  readonly tries: number
  /** ms before each further try; null: by the backoff. */
  readonly waits?: readonly (number | null)[]
  /** Micro-USD of each try: nothing, what the server said, or the worst case. */
  readonly cost: readonly ('none' | 'said' | 'worst')[]
  readonly only?: readonly OwnProvider[]
  readonly stallMs?: number
}

type Serve = (response: ServerResponse, wire: Wire, name: OwnProvider) => void

const status =
  (code: number, body: ErrorBody, headers: Readonly<Record<string, string>> = {}): Serve =>
  (response, _wire, name) =>
    void response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(ERROR_BODY[name](code, body)))
const open = (response: ServerResponse, { type }: Pick<Wire, 'type'>) => response.writeHead(200, { 'content-type': type })
const says =
  (said: Said): Serve =>
  (response, wire) =>
    void open(response, wire).end(wire.events(said).join(''))
const begun: Said = { text: 'I will now look', calls: CALLS, usage: USAGE }
const raw =
  (chunk: object): Serve =>
  (response, wire) =>
    void open(response, wire).end(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`)
const fine = says({ text: 'ok', usage: USAGE })
const OK = { text: 'ok', finish: 'stop' } as const
const error = (type: string, message: string, grpc: string, details?: readonly object[]): ErrorBody => ({
  type,
  message,
  status: grpc,
  ...(details ? { details } : {}),
})
const limit = (details?: readonly object[]) => error('rate_limit_error', 'Rate limit reached', 'RESOURCE_EXHAUSTED', details)
const RETRY_INFO = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '34.07s' }
const DAILY = {
  '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
  violations: [{ quotaId: 'GenerateRequestsPerDayPerProjectPerModel-FreeTier', quotaValue: '50' }],
}
const [all, thrice] = [1, 3]

const ROWS: readonly Row[] = [
  // never asked again, and free
  { fault: '401', serve: [status(401, error('authentication_error', 'invalid key', 'UNAUTHENTICATED'))], outcome: 'model.auth', tries: all, cost: ['none'] },
  { fault: '403', serve: [status(403, error('permission_error', 'not yours', 'PERMISSION_DENIED'))], outcome: 'model.auth', tries: all, cost: ['none'] },
  { fault: '402', serve: [status(402, error('billing_error', 'pay first', 'FAILED_PRECONDITION'))], outcome: 'model.quota', tries: all, cost: ['none'] },
  { fault: '404 model', serve: [status(404, error('not_found_error', 'no such model', 'NOT_FOUND'))], outcome: 'model.not_found', tries: all, cost: ['none'] },
  {
    fault: '400',
    serve: [status(400, error('invalid_request_error', 'bad schema', 'INVALID_ARGUMENT'))],
    outcome: 'model.request',
    tries: all,
    cost: ['none'],
  },
  { fault: '413', serve: [status(413, error('request_too_large', 'too large', 'INVALID_ARGUMENT'))], outcome: 'model.too_large', tries: all, cost: ['none'] },
  {
    fault: '413 of a proxy, in HTML',
    serve: [(response) => void response.writeHead(413, { 'content-type': 'text/html' }).end('<html><h1>413 Request Entity Too Large</h1></html>')],
    outcome: 'model.too_large',
    tries: all,
    cost: ['none'],
  },
  ...(
    [
      ['openai', 'context_length_exceeded', "This model's maximum context length is 8192 tokens."],
      ['ollama', '', 'the input length exceeds the context length'],
      ['openai_compatible', 'exceed_context_size_error', 'the request exceeds the available context size'],
      ['anthropic', 'invalid_request_error', 'prompt is too long: 210000 tokens > 200000 maximum'],
      ['google', '', 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048575).'],
    ] as const
  ).map(([only, type, message]): Row => ({
    fault: '400, longer than the window',
    serve: [status(400, error(type, message, 'INVALID_ARGUMENT'))],
    outcome: 'model.too_large',
    tries: all,
    cost: ['none'],
    only: [only],
  })),
  {
    fault: '429 because there is no money left',
    serve: [status(429, error('insufficient_quota', 'You exceeded your current quota', 'RESOURCE_EXHAUSTED'))],
    outcome: 'model.quota',
    tries: all,
    cost: ['none'],
    only: ['openai', 'openai_compatible'],
  },
  {
    fault: '400 because there is no money left',
    serve: [status(400, error('invalid_request_error', 'Your credit balance is too low to access the Anthropic API.', ''))],
    outcome: 'model.quota',
    tries: all,
    cost: ['none'],
    only: ['anthropic'],
  },
  { fault: '429 of the day', serve: [status(429, limit([DAILY, RETRY_INFO]))], outcome: 'model.quota', tries: all, cost: ['none'], only: ['google'] },

  // asked again, and free
  {
    fault: '408, then fine',
    serve: [status(408, error('timeout', 'slow', 'DEADLINE_EXCEEDED')), fine],
    outcome: OK,
    tries: 2,
    waits: [null],
    cost: ['none', 'said'],
  },
  {
    fault: '408 for good',
    serve: [status(408, error('timeout', 'slow', 'DEADLINE_EXCEEDED'))],
    outcome: 'model.server',
    tries: thrice,
    waits: [null, null],
    cost: ['none', 'none', 'none'],
  },
  { fault: '429 without a hint', serve: [status(429, limit()), fine], outcome: OK, tries: 2, waits: [null], cost: ['none', 'said'] },
  {
    fault: '429 for good',
    serve: [status(429, limit(), { 'retry-after': '2' })],
    outcome: 'model.rate_limited',
    tries: thrice,
    waits: [2200, 2200],
    cost: ['none', 'none', 'none'],
  },
  {
    fault: '429, Retry-After in seconds',
    serve: [status(429, limit(), { 'retry-after': '7' }), fine],
    outcome: OK,
    tries: 2,
    waits: [7700],
    cost: ['none', 'said'],
  },
  {
    fault: '429, retry-after-ms before Retry-After',
    serve: [status(429, limit(), { 'retry-after-ms': '150', 'retry-after': '9' }), fine],
    outcome: OK,
    tries: 2,
    waits: [165],
    cost: ['none', 'said'],
  },
  {
    fault: '429, Retry-After as a date',
    serve: [status(429, limit(), { date: 'Tue, 24 Nov 2026 18:00:00 GMT', 'retry-after': 'Tue, 24 Nov 2026 18:00:20 GMT' }), fine],
    outcome: OK,
    tries: 2,
    waits: [22_000],
    cost: ['none', 'said'],
  },
  {
    fault: '429, the window that is empty',
    serve: [
      status(429, limit(), {
        'x-ratelimit-remaining-requests': '12',
        'x-ratelimit-reset-requests': '1h0m0s',
        'x-ratelimit-remaining-tokens': '0',
        'x-ratelimit-reset-tokens': '10.5s',
      }),
      fine,
    ],
    outcome: OK,
    tries: 2,
    waits: [11_550],
    cost: ['none', 'said'],
    only: ['openai', 'openai_compatible'],
  },
  {
    fault: '429, RetryInfo in the body',
    serve: [status(429, limit([RETRY_INFO])), fine],
    outcome: OK,
    tries: 2,
    waits: [37_477],
    cost: ['none', 'said'],
    only: ['google'],
  },
  { fault: '429, an hour of patience', serve: [status(429, limit(), { 'retry-after': '3600' })], outcome: 'model.rate_limited', tries: all, cost: ['none'] },
  {
    fault: '429, not to be asked again',
    serve: [status(429, limit(), { 'x-should-retry': 'false' })],
    outcome: 'model.rate_limited',
    tries: all,
    cost: ['none'],
  },
  {
    fault: '500 for good',
    serve: [status(500, error('api_error', 'oh', 'INTERNAL'))],
    outcome: 'model.server',
    tries: thrice,
    waits: [null, null],
    cost: ['none', 'none', 'none'],
  },
  {
    fault: '503 with a hint',
    serve: [status(503, error('api_error', 'oh', 'UNAVAILABLE'), { 'retry-after': '1' }), fine],
    outcome: OK,
    tries: 2,
    waits: [1100],
    cost: ['none', 'said'],
  },
  {
    fault: '529',
    serve: [status(529, error('overloaded_error', 'Overloaded', 'UNAVAILABLE'))],
    outcome: 'model.rate_limited',
    tries: thrice,
    waits: [null, null],
    cost: ['none', 'none', 'none'],
  },
  {
    fault: '502 of a proxy, in HTML',
    serve: [(response) => void response.writeHead(502, { 'content-type': 'text/html' }).end('<html>Bad Gateway</html>'), fine],
    outcome: OK,
    tries: 2,
    waits: [null],
    cost: ['none', 'said'],
  },

  // asked again, and paid for
  {
    fault: 'a cut stream, then fine',
    serve: [(response, wire) => (open(response, wire).write(wire.events(begun).slice(0, 3).join('')), void setTimeout(() => response.destroy(), 10)), fine],
    outcome: OK,
    tries: 2,
    waits: [null],
    cost: ['worst', 'said'],
  },
  {
    fault: 'streams that are cut for good',
    serve: [(response, wire) => void open(response, wire).end(wire.events(begun).slice(0, -wire.closing).join(''))],
    outcome: 'model.cut',
    tries: thrice,
    waits: [null, null],
    cost: ['worst', 'worst', 'worst'],
  },
  { fault: 'a connection that is reset', serve: [(response) => void response.destroy(), fine], outcome: OK, tries: 2, waits: [null], cost: ['worst', 'said'] },
  {
    fault: 'a stalled stream',
    stallMs: 60,
    serve: [(response, wire) => void open(response, wire).write(wire.events(begun).slice(0, 3).join(''))],
    outcome: 'model.stalled',
    tries: thrice,
    waits: [null, null],
    cost: ['worst', 'worst', 'worst'],
  },
  { fault: 'silence', serve: [() => undefined, fine], outcome: OK, tries: 2, waits: [null], stallMs: 400, cost: ['worst', 'said'] },
  {
    fault: 'an error in the middle',
    serve: [(response, wire) => void open(response, wire).end(wire.events(begun).slice(0, 3).join('') + wire.errorEvent[0]), fine],
    outcome: OK,
    tries: 2,
    waits: [null],
    cost: ['worst', 'said'],
  },

  // not asked again, and paid for
  {
    fault: 'garbage',
    serve: [(response, wire) => void open(response, wire).end('data: {"choices": [oops\n\ndata: [DONE]\n\n')],
    outcome: 'model.protocol',
    tries: all,
    cost: ['worst'],
  },
  {
    fault: 'garbage in the middle',
    serve: [(response, wire) => void open(response, wire).end(wire.events(begun).slice(0, 3).join('') + 'data: {"choi\n\n')],
    outcome: 'model.protocol',
    tries: all,
    cost: ['worst'],
  },
  {
    fault: 'a line of 10 MB without an end',
    serve: [(response, wire) => void open(response, wire).write(`data: {"x":"${'x'.repeat(10_000_000)}`)],
    outcome: 'model.protocol',
    tries: all,
    cost: ['worst'],
  },
  {
    fault: 'an event of 10 MB',
    serve: [says({ text: 'x'.repeat(10_000_000), usage: USAGE })],
    outcome: 'model.protocol',
    tries: all,
    cost: ['worst'],
  },
  {
    fault: 'a refusal',
    serve: [says({ text: 'I', end: 'refused', usage: USAGE })],
    outcome: 'model.refused',
    tries: all,
    cost: ['said'],
    only: ['openai_compatible', 'openai', 'anthropic', 'google'],
  },

  {
    fault: 'a prompt that is blocked',
    serve: [
      raw({
        promptFeedback: { blockReason: 'PROHIBITED_CONTENT' },
        usageMetadata: { promptTokenCount: 120, candidatesTokenCount: 30, thoughtsTokenCount: 10, totalTokenCount: 160 },
      }),
    ],
    outcome: 'model.refused',
    tries: all,
    cost: ['said'],
    only: ['google'],
  },
  {
    fault: 'words that decline',
    serve: [
      raw({ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { refusal: 'I cannot' }, finish_reason: 'stop' }] }),
    ],
    outcome: 'model.refused',
    tries: all,
    cost: ['worst'],
    only: ['openai', 'openai_compatible'],
  },
  {
    fault: 'a stream of no choice',
    serve: [raw({ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [] })],
    outcome: 'model.cut',
    tries: thrice,
    waits: [null, null],
    cost: ['worst', 'worst', 'worst'],
    only: ['openai', 'openai_compatible'],
  },
  {
    fault: 'a document of no choice',
    serve: [
      (response) =>
        void response.writeHead(200, { 'content-type': 'application/json' }).end('{"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}'),
    ],
    outcome: 'model.protocol',
    tries: all,
    cost: ['worst'],
    only: ['openai_compatible'],
  },

  // a page is no answer, and nobody pays for it
  {
    fault: 'a wrong content type',
    serve: [(response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>a captive portal</html>')],
    outcome: 'model.protocol',
    tries: all,
    cost: ['none'],
  },
  {
    fault: 'no content type',
    serve: [(response) => void response.writeHead(200).end('hello')],
    outcome: 'model.protocol',
    tries: all,
    cost: ['none'],
  },

  // answers, however odd
  { fault: 'an empty choice', serve: [says({ usage: USAGE })], outcome: { text: '', finish: 'stop' }, tries: all, cost: ['said'] },
  {
    fault: 'a length stop in the words',
    serve: [says({ text: 'and then', end: 'length', usage: USAGE })],
    outcome: { text: 'and then', finish: 'length' },
    tries: all,
    cost: ['said'],
  },
  {
    fault: 'a length stop in a call',
    serve: [says({ calls: [{ name: 'read', arguments: '{"path": "sr' }], end: 'length', usage: USAGE })],
    outcome: { text: '', finish: 'length', calls: ['t1c1 read {"malformed":"{\\"path\\": \\"sr"}'] },
    tries: all,
    cost: ['said'],
    only: ['openai_compatible', 'openai', 'anthropic'],
  },
  {
    fault: 'a length stop before the first argument',
    serve: [says({ calls: [{ name: 'read', arguments: '' }], end: 'length', usage: USAGE })],
    outcome: { text: '', finish: 'length', calls: ['t1c1 read {"malformed":""}'] },
    tries: all,
    cost: ['said'],
    only: ['openai_compatible', 'openai', 'anthropic'],
  },
  {
    fault: 'duplicate tool ids',
    serve: [says({ calls: [...CALLS, { name: 'read', arguments: { path: 'b' } }], ids: 'same', usage: USAGE })],
    outcome: { text: '', finish: 'tool_calls', calls: ['t1c1 read {"path":"a"}', 't1c2 read {"path":"b"}'] },
    tries: all,
    cost: ['said'],
  },
]

for (const [name, wire] of Object.entries(WIRES) as [OwnProvider, Wire][])
  describe(name, () => {
    let serve: Row['serve'] = []
    let asked = 0
    const server = createServer((incoming, response) => {
      incoming.resume()
      const aside = wire.aside?.(incoming.url ?? '') ?? null
      if (aside) return void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(aside))
      incoming.on('end', () => serve[Math.min(asked++, serve.length - 1)]?.(response, wire, name))
    })
    let baseUrl = ''
    before(async () => {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
    })
    after(() => {
      server.close()
      server.closeAllConnections()
    })

    /** The meter with a purse of its own: what is held and spent, and how often somebody waited. */
    async function meter(stallMs = STALL_MS) {
      const [waits, failed, settled]: [number[], FailedTry[], Settlement[]] = [[], [], []]
      const held = new Map<string, number>()
      let [count, most] = [0, 0]
      const ports: MeterPorts = {
        monotonic: () => 0,
        chance: () => 0.5,
        sleep: async (ms) => void waits.push(ms),
        mask: OPEN,
        keep: async (body) => bodyKeeper().keep(body),
        maskAnswer: (answer) => answer,
        recall: async () => null,
        hold: async ({ micro_usd }) => {
          most = micro_usd
          held.set(`h${++count}`, micro_usd)
          return `h${count}`
        },
        settle: async (hold, settlement) => (hold !== null && held.delete(hold), void settled.push(settlement)),
        failedTry: async (hold, one) => (one.spent && held.delete(hold), void failed.push(one)),
      }
      const setting = { VP_MODEL: `${name}:${wire.model}`, VP_MODEL_BASE_URL: baseUrl, VP_MODEL_API_KEY: 'k-0123456789' }
      const provider = await openProvider(chooseModel(setting, null).spec, { stallMs })
      const metered = meteredProvider(ports, provider, { price: PRICE, tier: 'API-Premium', allowUnknownPrice: false })
      return { metered, waits, failed, settled, held, worst: () => most }
    }

    for (const row of ROWS.filter(({ only }) => only?.includes(name) ?? true))
      test(row.fault, async () => {
        ;[serve, asked] = [row.serve, 0]
        const { metered, waits, failed, settled, held, worst } = await meter(row.stallMs)
        const outcome = await metered.answer(REQUEST, PLACE, new AbortController().signal).catch((thrown: unknown) => {
          assert.ok(isVpError(thrown), String(thrown))
          return thrown
        })
        if (typeof row.outcome === 'string') assert.equal(isVpError(outcome) ? outcome.code : JSON.stringify(outcome), row.outcome)
        else {
          assert.ok(!isVpError(outcome), String(outcome))
          const calls = outcome.calls.map((call) => `${call.id} ${call.name} ${JSON.stringify(call.arguments)}`)
          assert.deepEqual({ text: outcome.text, finish: outcome.finish, calls }, { calls: [], ...row.outcome })
        }
        assert.equal(asked, row.tries, 'tries')
        const wanted = row.waits ?? []
        assert.equal(waits.length, wanted.length, `waited ${waits.join(', ')}`)
        for (const [at, wait] of wanted.entries()) assert.equal(waits[at], wait ?? 2000 * 2 ** at, 'waits')
        const money = [...failed.map(({ spent }) => spent?.usage.cost_micro_usd ?? 0), ...settled.map(({ usage }) => usage.cost_micro_usd)]
        assert.deepEqual(
          money,
          row.cost.map((word) => ({ none: 0, said: SAID, worst: worst() })[word]),
          'spent',
        )
        assert.deepEqual([settled.length, held.size], [1, 0], 'settled once, nothing held')
      })

    test('cancelled before it is sent, nothing; in the middle, the worst case', async () => {
      const before = await meter()
      ;[serve, asked] = [[fine], 0]
      await assert.rejects(before.metered.answer(REQUEST, PLACE, AbortSignal.abort()), { code: 'cancelled' })
      assert.deepEqual([asked, before.settled[0]?.usage.cost_micro_usd, before.held.size], [0, 0, 0])

      const abort = new AbortController()
      const middle = await meter()
      serve = [(response) => (open(response, wire).write(wire.events(begun).slice(0, 3).join('')), void setTimeout(() => abort.abort(), 10))]
      await assert.rejects(middle.metered.answer(REQUEST, PLACE, abort.signal), { code: 'cancelled' })
      assert.deepEqual(
        [asked, middle.settled[0]?.usage.cost_micro_usd, middle.settled[0]?.usage_source, middle.held.size],
        [1, middle.worst(), 'worst_case', 0],
      )
    })
  })

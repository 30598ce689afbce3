/** The clouds' doors on real HTTP: Azure's wire, Bedrock's frames, and what is said where a package is missing. */
import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { crc32 } from 'node:zlib'
import { isVpError } from '../../core/errors.ts'
import { chooseModel, type ModelSpec } from '../choose.ts'
import type { SentBody } from '../contract.ts'
import { tablePrice } from '../prices.ts'
import { openProvider } from './index.ts'

/** `came`: the bodies, to the byte. */
async function serve(t: TestContext, answer: RequestListener): Promise<{ baseUrl: string; came: Buffer[] }> {
  const came: Buffer[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      came.push(Buffer.concat(parts))
      void answer(request, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, came }
}

const REQUEST = { messages: [{ role: 'user', text: 'go' }], tools: [], max_tokens: 100, temperature: 0 } as const
const PLACE = { task: 'T1', attempt: 1, turn: 1 }
const ask = async (spec: ModelSpec, sent: SentBody[] = []) =>
  (await openProvider(spec, { stallMs: 3000 })).answer(REQUEST, PLACE, new AbortController().signal, undefined, (one) => sent.push(one))
const specOf = (env: Readonly<Record<string, string>>) => chooseModel(env, null).spec

test('azure: the key goes in its header, the deployment is named', async (t) => {
  const seen: string[] = []
  const { baseUrl, came } = await serve(t, (request, response) => {
    seen.push(`${request.url} ${String(request.headers['api-key'])}`)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const chunks = [
      { choices: [{ index: 0, delta: { role: 'assistant', content: 'hello' } }] },
      { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 } },
    ]
    response.end(
      `${chunks.map((one) => `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 0, model: 'm', ...one })}\n\n`).join('')}data: [DONE]\n\n`,
    )
  })
  const sent: SentBody[] = []
  const answer = await ask(specOf({ VP_MODEL: 'azure:my-deployment', AZURE_OPENAI_ENDPOINT: `${baseUrl}/openai`, AZURE_API_KEY: 'azure-key-1' }), sent)
  assert.deepEqual([answer.text, answer.usage.tokens_in, answer.usage_source], ['hello', 7, 'provider'])
  assert.match(seen[0] ?? '', /chat\/completions.* azure-key-1$/)
  assert.deepEqual(
    sent.map(({ body }) => body),
    came,
    'what is told is what came',
  )
})

/** One frame. Source: AWS, "Amazon S3 Select / event stream encoding": prelude, headers, payload, two CRCs. */
function frame(type: string, payload: object): Buffer {
  const header = (name: string, value: string) => {
    const [n, v] = [Buffer.from(name), Buffer.from(value)]
    const size = Buffer.alloc(2)
    size.writeUInt16BE(v.length)
    return Buffer.concat([Buffer.from([n.length]), n, Buffer.from([7]), size, v])
  }
  const headers = Buffer.concat([header(':event-type', type), header(':content-type', 'application/json'), header(':message-type', 'event')])
  const body = Buffer.from(JSON.stringify(payload))
  const prelude = Buffer.alloc(12)
  prelude.writeUInt32BE(16 + headers.length + body.length, 0)
  prelude.writeUInt32BE(headers.length, 4)
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8)
  const whole = Buffer.concat([prelude, headers, body])
  const crc = Buffer.alloc(4)
  crc.writeUInt32BE(crc32(whole))
  return Buffer.concat([whole, crc])
}

test('bedrock: its frames are read, its bearer token is sent', async (t) => {
  const seen: string[] = []
  const { baseUrl, came } = await serve(t, (request, response) => {
    seen.push(`${request.url} ${String(request.headers.authorization)}`)
    response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' })
    response.end(
      Buffer.concat([
        frame('messageStart', { role: 'assistant' }),
        frame('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'hello' } }),
        frame('contentBlockStop', { contentBlockIndex: 0 }),
        frame('messageStop', { stopReason: 'end_turn' }),
        frame('metadata', { usage: { inputTokens: 7, outputTokens: 3, totalTokens: 10 }, metrics: { latencyMs: 1 } }),
      ]),
    )
  })
  const env = {
    VP_MODEL: 'bedrock:anthropic.claude-3-haiku-20240307-v1:0',
    VP_MODEL_BASE_URL: baseUrl,
    AWS_REGION: 'eu-central-1',
    AWS_BEARER_TOKEN_BEDROCK: 'bedrock-key-1',
  }
  const sent: SentBody[] = []
  const answer = await ask(specOf(env), sent)
  assert.deepEqual([answer.text, answer.usage.tokens_in, answer.usage.tokens_out], ['hello', 7, 3])
  assert.match(seen[0] ?? '', /converse-stream Bearer bedrock-key-1$/)
  assert.deepEqual(
    sent.map(({ body }) => body),
    came,
    'what is told is what came',
  )
  const { VP_MODEL_BASE_URL: _, ...plain } = env
  assert.equal(specOf(plain).endpoint.host, 'bedrock-runtime.eu-central-1.amazonaws.com')
})

test('vertex: what is not installed is said with the package, and where it is to be found', async () => {
  const spec = specOf({ VP_MODEL: 'vertex:gemini-2.5-pro', GOOGLE_VERTEX_LOCATION: 'europe-west4', GOOGLE_VERTEX_PROJECT: 'p' })
  assert.deepEqual([spec.endpoint.host, spec.region, spec.project], ['europe-west4-aiplatform.googleapis.com', 'europe-west4', 'p'])
  await assert.rejects(
    ask(spec),
    (error) => isVpError(error) && error.code === 'model.none' && error.details.next?.[0] === 'npm install --global @ai-sdk/google-vertex',
  )
})

test('a door without a place, or with a region that is none, is refused before anything is sent', () => {
  for (const env of [{ VP_MODEL: 'azure:x' }, { VP_MODEL: 'bedrock:x' }, { VP_MODEL: 'vertex:x' }, { VP_MODEL: 'bedrock:x', AWS_REGION: 'evil.example/' }])
    assert.throws(
      () => specOf(env),
      (error) => isVpError(error) && error.code === 'usage.flag',
      JSON.stringify(env),
    )
})

test('the table prices what stands behind a cloud’s door', async () => {
  assert.ok(await tablePrice('vertex', 'gemini-2.5-pro'))
  assert.ok(await tablePrice('bedrock', 'anthropic.claude-3-haiku-20240307-v1:0'))
})

/** Models that take no temperature, or call the length of an answer otherwise: asked as they want it, once told, and it is said. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { WIRES } from '../../../test/fixtures/model-wires.ts'
import { json, serve, type Served } from '../../../test/servers/serve.ts'
import { startVendor } from '../../../test/servers/vendors.ts'
import { chooseModel } from '../choose.ts'
import type { ModelRequest, Provider } from '../contract.ts'
import { openProvider } from './index.ts'

const REQUEST: ModelRequest = { messages: [{ role: 'user', text: 'go' }], tools: [], max_tokens: 300, temperature: 0.5 }
const ask = (provider: Provider, turn: number) => provider.answer(REQUEST, { task: 'T1', attempt: 1, turn }, new AbortController().signal)

/** OpenAI's own words of 2025 for its reasoning models. */
const NO_TEMPERATURE = "Unsupported value: 'temperature' does not support 0.5 with this model. Only the default (1) value is supported."
const NO_MAX_TOKENS = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."

type Body = Readonly<Record<string, unknown>>

async function strict(t: TestContext, model: string, refuses: (body: Body) => string | null): Promise<{ bodies: Body[]; setting: Record<string, string> }> {
  const bodies: Body[] = []
  const server: Served = await serve((came, response) => {
    const body = JSON.parse(came.body) as Body
    bodies.push(body)
    const words = refuses(body)
    if (words !== null) return json(response, 400, { error: { message: words, type: 'invalid_request_error', param: null, code: 'unsupported_value' } })
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const event of WIRES.openai.events({ text: 'hello', usage: { in: 5, out: 2, think: 0, cached: 0 } })) response.write(event)
    response.end()
  })
  t.after(() => server.close())
  return { bodies, setting: { VP_MODEL: model, VP_MODEL_BASE_URL: `${server.url}/v1`, VP_MODEL_API_KEY: 'k-0123456789' } }
}
const open = (setting: Record<string, string>) => openProvider(chooseModel(setting, null).spec, { stallMs: 3000 })

test('a compatible server that refuses both is asked again as it wants it, and from then on at once', async (t) => {
  const { bodies, setting } = await strict(t, 'openai_compatible:o9', (body) =>
    'max_tokens' in body ? NO_MAX_TOKENS : 'temperature' in body ? NO_TEMPERATURE : null,
  )
  const provider = await open(setting)
  for (const turn of [1, 2]) assert.deepEqual((await ask(provider, turn)).not_as_asked, ['temperature'])
  assert.equal(bodies.length, 4, 'two refusals, two answers')
  assert.deepEqual([bodies[3]?.['max_completion_tokens'], bodies[3]?.['temperature'], bodies[3]?.['max_tokens']], [300, undefined, undefined])
})

test('one that refuses the same again and again is asked no third time', async (t) => {
  const { bodies, setting } = await strict(t, 'openai_compatible:o9', () => NO_TEMPERATURE)
  await assert.rejects(ask(await open(setting), 1), { code: 'model.request' })
  assert.equal(bodies.length, 2)
})

test('a refusal of a value that is only out of range is the person’s to mend', async (t) => {
  const { bodies, setting } = await strict(t, 'openai_compatible:x', () => 'temperature must be between 0 and 0.4')
  await assert.rejects(ask(await open(setting), 1), { code: 'model.request', message: /between 0 and 0\.4/ })
  assert.equal(bodies.length, 1)
})

test('a model that the SDK knows to take no temperature is not sent one; of another the server says it', async (t) => {
  const known = await strict(t, 'openai:gpt-5.1', (body) => ('temperature' in body ? NO_TEMPERATURE : null))
  assert.deepEqual((await ask(await open(known.setting), 1)).not_as_asked, ['temperature'])
  assert.equal(known.bodies.length, 1)
  const other = await strict(t, 'openai:a-model-of-tomorrow', (body) => ('temperature' in body ? NO_TEMPERATURE : null))
  const provider = await open(other.setting)
  for (const turn of [1, 2]) assert.deepEqual((await ask(provider, turn)).not_as_asked, ['temperature'])
  assert.equal(other.bodies.length, 3)
})

test('what is taken as asked is not mentioned', async (t) => {
  const { bodies, setting } = await strict(t, 'openai_compatible:x', () => null)
  assert.equal('not_as_asked' in (await ask(await open(setting), 1)), false)
  assert.deepEqual([bodies[0]?.['temperature'], bodies[0]?.['max_tokens']], [0.5, 300])
})

test('anthropic: the system prompt and our last two messages are marked for its cache, unless nobody wants that', async (t) => {
  const answer = { text: 'hello', usage: { in: 5, out: 2, think: 0, cached: 3 } }
  const server = await startVendor('anthropic', 'k-0123456789', () => answer)
  t.after(() => server.close())
  const { spec } = chooseModel(
    { VP_MODEL: `anthropic:${WIRES.anthropic.model}`, VP_MODEL_BASE_URL: `${server.url}/v1`, VP_MODEL_API_KEY: 'k-0123456789' },
    null,
  )
  const call = { id: 't1c1', name: 'read', arguments: {} }
  const request: ModelRequest = {
    ...REQUEST,
    messages: [
      { role: 'system', text: 'You are an engineer.' },
      { role: 'user', text: 'one' },
      { role: 'assistant', text: 'first', calls: [] },
      { role: 'user', text: 'two' },
      { role: 'assistant', text: '', calls: [call] },
      { role: 'tool', call_id: call.id, name: call.name, text: 'three' },
    ],
  }
  for (const caching of [undefined, false]) {
    const provider = await openProvider(spec, { stallMs: 3000, caching })
    const { usage } = await provider.answer(request, { task: 'T1', attempt: 1, turn: 1 }, new AbortController().signal)
    assert.deepEqual([provider.marksCache === true, usage.tokens_cached], [caching === undefined, 3])
  }
  const [marked, plain] = server.came.map(({ body }) => JSON.parse(body) as { system: object[]; messages: { content: object[] }[] })
  const marks = (all: typeof marked) =>
    [all?.system ?? [], ...(all?.messages.map(({ content }) => content) ?? [])].map((parts) => parts.some((part) => 'cache_control' in part))
  assert.deepEqual(marks(marked), [true, false, false, true, false, true])
  assert.deepEqual(marks(plain), [false, false, false, false, false, false])
})

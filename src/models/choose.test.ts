/** Which model is taken, and which addresses count as this machine: for all others code needs a person's yes to leave. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseModel, endpointOf, inTier, offeredModels, staysHere, type ModelSpec } from './choose.ts'

const addresses: [url: string, isLoopback: boolean][] = [
  ['http://127.0.0.1:11434/v1', true],
  ['http://127.255.1.2/v1', true],
  ['http://localhost:8080', true],
  ['http://[::1]:8080/v1', true],
  ['http://127.0.0.1.example.org/v1', false],
  ['http://127.0.0.1@example.org/v1', false],
  ['http://localhost.example.org/v1', false],
  ['http://128.0.0.1/v1', false],
  ['http://0.0.0.0/v1', false],
  ['https://api.openai.com/v1', false],
]
for (const [url, isLoopback] of addresses) test(`${url} is ${isLoopback ? '' : 'not '}this machine`, () => assert.equal(endpointOf(url).loopback, isLoopback))

const remote: ModelSpec = {
  provider: 'openai',
  model: 'configured',
  baseUrl: 'https://example.org/v1',
  apiKey: 'k',
  endpoint: endpointOf('https://example.org/v1'),
  tier: 'API-Premium',
  source: 'config.json',
}
const key = { ANTHROPIC_API_KEY: 'k' }
const choices: [title: string, env: Record<string, string>, configured: ModelSpec | null, model: string, consent: string][] = [
  ['VP_MODEL before the configuration', { VP_MODEL: 'openai_compatible:named' }, remote, 'named', 'given'],
  ['the configuration before the preset', {}, remote, 'configured', 'given'],
  ['a local one of the configuration needs no yes', {}, { ...remote, endpoint: endpointOf('http://127.0.0.1/') }, 'configured', 'not_needed'],
  ['a key that lies in the environment is not taken', key, null, 'qwen2.5-coder:7b', 'not_needed'],
]
for (const [title, env, configured, model, consent] of choices)
  test(title, () => {
    const choice = chooseModel(env, configured)
    assert.deepEqual([choice.kind, choice.spec.model, choice.kind === 'chosen' && choice.consent], ['chosen', model, consent])
  })

test('a key in the environment is offered', () => {
  assert.deepEqual(
    offeredModels(key).map((choice) => [choice.kind, choice.spec.provider]),
    [['offered', 'anthropic']],
  )
  assert.deepEqual(offeredModels({}), [])
})

const wires: [setting: string, baseUrl: string | undefined, want: readonly [provider: string, baseUrl: string]][] = [
  ['ollama:x', undefined, ['ollama', 'http://127.0.0.1:11434']],
  ['local_llama:x', 'http://127.0.0.1:1/v1/', ['ollama', 'http://127.0.0.1:1']],
  ['ollama:x', 'http://127.0.0.1:1/api', ['ollama', 'http://127.0.0.1:1']],
  ['openai_compatible:x', undefined, ['openai_compatible', 'http://127.0.0.1:11434/v1']],
  ['llama_cpp:/a/b.gguf', undefined, ['llama_cpp', '']],
  ['llama_cpp:x', 'http://127.0.0.1:8080/v1', ['openai_compatible', 'http://127.0.0.1:8080/v1']],
]
for (const [setting, baseUrl, want] of wires)
  test(`${setting}${baseUrl === undefined ? '' : ` at ${baseUrl}`} is spoken to as ${want[0]}`, () => {
    const { spec } = chooseModel({ VP_MODEL: setting, VP_MODEL_BASE_URL: baseUrl }, null)
    assert.deepEqual([spec.provider, spec.baseUrl, spec.endpoint.loopback], [...want, true])
  })

const places: [title: string, endpoint: ModelSpec['endpoint'], stays: boolean][] = [
  ['a server of this machine', chooseModel({ VP_MODEL: 'openai_compatible:x', VP_MODEL_BASE_URL: 'http://127.0.0.1:8080/v1' }, null).spec.endpoint, true],
  [
    'a vendor behind an address of this machine',
    chooseModel({ VP_MODEL: 'openai:gpt-4o', VP_MODEL_BASE_URL: 'http://127.0.0.1:8080/v1' }, null).spec.endpoint,
    false,
  ],
  ['a file in this process', chooseModel({ VP_MODEL: 'llama_cpp:/a.gguf' }, null).spec.endpoint, true],
]
for (const [title, endpoint, stays] of places) test(`${title} ${stays ? 'stays here' : 'is elsewhere'}`, () => assert.equal(staysHere(endpoint), stays))

const tiers: [title: string, setting: string, tier: Parameters<typeof inTier>[1], stays: boolean][] = [
  ['a tier without network', 'openai_compatible:x', { network: 'none', device: 'gpu' }, true],
  ['a tier that reaches out', 'openai_compatible:x', { network: 'outbound' }, false],
  ['a tier whose device is remote', 'openai_compatible:x', { network: 'none', device: 'remote' }, false],
  ['a vendor, whatever its tier', 'openai:x', { network: 'none' }, false],
  ['a file in this process, whatever its tier', 'llama_cpp:/a.gguf', { network: 'outbound' }, true],
]
for (const [title, setting, tier, stays] of tiers)
  test(`at an address of this machine, ${title}: ${stays ? 'free' : 'a gateway'}`, () => {
    const address = setting.startsWith('llama_cpp') ? {} : { VP_MODEL_BASE_URL: 'http://127.0.0.1:8080/v1' }
    assert.equal(staysHere(inTier(chooseModel({ VP_MODEL: setting, ...address }, null).spec, tier).endpoint), stays)
  })

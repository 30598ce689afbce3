/** What servers say of a model, on real HTTP: Ollama, llama.cpp, others, and what says nothing sensible. */
import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { factsOf, modelFacts, NO_FACTS } from './facts.ts'

async function serve(t: TestContext, answer: RequestListener): Promise<{ baseUrl: string; model: string; endpoint: { host: string; loopback: boolean } }> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return { baseUrl: `http://${host}/v1`, model: 'qwen2.5-coder:7b', endpoint: { host, loopback: true } }
}
const never = () => new AbortController().signal
const DIGEST = 'dae161e27b0e90dd1856c8bb3209201fd6736d8eb66298e75ed87571486f4364'
/** Answers `said` by path, else as one who does not know the path; notes what it was asked. */
async function told(t: TestContext, said: Readonly<Record<string, object>>): Promise<{ spec: Awaited<ReturnType<typeof serve>>; asked: string[] }> {
  const asked: string[] = []
  const spec = await serve(t, (request, response) => {
    asked.push(request.url ?? '')
    const answer = said[request.url ?? '']
    if (answer) response.end(JSON.stringify(answer))
    else response.writeHead(404).end('404 page not found')
  })
  return { spec, asked }
}
const listed = (id: string, owned_by?: string) => ({ '/v1/models': { object: 'list', data: [{ id, object: 'model', ...(owned_by ? { owned_by } : {}) }] } })

for (const [name, said, expected, asked] of [
  ['vLLM', listed('qwen2.5-coder:7b', 'vllm'), null, ['/v1/models']],
  ['LM Studio', listed('qwen2.5-coder:7b', 'organization_owner'), null, ['/v1/models']],
  ['llama.cpp', { ...listed('qwen', 'llamacpp'), '/props': { model_path: '/m/qwen.gguf' } }, 'llama_cpp', ['/v1/models', '/props']],
  [
    'Ollama',
    { ...listed('qwen2.5-coder:7b', 'library'), '/api/tags': { models: [{ name: 'qwen2.5-coder:7b', digest: DIGEST }] } },
    'ollama',
    ['/v1/models', '/api/tags', '/api/show'],
  ],
  [
    'somebody’s model of an Ollama',
    { ...listed('alice/qwen2.5-coder:7b', 'alice'), '/api/show': { template: 'T' } },
    'ollama',
    ['/v1/models', '/api/tags', '/api/show'],
  ],
  [
    'one that says no owner',
    { ...listed('qwen2.5-coder:7b'), '/props': { model_path: '/m/qwen.gguf' } },
    'llama_cpp',
    ['/v1/models', '/api/tags', '/api/show', '/props'],
  ],
] as const)
  test(`${name}: is asked what its kind answers, and no more`, async (t) => {
    const server = await told(t, said)
    assert.equal((await modelFacts(server.spec, never())).server, expected)
    assert.deepEqual(server.asked.toSorted(), asked.toSorted())
  })

const tags = {
  models: [
    { name: 'other', digest: 'a'.repeat(64) },
    { name: 'qwen2.5-coder:7b', digest: DIGEST, details: { quantization_level: 'Q4_K_M', parameter_size: '7.6B' } },
  ],
}

test('Ollama: the digest is that of the tag, template and parameters those that are shown', async (t) => {
  const spec = await serve(t, (request, response) => {
    let body = ''
    request.on('data', (part) => (body += String(part)))
    request.on('end', () => {
      if (request.url === '/api/tags') response.end(JSON.stringify(tags))
      else if (request.url === '/api/show' && request.method === 'POST' && JSON.parse(body).model === 'qwen2.5-coder:7b')
        response.end(
          JSON.stringify({
            template: '{{ .Prompt }}',
            parameters: 'num_ctx                        4096\nstop                           "<|im_end|>"',
            model_info: {},
          }),
        )
      else response.writeHead(404).end('404 page not found')
    })
  })
  const facts = await modelFacts(spec, never())
  assert.deepEqual(
    { ...facts, template_sha: facts.template_sha?.length },
    { server: 'ollama', digest: DIGEST, template_sha: 64, parameters: { num_ctx: '4096', stop: '"<|im_end|>"' }, quantization: 'Q4_K_M', size: '7.6B' },
  )
})

test('llama.cpp: the same file with another template is another model, in another folder it is not', async (t) => {
  const props = { default_generation_settings: { n_ctx: 8192 }, model_path: '/models/qwen-Q4_K_M.gguf', chat_template: 'a', build_info: 'b6000' }
  const spec = await serve(t, (request, response) => (request.url === '/props' ? response.end(JSON.stringify(props)) : response.writeHead(404).end()))
  const facts = await modelFacts(spec, never())
  assert.deepEqual([facts.server, facts.parameters, facts.quantization], ['llama_cpp', { n_ctx: '8192', build: 'b6000' }, 'Q4_K_M'])
  const again = (change: object) => factsOf('x', { tags: null, shown: null, props: { ...props, ...change } }).digest
  assert.equal(again({ model_path: '/elsewhere/qwen-Q4_K_M.gguf' }), facts.digest)
  assert.notEqual(again({ chat_template: 'b' }), facts.digest)
})

test('who says nothing, or nonsense, or takes too long is told as nothing', async (t) => {
  for (const answer of ['', 'null', '[]', '{"models": 3}', '{"models": [null, {"name": 7}], "model_path": 1}', '<html>'])
    assert.deepEqual(await modelFacts(await serve(t, (_request, response) => void response.end(answer)), never()), NO_FACTS, answer)
  assert.deepEqual(await modelFacts(await serve(t, () => undefined), AbortSignal.timeout(100)), NO_FACTS)
  assert.deepEqual(await modelFacts({ baseUrl: 'http://127.0.0.1:9/v1', model: 'x', endpoint: { host: '127.0.0.1:9', loopback: true } }, never()), NO_FACTS)
  assert.deepEqual(
    await modelFacts({ baseUrl: 'https://api.example.org/v1', model: 'x', endpoint: { host: 'api.example.org', loopback: false } }, never()),
    NO_FACTS,
    'nobody else is asked',
  )
})

/** `vp model probe` against servers that cut as the real ones do, and what its result changes from then on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startOllama, type OllamaChat, type OllamaOptions, type OllamaSays } from '../servers/ollama.ts'
import { makePlace, receiptsOf, vp, vpJson, type Place } from '../e2e/kit.ts'
import { openRpc } from '../e2e/rpc-client.ts'

const NAME = 'phi4:14b'
const FILES = { 'a.txt': 'a\n' }

/** A model that does what the probe asks for: repeats the markers it sees, and calls. */
function obedient(chat: OllamaChat, seen: string): OllamaSays {
  const markers = [...seen.matchAll(/# marker ([0-9a-f]{8})\n/g)].map((match) => match[1])
  if (markers.length > 0) return { text: markers.join('\n') }
  const path = /Show the file (\S+)\.\n/.exec(seen)?.[1] ?? ''
  const call = { name: 'read', arguments: { path } }
  if (chat.tools && !path.includes('part-3')) return { calls: [call] }
  return { text: `<tool_call>\n${JSON.stringify(call)}\n</tool_call>` }
}

async function placeWith(
  t: Parameters<typeof makePlace>[0],
  options: Omit<OllamaOptions, 'models' | 'says'>,
): Promise<[Place, Awaited<ReturnType<typeof startOllama>>]> {
  const server = await startOllama({ models: [{ name: NAME, contextLength: 16_384, digest: 'c'.repeat(64) }], says: obedient, ...options })
  t.after(() => server.close())
  return [makePlace(t, FILES, undefined, { VP_MODEL: `ollama:${NAME}`, VP_MODEL_BASE_URL: server.url }), server]
}

test('an old Ollama: its stock window and the one that vp gets, both numbers, the calls, on the screen', async (t) => {
  const [place] = await placeWith(t, { isOld: true })
  const { code, stdout, stderr } = await vp(place, ['model', 'probe', `ollama:${NAME}`])
  assert.equal(code, 0, stderr)
  assert.match(
    stdout,
    /^! stock {2}window 4,096: of 15,9\d\d tokens sent the server counted 4,096\n {2}now {4}window 16,384: vp sends num_ctx, markers 1 to 16 came back\n {2}calls {2}dialect wire, 1 of 10 repaired \| (?:\d+ tok\/s, )?first token <?[\d.]+s\n$/,
  )
})

test('what is measured is the window of the calls that follow, until the model is another', async (t) => {
  const [place, server] = await placeWith(t, { isOld: true, mostTokens: 8192 })
  const { code, doc } = await vpJson(place, ['model', 'probe'])
  assert.equal(code, 0, JSON.stringify(doc))
  const window = doc.result?.['window'] as unknown as { effective: number; set: number; stock: number; trained: number }
  assert.deepEqual([window.effective, window.set, window.stock, window.trained], [8192, 8192, 4096, 16_384])
  const receipt = (await receiptsOf(place)).find((one) => one.op === 'model.probe')
  assert.deepEqual([receipt?.outcome, (receipt?.detail as { host?: string } | undefined)?.host], ['ok', new URL(server.url).host])

  const listed = (await vpJson(place, ['model', 'list'])).doc.result?.['tiers'] as unknown as { models: { model: string; window_tokens: number | null }[] }[]
  assert.equal(listed.flatMap((tier) => tier.models).find((one) => one.model === `ollama:${NAME}`)?.window_tokens, 8192)

  const before = server.chats.length
  await vpJson(place, ['do', 'fix it', '--test', 'true'])
  assert.ok(server.chats.length > before)
  assert.deepEqual(new Set(server.chats.slice(before).map((chat) => chat.options?.num_ctx)), new Set([8192]))

  const other = await startOllama({ models: [{ name: NAME, contextLength: 16_384, digest: 'e'.repeat(64) }], says: obedient })
  t.after(() => other.close())
  await vpJson(place, ['do', 'fix it too', '--test', 'true'], { env: { VP_MODEL_BASE_URL: other.url } })
  assert.deepEqual(new Set(other.chats.map((chat) => chat.options?.num_ctx)), new Set([16_384]))
})

test('a model whose digest is another than at the last call is told', async (t) => {
  const models = [{ name: NAME, contextLength: 16_384, digest: 'c'.repeat(64) }]
  const server = await startOllama({ models, says: obedient })
  t.after(() => server.close())
  const place = makePlace(t, FILES, undefined, { VP_MODEL: `ollama:${NAME}`, VP_MODEL_BASE_URL: server.url })
  await vpJson(place, ['do', 'fix it', '--test', 'true'])
  const same = await vpJson(place, ['model', 'probe', '--window', '2048'])
  assert.deepEqual([same.code, same.doc.result?.['drift']], [0, null])
  Object.assign(models[0] ?? {}, { digest: 'e'.repeat(64) })
  const { code, stderr } = await vp(place, ['model', 'probe', '--window', '2048'])
  assert.equal(code, 0, stderr)
  assert.match(stderr, /is another model than before: cccccccccccc (?:→|->) eeeeeeeeeeee/)
})

test('a search that --window cut short is told and not kept', async (t) => {
  const [place, server] = await placeWith(t, { isOld: true })
  const small = await vp(place, ['model', 'probe', '--window', '2048'])
  assert.equal(small.code, 0, small.stderr)
  assert.match(small.stdout, /window at least 2,048: [^\n]*\n.*cut by --window, so it is not kept/)
  const before = server.chats.length
  await vpJson(place, ['do', 'fix it', '--test', 'true'])
  assert.deepEqual(new Set(server.chats.slice(before).map((chat) => chat.options?.num_ctx)), new Set([16_384]))
})

test('over vp rpc: the model in force, and no address of the caller’s own choice', async (t) => {
  const [place] = await placeWith(t, {})
  const client = openRpc(t, place)
  const found = (await client.request('model.probe', { window: 8192 })).result
  assert.deepEqual((found?.['window'] as { effective: number } | undefined)?.effective, 8192)
  const refused = (await client.request('model.probe', { model: `ollama:${NAME}`, base_url: 'http://127.0.0.1:22/' })).error
  assert.deepEqual([refused?.code, refused?.data.code], [-32001, 'policy.denied'])
  await client.end()
})

test('a vendor’s model is not probed, a server that is not there is said', async (t) => {
  const place = makePlace(t, FILES, undefined, { VP_MODEL: 'anthropic:x', VP_MODEL_API_KEY: 'k' })
  assert.deepEqual((await vpJson(place, ['model', 'probe'])).doc.error?.code, 'usage.params')
  const none = await vpJson(place, ['model', 'probe', 'ollama:x', '--base-url', 'http://127.0.0.1:9'])
  assert.deepEqual([none.code, none.doc.error?.code], [8, 'model.unreachable'])
})

/** `vp model pull`: from an Ollama, from an address, by an index; to the end, or with an error and nothing half done. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { writeScriptedGguf } from '../fixtures/gguf.ts'
import { makePlace, receiptsOf, vp, vpJson, type Place } from '../e2e/kit.ts'
import { openRpc } from '../e2e/rpc-client.ts'
import { startFileServer, type FileServerOptions } from '../servers/files.ts'
import { startOllama } from '../servers/ollama.ts'

const FILES = { 'a.txt': 'a\n' }

async function placeWithFile(t: Parameters<typeof makePlace>[0], options: Partial<FileServerOptions> = {}) {
  const place = makePlace(t, FILES, undefined, { XDG_DATA_HOME: '' })
  const source = join(place.root, 'source.gguf')
  writeScriptedGguf(source, { 2: 'ok' }, { contextLength: 4096 })
  const bytes = readFileSync(source)
  const server = await startFileServer({ bytes, ...options })
  t.after(() => server.close())
  return { place, bytes, server, url: `${server.url}/tiny.gguf`, sha256: createHash('sha256').update(bytes).digest('hex'), file: modelAt(place, 'tiny') }
}

const modelAt = (place: Place, name: string) => join(place.env['HOME'] as string, '.local', 'share', 'vp', 'models', `${name}.gguf`)

test('a GGUF from an address, its connection cut once: verified, in its place, known by its name, pulled once', async (t) => {
  const { place, bytes, url, sha256, file, server } = await placeWithFile(t, { cuts: [500_000] })
  const { code, stdout, stderr } = await vp(place, ['model', 'pull', url, '--sha256', sha256])
  assert.equal(code, 0, stderr)
  assert.match(stdout, /llama_cpp:tiny .*1\.[0-9] MB.*sha256 [0-9a-f]{12} as named.*trained for 4,096 tokens/)
  assert.match(stderr, /^downloading \| \d+ % \| .* of 1\.\d MB/m)
  assert.ok(readFileSync(file).equals(bytes))
  const receipt = (await receiptsOf(place)).find((one) => one.op === 'model.pull')
  assert.equal((receipt?.detail as { pulled?: { sha256: string } } | undefined)?.pulled?.sha256, sha256)
  const before = server.came.length
  const again = await vpJson(place, ['model', 'pull', url, '--sha256', sha256])
  assert.deepEqual([again.code, server.came.length], [0, before], 'nothing is asked again')
  const doctor = await vpJson(place, ['doctor'], { env: { VP_MODEL: 'llama_cpp:tiny' } })
  assert.match(JSON.stringify(doctor.doc.result), /llama_cpp:tiny at this process|needs node-llama-cpp/)
})

test('a wrong hash, a file that is no model, no hash at all', async (t) => {
  const { place, url, file, sha256 } = await placeWithFile(t)
  const wrong = await vpJson(place, ['model', 'pull', `${url}#sha256=${'0'.repeat(64)}`])
  assert.deepEqual([wrong.code, wrong.doc.error?.code, existsSync(file), existsSync(`${file}.part`)], [8, 'model.protocol', false, false])
  const unnamed = await vpJson(place, ['model', 'pull', url])
  assert.deepEqual([unnamed.code, unnamed.doc.result?.['verified'], unnamed.doc.result?.['sha256']], [0, false, sha256])
  const other = await placeWithFile(t, { bytes: Buffer.from('just some words, and no model at all') })
  const none = await vpJson(other.place, ['model', 'pull', other.url])
  assert.deepEqual([none.doc.error?.code, existsSync(other.file)], ['model.request', false])
})

test('by a name of an index', async (t) => {
  const { place, url, sha256 } = await placeWithFile(t)
  const index = join(place.root, 'models.json')
  writeFileSync(index, JSON.stringify({ models: { 'my-model': { url, sha256 } } }))
  const found = await vpJson(place, ['model', 'pull', 'my-model', '--index', index])
  assert.deepEqual(
    [found.code, found.doc.result?.['model'], found.doc.result?.['verified'], existsSync(modelAt(place, 'my-model'))],
    [0, 'llama_cpp:my-model', true, true],
  )
  assert.equal((await vpJson(place, ['model', 'pull', 'another', '--index', index])).doc.error?.code, 'model.not_found')
  writeFileSync(index, '{"models": {"x": {"url": 7}}}')
  assert.equal((await vpJson(place, ['model', 'pull', 'x', '--index', index])).doc.error?.code, 'usage.params')
})

const refused: [title: string, args: string[], code: string][] = [
  ['no TLS', ['http://example.org/a.gguf'], 'usage.params'],
  ['another scheme', ['ftp://example.org/a.gguf'], 'usage.params'],
  ['a password', ['https://me:secret@example.org/a.gguf'], 'usage.params'],
  ['a name that leads elsewhere', ['http://127.0.0.1:9/..%2F..%2Fetc%2Fpasswd'], 'usage.params'],
  ['a hash that is none', ['https://example.org/a.gguf', '--sha256', 'abc'], 'usage.params'],
  ['offline', ['https://example.org/a.gguf', '--offline'], 'model.offline'],
  ['a port where nobody listens', ['http://127.0.0.1:9/a.gguf'], 'model.unreachable'],
]
test('what is refused, and why', async (t) => {
  const place = makePlace(t, FILES)
  for (const [title, args, code] of refused) assert.equal((await vpJson(place, ['model', 'pull', ...args])).doc.error?.code, code, title)
})

test('from an Ollama: its progress, a connection that breaks, a name it does not find, a disk that is full', async (t) => {
  const server = await startOllama({
    models: [],
    pulls: { 'phi4:14b': { size: 9_000_000_000, breaksAt: 4_000_000_000 }, 'big:70b': { size: 100, error: 'write /root/.ollama: no space left on device' } },
  })
  t.after(() => server.close())
  const place = makePlace(t, FILES, undefined, { VP_MODEL: 'ollama:phi4:14b', VP_MODEL_BASE_URL: server.url })
  const done = await vp(place, ['model', 'pull', 'phi4:14b'])
  assert.equal(done.code, 0, done.stderr)
  assert.match(done.stdout, /ollama:phi4:14b \| digest dddddddddddd \| trained for 32,768 tokens/)
  assert.match(done.stderr, /pulling b+ \| \d+ % \| .* of 9 GB/)
  assert.equal(server.came.filter(({ path }) => path === '/api/pull').length, 2)
  assert.equal((await vpJson(place, ['model', 'pull', 'phi-4'])).doc.result?.['model'], 'ollama:phi4:14b', 'by the name of the preset')
  assert.deepEqual(
    [(await vpJson(place, ['model', 'pull', 'ollama:nobody'])).doc.error?.code, (await vpJson(place, ['model', 'pull', 'big:70b'])).doc.error?.code],
    ['model.not_found', 'store.full'],
  )
})

test('over vp rpc a person is asked first', async (t) => {
  const { place, url } = await placeWithFile(t)
  const client = openRpc(t, place)
  assert.equal((await client.request('model.pull', { model: url })).error?.data.code, 'approval.needed')
  await client.end()
})

test('one Ctrl-C ends a pull, and what came is kept', async (t) => {
  const { place, url, file, sha256 } = await placeWithFile(t, { stallsAfter: 300_000 })
  const started = performance.now()
  const stopped = await vp(place, ['model', 'pull', url, '--sha256', sha256], {
    onSpawn: (child) => child.stderr?.once('data', () => setTimeout(() => child.kill('SIGINT'), 200)),
  })
  assert.deepEqual([stopped.code, existsSync(`${file}.part`)], [130, true], stopped.stderr)
  assert.ok(performance.now() - started < 15_000, 'not for the silence of the server')
})

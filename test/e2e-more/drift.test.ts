/** The model behind a name changes: each call's receipt says what it was made of, drift is told, and a replay refuses it until a person allows it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { call, makePlace, receiptsOf, turnOf, vp, vpJson } from '../e2e/kit.ts'

const FILES = {
  'package.json': `${JSON.stringify({ name: 'sum', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } })}\n`,
  'src/add.js': 'export const add = (a, b) => a - b\n',
  'test/add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from '../src/add.js'\n\ntest('adds', () => assert.equal(add(1, 2), 3))\n",
}

interface Snapshot {
  readonly model_digest: string | null
  readonly template_sha: string | null
  readonly endpoint: { readonly class: string }
  readonly parameters: object
}

/** As an Ollama says it. */
const SAID: Readonly<Record<string, (digest: string) => object>> = {
  '/v1/models': () => ({ data: [{ id: 'scripted', owned_by: 'library' }] }),
  '/api/tags': (digest) => ({ models: [{ name: 'scripted', digest }] }),
  '/api/show': () => ({ template: 'T', parameters: 'num_ctx 4096' }),
}

test('a digest in each receipt, drift told once, a replay that refuses and one that is allowed', async (t) => {
  let digest = 'a'.repeat(64)
  let sum = 'a + b'
  const server = await startScriptedServer(
    (request) =>
      [
        call('read', { path: 'src/add.js' }),
        call('write', { path: 'src/add.js', content: `export const add = (a, b) => ${sum}\n` }),
        call('test', {}),
        call('submit', { title: 'fix(add): add', summary: 'Adds.' }),
      ][turnOf(request).turn - 1] ?? { text: 'done' },
    (url) => SAID[url]?.(digest),
  )
  t.after(() => server.close())
  const place = makePlace(t, FILES, server)
  const done = await vpJson(place, ['do', 'make add add'])
  assert.equal(done.code, 0, done.stderr)
  const calls = (await receiptsOf(place)).filter(({ op }) => op === 'model.call')
  for (const { detail } of calls) {
    const { snapshot, max_tokens } = detail as unknown as { snapshot: Snapshot; max_tokens: number }
    assert.deepEqual(
      [snapshot.model_digest, snapshot.template_sha?.length, snapshot.endpoint.class, snapshot.parameters, max_tokens],
      [digest, 64, 'loopback', { num_ctx: '4096' }, 4096],
    )
  }
  assert.equal((await vpJson(place, ['replay'])).doc.result?.['equal'], true)

  digest = 'b'.repeat(64)
  sum = 'b + a'
  const run = String((done.doc.result as unknown as { run_id: string }).run_id)
  const unmet = await vpJson(place, ['replay', run])
  assert.deepEqual([unmet.code, unmet.doc.error?.code], [3, 'replay.drift'], 'the server is asked, though no call has met the other model')
  assert.deepEqual(unmet.doc.error?.next[0], ['vp', 'replay', run, '--allow-drift'])
  const asked = server.requests.length
  const fork = await vpJson(place, ['replay', run, '--from', '2'])
  assert.deepEqual([fork.code, fork.doc.error?.code, server.requests.length], [3, 'replay.drift', asked])
  assert.deepEqual(fork.doc.error?.next[0], ['vp', 'replay', run, '--from', '2', '--allow-drift'])
  assert.equal((await vpJson(place, ['replay', run, '--from', '2', '--model', 'openai_compatible:another'])).doc.error, undefined, 'another name was chosen')

  const more = await vp(place, ['do', 'make add add once more'])
  assert.equal(more.code, 0)
  assert.match(more.stderr, /scripted is another model than before: aaaaaaaaaaaa -> bbbbbbbbbbbb/)
  const drifts = (await receiptsOf(place)).filter(({ op }) => op === 'model.drift')
  assert.equal(drifts.length, 1, 'told once')
  const refused = await vpJson(place, ['replay', run])
  assert.deepEqual([refused.code, refused.doc.error?.code], [3, 'replay.drift'])
  assert.match(JSON.stringify(refused.doc.error), /digest was aaaaaaaaaaaa, is bbbbbbbbbbbb/)
  assert.equal((await vpJson(place, ['replay', run, '--allow-drift'])).doc.result?.['equal'], true)
  const forked = await vpJson(place, ['replay', run, '--from', '2', '--allow-drift'])
  assert.equal(forked.code, 0, JSON.stringify(forked.doc))
})

test('a replay whose server is gone is equal, and says that it could not ask', async (t) => {
  const server = await startScriptedServer(
    (request) =>
      [call('write', { path: 'src/add.js', content: 'export const add = (a, b) => a + b\n' }), call('submit', { title: 'fix(add): add', summary: 'Adds.' })][
        turnOf(request).turn - 1
      ] ?? { text: 'done' },
    (url) => SAID[url]?.('a'.repeat(64)),
  )
  const place = makePlace(t, FILES, server)
  assert.equal((await vpJson(place, ['do', 'make add add'])).code, 0)
  await server.close()
  const replayed = await vp(place, ['replay'])
  assert.equal(replayed.code, 0, replayed.stderr)
  assert.match(replayed.stdout, /^equal .*0 sockets/m)
  assert.match(replayed.stderr, /note {2}the server of openai_compatible:scripted@127\.0\.0\.1:\d+ could not be asked/)
})

/** Keys and ways out: a key command without a shell, a CONNECT proxy, a private CA, and nothing of a key in what is kept. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttp, type Server } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { before, after, describe, test } from 'node:test'
import { makePlace, receiptsOf, vp, vpJson, type Place } from '../e2e/kit.ts'

const KEY = 'key-of-a-kind-nobody-knows-0001'
const HOST = 'model.test'
const FILES = { 'a.txt': 'a\n' }

/** A CA of our own and a certificate of it for `model.test`. */
function certificates(folder: string): { ca: string; key: string; cert: string } {
  const at = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=vp test CA')
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'server.key', '-out', 'server.csr', '-subj', `/CN=${HOST}`)
  writeFileSync(at('ext'), `subjectAltName=DNS:${HOST}\n`)
  openssl('x509', '-req', '-in', 'server.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-out', 'server.pem', '-days', '2', '-extfile', 'ext')
  return { ca: at('ca.pem'), key: readFileSync(at('server.key'), 'utf8'), cert: readFileSync(at('server.pem'), 'utf8') }
}

const OPENAI = [
  { choices: [{ index: 0, delta: { role: 'assistant', content: '{"path":"src/cart.js","functions":["total","count"],"returns":2}' } }] },
  { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], usage: { prompt_tokens: 10, completion_tokens: 10 } },
]
const ANTHROPIC = [
  {
    type: 'message_start',
    message: {
      id: 'm',
      type: 'message',
      role: 'assistant',
      content: [],
      model: 'claude',
      stop_reason: null,
      stop_sequence: null,
      usage: { input_tokens: 10, output_tokens: 1 },
    },
  },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: '{}' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 5 } },
  { type: 'message_stop' },
]

describe('through a proxy, to a server with a certificate of a private CA', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vp-ca-'))
  const keys: string[] = []
  const tunnels: string[] = []
  const open = new Set<Socket>()
  let ca = ''
  let model: Server
  let proxy: Server
  let proxyUrl = ''

  before(async () => {
    const made = certificates(folder)
    ca = made.ca
    model = createHttps({ key: made.key, cert: made.cert }, (request, response) => {
      keys.push(String(request.headers.authorization ?? request.headers['x-api-key']))
      request.resume().on('end', () => {
        if (keys.at(-1)?.includes('wrong'))
          return response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { message: `bad key: ${keys.at(-1)}` } }))
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        if (request.url?.endsWith('/messages')) response.end(ANTHROPIC.map((one) => `event: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`).join(''))
        else response.end(`${OPENAI.map((one) => `data: ${JSON.stringify(one)}\n\n`).join('')}data: [DONE]\n\n`)
        return undefined
      })
    }) as unknown as Server
    await new Promise<void>((resolve) => model.listen(0, '127.0.0.1', resolve))
    const { port } = model.address() as AddressInfo
    proxy = createHttp((_request, response) => response.writeHead(405).end())
    proxy.on('connect', (request, socket: Socket, head) => {
      tunnels.push(String(request.url))
      const there = connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
        there.write(head)
        there.pipe(socket)
        socket.pipe(there)
      })
      for (const one of [socket, there]) {
        open.add(one)
        one.on('error', () => undefined).on('close', () => open.delete(one))
      }
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  })
  after(() => {
    for (const one of open) one.destroy()
    model.close()
    proxy.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const settings = (provider: string, change: object = {}) => ({
    VP_MODEL: `${provider}:x`,
    VP_MODEL_BASE_URL: `https://${HOST}/v1`,
    VP_MODEL_API_KEY: KEY,
    HTTPS_PROXY: proxyUrl,
    NODE_EXTRA_CA_CERTS: ca,
    ...change,
  })
  /** One call of a model: a capability test of one kind. */
  const ask = (place: Place, env: Readonly<Record<string, string>>) => vpJson(place, ['model', 'test', '--test', 'json'], { env })
  /** The hosts of each call and try, by the receipts. */
  const sentTo = async (place: Place) =>
    (await receiptsOf(place))
      .filter(({ op }) => op === 'model.call')
      .map(({ detail }) => ((detail ?? {}) as { sent?: { host: string }[] }).sent?.map(({ host }) => host) ?? ['unknown'])
  const free = (place: Place) => {
    const file = join(place.env['HOME'] as string, '.config/vp/config.json')
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, JSON.stringify({ prices: { x: { in_per_million_usd: 1, out_per_million_usd: 1 } } }))
  }

  for (const provider of ['openai_compatible', 'openai', 'anthropic'])
    test(`${provider} answers`, async (t) => {
      const place = makePlace(t, FILES)
      free(place)
      const had = [tunnels.length, keys.length] as const
      const { doc } = await ask(place, settings(provider))
      assert.equal((doc.result?.['tests'] as unknown as unknown[] | undefined)?.length, 1, JSON.stringify(doc.error))
      assert.ok(tunnels.length > had[0] && tunnels.at(-1) === `${HOST}:443`, 'it went through the proxy')
      assert.match(keys[had[1]] ?? '', new RegExp(KEY))
      const told = await sentTo(place)
      assert.ok(
        told.length > 0 && told.every((hosts) => hosts.join() === HOST),
        `what left is told by whom it was for, not by who passed it on: ${told.join(' ')}`,
      )
    })

  test('a key that merely lies in the environment: whoever is not asked is told the same command and the letters', async (t) => {
    const place = makePlace(t, { ...FILES, 'PRD.md': 'Make it better.\n' })
    assert.equal((await vp(place, ['new', '--name', 'x'])).code, 0)
    const { code, doc } = await vpJson(place, ['plan'], { env: { ANTHROPIC_API_KEY: KEY } })
    assert.deepEqual(
      [code, doc.error?.code, doc.error?.hint],
      [5, 'model.consent', 'the same command in a terminal, and answer a or p'],
      JSON.stringify(doc.error),
    )
  })

  test('without the CA the certificate is refused; with NO_PROXY the proxy is not asked; a key that is refused is in no word', async (t) => {
    const place = makePlace(t, FILES)
    free(place)
    const env = settings('openai_compatible')
    const { NODE_EXTRA_CA_CERTS: _, ...strange } = env
    const before = keys.length
    const refused = await ask(place, strange as typeof env)
    assert.equal(refused.doc.error?.code, 'model.unreachable')
    assert.match(JSON.stringify(refused.doc.error), /NODE_EXTRA_CA_CERTS/)
    assert.equal(keys.length, before)
    const told = await sentTo(place)
    assert.ok(told.length > 0 && told.every((hosts) => hosts.length === 0), 'what has no certificate was sent nothing')
    const had = tunnels.length
    assert.match(String((await ask(place, { ...env, NO_PROXY: HOST })).doc.error?.code), /^model\.unreachable/)
    assert.equal(tunnels.length, had)
    const wrong = await ask(place, { ...env, VP_MODEL_API_KEY: 'a-wrong-key-000001' })
    assert.equal(wrong.doc.error?.code, 'model.auth')
    assert.doesNotMatch(JSON.stringify([wrong, await receiptsOf(place)]), /a-wrong-key-000001/)
  })

  test('a key command of a policy: no shell, outside of the repository, its words nowhere', async (t) => {
    const place = makePlace(t, { ...FILES, 'print-key': `#!/bin/sh\necho ${KEY}-of-the-repository\n` })
    free(place)
    const home = place.env['HOME'] as string
    const bin = join(home, 'bin')
    mkdirSync(bin, { recursive: true })
    const script = (name: string, body: string) => {
      writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`)
      chmodSync(join(bin, name), 0o755)
    }
    script('print-key', `[ "$1" = 'a;b $HOME' ] && echo ${KEY}-printed`)
    script('no-key', 'echo something-else-on-stderr >&2; exit 3')
    const policy = (api_key_command: string[]) => {
      const one = { provider: 'openai_compatible', model: 'x', endpoint: `https://${HOST}/v1`, api_key_command }
      writeFileSync(join(home, '.config/vp/model-policy.json'), JSON.stringify({ version: '2026-11-29-301', default_provider: one, lane_overrides: {} }))
    }
    const env = { HTTPS_PROXY: proxyUrl, NODE_EXTRA_CA_CERTS: ca, PATH: `${place.repository}:${bin}:${place.env['PATH']}` }
    policy(['print-key', 'a;b $HOME'])
    const had = keys.length
    const { doc } = await ask(place, env)
    assert.equal((doc.result?.['tests'] as unknown as unknown[] | undefined)?.length, 1, JSON.stringify(doc.error))
    assert.equal(keys[had], `Bearer ${KEY}-printed`)
    assert.doesNotMatch(JSON.stringify([doc, await receiptsOf(place), (await vp(place, ['logs'])).stdout]), new RegExp(`${KEY}-printed`))
    policy(['no-key'])
    const none = await ask(place, env)
    assert.deepEqual([none.doc.error?.code, none.doc.error?.message], ['model.auth', 'no-key printed no key, exit 3'])
    policy(['not-there'])
    assert.match(String((await ask(place, env)).doc.error?.message), /not found outside this repository/)
  })
})

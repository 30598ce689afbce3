/**
 * `vp rpc` as another program sees it: a child process, both framings, bad parameters of every
 * method, cancellation, limits, and whatever bytes come.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { sha256 } from '../../src/core/json.ts'
import { OPERATIONS } from '../../src/operations/table.ts'
import { makePlace, processesWith, seeded, type Place, vp, vpJson, writeFiles } from '../e2e/kit.ts'
import { openRpc, type RpcAnswer, type RpcFraming } from '../e2e/rpc-client.ts'
import { failed, FILES, FRAMINGS, ok } from '../e2e/rpc-calls.ts'

describe('what is wrong', () => {
  const cleanups: (() => void)[] = []
  const cleanup = { after: (fn: () => void) => void cleanups.push(fn) }
  let place: Place
  before(() => void (place = makePlace(cleanup, FILES)))
  after(() => {
    for (const fn of cleanups) fn()
  })

  test('parameters that a method does not take are −32602, for every method', async (t) => {
    const client = openRpc(t, place)
    for (const { name } of OPERATIONS)
      for (const params of [{ nonsense: true }, [1], 'x', 7]) {
        const error = await failed(client, name, params)
        assert.deepEqual([error.code, error.data.code, error.data.retryable], [-32602, 'usage.params', false], `${name} ${JSON.stringify(params)}`)
        assert.match(String(error.data.receipt), /^r_/)
      }
    await client.end()
  })

  test('an unknown method is −32601, also where objects have a member of that name', async (t) => {
    const client = openRpc(t, place)
    for (const method of ['nope', 'rag.query', 'pas.submit', 'toString', '__proto__', 'constructor', '', 'fs.read '])
      assert.equal((await failed(client, method, {})).code, -32601, method)
    await client.end()
  })

  const SHAPES: [title: string, document: unknown, id: unknown, code: number][] = [
    ['a number', 1, null, -32600],
    ['null', null, null, -32600],
    ['an empty batch', [], null, -32600],
    ['no version', { id: 1, method: 'git.status' }, 1, -32600],
    ['another version', { jsonrpc: '1.0', id: 1, method: 'git.status' }, 1, -32600],
    ['no method', { jsonrpc: '2.0', id: 2 }, 2, -32600],
    ['a method that is no text', { jsonrpc: '2.0', id: 'x', method: 5 }, 'x', -32600],
    ['an id that is an object', { jsonrpc: '2.0', id: {}, method: 'git.status' }, null, -32600],
    ['an answer', { jsonrpc: '2.0', id: 3, method: 'x', result: 1 }, 3, -32600],
    ['too deep', JSON.parse(`${'['.repeat(65)}${']'.repeat(65)}`), null, -32600],
  ]
  for (const [title, document, id, code] of SHAPES)
    test(`${title} is no request`, async (t) => {
      const client = openRpc(t, place)
      client.send(document)
      const answer = (await client.next()) as RpcAnswer
      assert.deepEqual([answer.id, answer.error?.code], [id, code])
      assert.ok(await client.request('git.status'))
      await client.end()
    })

  test('a denial names the rule, and never what it protects', async (t) => {
    writeFiles(place.repository, { '.env': 'PASSWORD=hunter2hunter2\n' })
    const client = openRpc(t, place)
    const curl = await failed(client, 'run.exec', { argv: ['curl', 'https://example.org'] })
    assert.deepEqual([curl.code, curl.data.code, curl.data['rule']], [-32001, 'policy.denied', 'global/no-network'])
    const env = await failed(client, 'fs.read', { path: '.env' })
    assert.deepEqual([env.code, env.data['rule']], [-32001, 'global/secret-file'])
    assert.doesNotMatch(JSON.stringify([curl, env]), /hunter2/)
    const stale = await failed(client, 'fs.write', { path: 'src/a.js', content: 'x', base_sha: '0'.repeat(64) })
    assert.deepEqual([stale.code, stale.data.retryable], [-32003, true])
    assert.equal((await failed(client, 'fs.read', { path: 'nowhere' })).code, -32004)
    await client.end()
  })

  test('what answers vp’s own questions stays with the person, unless they hand it over', async (t) => {
    const client = openRpc(t, place)
    const inline = await failed(client, 'run.exec', { argv: ['node', '-e', '1'] })
    assert.deepEqual([inline.code, inline.data['hint']], [-32002, `vp approve ${inline.data['approval']}`])
    for (const [method, params] of [
      ['run.approve', { approval: inline.data['approval'], extent: 'call' }],
      ['ledger.accept', {}],
      ['plms.approve', { budget_usd: 1, budget_tokens: null, breach: 'pause', gates: [] }],
    ] as const) {
      const error = await failed(client, method, params)
      assert.deepEqual([error.code, error.data.code, error.data['rule']], [-32001, 'policy.scope', 'scope/projects.approve'])
    }
    assert.equal((await failed(client, 'run.do', { goal: 'x' })).code, -32002)
    await client.end()
    const looking = openRpc(t, place, { args: ['--scope', 'fs.read', '--scope', 'search'] })
    assert.ok((await looking.request('fs.read', { path: 'src/a.js' })).result)
    assert.equal((await failed(looking, 'fs.write', { path: 'x', content: '' })).data['rule'], 'scope/fs.write')
    await looking.end()
    for (const args of [['--json'], ['--scope', 'everything'], ['--cwd', '/nowhere/at/all']]) assert.notEqual((await vp(place, ['rpc', ...args])).code, 0)
  })

  test('files that only a person at the terminal may name are refused', async (t) => {
    const client = openRpc(t, place)
    const outside = join(place.root, 'outside.md')
    writeFiles(place.root, { 'outside.md': '# Tasks\n' })
    await ok(client, 'plms.create', { name: 'small' })
    assert.equal((await failed(client, 'plms.plan', { prd: outside })).code, -32001)
    assert.equal((await failed(client, 'plms.plan', { prd: '../outside.md' })).code, -32001)
    assert.equal((await failed(client, 'run.verify', { run: outside })).code, -32001)
    assert.equal((await failed(client, 'run.export', { out: outside })).data['rule'], 'out/terminal')
    await client.end()
  })
})

describe('the stream', () => {
  const cleanups: (() => void)[] = []
  const cleanup = { after: (fn: () => void) => void cleanups.push(fn) }
  let place: Place
  before(() => void (place = makePlace(cleanup, FILES)))
  after(() => {
    for (const fn of cleanups) fn()
  })

  test('secrets are masked, the hash is of the bytes', async (t) => {
    const client = openRpc(t, place)
    const read = await ok(client, 'fs.read', { path: 'src/conf.js' })
    assert.doesNotMatch(JSON.stringify(read), /abcdefghijkl/)
    assert.match(String(read['content']), /\[REDACTED/)
    assert.equal(read['sha'], sha256(FILES['src/conf.js']))
    const shown = String(read['content'])
    const written = await ok(client, 'fs.write', { path: 'src/conf.js', content: `// read me\n${shown}`, base_sha: read['sha'] })
    assert.doesNotMatch(JSON.stringify(written), /abcdefghijkl/)
    const unified_diff = `--- a/src/conf.js\n+++ b/src/conf.js\n@@ -1,2 +1,2 @@\n-// read me\n+// keep me\n ${shown}`
    assert.equal((await ok(client, 'fs.patch', { unified_diff, apply: true }))['applied'], true)
    assert.equal(readFileSync(join(place.repository, 'src/conf.js'), 'utf8'), `// keep me\n${FILES['src/conf.js']}`, 'a placeholder stands for its secret')
    const moved = await failed(client, 'fs.write', { path: 'src/other.js', content: shown })
    assert.equal(moved.data.code, 'patch.rejected', 'in another file it stands for nothing')
    const printed = await ok(client, 'run.exec', { argv: ['node', 'tools/print.js'] }).catch(() => null)
    assert.equal(printed?.['exit_code'], 1, 'a program that is not there fails by itself')
    await client.end()
  })

  test('a batch answers in one list, requests only', async (t) => {
    const client = openRpc(t, place, { framing: 'frames' })
    client.send([
      { jsonrpc: '2.0', id: 'a', method: 'fs.read', params: { path: 'src/a.js' } },
      { jsonrpc: '2.0', method: 'fs.write', params: { path: 'notified', content: 'x' } },
      { jsonrpc: '2.0', id: 'b', method: 'nope' },
      7,
    ])
    const answers = (await client.next()) as RpcAnswer[]
    assert.deepEqual(
      answers.map((answer) => [answer.id, answer.error?.code]),
      [
        ['a', undefined],
        ['b', -32601],
        [null, -32600],
      ],
    )
    client.send([{ jsonrpc: '2.0', id: 'only', method: 'git.status' }])
    assert.ok(Array.isArray(await client.next()), 'a batch of one is a batch')
    client.send([{ jsonrpc: '2.0', method: 'fs.read' }])
    assert.ok(await client.request('git.status'), 'a batch of notifications has no answer')
    const { stderr } = await client.end()
    assert.match(stderr, /fs\.write came as a notification/)
    assert.equal(existsSync(join(place.repository, 'notified')), false)
  })

  test('$/cancelRequest ends a command, also one that waits for its turn', async (t) => {
    const client = openRpc(t, place)
    const began = performance.now()
    const runs = [1, 2, 3].map((n) => client.request('run.exec', { argv: ['node', 'tools/sleep.js', String(n)] }))
    while (!existsSync(join(place.repository, 'began-1')) || !existsSync(join(place.repository, 'began-2'))) await delay(20)
    assert.ok((await client.request('fs.read', { path: 'src/a.js' })).result, 'reading goes on meanwhile')
    const cancel = (id: unknown) => client.send({ jsonrpc: '2.0', method: '$/cancelRequest', params: { id } })
    cancel(3)
    const third = await runs[2]
    assert.deepEqual([third?.error?.code, third?.error?.data.code, third?.error?.data.retryable], [-32009, 'cancelled', true])
    assert.equal(existsSync(join(place.repository, 'began-3')), false, 'two commands at once')
    for (const id of [99, 'x', null, {}]) cancel(id)
    cancel(1)
    assert.equal((await runs[0])?.error?.code, -32009)
    client.send({ jsonrpc: '2.0', id: 'c', method: '$/cancelRequest', params: { id: 2 } })
    assert.equal((await runs[1])?.error?.code, -32009)
    assert.deepEqual(await client.next(), { jsonrpc: '2.0', id: 'c', result: null })
    assert.ok(performance.now() - began < 30_000)
    await client.end()
    for (let tries = 0; processesWith('tools/sleep.js').length > 0 && tries < 20; tries++) await delay(100)
    assert.deepEqual(processesWith('tools/sleep.js'), [])
  })

  test('an id that is under way is refused, and free again afterwards', async (t) => {
    const client = openRpc(t, place)
    client.raw('{"jsonrpc":"2.0","id":"d","method":"git.status"}\n{"jsonrpc":"2.0","id":"d","method":"git.status"}\n')
    const two = [(await client.next()) as RpcAnswer, (await client.next()) as RpcAnswer]
    assert.deepEqual(two.map((one) => one.error?.code ?? 0).toSorted(), [-32600, 0])
    client.raw('{"jsonrpc":"2.0","id":"d","method":"git.status"}\n')
    assert.ok(((await client.next()) as RpcAnswer).result)
    await client.end()
  })

  test('an idempotency key gives the first answer again, and refuses another request', async (t) => {
    const client = openRpc(t, place)
    const params = { path: 'once.txt', content: 'first\n', idempotency_key: 'key-0001-abc' }
    const first = await ok(client, 'fs.write', params)
    writeFiles(place.repository, { 'once.txt': 'by hand\n' })
    const again = await ok(client, 'fs.write', params)
    assert.deepEqual({ ...again, receipt: null }, { ...first, receipt: null })
    assert.equal(readFileSync(join(place.repository, 'once.txt'), 'utf8'), 'by hand\n')
    const other = await failed(client, 'fs.write', { ...params, content: 'second\n' })
    assert.deepEqual([other.code, other.data.code], [-32003, 'idempotency.reused'])
    for (const idempotency_key of ['short', 7, null]) assert.equal((await failed(client, 'fs.write', { ...params, idempotency_key })).code, -32602)
    await client.end()
  })

  test('many at once, and the end of the input waits for all', async (t) => {
    const client = openRpc(t, place)
    const count = 300
    client.raw(
      Array.from({ length: count }, (_, n) => JSON.stringify({ jsonrpc: '2.0', id: `m${n}`, method: 'fs.read', params: { path: 'src/a.js' } })).join('\n'),
    )
    const ended = client.end()
    const answers = await Promise.all(Array.from({ length: count }, () => client.next()))
    assert.equal(new Set(answers.map((answer) => (answer as RpcAnswer).id)).size, count)
    assert.ok(answers.every((answer) => (answer as RpcAnswer).result?.['content'] === FILES['src/a.js']))
    assert.equal((await ended).code, 0)
  })

  test('SIGTERM and SIGINT cancel what is under way, answer, and end', async (t) => {
    for (const [n, signal] of [
      [4, 'SIGTERM'],
      [5, 'SIGINT'],
    ] as const) {
      const client = openRpc(t, place)
      const run = client.request('run.exec', { argv: ['node', 'tools/sleep.js', String(n)] })
      while (!existsSync(join(place.repository, `began-${n}`))) await delay(20)
      client.child.kill(signal)
      assert.equal((await run).error?.code, -32009, signal)
      assert.deepEqual([(await client.end()).code, processesWith('tools/sleep.js')], [130, []], signal)
    }
  })

  test('a reader that goes away ends it', async (t) => {
    const client = openRpc(t, place)
    assert.ok(await client.request('git.status'))
    client.child.stdout.destroy()
    const gone = new Promise((resolve) => client.child.on('exit', (code, signal) => resolve([code, signal])))
    for (let n = 0; client.child.exitCode === null && n < 200; n++) {
      client.send({ jsonrpc: '2.0', id: `e${n}`, method: 'fs.read', params: { path: 'src/a.js' } })
      await delay(20)
    }
    assert.deepEqual(await gone, [0, null])
  })

  test('a giant message is refused without being kept', async (t) => {
    const peakKb = (pid: number | undefined) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
    for (const framing of FRAMINGS) {
      const client = openRpc(t, place, { framing })
      assert.ok(await client.request('git.status'))
      const before = peakKb(client.child.pid)
      const bytes = 400 * 1024 * 1024
      client.raw(framing === 'lines' ? '{"x":"' : `Content-Length: ${bytes}\r\n\r\n`)
      const chunk = Buffer.alloc(1024 * 1024, 'x')
      for (let sent = 0; sent < bytes; sent += chunk.length)
        if (!client.child.stdin.write(chunk)) await new Promise((resolve) => client.child.stdin.once('drain', resolve))
      if (framing === 'lines') client.raw('"}\n')
      const answer = (await client.next()) as RpcAnswer
      assert.deepEqual([answer.id, answer.error?.code, answer.error?.data.code], [null, -32005, 'limit.reached'])
      assert.ok(await client.request('git.status'))
      const grown = peakKb(client.child.pid) - before
      assert.ok(grown < 160 * 1024, `grew by ${grown} kB`)
      await client.end()
    }
  })

  for (const framing of FRAMINGS)
    test(`whatever comes, the next good request is answered, ${framing}`, async (t) => {
      const client = openRpc(t, place, { framing })
      const chance = seeded(framing === 'lines' ? 7 : 11)
      assert.ok(await client.request('rpc.discover'))
      for (let n = 0; n < 250; n++) {
        client.raw(mangled(chance, framing))
        assert.ok((await client.request('fs.read', { path: 'src/a.js' })).result, `after case ${n}`)
      }
      const { code, signal } = await client.end()
      assert.deepEqual([code, signal], [0, null])
    })

  test('rpc.discover describes every method', async (t) => {
    const client = openRpc(t, place)
    const { result } = await client.request('rpc.discover')
    const document = result as unknown as OpenRpc
    assert.match(document.openrpc, /^1\.\d+\.\d+$/)
    assert.deepEqual(document.info.title, 'vp')
    assert.deepEqual(document.methods.map((method) => method.name).toSorted(), [...OPERATIONS.map((operation) => operation.name), 'rpc.discover'].toSorted())
    for (const method of document.methods) {
      assert.ok(method.summary.length > 5 && method.errors.length > 10, method.name)
      assert.equal(method.result.schema.type, 'object', method.name)
      if (method.name === 'rpc.discover') continue
      assert.ok(Object.keys(method.result.schema.properties ?? {}).length > 1, method.name)
      for (const parameter of method.params)
        assert.ok(parameter.name && typeof parameter.required === 'boolean' && Object.keys(parameter.schema).length > 0, method.name)
    }
    const read = document.methods.find((method) => method.name === 'fs.read')
    assert.deepEqual(
      read?.params.map((parameter) => [parameter.name, parameter.required]),
      [
        ['path', true],
        ['range', false],
        ['raw', false],
        ['idempotency_key', false],
      ],
    )
    await client.end()
  })
})

interface OpenRpc {
  readonly openrpc: string
  readonly info: { readonly title: string }
  readonly methods: readonly {
    readonly name: string
    readonly summary: string
    readonly params: readonly { readonly name: string; readonly required: boolean; readonly schema: object }[]
    readonly result: { readonly schema: { readonly type: string; readonly properties?: object } }
    readonly errors: readonly object[]
  }[]
}

const GOOD = '{"jsonrpc":"2.0","id":"g","method":"fs.read","params":{"path":"src/a.js"}}'

/** One message of rubbish, ended so that the next message begins where it should. */
function mangled(chance: () => number, framing: RpcFraming): Buffer {
  const pick = <Value>(values: readonly Value[]): Value => values[Math.floor(chance() * values.length)] as Value
  const bytes = (length: number) => Buffer.from(Array.from({ length }, () => Math.floor(chance() * 256)))
  const flipped = () => {
    const text = Buffer.from(GOOD)
    for (let n = 0; n < 1 + chance() * 4; n++) text[Math.floor(chance() * text.length)] = Math.floor(chance() * 256)
    return text
  }
  const body = pick([
    () => bytes(Math.floor(chance() * 200)),
    () => flipped(),
    () => Buffer.from(GOOD.slice(0, Math.floor(chance() * GOOD.length))),
    () => Buffer.from('['.repeat(Math.floor(chance() * 100_000))),
    () => Buffer.from(`{"jsonrpc":"2.0","id":${pick(['1e999', '[]', 'true', '""', '-0', '{"a":1}'])},"method":${pick(['1', '"$/x"', 'null', '"fs.read"'])}}`),
    () =>
      Buffer.from(
        JSON.stringify({
          jsonrpc: '2.0',
          id: 'g',
          method: 'fs.read',
          params: { path: pick(['\0', '../x', '/etc/passwd', '\ud800', 'x'.repeat(9000), '.git/config']) },
        }),
      ),
    () => Buffer.from('{"jsonrpc":"2.0","id":"g","method":"fs.read","params":{"__proto__":{"path":"src/a.js"},"path":"src/a.js"}}'),
    () => Buffer.from(JSON.stringify(Array.from({ length: Math.floor(chance() * 40) }, () => pick([1, null, {}, [], 'x'])))),
  ])()
  if (framing === 'lines') return Buffer.concat([Buffer.from(body.filter((byte) => byte !== 10)), Buffer.from('\n')])
  return pick([
    () => Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]),
    () => Buffer.concat([Buffer.from(`Content-Length: ${Math.floor(body.length / 2)}\r\n\r\n`), body, Buffer.from('\r\n')]),
    () => Buffer.concat([body, Buffer.from('\r\n\r\n')]),
    () => Buffer.from(`Content-Length: ${pick(['-1', 'x', '', '99999999999999999999', '0'])}\r\n\r\n`),
    () => Buffer.from('content-type: x\r\n\r\n'),
  ])()
}

test('vp help names it', async (t) => {
  const place = makePlace(t, FILES)
  assert.match((await vp(place, ['help'])).stdout, /^surfaces +.*\brpc\b/m)
  assert.equal((await vpJson(place, ['rpc'])).doc.error?.code, 'usage.flag')
})

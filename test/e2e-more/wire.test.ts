/**
 * `vp egress show` prints what a server received, byte by byte, whichever wire a model speaks: streams, tries that are made
 * again, streams that break, a parameter that is refused. And it says so where bytes are missing, altered or nobody's.
 */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { sha256 } from '../../src/core/json.ts'
import type { OwnProvider } from '../../src/models/choose.ts'
import type { Egress } from '../../src/operations/egress.ts'
import { WIRES, type Said, type Wire } from '../fixtures/model-wires.ts'
import { makePlace, receiptsOf, vp, vpJson, type Cleanup, type Place } from '../e2e/kit.ts'

const KEY = 'k-0123456789-wire'
/** JSON writes it otherwise, twice so where a call's arguments are a text of JSON. */
const SECRET = 'dep"loy\\key\n-Zk3Q9xW7bR2mT5vY8'

const FILES = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'src/add.js': 'export const add = (a, b) => a - b\n',
  'src/notes.txt': `ä ✓ \u{1f600}\nthe key is ${SECRET}, as said\n`,
  'test/add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from '../src/add.js'\n\ntest('adds', () => assert.equal(add(2, 3), 5))\n",
}

const USAGE = { in: 120, out: 30, think: 0, cached: 0 }
const call = (name: string, args: Record<string, string>): Said => ({ calls: [{ name, arguments: args }], usage: USAGE })
const SCRIPT: readonly Said[] = [
  call('read', { path: 'src/notes.txt' }),
  call('search', { query: SECRET.slice(0, 10) }),
  { text: `I saw ${SECRET}.`, ...call('edit', { path: 'src/add.js', old: 'a - b', new: 'a + b' }) },
  call('submit', { title: 'fix: add adds', summary: 'It subtracted.' }),
]

type Answer = Said | 'status' | 'cut'

/** vp asks servers about the model too, with its name alone. */
const asksForAnswer = (body: string): boolean => /"(?:messages|contents)":/.test(body)

interface Wired {
  readonly baseUrl: string
  /** Bodies that asked for an answer, in the order in which they came. */
  readonly came: readonly Buffer[]
  /** And their addresses. */
  readonly asked: readonly string[]
  close(): void
}

async function serve(t: Cleanup, wire: Wire, answers: readonly Answer[]): Promise<Wired> {
  const came: Buffer[] = []
  const asked: string[] = []
  const server = createServer((incoming, response) => {
    const aside = wire.aside?.(incoming.url ?? '') ?? null
    const parts: Buffer[] = []
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('end', () => {
      if (aside) return void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(aside))
      const body = Buffer.concat(parts)
      if (!asksForAnswer(body.toString())) return void response.writeHead(404).end()
      asked.push(`http://${incoming.headers.host}${incoming.url?.split('?')[0]}`)
      const answer = answers[Math.min(came.push(body), answers.length) - 1] as Answer
      if (answer === 'status') return void response.writeHead(429, { 'content-type': 'application/json', 'retry-after-ms': '5' }).end('{}')
      response.writeHead(200, { 'content-type': wire.type })
      const events = wire.events(answer === 'cut' ? { text: 'I will', usage: USAGE } : answer)
      for (const event of answer === 'cut' ? events.slice(0, 1) : events) response.write(event)
      if (answer === 'cut') setTimeout(() => response.destroy(), 20)
      else response.end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => {
    server.close()
    server.closeAllConnections()
  }
  t.after(close)
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, came, asked, close }
}

type Shown = Egress['calls'][number]

async function shown(place: Place): Promise<{ code: number | null; calls: Shown[]; result: Record<string, unknown>; error: string }> {
  const { code, doc } = await vpJson(place, ['egress', 'show'])
  const result = (doc.result ?? {}) as Record<string, unknown>
  return { code, result, calls: (result['calls'] ?? []) as Shown[], error: doc.error?.message ?? '' }
}

/** One `vp do` to its end. */
async function done(t: Cleanup, provider: OwnProvider, answers: readonly Answer[], exit = 0): Promise<{ place: Place; server: Wired }> {
  const wire = WIRES[provider]
  const server = await serve(t, wire, answers)
  const place = makePlace(t, FILES, undefined, {
    VP_MODEL: `${provider}:${wire.model}`,
    VP_MODEL_BASE_URL: server.baseUrl,
    VP_MODEL_API_KEY: KEY,
    DEPLOY_TOKEN: SECRET,
  })
  const { code, stdout, stderr } = await vp(place, ['do', 'fix the failing test', '--yes'])
  assert.equal(code, exit, stdout + stderr)
  return { place, server }
}

for (const provider of Object.keys(WIRES) as OwnProvider[])
  test(`${provider}: what is shown is what came, with every try`, async (t) => {
    const { place, server } = await done(t, provider, ['status', 'cut', ...SCRIPT])
    const { code, calls, result } = await shown(place)
    assert.deepEqual([code, result['proved'], result['missing'], result['requests']], [0, true, 0, server.came.length])
    const sent = calls.flatMap((one) => Array.from({ length: one.sends }, () => one))
    assert.equal(sent.length, SCRIPT.length + 2)
    for (const [index, one] of sent.entries()) {
      const came = server.came[index] ?? Buffer.alloc(0)
      assert.ok(Buffer.from(one.body ?? '').equals(came), `request ${index + 1}: ${one.body?.slice(0, 300)} is not ${came.toString().slice(0, 300)}`)
      assert.deepEqual([one.sha256, one.bytes, one.kept, one.proved], [sha256(came), came.length, true, true])
      assert.equal(`http://${one.host}${one.path}`, server.asked[index])
    }
    assert.deepEqual(
      calls.map(({ turn, sends, outcome }) => [turn, sends, outcome]),
      [
        [1, 3, 'ok'],
        [2, 1, 'ok'],
        [3, 1, 'ok'],
        [4, 1, 'ok'],
      ],
      'the same bytes again, however the tries before them ended',
    )
    // Without `--json` the bytes themselves.
    const { stdout } = await vp(place, ['egress', 'show'])
    for (const came of server.came) assert.ok(stdout.includes(`\n${came.toString()}\n`))

    const escaped = JSON.stringify(SECRET).slice(1, -1)
    for (const form of [SECRET, escaped, JSON.stringify(escaped).slice(1, -1), 'Zk3Q9xW7bR2mT5vY8', KEY]) {
      assert.ok(!stdout.includes(form), `${JSON.stringify(form)} is shown`)
      assert.ok(!Buffer.concat(server.came).includes(form), `${JSON.stringify(form)} came`)
    }
    assert.ok((calls.at(-1)?.masked ?? 0) >= 2, 'the file and the words of the model')
    for (const { op, outcome, detail } of await receiptsOf(place))
      if (op === 'model.call') assert.equal((detail as { sent?: readonly unknown[] } | undefined)?.sent?.length, 1, outcome)
  })

test('a parameter that is refused: both bodies of the one try', async (t) => {
  const wire = WIRES.openai_compatible
  const came: string[] = []
  const server = createServer((incoming, response) => {
    let body = ''
    incoming.setEncoding('utf8').on('data', (part: string) => (body += part))
    incoming.on('end', () => {
      if (!asksForAnswer(body)) return void response.writeHead(404).end()
      came.push(body)
      if (body.includes('"temperature"'))
        return void response
          .writeHead(400, { 'content-type': 'application/json' })
          .end(JSON.stringify({ error: { message: "Unsupported value: 'temperature' does not support 0 with this model.", param: 'temperature' } }))
      response.writeHead(200, { 'content-type': wire.type })
      for (const event of wire.events(SCRIPT[Math.min(came.length - 1, SCRIPT.length) - 1] as Said)) response.write(event)
      response.end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => (server.close(), server.closeAllConnections()))
  const place = makePlace(t, FILES, { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` })
  assert.equal((await vp(place, ['do', 'fix the failing test', '--yes'])).code, 0)
  const { calls, result } = await shown(place)
  assert.deepEqual(
    calls.map(({ body }) => body),
    came,
  )
  assert.deepEqual([calls[0]?.outcome, calls[1]?.outcome, calls[0]?.turn, calls[1]?.turn, result['proved']], ['asked otherwise', 'ok', 1, 1, true])
})

test('nobody listens: nothing left, and nothing is shown as if it had', async (t) => {
  const server = await serve(t, WIRES.openai_compatible, SCRIPT)
  const place = makePlace(t, FILES, server)
  assert.equal((await vp(place, ['do', 'fix the failing test', '--yes'])).code, 0)
  server.close()
  assert.equal((await vp(place, ['do', 'fix it again', '--yes'])).code, 8)
  const { code, calls, result } = await shown(place)
  assert.ok(calls.length > 0, 'the receipts of the tries')
  assert.ok(calls.every(({ sends, body, sha256: sha }) => sends === 0 && body === null && sha === null))
  assert.deepEqual([code, result['requests'], result['bytes'], result['hosts'], result['proved']], [0, 0, 0, [], true])
  assert.match((await vp(place, ['egress', 'show'])).stdout, /proved +nothing left this machine/)
})

test('what is altered, gone or nobody’s is named, and is not proved', async (t) => {
  const { place } = await done(t, 'openai_compatible', SCRIPT)
  const change = (sql: string, ...values: (string | number | Uint8Array)[]) => {
    const db = new DatabaseSync(join(place.state, 'ledger.db'))
    // The row sums tell on it by themselves (`vp verify`); here it is the hash that has to.
    for (const name of ['vp_row', 'vp_xor']) db.function(name, { varargs: true }, () => '')
    db.prepare(sql).run(...values)
    db.close()
  }
  const kept = () => {
    const db = new DatabaseSync(join(place.state, 'ledger.db'), { readOnly: true })
    try {
      return db.prepare("SELECT turn, added FROM kept_bodies WHERE kind = 'sent' ORDER BY n").all() as { turn: number; added: Uint8Array }[]
    } finally {
      db.close()
    }
  }
  const before = kept()
  assert.equal(before.length, SCRIPT.length)

  change("DELETE FROM kept_bodies WHERE kind = 'sent' AND turn = 4")
  const gone = await shown(place)
  assert.deepEqual([gone.code, gone.result['proved'], gone.result['missing']], [0, false, 1])
  assert.deepEqual([gone.calls[3]?.kept, gone.calls[3]?.proved, gone.calls[3]?.body], [false, false, null])
  assert.match((await vp(place, ['egress', 'show', '--summary'])).stdout, /T1 turn 4.*\n?.*not kept here\n+not proved /)

  change("UPDATE kept_bodies SET added = ? WHERE kind = 'sent' AND turn = 3", deflateRawSync('other words'))
  const altered = await shown(place)
  assert.equal(altered.code, 3)
  assert.match(altered.error, /^T1 turn 3: no receipt has the hash/)
  assert.deepEqual(
    altered.calls.map(({ proved }) => proved),
    [true, true, false, false],
  )
  assert.match((await vp(place, ['egress', 'show', '--summary'])).stdout, /DIFFERS/)
  assert.match((await vp(place, ['verify'])).stdout, /what is kept as sent to a model is not what was sent: of r-\S+, T1, turn 3/)

  change("UPDATE kept_bodies SET added = ? WHERE kind = 'sent' AND turn = 1", new Uint8Array([1, 2, 3]))
  const torn = await shown(place)
  assert.deepEqual([torn.code, torn.calls[0]?.kept, torn.calls[0]?.body], [3, true, null])
  assert.ok(
    torn.calls.every(({ proved }) => !proved),
    'what builds on it is not proved either',
  )

  change("UPDATE kept_bodies SET added = ? WHERE kind = 'sent' AND turn = 1", before[0]?.added as Uint8Array)
  change("UPDATE kept_bodies SET added = ? WHERE kind = 'sent' AND turn = 3", before[2]?.added as Uint8Array)
  change(
    "INSERT INTO kept_bodies (run_id, kind, sha, task, attempt, turn, base, head, tail, added) SELECT run_id, 'sent', ?, 'T1', 1, 9, NULL, 0, 0, ? FROM kept_bodies LIMIT 1",
    sha256('{"extra":1}'),
    deflateRawSync('{"extra":1}'),
  )
  const extra = await shown(place)
  assert.deepEqual([extra.code, extra.calls.at(-1)?.outcome, extra.calls.at(-1)?.proved, extra.calls.at(-1)?.body], [3, 'no receipt', false, '{"extra":1}'])
  assert.match((await vp(place, ['verify'])).stdout, /what was sent to a model has no receipt: of r-\S+, T1, turn 9/)
})

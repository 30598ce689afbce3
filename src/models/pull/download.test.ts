/** One file over real HTTP, whatever happens on the way: it is whole and right in its place, or it is not there. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { startFileServer, type FileServerOptions } from '../../../test/servers/files.ts'
import type { ErrorCode } from '../../core/errors.ts'
import { download, type DownloadPorts, type Progress } from './download.ts'

const BYTES = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 251))
const SHA256 = createHash('sha256').update(BYTES).digest('hex')

async function place(t: TestContext, options: Partial<FileServerOptions> = {}, ports: Partial<DownloadPorts> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'vp-download-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const server = await startFileServer({ bytes: BYTES, ...options })
  t.after(() => server.close())
  const progress: Progress[] = []
  const to = join(directory, 'models', 'a.gguf')
  const get = (sha256: string | null = SHA256, signal = new AbortController().signal) =>
    download({ sleep: async () => undefined, onProgress: (one) => progress.push(one), ...ports }, { url: `${server.url}/a.gguf`, to, sha256, signal })
  return { server, to, part: `${to}.part`, progress, get }
}

test('whole, in its place, its progress growing to its size', async (t) => {
  const { get, to, part, progress } = await place(t)
  assert.deepEqual(await get(), { sha256: SHA256, bytes: BYTES.length, resumedFrom: 0 })
  assert.ok(readFileSync(to).equals(BYTES))
  assert.ok(!existsSync(part) && !existsSync(`${part}.etag`))
  assert.deepEqual(progress.at(-1), { what: 'downloading', done: BYTES.length, total: BYTES.length })
})

test('a connection that breaks twice is gone on from where it broke', async (t) => {
  const { get, to, server } = await place(t, { cuts: [100_000, 50_000] })
  await get()
  assert.ok(readFileSync(to).equals(BYTES))
  const ranges = server.came.map((came) => Number(/\d+/.exec(came.headers.range ?? '')?.[0] ?? 0))
  assert.equal(ranges.length, 3)
  assert.ok(ranges[0] === 0 && ranges[1] !== undefined && ranges[1] > 0 && (ranges[2] ?? 0) > ranges[1], String(ranges))
})

test('what came is kept when it breaks for good, and the next call goes on from there', async (t) => {
  const { get, part, to, server } = await place(t, { cuts: [100_000, 0, 0, 0, 0] })
  await assert.rejects(get(), { code: 'model.cut' })
  const kept = statSync(part).size
  assert.ok(kept > 0 && !existsSync(to))
  const done = await get()
  assert.deepEqual([done.resumedFrom, done.sha256], [kept, SHA256])
  assert.equal(server.came.at(-1)?.headers.range, `bytes=${kept}-`)
})

const beginnings: [title: string, options: Partial<FileServerOptions>, part: Buffer, etag: string][] = [
  ['a server without ranges begins anew', { hasNoRanges: true }, BYTES.subarray(0, 1000), '"one"'],
  ['a file that is another one now is begun anew', { etag: () => '"two"' }, Buffer.alloc(1000, 1), '"one"'],
  ['a part that is all of it is only hashed', {}, BYTES, '"one"'],
  ['a part that is longer than the file is thrown away', {}, Buffer.concat([BYTES, BYTES]), '"one"'],
  ['a part of which nothing else is known goes on', {}, BYTES.subarray(0, 1000), ''],
]
for (const [title, options, part, etag] of beginnings)
  test(title, async (t) => {
    const { get, to, part: at } = await place(t, options)
    const { mkdirSync } = await import('node:fs')
    mkdirSync(join(to, '..'))
    writeFileSync(at, part)
    if (etag) writeFileSync(`${at}.etag`, etag)
    assert.equal((await get()).sha256, SHA256)
    assert.ok(readFileSync(to).equals(BYTES))
  })

const failures: [title: string, options: Partial<FileServerOptions>, ports: Partial<DownloadPorts>, code: ErrorCode, keeps: boolean, message: RegExp][] = [
  [
    'nothing of a wrong file stays',
    { bytes: Buffer.concat([BYTES, Buffer.from('x')]) },
    {},
    'model.protocol',
    false,
    /has the sha256 [0-9a-f]{64}, and [0-9a-f]{64} was named/,
  ],
  [
    'a disk that is too small is said before',
    {},
    { freeBytes: () => 1000 },
    'store.full',
    false,
    /300000 bytes, 300000 of them still to come, and the disk has 1000 free/,
  ],
  ['a page', { instead: { type: 'text/html', body: '<html>sign in</html>' } }, {}, 'model.protocol', false, /a page, not a file/],
  ['a file that is not there', { status: 404 }, {}, 'model.not_found', false, /404/],
  ['one that is not for us', { status: 403 }, {}, 'model.auth', false, /403/],
  ['a server that is out of order', { status: 503 }, {}, 'model.server', false, /503/],
  ['a way out of TLS', { redirect: 'http://example.org/a.gguf' }, {}, 'model.protocol', false, /not followed/],
  ['silence', { stallsAfter: 0 }, { stallMs: 150 }, 'model.stalled', true, /sent nothing/],
]
for (const [title, options, ports, code, keeps, message] of failures)
  test(`${title}: ${code}`, async (t) => {
    const { get, to, part } = await place(t, options, ports)
    await assert.rejects(get(), { code, message })
    assert.deepEqual([existsSync(to), existsSync(part)], [false, keeps])
  })

test('a redirect within this machine is followed, a circle is not', async (t) => {
  const { server, to } = await place(t)
  const { get } = await place(t, { redirect: `${server.url}/elsewhere` })
  assert.equal((await get()).sha256, SHA256)
  const round = await place(t, { redirect: '/again' })
  await assert.rejects(round.get(), { code: 'model.protocol', message: /more than 5 times/ })
  assert.ok(!existsSync(to))
})

test('cancelled in the middle, what came is kept', async (t) => {
  const abort = new AbortController()
  const { get, part } = await place(t, { stallsAfter: 50_000 }, { onProgress: () => abort.abort() })
  await assert.rejects(get(SHA256, abort.signal), { code: 'cancelled' })
  assert.ok(statSync(part).size > 0)
})

test('a port where nobody listens', async (t) => {
  const { get, server } = await place(t)
  await server.close()
  await assert.rejects(get(), { code: 'model.unreachable' })
})

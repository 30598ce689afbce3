/** Requests and bodies in a real database: what was written comes back, for a copy too, and out of a ledger from before version 6. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { sha256 } from '../../core/json.ts'
import { bodyKeeper } from '../../models/kept-body.ts'
import { MIGRATIONS } from '../../store/migrations.ts'
import { openSqlite } from '../../store/sqlite.ts'
import { copyRequests, readBodies, withRequests, writeBodies } from './kept-bodies.ts'

function databaseIn(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'vp-bodies-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'ledger.db')
}

const place = (turn: number) => ({ task: 'T1', attempt: 1, turn })
const TEXTS = [1, 2, 3, 2].map((turns) => `{"messages":[${Array.from({ length: turns }, (_, n) => `"message ${n} ✓"`).join(',')}],"tools":[]}`)
const ROWS = TEXTS.map((text, index) => ({ turn: index + 1, request_sha: sha256(text), request: '' }))

test('what was written comes back, twice the same is once, and a copy stands alone', async (t) => {
  const store = openSqlite(databaseIn(t))
  t.after(() => store.close())
  const keeper = bodyKeeper()
  for (const [index, text] of TEXTS.entries()) {
    const kept = keeper.keep({ body: Buffer.from(text) })
    await store.transaction((tx) => writeBodies(tx, 'r-1', 'request', place(index + 1), [kept]))
    keeper.written([kept])
  }
  await store.transaction((tx) => copyRequests(tx, 'r-1', 'r-2'))
  await store.transaction((tx) => tx.run("DELETE FROM kept_bodies WHERE run_id = 'r-1' AND turn = 2"))
  assert.deepEqual(
    (await store.read((tx) => readBodies(tx, 'r-2', 'request'))).map(({ turn, body }) => [turn, body?.toString()]),
    TEXTS.slice(0, 3).map((text, index) => [index + 1, text]),
  )
  assert.deepEqual(await store.read((tx) => readBodies(tx, 'r-2', 'sent')), [])
  assert.deepEqual(
    (await store.read((tx) => withRequests(tx, 'r-2', ROWS))).map(({ request }) => request),
    TEXTS,
  )
  await assert.rejects(
    store.read((tx) => withRequests(tx, 'r-1', ROWS)),
    { code: 'ledger.altered' },
  )
  assert.deepEqual(store.check(), [], 'the sums of rows hold')
})

test('a ledger that has its requests in its exchanges is read as before, and a changed one is named', async (t) => {
  const path = databaseIn(t)
  const older = openSqlite(path, { migrations: MIGRATIONS.filter(({ version }) => version < 6) })
  await older.transaction(async (tx) => {
    for (const [index, text] of TEXTS.entries())
      await tx.run("INSERT INTO exchanges VALUES ('r-1', 'T1', 1, ?, ?, ?, '{}')", index + 1, sha256(text), index === 3 ? text.replace('✓', '✗') : text)
  })
  older.close()
  const store = openSqlite(path)
  t.after(() => store.close())
  const read = (most: number) =>
    store.read(async (tx) => withRequests(tx, 'r-1', await tx.all<(typeof ROWS)[number]>('SELECT * FROM exchanges WHERE turn <= ? ORDER BY turn', most)))
  assert.deepEqual(
    (await read(3)).map(({ request }) => request),
    TEXTS.slice(0, 3),
  )
  await assert.rejects(read(4), { code: 'ledger.altered' })
})

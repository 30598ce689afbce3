import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { isVpError } from '../core/errors.ts'
import { openAnchor, type AnchorKey } from './anchor.ts'
import { MIGRATIONS } from './migrations.ts'
import { openSqlite } from './sqlite.ts'

const key: AnchorKey = {
  sign: (bytes) => createHash('sha256').update('k').update(bytes).digest(),
  verify: (bytes, signature) => createHash('sha256').update('k').update(bytes).digest().equals(signature),
}

function temporary(t: { after(fn: () => void): void }): string {
  const directory = mkdtempSync(join(tmpdir(), 'vp-store-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

function open(directory: string) {
  return openSqlite(join(directory, 'ledger.db'), { anchor: openAnchor(join(directory, 'ledger.head'), key) })
}

const codeOf = (code: string) => (error: unknown) => isVpError(error) && error.code === code

test('a transaction that throws leaves nothing, and the next one works', async (t) => {
  const store = open(temporary(t))
  await assert.rejects(
    store.transaction(async (tx) => {
      await tx.run("INSERT INTO consents VALUES ('a', 'b', 1)")
      throw new Error('no')
    }),
    /no/,
  )
  await store.transaction((tx) => tx.run("INSERT INTO consents VALUES ('c', 'd', 1)"))
  assert.deepEqual(
    (await store.read((tx) => tx.all('SELECT repository FROM consents'))).map((row) => ({ ...(row as object) })),
    [{ repository: 'c' }],
  )
  assert.deepEqual(store.check(), [])
  store.close()
})

test('a newer schema, a network file system and a locked file are typed refusals', async (t) => {
  const directory = temporary(t)
  open(directory).close()
  assert.throws(() => openSqlite(join(directory, 'ledger.db'), { fileSystemType: () => 0x6969 }), codeOf('store.network_fs'))
  assert.throws(() => openSqlite(join(directory, 'ledger.db'), { migrations: [{ version: 0, sql: [] }] }), codeOf('store.newer'))
  const other = new DatabaseSync(join(directory, 'ledger.db'))
  other.exec('BEGIN IMMEDIATE')
  const store = openSqlite(join(directory, 'ledger.db'), { busyMs: 20 })
  await assert.rejects(
    store.transaction((tx) => tx.run("INSERT INTO consents VALUES ('a', 'b', 1)")),
    codeOf('store.locked'),
  )
  other.exec('ROLLBACK')
  await store.transaction((tx) => tx.run("INSERT INTO consents VALUES ('a', 'b', 1)"))
  store.close()
  other.close()
})

test('a migration keeps a copy of the file and the sums of new columns', async (t) => {
  const directory = temporary(t)
  const store = open(directory)
  // Held open, so that what it wrote lies in the write-ahead log: the copy must have it all the same.
  await store.transaction((tx) => tx.run("INSERT INTO consents VALUES ('a', 'b', 1)"))
  const next = MIGRATIONS.length + 1
  const more = [...MIGRATIONS, { version: next, sql: ['ALTER TABLE consents ADD COLUMN note TEXT'] }]
  const newer = openSqlite(join(directory, 'ledger.db'), { migrations: more })
  await newer.transaction((tx) => tx.run("UPDATE consents SET note = 'x'"))
  assert.deepEqual(newer.check(), [])
  const copy = new DatabaseSync(join(directory, `ledger.db.before-${next}`))
  assert.deepEqual({ ...copy.prepare('SELECT * FROM consents').get() }, { repository: 'a', subject: 'b', given_at: 1 })
  copy.close()
  newer.close()
  store.close()
})

test('every single-byte change is found, or changes nothing that can be read', async (t) => {
  const directory = temporary(t)
  const store = open(directory)
  for (let index = 0; index < 60; index++)
    await store.transaction((tx) => tx.run('INSERT INTO consents VALUES (?, ?, ?)', `repository ${index}`, 'x'.repeat(index * 7), index))
  const source = temporary(t)
  cpSync(directory, source, { recursive: true }) // as a killed process leaves it: with its WAL
  store.close()
  const dump = (at: string) => {
    const db = new DatabaseSync(join(at, 'ledger.db'))
    const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all()
    const rows = tables.map((table) => [table['name'], db.prepare(`SELECT * FROM "${String(table['name'])}"`).all()])
    db.close()
    return JSON.stringify(rows)
  }
  const before = temporary(t)
  cpSync(source, before, { recursive: true })
  const whole = dump(before)
  let seed = 7
  const next = (limit: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % limit
  let found = 0
  const rounds = process.env['VP_TEST_DEEP'] ? 500 : 60
  for (let round = 0; round < rounds; round++) {
    const at = join(directory, `round-${round}`)
    cpSync(source, at, { recursive: true })
    const file = join(at, round % 2 === 0 ? 'ledger.db' : 'ledger.db-wal')
    const bytes = readFileSync(file)
    const offset = next(bytes.length)
    bytes[offset] = (bytes[offset] ?? 0) ^ (1 + next(255))
    writeFileSync(file, bytes)
    let problems: number
    try {
      const damaged = open(at)
      problems = damaged.check().length
      damaged.close()
    } catch (error) {
      assert.ok(codeOf('store.damaged')(error), `round ${round}, ${file} at ${offset}: ${String(error)}`)
      problems = 1
    }
    if (problems > 0) found++
    else assert.equal(dump(at), whole, `round ${round}, ${file} at ${offset}: unnoticed`)
    rmSync(at, { recursive: true })
  }
  assert.ok(found > rounds / 10)
})

const inPlace: [title: string, from: string, to: string][] = [
  ['a byte of a value', 'repository 7', 'repository 8'],
  ['a byte of another value of the row', 'subject-value', 'subject-valuE'],
]
for (const [title, from, to] of inPlace)
  test(`changed in the file itself, where no page sum is: ${title}`, async (t) => {
    const directory = temporary(t)
    const store = open(directory)
    await store.transaction((tx) => tx.run("INSERT INTO consents VALUES ('repository 7', 'subject-value', 1)"))
    store.close()
    const file = join(directory, 'ledger.db')
    // The table and the index of its key hold the value: both are changed, so that the pages agree with each other.
    writeFileSync(file, readFileSync(file, 'latin1').replaceAll(from, to), 'latin1')
    const changed = open(directory)
    assert.deepEqual(changed.check(), [{ kind: 'damaged', detail: 'table consents' }])
    changed.close()
  })

test('a database put back from an older copy is incomplete', async (t) => {
  const directory = temporary(t)
  const store = open(directory)
  await store.transaction((tx) => tx.run("INSERT INTO consents VALUES ('a', 'b', 1)"))
  const old = temporary(t)
  cpSync(directory, old, { recursive: true })
  await store.transaction((tx) => tx.run("INSERT INTO consents VALUES ('c', 'd', 1)"))
  store.close()
  for (const name of ['ledger.db', 'ledger.db-wal', 'ledger.db-shm']) cpSync(join(old, name), join(directory, name))
  const back = open(directory)
  assert.deepEqual(
    back.check().map((problem) => problem.kind),
    ['incomplete'],
  )
  back.close()
})

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { isVpError } from '../core/errors.ts'
import { openAnchor, type AnchorKey } from './anchor.ts'
import { MIGRATIONS } from './migrations.ts'
import { openSqlite } from './sqlite.ts'
import { registerSumFunctions } from './sums.ts'

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

test('a table that was taken out of the file is damage', async (t) => {
  const directory = temporary(t)
  const store = open(directory)
  const other = new DatabaseSync(join(directory, 'ledger.db'))
  other.exec('DROP TABLE kept_bodies')
  other.close()
  await assert.rejects(
    store.read((tx) => tx.all('SELECT * FROM kept_bodies')),
    codeOf('store.damaged'),
  )
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
    assert.deepEqual(changed.check(), [{ kind: 'damaged', detail: 'table consents', since: null }])
    changed.close()
  })

const words = (store: ReturnType<typeof open>) => store.check().map(({ kind, detail }) => `${kind}: ${detail}`)

/** Three transactions after a copy was made of the first: what `change` does to the files, then as many writes as one likes. */
const breaks: [title: string, change: (directory: string, old: string) => void, want: string][] = [
  [
    'a database put back from an older copy is incomplete',
    (directory, old) => {
      for (const name of ['ledger.db', 'ledger.db-wal', 'ledger.db-shm']) cpSync(join(old, name), join(directory, name))
    },
    'incomplete: transactions 3 to 4 are missing',
  ],
  [
    'a database that is gone altogether is incomplete',
    (directory) => {
      for (const name of ['ledger.db', 'ledger.db-wal', 'ledger.db-shm']) rmSync(join(directory, name), { force: true })
    },
    'incomplete: transactions 1 to 4 are missing',
  ],
  [
    'an anchor that is gone is noticed',
    (directory) => rmSync(join(directory, 'ledger.head')),
    'incomplete: the anchor is gone or not of this key: what came after transaction 4 cannot be told',
  ],
  [
    'tables that were made to fit their sums are not those that were signed',
    (directory) => {
      const db = new DatabaseSync(join(directory, 'ledger.db'))
      registerSumFunctions(db)
      db.exec("UPDATE consents SET subject = 'other'")
      db.close()
    },
    'damaged: the tables are not those that the anchor signed',
  ],
]
for (const [title, change, want] of breaks)
  test(`${title}, however much is written after it`, async (t) => {
    const directory = temporary(t)
    const store = open(directory)
    const write = (to: typeof store) => to.transaction((tx) => tx.run('INSERT INTO consents VALUES (?, ?, 1)', randomUUID(), 'b'))
    await write(store)
    await write(store)
    const old = temporary(t)
    cpSync(directory, old, { recursive: true })
    await write(store)
    await write(store)
    store.close()
    change(directory, old)
    for (let round = 0; round < 5; round++) {
      const back = open(directory)
      assert.deepEqual(words(back), [want], `after ${round} more`)
      await write(back)
      assert.deepEqual(words(back), [want])
      back.close()
    }
    assert.equal(openAnchor(join(directory, 'ledger.head'), key).read()?.tx, 4 + 5)
  })

test('a break names the last receipt from before it', async (t) => {
  const directory = temporary(t)
  const store = open(directory)
  const receipt = (n: number) =>
    `INSERT INTO receipts (id, run_id, n, ts, op, outcome, body, prev, key) VALUES ('r_${n}', 'machine', ${n}, ${n}000, 'fs.read', 'ok', '{}', '', '${n}')`
  await store.transaction((tx) => tx.run(receipt(1)))
  const old = temporary(t)
  cpSync(directory, old, { recursive: true })
  await store.transaction((tx) => tx.run(receipt(2)))
  store.close()
  for (const name of ['ledger.db', 'ledger.db-wal', 'ledger.db-shm']) cpSync(join(old, name), join(directory, name))
  const want = [{ kind: 'incomplete', detail: 'transaction 2 is missing', since: { receipt: 'r_1', ts: 1000 }, next: ['vp verify --accept'] }]
  const back = open(directory)
  assert.deepEqual(back.check(), want)
  await back.transaction((tx) => tx.run(receipt(2)))
  assert.deepEqual(back.check(), want)
  await back.transaction((tx) => tx.run("UPDATE breaks SET accepted = 'r_2'"))
  assert.deepEqual(back.check()[0]?.accepted, 'r_2')
  back.close()
})

test('killed between the first commit and the first anchor, nothing is missed', async (t) => {
  const directory = temporary(t)
  const store = open(directory)
  await store.transaction((tx) => tx.run("INSERT INTO consents VALUES ('a', 'b', 1)"))
  store.close()
  rmSync(join(directory, 'ledger.head'))
  const back = open(directory)
  await back.transaction((tx) => tx.run("INSERT INTO consents VALUES ('c', 'd', 1)"))
  assert.deepEqual(back.check(), [])
  back.close()
})

test('a damaged table does not come out whole from a migration', async (t) => {
  const directory = temporary(t)
  const store = open(directory)
  await store.transaction((tx) => tx.run("INSERT INTO consents VALUES ('repository 7', 'b', 1)"))
  store.close()
  const file = join(directory, 'ledger.db')
  writeFileSync(file, readFileSync(file, 'latin1').replaceAll('repository 7', 'repository 8'), 'latin1')
  const more = [...MIGRATIONS, { version: MIGRATIONS.length + 1, sql: ['ALTER TABLE consents ADD COLUMN note TEXT'] }]
  const newer = openSqlite(file, { anchor: openAnchor(join(directory, 'ledger.head'), key), migrations: more })
  assert.deepEqual(words(newer), ['damaged: table consents, found before the schema changed'])
  newer.close()
})

/** A process of its own that commits `count` times, or until it is killed. */
function committing(directory: string, count: number): string[] {
  const source = (name: string) => JSON.stringify(join(import.meta.dirname, name))
  const script = `
    import { execFileSync, spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
    import { openAnchor } from ${source('anchor.ts')}
    import { openSqlite } from ${source('sqlite.ts')}
    const sign = (bytes) => createHash('sha256').update('k').update(bytes).digest()
    const key = { sign, verify: (bytes, signature) => sign(bytes).equals(signature) }
    const store = openSqlite(${JSON.stringify(join(directory, 'ledger.db'))}, { anchor: openAnchor(${JSON.stringify(join(directory, 'ledger.head'))}, key) })
    for (let n = 0; n < ${count}; n++) await store.transaction((tx) => tx.run('INSERT INTO consents VALUES (?, ?, 1)', crypto.randomUUID(), 'b'))
    store.close()`
  return ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script]
}

test('a check is not alarmed by what another process commits between its two readings', async (t) => {
  const directory = temporary(t)
  const anchor = openAnchor(join(directory, 'ledger.head'), key)
  const other = () => execFileSync(process.execPath, committing(directory, 2))
  const slow = { ...anchor, read: (trusted?: Parameters<typeof anchor.read>[0]) => (other(), anchor.read(trusted)) }
  other()
  const store = openSqlite(join(directory, 'ledger.db'), { anchor: slow })
  assert.deepEqual(store.check(), [])
  store.close()
})

test('while another process commits all the time, every check finds a whole ledger', async (t) => {
  const directory = temporary(t)
  const store = open(directory)
  const child = spawn(process.execPath, committing(directory, 1e9), { stdio: 'ignore' })
  const ended = once(child, 'exit')
  try {
    const counted = async () => (await store.read((tx) => tx.get<{ n: number }>('SELECT COUNT(*) AS n FROM consents')))?.n ?? 0
    while ((await counted()) < 3) await new Promise((resolve) => setTimeout(resolve, 10))
    const before = await counted()
    for (let round = 0; round < 60; round++) {
      assert.deepEqual(store.check(), [], `round ${round}`)
      if (round % 10 === 0) await store.transaction((tx) => tx.run('INSERT INTO consents VALUES (?, ?, 1)', randomUUID(), 'b'))
    }
    assert.ok((await counted()) > before + 6, 'the other one did commit')
  } finally {
    child.kill('SIGKILL')
    await ended
  }
  store.close()
})

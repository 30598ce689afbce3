/**
 * What the ledger proves: any changed byte is found or changes nothing that can be read, lost receipts and lost runs
 * are missed, and a bundle replays and verifies under another user on another host without a network.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { registerSumFunctions } from '../../src/store/sums.ts'
import { approvedProject, DEEP, git, makePlace, seeded, turnOf, vp, vpJson, type Place } from './kit.ts'
import { WORDS_FILES, wordsModel } from './words.ts'

const VP = join(import.meta.dirname, '..', '..', 'bin', 'vp')
const ROUNDS = DEEP ? 500 : 24
const cleanups: (() => void)[] = []
const cleanup = { after: (fn: () => void) => void cleanups.push(fn) }
let place: Place
/** The state directory as a killed process leaves it: with its write-ahead log. */
let killed: string
let bundle: string

before(async () => {
  const server = await startScriptedServer((request) => wordsModel(turnOf(request)))
  place = await approvedProject(cleanup, WORDS_FILES, server)
  const start = await vp(place, ['start'], { env: { VP_TEST_KILL_AT: 'validated:1' } })
  assert.equal(start.signal, 'SIGKILL')
  killed = join(place.root, 'killed')
  cpSync(place.state, killed, { recursive: true })
  const exported = await vpJson(place, ['export'])
  assert.equal(exported.code, 0, JSON.stringify(exported.doc))
  bundle = String(exported.doc.result?.['path'])
  await server.close()
})
after(() => {
  for (const fn of cleanups) fn()
})

function dump(state: string): string {
  const db = new DatabaseSync(join(state, 'ledger.db'))
  try {
    const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all()
    return JSON.stringify(tables.map((table) => [table['name'], db.prepare(`SELECT * FROM "${String(table['name'])}"`).all()]))
  } finally {
    db.close()
  }
}

/** A copy of the killed state, changed by `change`, verified by the product. */
async function verifyAfter(change: (state: string) => void): Promise<{ code: number | null; doc: Awaited<ReturnType<typeof vpJson>>['doc']; state: string }> {
  const state = mkdtempSync(join(place.root, 'trial-'))
  cpSync(killed, state, { recursive: true })
  change(state)
  const { code, doc } = await vpJson(place, ['verify'], { env: { VP_STATE_DIR: state } })
  return { code, doc, state }
}

describe('a ledger that was touched', () => {
  test('untouched, it is whole', async () => {
    const { code, doc } = await verifyAfter(() => undefined)
    assert.equal(code, 0, JSON.stringify(doc))
  })

  test(`${ROUNDS} single-byte changes over the file and its write-ahead log`, async () => {
    const reference = mkdtempSync(join(place.root, 'reference-'))
    cpSync(killed, reference, { recursive: true })
    const whole = dump(reference)
    const chance = seeded(42)
    const sizes = ['ledger.db', 'ledger.db-wal'].map((name) => readFileSync(join(killed, name)).length)
    assert.ok((sizes[1] ?? 0) > 0, 'there is a write-ahead log')
    let found = 0
    for (let round = 0; round < ROUNDS; round++) {
      const at = Math.floor(chance() * ((sizes[0] ?? 0) + (sizes[1] ?? 0)))
      const [name, offset] = at < (sizes[0] ?? 0) ? ['ledger.db', at] : ['ledger.db-wal', at - (sizes[0] ?? 0)]
      const flip = 1 + Math.floor(chance() * 255)
      const { code, doc, state } = await verifyAfter((copy) => {
        const bytes = readFileSync(join(copy, name))
        bytes[offset] = (bytes[offset] ?? 0) ^ flip
        writeFileSync(join(copy, name), bytes)
      })
      if (code === 0) assert.equal(withoutLast(dump(state), whole), true, `round ${round}: ${name} at ${offset} went unnoticed`)
      else {
        assert.equal(code, 3, JSON.stringify(doc))
        assert.match(JSON.stringify(doc.error), /store\.damaged|ledger\.altered|ledger\.incomplete|r_/)
        found++
      }
      rmSync(state, { recursive: true })
    }
    assert.ok(found > ROUNDS / 20, `${found} of ${ROUNDS} were detected`)
  })

  test('the last receipts dropped, with every sum made to fit: incomplete since', async () => {
    const { code, doc } = await verifyAfter((state) =>
      forge(state, (db, run) => {
        const last = db.prepare('SELECT MAX(n) AS n FROM receipts WHERE run_id = ?').get(run)
        db.prepare('DELETE FROM receipts WHERE run_id = ? AND n > ?').run(run, Number(last?.['n']) - 5)
      }),
    )
    assert.equal(code, 3)
    assert.equal(doc.error?.code, 'ledger.incomplete')
    assert.match(JSON.stringify(doc), /since|missing/)
  })

  test('a whole run dropped is noticed', async () => {
    const { code, doc } = await verifyAfter((state) =>
      forge(state, (db, run) => {
        for (const table of ['receipts', 'heads', 'runs', 'run_events', 'checkpoints', 'exchanges', 'task_receipts', 'kpi_receipts'])
          db.prepare(`DELETE FROM ${table} WHERE run_id = ?`).run(run)
      }),
    )
    assert.equal(code, 3)
    assert.match(JSON.stringify(doc), new RegExp(`${runId()}.{0,40}missing|missing`))
  })

  test('a receipt rewritten with every sum made to fit is named', async () => {
    let id = ''
    const { code, doc } = await verifyAfter((state) =>
      forge(state, (db, run) => {
        const row = db.prepare("SELECT id, body FROM receipts WHERE run_id = ? AND op = 'run.test' LIMIT 1").get(run)
        id = String(row?.['id'])
        db.prepare('UPDATE receipts SET body = ? WHERE id = ?').run(String(row?.['body']).replace('passed', 'PASSED'), id)
      }),
    )
    assert.equal(code, 3)
    assert.equal(doc.error?.code, 'ledger.altered')
    assert.ok(JSON.stringify(doc).includes(id), `${id} in ${JSON.stringify(doc)}`)
  })
})

describe('a ledger that was put back', () => {
  test('to an older database, with the newer head: incomplete since its last receipt, however often it is asked', async (t) => {
    const place = makePlace(t, { 'a.txt': 'one\n' })
    const first = await vpJson(place, ['fs', 'read', 'a.txt'])
    const old = join(place.root, 'old')
    cpSync(place.state, old, { recursive: true })
    await vpJson(place, ['fs', 'read', 'a.txt'])
    cpSync(join(old, 'ledger.db'), join(place.state, 'ledger.db'))
    for (let round = 0; round < 4; round++) {
      const { code, doc } = await vpJson(place, ['verify'])
      assert.equal(code, 3, `round ${round}`)
      assert.equal(doc.error?.code, 'ledger.incomplete')
      assert.match(String(doc.error?.message), new RegExp(`^incomplete since \\S+Z \\(after r_${first.doc.receipt?.slice(-6)}\\): transactions? .* missing$`))
    }
    const { stdout } = await vp(place, ['verify'])
    assert.doesNotMatch(stdout, /^complete/m)
  })

  test('a table changed in the file is not called unaltered', async (t) => {
    const place = makePlace(t, { 'a.txt': 'one\n' })
    await vp(place, ['new', '--name', 'words'])
    const db = new DatabaseSync(join(place.state, 'ledger.db'))
    registerSumFunctions(db)
    db.exec("DROP TRIGGER sum_projects_u; UPDATE projects SET name = 'other'")
    db.close()
    const { stdout, code } = await vp(place, ['verify'])
    assert.equal(code, 3)
    assert.match(stdout, /^DAMAGED +table projects$/m)
    assert.doesNotMatch(stdout, /^unaltered/m)
  })
})

/** `vp verify` itself leaves a receipt: the dumps are compared without what it added. */
function withoutLast(now: string, whole: string): boolean {
  const tables = (text: string) => new Map(JSON.parse(text) as [string, unknown[]][])
  const before = tables(whole)
  for (const [name, rows] of tables(now)) {
    if (['table_sums', 'heads', 'meta'].includes(name)) continue
    const had = before.get(name) ?? []
    if (JSON.stringify(rows.slice(0, had.length)) !== JSON.stringify(had)) return false
  }
  return true
}

function runId(): string {
  return git(place, 'for-each-ref', '--format=%(refname:lstrip=3)', 'refs/vp/base/').split('\n')[0] ?? ''
}

/** Somebody who knows how the sums work, and has no key. */
function forge(state: string, change: (db: DatabaseSync, run: string) => void): void {
  const db = new DatabaseSync(join(state, 'ledger.db'))
  registerSumFunctions(db)
  try {
    change(db, runId())
  } finally {
    db.close()
  }
}

describe('a bundle elsewhere', () => {
  test('replays and verifies under another user and host name, network unplugged', async (t) => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'vp-elsewhere-'))
    t.after(() => rmSync(elsewhere, { recursive: true, force: true }))
    mkdirSync(join(elsewhere, 'home'))
    cpSync(bundle, join(elsewhere, 'run.vpb'))
    const away = (...args: string[]) =>
      execFileSync(
        'unshare',
        ['-r', '--net', '--uts', 'sh', '-c', 'hostname elsewhere; exec unshare --user --map-user=4711 --map-group=4711 "$@"', 'sh', VP, ...args, '--json'],
        {
          cwd: elsewhere,
          env: {
            PATH: process.env['PATH'],
            HOME: join(elsewhere, 'home'),
            USER: 'somebody',
            TZ: 'Asia/Kolkata',
            LANG: 'de_DE.UTF-8',
            XDG_CACHE_HOME: join(tmpdir(), 'vp-e2e-cache'),
          },
          encoding: 'utf8',
        },
      )
    const verified = JSON.parse(away('verify', 'run.vpb')) as { result: { unaltered: boolean; complete: boolean; receipts: number } }
    assert.equal(verified.result.unaltered && verified.result.complete, true)
    assert.ok(verified.result.receipts > 20)
    const replayed = JSON.parse(away('replay', 'run.vpb')) as { result: { equal: boolean; trees: { task_id: string; equal: boolean }[] } }
    assert.equal(replayed.result.equal, true, JSON.stringify(replayed))
    assert.equal(replayed.result.trees.filter((tree) => tree.equal).length, 4)
  })

  test('a bundle with one changed byte does not verify', async (t) => {
    const other = makePlace(t, { 'a.txt': 'a\n' })
    const bytes = readFileSync(bundle)
    const chance = seeded(7)
    for (let round = 0; round < 6; round++) {
      const copy = Buffer.from(bytes)
      const at = Math.floor(chance() * copy.length)
      copy[at] = (copy[at] ?? 0) ^ 0x55
      const file = join(other.root, 'changed.vpb')
      writeFileSync(file, copy)
      const { code, doc } = await vpJson(other, ['verify', file])
      assert.notEqual(code, 0, `byte ${at}: ${JSON.stringify(doc)}`)
    }
  })
})

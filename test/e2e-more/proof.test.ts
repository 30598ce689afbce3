/**
 * What the ledger proves: any changed byte is found or changes nothing that can be read, lost receipts and lost runs
 * are missed, and a bundle replays and verifies under another user on another host without a network.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { sha256 } from '../../src/core/json.ts'
import { checkpointBytes } from '../../src/ledger/checkpoints.ts'
import { openSigningKey } from '../../src/ledger/keys.ts'
import { withRepeats, type Kept } from '../../src/models/grown.ts'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { printBundle, type Bundle } from '../../src/operations/runs/bundle.ts'
import { registerSumFunctions } from '../../src/store/sums.ts'
import { approvedProject, DEEP, git, makePlace, seeded, turnOf, vp, vpJson, type Place } from '../e2e/kit.ts'
import { WORDS_FILES, wordsModel } from '../e2e/words.ts'

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

  for (const [title, also] of [
    ['its head kept', ''],
    ['its head too', "DELETE FROM heads WHERE run_id = 'machine'"],
  ] as const)
    test(`the last receipt of the machine's own chain dropped, ${title}: incomplete since, and nothing calls it complete`, async () => {
      const { code, doc, state } = await verifyAfter((copy) => {
        const db = new DatabaseSync(join(copy, 'ledger.db'))
        for (const table of ['receipts', 'heads']) db.exec(`DROP TRIGGER sum_${table}_d`)
        db.exec(`DELETE FROM receipts WHERE seq = (SELECT MAX(seq) FROM receipts WHERE run_id = 'machine'); ${also}`)
        db.close()
      })
      assert.deepEqual([code, doc.error?.code], [3, 'ledger.incomplete'], JSON.stringify(doc))
      assert.equal(doc.result?.['complete'], false)
      if (also === '') assert.match(String(doc.error?.message), /^its noted head knows receipt (\d+): \1 is missing$/)
      else assert.match(String(doc.error?.message), /^incomplete.*: table \w+ holds \d+ of its \d+ rows$/)
      const { code: again, stdout } = await vp(place, ['verify'], { env: { VP_STATE_DIR: state } })
      assert.equal(again, 3)
      assert.match(
        stdout,
        also === '' ? /^INCOMPLETE .* is missing, since /m : /^INCOMPLETE +since \S+, after r_\w+: table receipts holds \d+ of its \d+ rows$/m,
      )
      assert.doesNotMatch(stdout, /^complete/m)
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

  test('what doctor says of it is what verify says, until a person accepts the loss: recorded, and shown for ever', async (t) => {
    const place = makePlace(t, { 'a.txt': 'one\n' })
    for (let round = 0; round < 3; round++) await vp(place, ['fs', 'read', 'a.txt'])
    rmSync(join(place.state, 'ledger.head'))
    for (const verb of ['doctor', 'verify', 'doctor']) {
      const { code, doc } = await vpJson(place, [verb])
      assert.deepEqual([code, doc.error?.code, doc.error?.next], [3, 'ledger.incomplete', [['vp', 'verify', '--accept']]], JSON.stringify(doc))
    }
    assert.equal((await vpJson(place, ['verify', '--accept'])).code, 0)
    const verified = await vp(place, ['verify'])
    assert.equal(verified.code, 0)
    assert.match(verified.stdout, /^complete[^]*^accepted +since .*the anchor is gone/m)
    const { doc } = await vpJson(place, ['doctor'])
    assert.equal(checkOf(doc, 'ledger')?.['status'], 'ok')
  })

  test('before-images that are garbage are found by verify and doctor alike', async (t) => {
    const place = makePlace(t, { 'a.txt': 'one\n' })
    const diff = '--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+two\n'
    assert.equal((await vpJson(place, ['fs', 'patch', '-', '--apply'], { stdin: diff })).code, 0)
    assert.equal((await vpJson(place, ['verify'])).code, 0)
    const blobs = join(place.state, 'blobs')
    for (const name of readdirSync(blobs, { recursive: true, encoding: 'utf8' })) if (name.includes('/')) writeFileSync(join(blobs, name), 'garbage')
    for (const verb of ['verify', 'doctor']) {
      const { code, doc } = await vpJson(place, [verb])
      assert.deepEqual([code, doc.error?.code], [3, 'store.damaged'])
      assert.match(String(doc.error?.message), /1 of 1 copies kept for vp undo are gone or damaged: a\.txt of r_/)
    }
  })

  test('what the commits know is missed by doctor too', async () => {
    const state = mkdtempSync(join(place.root, 'trial-'))
    cpSync(killed, state, { recursive: true })
    const db = new DatabaseSync(join(state, 'ledger.db'))
    registerSumFunctions(db)
    for (const table of ['receipts', 'checkpoints']) db.prepare(`DELETE FROM ${table} WHERE run_id = ?`).run(runId())
    db.close()
    for (const verb of ['verify', 'doctor']) {
      const { code, doc } = await vpJson(place, [verb], { env: { VP_STATE_DIR: state } })
      assert.deepEqual([code, doc.error?.code], [3, 'ledger.incomplete'], `${verb}: ${JSON.stringify(doc)}`)
    }
  })

  test('doctor offers no sandbox that is in force', async (t) => {
    const { doc } = await vpJson(makePlace(t, { 'a.txt': 'one\n' }), ['doctor'])
    const backend = (doc.result as unknown as { sandbox: { backend: string } }).sandbox.backend
    const fix = checkOf(doc, 'sandbox')?.['fix'] as string[]
    assert.equal(backend === 'bwrap' && fix.some((step) => step.includes('bubblewrap')), false)
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

function checkOf(doc: Awaited<ReturnType<typeof vpJson>>['doc'], name: string): Record<string, unknown> | undefined {
  return (doc.result as unknown as { checks: Record<string, unknown>[] }).checks.find((check) => check['name'] === name)
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

  test('one changed byte, and what was added: altered; another file: no bundle', async (t) => {
    const other = makePlace(t, { 'a.txt': 'a\n' })
    const bytes = readFileSync(bundle)
    const chance = seeded(7)
    const file = join(other.root, 'changed.vpb')
    const places = [0, 1, 4, 9, ...Array.from({ length: DEEP ? 60 : 5 }, () => Math.floor(chance() * bytes.length))]
    for (const at of places) {
      const copy = Buffer.from(bytes)
      copy[at] = (copy[at] ?? 0) ^ 0x55
      writeFileSync(file, copy)
      const { code, doc } = await vpJson(other, ['verify', file])
      assert.deepEqual([code, doc.error?.code], [3, 'ledger.altered'], `byte ${at}: ${JSON.stringify(doc)}`)
    }
    writeFileSync(file, Buffer.concat([bytes, Buffer.from('more')]))
    assert.equal((await vpJson(other, ['verify', file])).doc.error?.code, 'ledger.altered')
    const text = join(other.root, 'notes.txt')
    for (const content of ['notes\n', gzipSync('notes\n')]) {
      writeFileSync(text, content)
      const { code, doc } = await vpJson(other, ['verify', text])
      assert.deepEqual([code, doc.error?.code], [2, 'bundle.invalid'])
    }
  })

  const textOf = (): string => gunzipSync(readFileSync(bundle)).toString('utf8')
  const edits: [title: string, was: RegExp, is: string][] = [
    ['a gate that passed', /"pass":true/g, '"pass":false'],
    ['tokens that were spent', /("tokens":\{"in":\d+,"out":)\d+/, '$11'],
    ['the model’s words', /("answer":\{.*?"text":")[^"]*/, '$1something else'],
    ['a title in the plan', /("title":")[^"]*/, '$1Another title'],
    ['the base', /("commits":\{"base":")\w+/, `$1${'f'.repeat(40)}`],
  ]
  for (const [title, was, is] of edits)
    test(`edited: ${title}`, async (t) => {
      const other = makePlace(t, { 'a.txt': 'a\n' })
      const file = join(other.root, 'edited.vpb')
      const changed = async (bytes: Buffer, says: RegExp) => {
        writeFileSync(file, bytes)
        for (const verb of ['verify', 'replay']) {
          const { code, doc } = await vpJson(other, [verb, file])
          assert.deepEqual([code, doc.error?.code], [3, 'ledger.altered'], `${verb}: ${JSON.stringify(doc)}`)
          assert.match(String(doc.error?.message), says)
        }
      }
      const text = textOf().replace(was, is)
      assert.notEqual(text, textOf())
      await changed(packed(text), /not those that were sealed/)
      // Sealed anew by whoever has the key: the receipts hold it still.
      await changed(printBundle(openSigningKey(join(place.state, 'keys', 'ledger.pem')), bundleOf(text)), /not (what|the one|those)/)
    })

  test('sealed and signed anew with a key of one’s own: the passport names another, and nothing here knows this one', async (t) => {
    const other = makePlace(t, { 'a.txt': 'a\n' })
    const file = join(other.root, 'forged.vpb')
    const key = openSigningKey(join(other.root, 'own.pem'))
    const original = bundleOf(textOf())
    let prev = '0'.repeat(64)
    const checkpoints = original.checkpoints.map((row) => {
      const mine = { ...row, key_id: key.id, prev }
      prev = sha256(checkpointBytes(mine))
      return { ...mine, signature: key.sign(Buffer.from(checkpointBytes(mine))).toString('base64url') }
    })
    writeFileSync(file, printBundle(key, { ...original, checkpoints, key: { id: key.id, public: key.publicKey } }))
    const { code, doc, stdout } = { ...(await vpJson(other, ['verify', file])), stdout: (await vp(other, ['verify', file])).stdout }
    assert.deepEqual([code, doc.error?.code], [3, 'ledger.altered'])
    assert.match(String(doc.error?.message), /the passport names another key/)
    assert.match(stdout, new RegExp(`^signed +by key ${key.id}, known by nothing here`, 'm'))
  })

  test('whose key it is: this machine’s own, or nobody’s here', async (t) => {
    const other = makePlace(t, { 'a.txt': 'a\n' })
    const { id } = openSigningKey(join(place.state, 'keys', 'ledger.pem'))
    const away = await vp(other, ['verify', bundle])
    assert.match(away.stdout, new RegExp(`^signed +by key ${id}, known by nothing here: ask`, 'm'))
    assert.match(away.stdout, /^complete .*known to this bundle alone$/m)
    assert.match((await vp(place, ['verify', bundle])).stdout, new RegExp(`^signed +by key ${id}, this machine’s own$`, 'm'))
  })

  const packed = (text: string): Buffer => {
    const bytes = gzipSync(text)
    readFileSync(bundle).copy(bytes, 0, 0, 10)
    return bytes
  }
  const bundleOf = (text: string): Bundle => {
    const [head, ...rest] = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    const { format: _, version: __, ...own } = head ?? {}
    const pick = (name: string) => rest.flatMap((line) => (line[name] === undefined ? [] : [line[name]]))
    const parts = Object.fromEntries(['receipt', 'checkpoint', 'event', 'exchange', 'approval'].map((name) => [`${name}s`, pick(name)]))
    return { ...own, ...parts, exchanges: withRepeats(pick('exchange') as Kept[]), pack: pick('pack')[0] } as unknown as Bundle
  }
})

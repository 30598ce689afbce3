import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sha256 } from '../core/json.ts'
import { openSqlite } from '../store/sqlite.ts'
import { sealChain, type CheckpointRow } from './checkpoints.ts'
import { openSigningKey, verifyingKey } from './keys.ts'
import { appendReceipt, type ReceiptRow } from './receipts.ts'
import { verifyChain, verifyCheckpoints, type ChainEvidence } from './verify.ts'

const ports = {
  clock: { now: () => 1_764_000_000_000, monotonic: () => 0 },
  random: { bytes: (n: number) => crypto.getRandomValues(new Uint8Array(n)) },
}

async function ledger(t: { after(fn: () => void): void }, receipts: number): Promise<ChainEvidence> {
  const directory = mkdtempSync(join(tmpdir(), 'vp-ledger-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const store = openSqlite(join(directory, 'ledger.db'))
  const key = openSigningKey(join(directory, 'keys', 'ledger.pem'))
  assert.equal(statSync(join(directory, 'keys', 'ledger.pem')).mode & 0o777, 0o600)
  for (let index = 0; index < receipts; index++)
    await store.transaction((tx) => appendReceipt(tx, ports, { op: 'fs.read', actor: 'agent', run_id: 'r-1', outcome: 'ok', detail: { index } }))
  await store.transaction((tx) => appendReceipt(tx, ports, { op: 'project.new', actor: 'human', outcome: 'ok' }))
  await store.transaction((tx) => sealChain(tx, ports.clock, key, 'r-1'))
  const evidence = await store.read(async (tx) => ({
    receipts: await tx.all<ReceiptRow>("SELECT * FROM receipts WHERE run_id = 'r-1'"),
    checkpoints: await tx.all<CheckpointRow>('SELECT * FROM checkpoints'),
  }))
  store.close()
  const head = evidence.receipts.at(-1)?.key ?? ''
  const checker = verifyingKey(openSigningKey(join(directory, 'keys', 'ledger.pem')).publicKey)
  return {
    ...evidence,
    known: [{ receipts, head: head.slice(0, 16), by: 'commit 41d0c7e' }],
    keys: new Map([[checker.id, checker]]),
  }
}

test('a whole chain is unaltered and complete, and a commit knows its head', async (t) => {
  const verdict = verifyChain('r-1', await ledger(t, 9))
  assert.deepEqual([verdict.unaltered, verdict.complete, verdict.receipts, verdict.known_by], [true, true, 9, 'commit 41d0c7e'])
})

const changes: [title: string, change: (row: ReceiptRow) => ReceiptRow][] = [
  ['a byte of the body', (row) => ({ ...row, body: row.body.replace('ok', 'oK') })],
  ['body and key together', (row) => ({ ...row, body: row.body.replace('"index":4', '"index":5'), key: 'f'.repeat(64) })],
  ['a column', (row) => ({ ...row, op: 'fs.patch' })],
  ['the task column', (row) => ({ ...row, task_id: 'task-1' })],
]
for (const [title, change] of changes)
  test(`altered: ${title}`, async (t) => {
    const evidence = await ledger(t, 9)
    const verdict = verifyChain('r-1', {
      ...evidence,
      receipts: evidence.receipts.map((row) => (row.n === 5 ? change(row) : row)),
    })
    assert.equal(verdict.unaltered, false)
    assert.equal(verdict.first_altered?.n, 5)
  })

/** Keys and the columns that name them made to fit again: only what the bodies say of each other is left. */
function rechained(rows: readonly ReceiptRow[]): ReceiptRow[] {
  let prev = '0'.repeat(64)
  return rows.map((row) => {
    const fitting = { ...row, prev, key: sha256(row.body) }
    prev = fitting.key
    return fitting
  })
}

const forgeries: [title: string, change: (rows: readonly ReceiptRow[]) => ReceiptRow[], n: number][] = [
  ['one body rewritten', (rows) => rows.map((row) => (row.n === 5 ? { ...row, body: row.body.replace('"index":4', '"index":5') } : row)), 6],
  ['one taken out of the middle', (rows) => rows.filter((row) => row.n !== 5), 5],
]
for (const [title, change, n] of forgeries)
  test(`altered, with every key made to fit: ${title}`, async (t) => {
    const evidence = await ledger(t, 9)
    const verdict = verifyChain('r-1', { ...evidence, checkpoints: [], known: [], receipts: rechained(change(evidence.receipts)) })
    assert.equal(verdict.first_altered?.n, n, verdict.first_altered?.why ?? 'nothing is altered')
  })

test('what was written after the head that a commit knows takes nothing from the proof', async (t) => {
  const evidence = await ledger(t, 9)
  const head = evidence.receipts[6]?.key ?? ''
  const known = [3, 7].map((receipts) => ({ receipts, head: evidence.receipts[receipts - 1]?.key ?? head, by: `commit ${receipts}` }))
  const verdict = verifyChain('r-1', { ...evidence, known })
  assert.deepEqual([verdict.complete, verdict.known_by, verdict.known?.n, verdict.known?.id], [true, 'commit 7', 7, evidence.receipts[6]?.id])
})

test('the last receipts dropped: incomplete, naming from and to', async (t) => {
  const evidence = await ledger(t, 9)
  const verdict = verifyChain('r-1', { ...evidence, receipts: evidence.receipts.slice(0, 6) })
  assert.deepEqual([verdict.unaltered, verdict.complete, verdict.missing?.from, verdict.missing?.to], [true, false, 7, 9])
})

test('a forged seal and a run that vanished are noticed', async (t) => {
  const evidence = await ledger(t, 3)
  const forged = evidence.checkpoints.map((row) => ({ ...row, receipts: 2, head: evidence.receipts[1]?.key ?? '' }))
  assert.equal(verifyChain('r-1', { ...evidence, checkpoints: forged }).unaltered, false)
  assert.deepEqual(verifyCheckpoints(evidence.checkpoints, new Set(['r-1']), evidence.keys), [])
  assert.match(String(verifyCheckpoints(evidence.checkpoints, new Set(), evidence.keys)[0]?.detail), /run r-1 is missing/)
})

test('checkpoints are a chain: one that was taken out is noticed, each on its own is signed', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'vp-ledger-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const store = openSqlite(join(directory, 'ledger.db'))
  const key = openSigningKey(join(directory, 'ledger.pem'))
  const runs = ['r-1', 'r-2', 'r-3']
  for (const run_id of [...runs, 'r-3'])
    await store.transaction(async (tx) => {
      if (run_id !== 'r-3') await appendReceipt(tx, ports, { op: 'fs.read', actor: 'agent', run_id, outcome: 'ok' })
      else await tx.run("INSERT INTO heads (run_id, n, key) VALUES ('r-3', 1, 'k') ON CONFLICT DO NOTHING")
      await sealChain(tx, ports.clock, key, run_id)
    })
  const checkpoints = await store.read((tx) => tx.all<CheckpointRow>('SELECT * FROM checkpoints'))
  store.close()
  const keys = new Map([[key.id, key]])
  assert.equal(checkpoints.length, 3, 'a head that is signed already is not signed again')
  assert.deepEqual(verifyCheckpoints(checkpoints, new Set(runs), keys), [])
  assert.match(String(verifyCheckpoints(checkpoints, new Set(runs), new Map())[0]?.detail), /checkpoint 1 is not signed by a known key/)
  for (const gone of [1, 2])
    assert.match(
      verifyCheckpoints(
        checkpoints.filter((row) => row.n !== gone).map((row, index) => ({ ...row, n: index + 1 })),
        new Set(runs),
        keys,
      )
        .map((problem) => problem.detail)
        .join(),
      /does not follow/,
    )
})

/** The digest of a large file: read once, and again whenever anything of it may be another. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openSqlite } from '../store/sqlite.ts'
import { fileDigest } from './file-digest.ts'

const sha = (text: string) => createHash('sha256').update(text).digest('hex')

function place(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'vp-digest-'))
  const store = openSqlite(join(directory, 'ledger.db'))
  t.after(() => {
    store.close()
    rmSync(directory, { recursive: true, force: true })
  })
  return { kit: { store }, file: join(directory, 'm.gguf') }
}

test('it is read once: what is kept is taken at its word', async (t) => {
  const { kit, file } = place(t)
  writeFileSync(file, 'one')
  assert.equal(await fileDigest(kit, file), sha('one'))
  await kit.store.transaction((tx) => tx.run('UPDATE measurements SET body = replace(body, ?, ?)', sha('one'), sha('kept')))
  assert.equal(await fileDigest(kit, file), sha('kept'))
})

const changes: [title: string, change: (file: string) => void][] = [
  ['other bytes of the same length', (file) => writeFileSync(file, 'two')],
  [
    'other bytes of the same length, their time set back',
    (file) => {
      const { atime, mtime } = statSync(file)
      writeFileSync(file, 'two')
      utimesSync(file, atime, mtime)
    },
  ],
  [
    'another file in its place',
    (file) => {
      writeFileSync(`${file}.new`, 'two')
      renameSync(`${file}.new`, file)
    },
  ],
]
for (const [title, change] of changes)
  test(`it is read again: ${title}`, async (t) => {
    const { kit, file } = place(t)
    writeFileSync(file, 'one')
    await fileDigest(kit, file)
    change(file)
    assert.deepEqual([await fileDigest(kit, file), await fileDigest(kit, file)], [sha('two'), sha('two')])
  })

test('what is no file has none', async (t) => {
  const { kit, file } = place(t)
  assert.deepEqual([await fileDigest(kit, file), await fileDigest(kit, join(file, '..'))], [null, null])
})

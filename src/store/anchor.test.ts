/** The anchor survives a torn write of itself by one step, and believes no signature but its key's. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openAnchor, type AnchorKey } from './anchor.ts'

const keyOf = (secret: string): AnchorKey => {
  const sign = (bytes: Buffer) => createHash('sha256').update(secret).update(bytes).digest()
  return { sign, verify: (bytes, signature) => sign(bytes).equals(signature) }
}
const key = keyOf('k')
const digestOf = (tx: number) => String(tx).repeat(64).slice(0, 64)

const cases: [title: string, written: number[], change: (text: string) => string, want: number | null][] = [
  ['the newest of two', [1, 2, 3], (text) => text, 3],
  ['an older one does not come after a newer', [3, 2], (text) => text, 3],
  [
    'a torn newest slot leaves the one before',
    [1, 2, 3],
    (text) => text.replace(`vp-anchor 1 3 ${digestOf(3)}`, (found) => found.slice(0, 30).padEnd(found.length)),
    2,
  ],
  ['a number that was raised', [1, 2], (text) => text.replace('vp-anchor 1 2 ', 'vp-anchor 1 9 '), 1],
  ['a digest that was changed', [1], (text) => text.replace(digestOf(1), digestOf(2)), null],
  ['nothing but garbage', [1], () => 'garbage', null],
]
for (const [title, written, change, want] of cases)
  test(`anchor: ${title}`, (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'vp-anchor-'))
    t.after(() => rmSync(directory, { recursive: true, force: true }))
    const path = join(directory, 'ledger.head')
    const anchor = openAnchor(path, key)
    for (const tx of written) anchor.write({ tx, digest: digestOf(tx) })
    anchor.close()
    writeFileSync(path, change(readFileSync(path, 'latin1')), 'latin1')
    assert.deepEqual(openAnchor(path, key).read(), want === null ? null : { tx: want, digest: digestOf(want) })
    assert.equal(openAnchor(path, keyOf('other')).read(), null)
  })

test('anchor: a process that knows of no newer one writes no older over it', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'vp-anchor-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'ledger.head')
  for (const tx of [7, 8, 3, 4, 5]) {
    const anchor = openAnchor(path, key)
    anchor.write({ tx, digest: digestOf(tx) })
    anchor.close()
  }
  assert.equal(openAnchor(path, key).read()?.tx, 8)
  assert.match(readFileSync(path, 'latin1'), /vp-anchor 1 7 /)
})

test('anchor: none yet', () => assert.equal(openAnchor('/nonexistent/ledger.head', key).read(), null))

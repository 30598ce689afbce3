import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { BESIDE_ROOM } from '../../agent/context/beside.ts'
import { openWorkspace } from '../../workspace/files.ts'
import { readInstructions } from './instructions.ts'

function read(t: { after(end: () => void): void }, files: Readonly<Record<string, string | Buffer>>, plan: readonly string[] = []) {
  const root = mkdtempSync(join(tmpdir(), 'vp-instructions-'))
  t.after(() => rmSync(root, { recursive: true }))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const workspace = openWorkspace(root)
  t.after(() => workspace.close())
  return readInstructions(workspace, Object.keys(files), plan)
}

test('folders that nobody touches take no room from the others', (t) => {
  const names = Array.from({ length: 40 }, (_, n) => `f${n}/AGENTS.md`)
  const { files } = read(t, Object.fromEntries(names.map((name) => [name, `${name}\n`.repeat(300)])))
  assert.equal(files.length, 40)
  assert.equal(files.filter(({ isNamed }) => isNamed).length, 16)
  assert.ok(files.every(({ shown, later }) => shown === '' && later.length > 1500 && later.length <= 2000))
  assert.ok(files.reduce((sum, { later }) => sum + later.length, 0) > BESIDE_ROOM)
})

test('a line of 5,000 characters is cut within', (t) => {
  const { files } = read(t, { 'AGENTS.md': 'x'.repeat(5000) })
  assert.equal(files[0]?.shown.length, 2000)
})

test('what is no text or too large is listed with its size', (t) => {
  const { files, unread } = read(t, { 'AGENTS.md': 'Tabs.\n', 'a/AGENTS.md': 'x'.repeat(70_000), 'b/AGENTS.md': Buffer.from([0, 1, 2]) })
  assert.deepEqual(
    files.map(({ path }) => path),
    ['AGENTS.md'],
  )
  assert.deepEqual(unread, [
    { path: 'a/AGENTS.md', bytes: 70_000 },
    { path: 'b/AGENTS.md', bytes: 3 },
  ])
})

/** A project file that is broken stops what needs a project, and nothing that could mend it; undo says what it did. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { makePlace, vp, vpJson } from '../e2e/kit.ts'

for (const [title, text] of [
  ['other fields', '{"x":1}'],
  ['no JSON', '{'],
] as const)
  test(`a broken project file: ${title}`, async (t) => {
    const place = makePlace(t, { 'a.txt': 'old\n', 'do.js': "require('node:fs').writeFileSync('a.txt', 'new')\n" })
    const written = await vpJson(place, ['run', 'exec', '--', 'node', 'do.js'])
    assert.equal(written.code, 0, JSON.stringify(written.doc))
    mkdirSync(join(place.repository, '.vp'), { recursive: true })
    writeFileSync(join(place.repository, '.vp/project.json'), text)
    const doctor = await vpJson(place, ['doctor'])
    const checks = doctor.doc.result?.['checks'] as unknown as { name: string; status: string; detail: string }[]
    assert.match(checks.find(({ name }) => name === 'project')?.detail ?? '', /^\.vp\/project\.json/)
    assert.equal((await vp(place, ['policy', 'explain', '--', 'node', 'x.js'])).code, 0)
    const read = await vp(place, ['fs', 'read', 'a.txt'])
    assert.deepEqual([read.code, read.stdout], [0, 'new'])
    assert.equal((await vp(place, ['run', 'exec', '--', 'node', '--version'])).code, 0)
    const undone = await vp(place, ['undo', '--yes'])
    assert.equal(undone.code, 0, undone.stderr)
    assert.equal(readFileSync(join(place.repository, 'a.txt'), 'utf8'), 'old\n')
    const start = await vpJson(place, ['start'])
    assert.equal(start.doc.error?.code, 'config.invalid')
  })

test('undo that leaves a file says what it gave back', async (t) => {
  const place = makePlace(t, {
    'a.txt': 'old\n',
    'b.txt': 'old\n',
    'do.js': "for (const f of ['a.txt', 'b.txt']) require('node:fs').writeFileSync(f, 'new')\n",
  })
  assert.equal((await vpJson(place, ['run', 'exec', '--', 'node', 'do.js'])).code, 0)
  writeFileSync(join(place.repository, 'b.txt'), 'mine\n')
  const undone = await vp(place, ['undo', '--yes'])
  assert.equal(undone.code, 7)
  assert.match(undone.stdout, /^-new\n(?:.*\n)*\+old\n(?:.*\n)*\S b\.txt +stays: changed since\n.*while the command ran.*\nrestored 1, refused 1/m)
  assert.match(undone.stderr, /undo\.refused: 1 file changed since, and stays[^]*1 file was given back/)
  assert.doesNotMatch(undone.stderr, /nothing was changed/)
})

test('undo shows its hunks before the question, long ones cut with a count', async (t) => {
  const long = Array.from({ length: 300 }, (_, n) => `line ${n}\n`).join('')
  const place = makePlace(t, {
    'a.txt': 'old\n',
    'b.txt': long,
    'do.js': "for (const f of ['a.txt', 'b.txt']) require('node:fs').writeFileSync(f, 'new\\n')\n",
  })
  assert.equal((await vpJson(place, ['run', 'exec', '--', 'node', 'do.js'])).code, 0)
  const shown = await vp(place, ['undo'])
  assert.equal(shown.code, 5)
  assert.match(
    shown.stdout,
    /^@@ -1 \+1 @@\n-new\n\+old\n(?:.*\n)*\+line 0\n(?:.*\n)*1\d\d more lines of hunks \S all with --json\n +a\.txt +\+1 +-1\n(?:.*\n)*what somebody else changed here while the command ran/m,
  )
  assert.equal(readFileSync(join(place.repository, 'a.txt'), 'utf8'), 'new\n')
})

/** Undo gives back the bytes of before, and leaves alone what somebody changed since. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openRealKit } from '../../../test/real-kit.ts'
import { scopesOf } from '../../policy/scopes.ts'
import { recordImages } from '../before-images.ts'
import { keepBlob } from '../blobs.ts'
import { fsPatch, fsWrite } from '../fs.ts'
import { invoke } from '../invoke.ts'
import type { Caller, Operation } from '../operation.ts'
import { runUndo } from '../runs.ts'
import type { Undone } from './undo.ts'

const HUMAN: Caller = { actor: 'human', surface: 'cli', scopes: scopesOf('human'), yes: true }

const since: [title: string, happens: (at: string) => void, outcome: string, after: string | null][] = [
  ['nothing happened since', () => {}, 'restored', 'old\n'],
  ['it was changed since', (at) => writeFileSync(at, 'theirs\n'), 'refused', 'theirs\n'],
  ['it was removed since', (at) => rmSync(at), 'refused', null],
  ['a link took its place', (at) => (rmSync(at), symlinkSync('b.txt', at)), 'refused', 'b\n'],
  ['it is as before already', (at) => writeFileSync(at, 'old\n'), 'unchanged', 'old\n'],
]
for (const [title, happens, outcome, after] of since)
  test(`undo: ${title}`, async (t) => {
    const { kit, tree } = openRealKit(t, { 'a.txt': 'old\n', 'b.txt': 'b\n' })
    const at = join(tree.root, 'a.txt')
    chmodSync(at, 0o755)
    const call = async (operation: Operation, params: unknown) => {
      const answer = await invoke(kit, operation, params, HUMAN, tree)
      if (!answer.ok) throw answer.error
      return answer
    }
    const { receipt } = await call(fsWrite, { path: 'a.txt', content: 'new\n' })
    const shown = (await call(runUndo, { id: receipt })).result as Undone
    assert.equal(shown.applied, false)
    assert.equal(readFileSync(at, 'utf8'), 'new\n', 'shown first')
    happens(at)
    const done = (await call(runUndo, { id: receipt, apply: true })).result as Undone
    assert.equal(done.files[0]?.outcome, outcome)
    assert.equal(existsSync(at) ? readFileSync(at, 'utf8') : null, after)
    if (outcome === 'restored') assert.equal(statSync(at).mode & 0o777, 0o755)
  })

test('undo gives back what may not be written, and one file that cannot be given back holds up no other', async (t) => {
  const { kit, tree } = openRealKit(t, { 'a.txt': 'old\n', '.envrc': 'new\n', '.env': 'new\n', 'b.txt': '' })
  const call = async (operation: Operation, params: unknown) => {
    const answer = await invoke(kit, operation, params, HUMAN, tree)
    if (!answer.ok) throw answer.error
    return answer
  }
  const { receipt } = await call(fsWrite, { path: 'a.txt', content: 'new\n' })
  symlinkSync('b.txt', join(tree.root, 'deep'))
  const state = (text: string) => ({ sha: keepBlob(kit, Buffer.from(text)), mode: 0o644 })
  const others = [
    { path: '.envrc', before: state('old\n'), after: state('new\n') },
    { path: '.env', before: state('old\n'), after: state('new\n') },
    { path: '.claude/settings.json', before: state('old\n'), after: null },
    { path: 'deep/f.txt', before: state('old\n'), after: null },
  ]
  await kit.store.transaction((tx) => recordImages(tx, String(receipt), tree.root, others))
  const done = (await call(runUndo, { id: receipt, apply: true })).result as Undone
  assert.deepEqual([done.restored, done.refused], [4, 1])
  assert.deepEqual(
    done.files.filter(({ outcome }) => outcome === 'refused').map(({ path }) => path),
    ['deep/f.txt'],
  )
  for (const path of ['a.txt', '.envrc', '.env', '.claude/settings.json']) assert.equal(readFileSync(join(tree.root, path), 'utf8'), 'old\n', path)
})

test('undo of more than is read tells the hunks that fit, whole files of them, and counts the lines of all', async (t) => {
  const body = (word: string) => Array.from({ length: 2500 }, (_, line) => `${word} ${line} ${'x'.repeat(100)}\n`).join('')
  const names = ['a.txt', 'b.txt', 'c.txt']
  const { kit, tree } = openRealKit(t, Object.fromEntries(names.map((name) => [name, `first\n${body('new')}`])))
  const state = (text: string) => ({ sha: keepBlob(kit, Buffer.from(text)), mode: 0o644 })
  const written = names.map((path) => ({ path, before: state(`first\n${body('old')}`), after: state(`first\n${body('new')}`) }))
  const made = await invoke(kit, fsWrite, { path: 'd.txt', content: 'd\n' }, HUMAN, tree)
  await kit.store.transaction((tx) => recordImages(tx, `${made.receipt}#T1`, tree.root, written))
  const answer = await invoke(kit, runUndo, { id: 'T1', apply: true }, HUMAN, tree)
  assert.ok(answer.ok)
  const done = answer.result as Undone
  assert.deepEqual([done.restored, done.diff_omitted, done.diff.length <= 1024 * 1024], [3, 2, true])
  assert.equal(done.diff.match(/^diff --git/gm)?.length, 1)
  for (const [index, name] of names.entries()) {
    assert.deepEqual([done.files[index]?.add, done.files[index]?.del], [2500, 2500], name)
    assert.equal(readFileSync(join(tree.root, name), 'utf8'), `first\n${body('old')}`)
  }
})

test('a patch that removes a file and makes a directory of its name, and its undo', async (t) => {
  const { kit, tree } = openRealKit(t, { del: 'old\n', 'b.txt': '' })
  const patch = '--- a/del\n+++ /dev/null\n@@ -1 +0,0 @@\n-old\n--- /dev/null\n+++ b/del/in/deep\n@@ -0,0 +1 @@\n+new\n'
  const made = await invoke(kit, fsPatch, { unified_diff: patch, apply: true }, HUMAN, tree)
  assert.ok(made.ok, JSON.stringify(made))
  assert.equal(readFileSync(join(tree.root, 'del/in/deep'), 'utf8'), 'new\n')
  const undone = await invoke(kit, runUndo, { id: made.receipt, apply: true }, HUMAN, tree)
  assert.ok(undone.ok)
  assert.deepEqual([(undone.result as Undone).restored, readFileSync(join(tree.root, 'del'), 'utf8')], [2, 'old\n'])
})

test('folders that a patch made go with its undo, unless somebody put something in', async (t) => {
  const { kit, tree } = openRealKit(t, { 'b.txt': '' })
  const patch = ['gone/deep', 'stays/deep'].map((path) => `--- /dev/null\n+++ b/${path}/f\n@@ -0,0 +1 @@\n+new\n`).join('')
  const made = await invoke(kit, fsPatch, { unified_diff: patch, apply: true }, HUMAN, tree)
  assert.ok(made.ok)
  writeFileSync(join(tree.root, 'stays/mine'), '')
  await invoke(kit, runUndo, { id: made.receipt, apply: true }, HUMAN, tree)
  assert.deepEqual(
    ['gone', 'stays', 'stays/deep', 'stays/mine'].map((path) => existsSync(join(tree.root, path))),
    [false, true, false, true],
  )
})

test('a part of an id that fits more than one change is no id', async (t) => {
  const { kit, tree } = openRealKit(t, { 'a.txt': 'old\n' })
  const receipts: string[] = []
  for (const content of ['1\n', '2\n', '3\n', '4\n']) {
    const made = await invoke(kit, fsWrite, { path: 'a.txt', content }, HUMAN, tree)
    receipts.push(String(made.receipt))
  }
  const undone = (id: string) => invoke(kit, runUndo, { id }, HUMAN, tree)
  for (const id of ['r_', '0']) {
    const answer = await undone(id)
    assert.ok(!answer.ok)
    assert.equal(answer.error.code, 'undo.ambiguous')
    assert.match(answer.error.message, /^\w+ fits 4 changes: (r_\w{6}, ){3}…$/)
  }
  for (const id of [String(receipts[1]), `r_${receipts[1]?.slice(-6)}`]) {
    const answer = await undone(id)
    assert.ok(answer.ok)
    assert.equal((answer.result as Undone).id, receipts[1])
  }
  const none = await undone('machine')
  assert.equal(!none.ok && none.error.code, 'undo.not_found', 'what no run did has no run to be named by')
})

for (const [title, happens, left] of [
  ['it comes back', () => {}, ['old\n', null]],
  ['somebody made another file of its name: what it was renamed to stays', (at: string) => writeFileSync(at, 'theirs\n'), ['theirs\n', 'old\n']],
] as [string, (at: string) => void, [string, string | null]][])
  test(`undo of a renamed file: ${title}`, async (t) => {
    const { kit, tree } = openRealKit(t, { f: 'old\n' })
    const patch = 'diff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n'
    const made = await invoke(kit, fsPatch, { unified_diff: patch, apply: true }, HUMAN, tree)
    assert.ok(made.ok, JSON.stringify(made))
    const [f, g] = [join(tree.root, 'f'), join(tree.root, 'g')]
    assert.equal(existsSync(f), false)
    happens(f)
    const undone = await invoke(kit, runUndo, { id: made.receipt, apply: true }, HUMAN, tree)
    assert.ok(undone.ok)
    assert.deepEqual([readFileSync(f, 'utf8'), existsSync(g) ? readFileSync(g, 'utf8') : null], left)
  })

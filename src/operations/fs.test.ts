/** What fs.write and fs.edit keep of a file that is there, and what they refuse. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openRealKit } from '../../test/real-kit.ts'
import { scopesOf } from '../policy/scopes.ts'
import { fsEdit, fsPatch, fsWrite, type PatchAnswer } from './fs.ts'
import { invoke } from './invoke.ts'
import type { Operation } from './operation.ts'
import { runUndo } from './runs.ts'

const real = openRealKit({ after }, { 'seed.txt': 'x' })
const at = join(real.tree.root, 'f')

async function call(operation: Operation, params: object): Promise<string | undefined> {
  const answer = await invoke(real.kit, operation, { path: 'f', ...params }, { actor: 'human', surface: 'cli', scopes: scopesOf('human') }, real.tree)
  return answer.ok ? undefined : answer.error.code
}

const kept: [title: string, before: Buffer, content: string, after: Buffer][] = [
  ['CRLF', Buffer.from('a\r\nb\r\n'), 'a\nc\n', Buffer.from('a\r\nc\r\n')],
  ['a byte-order mark', Buffer.from('\uFEFFa\n'), 'b\n', Buffer.from('\uFEFFb\n')],
  ['Latin-1', Buffer.from('é\n', 'latin1'), 'éà\n', Buffer.from('éà\n', 'latin1')],
]
for (const [title, before, content, wanted] of kept)
  test(`a file that is written anew keeps ${title}`, async () => {
    writeFileSync(at, before)
    assert.equal(await call(fsWrite, { content }), undefined)
    assert.deepEqual(readFileSync(at), wanted)
  })

test('an edit keeps the line ends of a file', async () => {
  for (const [before, wanted] of [
    ['a\nb\n', 'a\nc\nd\n'],
    ['a\r\nb\r\n', 'a\r\nc\r\nd\r\n'],
  ] as const)
    for (const text of ['c\nd', 'c\r\nd']) {
      writeFileSync(at, before)
      assert.equal(await call(fsEdit, { old: 'b', new: text }), undefined)
      assert.equal(readFileSync(at, 'utf8'), wanted)
    }
})

const refused: [title: string, before: Buffer, operation: Operation, params: object][] = [
  ['binary, written', Buffer.from('a\0b'), fsWrite, { content: 'b\n' }],
  ['binary, edited', Buffer.from('a\0b'), fsEdit, { old: 'a', new: 'c' }],
  ['UTF-16, edited', Buffer.from('\uFEFFab', 'utf16le'), fsEdit, { old: 'a', new: 'c' }],
  ['Latin-1, with what that lacks', Buffer.from('é\n', 'latin1'), fsWrite, { content: '→\n' }],
  ['text, with a NUL', Buffer.from('a\n'), fsWrite, { content: 'a\0\n' }],
]
for (const [title, before, operation, params] of refused)
  test(`refused, and nothing is written: ${title}`, async () => {
    writeFileSync(at, before)
    assert.equal(await call(operation, params), 'patch.unsupported')
    assert.deepEqual(readFileSync(at), before)
  })

async function patched(unified_diff: string, apply: boolean): Promise<PatchAnswer> {
  const answer = await invoke(real.kit, fsPatch, { unified_diff, apply }, { actor: 'human', surface: 'cli', scopes: scopesOf('human') }, real.tree)
  if (!answer.ok) throw answer.error
  return answer.result as PatchAnswer
}

test('a file that gets another name keeps its mode, unless the patch says another', async () => {
  const [from, to] = [join(real.tree.root, 'run.sh'), join(real.tree.root, 'go.sh')]
  for (const [modes, wanted] of [
    ['', 0o750],
    ['old mode 100755\nnew mode 100644\n', 0o644],
  ] as const) {
    writeFileSync(from, 'ls\n')
    chmodSync(from, 0o750)
    const { diff } = await patched(`diff --git a/run.sh b/go.sh\n${modes}similarity index 100%\nrename from run.sh\nrename to go.sh\n`, true)
    assert.deepEqual([existsSync(from), statSync(to).mode & 0o777], [false, wanted])
    assert.match(diff, /^deleted file mode 100755$/m)
    rmSync(to)
  }
})

test('a patch of a mode alone shows it, goes back, and is nothing where the mode is that one', async () => {
  const path = join(real.tree.root, 'run.sh')
  writeFileSync(path, 'ls\n')
  chmodSync(path, 0o644)
  const { diff } = await patched('diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n', false)
  assert.equal(diff, 'diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n')
  for (const [text, mode, images] of [
    [diff, 0o755, 1],
    [diff, 0o755, 0],
    [diff.replace('old mode 100644\nnew mode 100755', 'old mode 100755\nnew mode 100644'), 0o644, 1],
  ] as const) {
    assert.equal((await patched(text, true)).before_images.length, images)
    assert.equal(statSync(path).mode & 0o777, mode)
  }
  const undone = await invoke(real.kit, runUndo, { apply: true }, { actor: 'human', surface: 'cli', yes: true, scopes: scopesOf('human') }, real.tree)
  assert.ok(undone.ok)
  assert.equal((undone.result as { diff: string }).diff, diff)
  assert.equal(statSync(path).mode & 0o777, 0o755)
})

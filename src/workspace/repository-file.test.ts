/** What a clone may bring under the name of a configuration: none of it is waited for, followed or read without end. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { namesInRepository, readRepositoryFile, readWithinRepository } from './repository-file.ts'

function rootOf(t: TestContext): { readonly root: string; readonly outside: string } {
  const base = mkdtempSync(join(tmpdir(), 'vp-brought-'))
  t.after(() => rmSync(base, { recursive: true, force: true }))
  const [root, outside] = [join(base, 'root'), join(base, 'outside')]
  mkdirSync(join(root, '.vp'), { recursive: true })
  mkdirSync(outside)
  writeFileSync(join(outside, 'file'), 'outside')
  return { root, outside }
}

const FILE = '.vp/file'
const brought: [title: string, put: (at: string, outside: string) => void, code: string][] = [
  ['a link to a device', (at) => symlinkSync('/dev/zero', at), 'path.denied'],
  ['a link to a file outside', (at, outside) => symlinkSync(join(outside, 'file'), at), 'path.denied'],
  ['a link that leads nowhere', (at) => symlinkSync('nowhere', at), 'path.denied'],
  ['a pipe', (at) => execFileSync('mkfifo', [at]), 'path.not_regular'],
  ['a directory', (at) => mkdirSync(at), 'path.not_regular'],
  ['more than a mebibyte', (at) => (writeFileSync(at, ''), truncateSync(at, 1024 * 1024 + 1)), 'path.too_large'],
]
for (const [title, put, code] of brought)
  test(`refused: ${title}`, (t) => {
    const { root, outside } = rootOf(t)
    put(join(root, FILE), outside)
    assert.throws(() => readRepositoryFile(root, FILE), { code })
    assert.equal(readWithinRepository(root, FILE, 1024), null)
  })

test('a file is read, and what is not there is null', (t) => {
  const { root } = rootOf(t)
  assert.equal(readRepositoryFile(root, FILE), null)
  assert.equal(readRepositoryFile(root, 'no/such/file'), null)
  writeFileSync(join(root, FILE), 'text')
  assert.equal(readRepositoryFile(root, FILE)?.toString(), 'text')
  assert.equal(readRepositoryFile(root, `${FILE}/below`), null)
  assert.deepEqual(namesInRepository(root, '.vp'), ['file'])
  assert.deepEqual(namesInRepository(root, 'nowhere'), [])
})

test('a folder that is a link leads nowhere', (t) => {
  const { root, outside } = rootOf(t)
  symlinkSync(outside, join(root, '.vp/lanes'))
  assert.throws(() => readRepositoryFile(root, '.vp/lanes/file'), { code: 'path.denied' })
  assert.throws(() => readRepositoryFile(root, '../outside/file'), { code: 'path.denied' })
  assert.throws(() => namesInRepository(root, '.vp/lanes'), { code: 'path.denied' })
  assert.equal(readWithinRepository(root, '.vp/lanes/file', 1024), null)
})

test('a link within the repository is followed where that is asked for', (t) => {
  const { root, outside } = rootOf(t)
  writeFileSync(join(root, 'real.json'), '{}')
  symlinkSync('real.json', join(root, 'package.json'))
  symlinkSync(join(outside, 'file'), join(root, 'second.json'))
  assert.equal(readWithinRepository(root, 'package.json', 1024)?.toString(), '{}')
  assert.equal(readWithinRepository(root, 'second.json', 1024), null)
  assert.equal(readWithinRepository(root, 'real.json', 1), null)
})

/** Objects read and written here, held against git itself: packed and loose, SHA-1 and SHA-256, odd names, kinds and binaries. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { tmpdir } from 'node:os'
import { gitRunner, treeEntries } from './git.ts'
import { countLines } from './line-counts.ts'
import { answerReader } from './object-batch.ts'
import { diffTrees, fileAt, historyOf, readCommit, withFiles } from './tree-objects.ts'
import { rawChanges } from './run-repository.ts'

const ENV = { PATH: process.env['PATH'], GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', HOME: '/nonexistent' }

function repository(t: { after(fn: () => void): void }, format: string) {
  const root = mkdtempSync(join(tmpdir(), 'vp-objects-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  const git = (args: readonly string[], input?: string | Buffer) =>
    execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@example.org', ...args], {
      cwd: root,
      env: ENV,
      maxBuffer: 1 << 28,
      ...(input === undefined ? {} : { input }),
    })
  git(['init', '-q', '-b', 'main', `--object-format=${format}`])
  return { root, gitDir: join(root, '.git'), git, text: (...args: string[]) => git(args).toString('utf8').trimEnd() }
}

let seed = 7
const random = (below: number): number => {
  seed = (seed * 1664525 + 1013904223) >>> 0
  return Math.floor((seed / 2 ** 32) * below)
}
const NAMES = ['a', 'a.b', 'a-b', 'ab', 'dir', 'dir0', 'ü', 'sp ace', 'tab\tname', 'quote"', 'z']
const LINES = ['one', 'two', 'two', 'three', '', 'four  ', '\tfive']

/** Any file becomes a folder, a link, a program, binary, empty, without its last LF, or goes. */
function change(root: string): void {
  for (let times = 0; times < 6; times++) {
    const path = join(root, ...Array.from({ length: 1 + random(3) }, () => NAMES[random(NAMES.length)] ?? 'a'))
    try {
      rmSync(path, { recursive: true, force: true })
      if (random(5) === 0) continue
      mkdirSync(dirname(path), { recursive: true })
      const text = Array.from({ length: random(30) }, () => `${LINES[random(LINES.length)]}\n`).join('')
      if (random(8) === 0) symlinkSync(text.slice(0, 20) || 'nowhere', path)
      else writeFileSync(path, random(6) === 0 ? Buffer.from([1, 0, random(255)]) : text.slice(0, text.length - random(2)))
      if (random(4) === 0) chmodSync(path, 0o755)
    } catch {
      // A file stands where a folder would: another change comes.
    }
  }
}

for (const [format, isPacked] of [
  ['sha1', false],
  ['sha1', true],
  ['sha256', true],
] as const)
  test(`what git says of trees, commits and lines is said here too: ${format}, ${isPacked ? 'packed' : 'loose'}`, async (t) => {
    const { root, gitDir, git, text } = repository(t, format)
    const commits: string[] = []
    for (let n = 0; n < 7; n++) {
      change(root)
      git(['add', '-A'])
      git(['commit', '-q', '--allow-empty', '-F', '-'], `Subject ${n}\nin two lines \n\nBody ${n}\n`)
      commits.push(text('rev-parse', 'HEAD'))
    }
    if (isPacked) git(['repack', '-q', '-a', '-d'])
    const run = gitRunner('git')
    const objects = run.objects(gitDir)
    for (const [index, commit] of commits.entries()) {
      const listed = git(['ls-tree', '-r', '-z', '--full-tree', commit]).toString('utf8').split('\0').filter(Boolean)
      assert.deepEqual(
        (await treeEntries(run, gitDir, commit)).map(({ mode, id, path }) => `${mode} blob ${id}\t${path}`),
        listed,
      )
      const { tree, parents, subject } = await readCommit(objects, commit)
      assert.deepEqual([tree, parents.join(' '), subject], text('log', '-1', '--format=%T%x00%P%x00%s', commit).split('\0'))
      const history = (await historyOf(objects, commit, 4)).map(({ subject, body }) => `${subject}|${body}`)
      assert.deepEqual(history, text('log', '-4', '--format=%s|%b', commit).split(/\n+/))
      const before = commits[random(index + 1)] ?? commit
      const raw = rawChanges(git(['diff-tree', '-r', '-z', '--no-renames', '--raw', before, commit]))
      const ours = (await diffTrees(objects, before, commit)).map(({ path, status, oldMode, newMode }) => ({ path, status, oldMode, newMode }))
      assert.deepEqual(ours, raw)
      const counts = git(['diff-tree', '-r', '-z', '--no-renames', '--numstat', '--minimal', before, commit]).toString('utf8').split('\0').filter(Boolean)
      assert.deepEqual(
        (await countLines(objects, before, commit)).map(({ path, add, del }) => `${add ?? '-'}\t${del ?? '-'}\t${path}`),
        counts,
      )
      for (const { path, id } of (await treeEntries(run, gitDir, commit)).slice(0, 3))
        assert.deepEqual(await fileAt(objects, commit, path), git(['cat-file', 'blob', id]))
    }
    assert.deepEqual([await fileAt(objects, commits[0] ?? '', 'no/such'), await fileAt(objects, `${commits[1]}^`, 'dir/none')], [null, null])
    git(['fsck', '--strict'])
  })

test('what is written here is what git would write, and it finds it sound', async (t) => {
  const { root, gitDir, git, text } = repository(t, 'sha1')
  for (let n = 0; n < 4; n++) change(root)
  git(['add', '-A'])
  git(['commit', '-q', '--allow-empty', '-m', 'start'])
  const objects = gitRunner('git').objects(gitDir)
  const files = new Map([
    ['.vp/runs/r-1/passport.json', Buffer.from('{}\n')],
    ['dir/deep/ü/file', Buffer.from('deep')],
    ['a/folder/where/a/file/may/be', Buffer.from('x')],
    ['zz', Buffer.alloc(0)],
  ])
  const tree = await withFiles(objects, text('rev-parse', 'HEAD'), files)
  rmSync(join(root, 'a'), { recursive: true, force: true })
  for (const [path, bytes] of files) {
    try {
      mkdirSync(dirname(join(root, path)), { recursive: true })
    } catch {
      rmSync(join(root, path.split('/')[0] ?? ''), { recursive: true, force: true })
      mkdirSync(dirname(join(root, path)), { recursive: true })
    }
    writeFileSync(join(root, path), bytes)
  }
  git(['add', '-A'])
  const expected = new Map((await treeEntries(gitRunner('git'), gitDir, text('write-tree'))).map(({ path, id }) => [path, id]))
  for (const { path, id } of await treeEntries(gitRunner('git'), gitDir, tree)) if (files.has(path)) assert.equal(id, expected.get(path), path)
  git(['fsck', '--strict', tree])
})

test('an object that is cut, changed or gone is told, and kills nothing', async (t) => {
  const { root, gitDir, git, text } = repository(t, 'sha1')
  writeFileSync(join(root, 'a'), 'text\n')
  git(['add', '-A'])
  const id = text('hash-object', 'a')
  const file = join(gitDir, 'objects', id.slice(0, 2), id.slice(2))
  const read = (one: string) => gitRunner('git').objects(gitDir).read(one)
  assert.equal((await read(id)).body.toString(), 'text\n')
  chmodSync(file, 0o644)
  truncateSync(file, 10)
  await assert.rejects(read(id), /damaged/)
  writeFileSync(file, process.getBuiltinModule('node:zlib').deflateSync(Buffer.from('blob 5\0other')))
  await assert.rejects(read(id), /damaged/)
  rmSync(file)
  await assert.rejects(read(id), /is not there/)
})

test('answers of git come in whatever pieces', () => {
  const stream = Buffer.concat([Buffer.from('aa blob 3\n\n\0x\nbb missing\ncc tree 0\n\ndd commit 5\n'), Buffer.from('12345\n')])
  for (let size = 1; size <= stream.length; size++) {
    const found: unknown[] = []
    const read = answerReader((one) => found.push(one === null ? null : [one.type, one.body.toString('latin1')]))
    for (let at = 0; at < stream.length; at += size) read(stream.subarray(at, at + size))
    assert.deepEqual(found, [['blob', '\n\0x'], null, ['tree', ''], ['commit', '12345']], `pieces of ${size}`)
  }
})

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { isVpError } from '../core/errors.ts'
import { foreignChanges, foreignContent, outermost } from './foreign.ts'
import { gitRunner } from './git.ts'
import { checkOut, createRunRepository, recordTree, type RunRepository } from './run-repository.ts'

const run = gitRunner('/usr/bin/git')
const LARGE = 'large\n'.repeat(500)
const OID = createHash('sha256').update(LARGE).digest('hex')

function git(cwd: string, ...args: string[]): string {
  const always = ['-c', 'protocol.file.allow=always', '-c', 'user.name=A', '-c', 'user.email=a@example.org', '-c', 'init.defaultBranch=main']
  return execFileSync('git', [...always, ...args], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' },
  }).trim()
}

function commit(root: string, files: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  if (!existsSync(join(root, '.git'))) git(root, 'init', '-q')
  git(root, 'add', '-A')
  git(root, 'commit', '-qm', 'x')
  return git(root, 'rev-parse', 'HEAD')
}

interface Made {
  readonly root: string
  readonly head: string
  readonly repository: RunRepository
  readonly scratch: string
}

const template = realpathSync(mkdtempSync(join(tmpdir(), 'vp-foreign-')))
after(() => rmSync(template, { recursive: true, force: true }))

/** `top` holds `parts/mid`, which holds `inner` and `a.bin` in LFS; all of it checked out. */
before(() => {
  const [inner, mid, top] = ['inner', 'mid', 'top'].map((name) => join(template, name)) as [string, string, string]
  commit(inner, { 'inner.txt': 'inner' })
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${OID}\nsize ${LARGE.length}\n`
  commit(mid, { '.gitattributes': '*.bin filter=lfs\n', 'a.bin': pointer, 'plain.txt': pointer })
  git(mid, 'submodule', '--quiet', 'add', inner, 'inner')
  commit(mid, {})
  commit(top, { 'top.txt': 'top' })
  git(top, 'submodule', '--quiet', 'add', mid, 'parts/mid')
  git(top, 'submodule', '--quiet', 'update', '--init', '--recursive')
  commit(top, {})
  const objects = join(top, '.git', 'modules', 'parts', 'mid', 'lfs', 'objects', OID.slice(0, 2), OID.slice(2, 4))
  mkdirSync(objects, { recursive: true })
  writeFileSync(join(objects, OID), LARGE)
})

function nested(t: { after(fn: () => void): void }): Made {
  const at = realpathSync(mkdtempSync(join(tmpdir(), 'vp-foreign-')))
  t.after(() => rmSync(at, { recursive: true, force: true }))
  const [root, scratch] = [join(at, 'top'), join(at, 'scratch')]
  cpSync(join(template, 'top'), root, { recursive: true })
  cpSync(join(template, 'mid'), join(at, 'mid'), { recursive: true })
  mkdirSync(scratch)
  const repository = createRunRepository(join(scratch, 'run.git'), { commonDir: join(root, '.git'), objectFormat: 'sha1' })
  return { root, head: git(root, 'rev-parse', 'HEAD'), repository, scratch }
}

const listed = ({ root, head, repository, scratch }: Made) => foreignContent(run, { gitDir: repository.gitDir, treeish: head }, { root, scratch })
const refusedAs = (says: RegExp) => (error: unknown) => isVpError(error) && error.code === 'workspace.unsupported' && says.test(error.message)

test('submodules within submodules, and their LFS objects, lie in the tree and are not recorded', async (t) => {
  const made = nested(t)
  const found = await listed(made)
  assert.deepEqual(
    found.map(({ kind, path }) => `${kind} ${path}`),
    ['submodule parts/mid', 'lfs parts/mid/a.bin', 'submodule parts/mid/inner'],
  )
  const at = { directory: join(made.scratch, 'tree'), index: join(made.scratch, 'index') }
  await checkOut(run, made.repository, made.head, at)
  for (const one of found) await one.put(at.directory)
  const read = (path: string) => readFileSync(join(at.directory, path), 'utf8')
  assert.equal(read('parts/mid/a.bin'), LARGE)
  assert.equal(lstatSync(join(at.directory, 'parts/mid/a.bin')).mode & 0o222, 0)
  assert.match(read('parts/mid/plain.txt'), /^version /, 'a text that looks like a pointer is a text')
  assert.equal(read('parts/mid/inner/inner.txt'), 'inner')
  writeFileSync(join(at.directory, 'parts/mid/new.txt'), 'scribbled')
  const excluded = outermost(found).map(({ path }) => path)
  const now = await recordTree(run, made.repository, at, excluded)
  assert.equal(now, git(made.root, 'rev-parse', `${made.head}^{tree}`))
  rmSync(join(at.directory, 'parts'), { recursive: true })
  writeFileSync(join(at.directory, 'parts'), 'a file now')
  const replaced = await recordTree(run, made.repository, at, excluded)
  const changes = await foreignChanges(run, made.repository.gitDir, { base: made.head, now: replaced }, made.scratch)
  assert.ok(replaced === now || changes.includes('parts/mid'), `a submodule that was replaced is seen: ${changes.join()}`)
})

const lacking: [title: string, change: (made: Made) => void, says: RegExp][] = [
  [
    'whose .git names a place outside',
    ({ root }) => writeFileSync(join(root, 'parts/mid/.git'), 'gitdir: ../../../mid/.git\n'),
    /parts\/mid is not checked out/,
  ],
  [
    'behind a link',
    ({ root }) => {
      renameSync(join(root, 'parts'), join(root, 'elsewhere'))
      symlinkSync('elsewhere', join(root, 'parts'))
    },
    /parts\/mid is not checked out/,
  ],
  ['that lacks its own submodule', ({ root }) => rmSync(join(root, 'parts/mid/inner/.git')), /parts\/mid\/inner is not checked out/],
  [
    'whose LFS object is not here',
    ({ root }) => rmSync(join(root, '.git/modules/parts/mid/lfs'), { recursive: true }),
    /parts\/mid\/a\.bin is not on this machine/,
  ],
]
for (const [title, change, says] of lacking)
  test(`refused: a submodule ${title}`, async (t) => {
    const made = nested(t)
    change(made)
    await assert.rejects(listed(made), refusedAs(says))
  })

test('refused: an LFS object of the right size and the wrong bytes, when it is put', async (t) => {
  const made = nested(t)
  const object = join(made.root, '.git/modules/parts/mid/lfs/objects', OID.slice(0, 2), OID.slice(2, 4), OID)
  writeFileSync(object, LARGE.toUpperCase())
  const at = { directory: join(made.scratch, 'tree'), index: join(made.scratch, 'index') }
  await checkOut(run, made.repository, made.head, at)
  await assert.rejects(
    async () => {
      for (const one of await listed(made)) await one.put(at.directory)
    },
    refusedAs(/damaged/),
  )
})

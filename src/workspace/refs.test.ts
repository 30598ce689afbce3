import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { gitRunner } from './git.ts'
import { moveRef } from './refs.ts'

const clock = { now: () => Date.now(), monotonic: () => 0 }

const root = mkdtempSync(join(tmpdir(), 'vp-refs-'))
after(() => rmSync(root, { recursive: true, force: true }))

const REF = 'refs/heads/vp/run'
let gitDir = ''
let ids: string[] = []
let made = 0
const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@example.org', ...args], { cwd: gitDir, encoding: 'utf8' }).trim()
/** Programs that were started since the last look. */
let asked: string[] = []
const counting = Object.assign((...[args, call]: Parameters<ReturnType<typeof gitRunner>>) => {
  asked.push(args[0] ?? '')
  return gitRunner('git')(args, call)
}, gitRunner('git'))

beforeEach(() => {
  gitDir = join(root, `r${++made}`)
  execFileSync('git', ['init', '-q', '--bare', gitDir])
  const tree = git('write-tree')
  ids = ['one', 'two', 'three'].map((message) => git('commit-tree', tree, '-m', message))
  asked = []
})
const id = (index: number) => ids[index] ?? ''
const move = (to: string, from: string | null, ref = REF) => moveRef({ git: counting, clock }, gitDir, ref, to, from)

test('a branch is made and moved without a program, and git sees it where it is', async () => {
  await move(id(0), null)
  await move(id(1), id(0))
  assert.deepEqual(asked, [])
  assert.equal(git('rev-parse', REF), id(1))
  assert.equal(existsSync(join(gitDir, 'logs')), false)
  assert.equal(existsSync(join(gitDir, `${REF}.lock`)), false)
})

test('one that stands elsewhere, or is there already, is not moved', async () => {
  await move(id(0), null)
  await assert.rejects(move(id(1), null), { code: 'workspace.git' })
  await assert.rejects(move(id(2), id(1)), { code: 'workspace.git' })
  await assert.rejects(move(id(2), id(1), 'refs/heads/vp/none'), { code: 'workspace.git' })
  assert.equal(git('rev-parse', REF), id(0))
  await move(id(0), id(1)) // somebody did the same
})

test('a packed one is moved by git, and names above and below it stay in each other’s way', async () => {
  await move(id(0), null)
  git('pack-refs', '--all')
  await move(id(1), id(0))
  assert.deepEqual(asked, ['update-ref'])
  git('pack-refs', '--all')
  await assert.rejects(move(id(2), null), { code: 'workspace.git' })
  await assert.rejects(move(id(2), null, `${REF}/below`), { code: 'workspace.git' })
  await assert.rejects(move(id(2), null, 'refs/heads/vp'), { code: 'workspace.git' })
  assert.equal(git('for-each-ref', '--format=%(objectname) %(refname)'), `${id(1)} ${REF}`)
})

test('a lock of another is waited for; one that a killed vp left is no lock', async () => {
  const lock = join(gitDir, `${REF}.lock`)
  await move(id(0), null)
  writeFileSync(lock, '')
  const moved = move(id(1), id(0))
  await new Promise((resolve) => setTimeout(resolve, 60))
  assert.equal(git('rev-parse', REF), id(0))
  rmSync(lock)
  await moved
  writeFileSync(lock, '')
  utimesSync(lock, 1, 1)
  await move(id(2), id(1))
  assert.equal(git('rev-parse', REF), id(2))
  assert.deepEqual([asked, existsSync(lock)], [[], false])
})

test('where logs are kept a branch has one that git reads, with vp’s name and no host; other refs have none', async () => {
  mkdirSync(join(gitDir, 'logs'))
  await move(id(0), null)
  await move(id(1), id(0))
  await move(id(0), null, 'refs/vp/base/run')
  const lines = readFileSync(join(gitDir, 'logs', REF), 'utf8').split('\n')
  assert.match(lines[0] ?? '', /^0{40} [0-9a-f]{40} vp <vp@localhost> \d+ \+0000$/)
  assert.equal(git('reflog', 'show', '--format=%H %gn', REF), `${id(1)} vp\n${id(0)} vp`)
  assert.equal(existsSync(join(gitDir, 'logs', 'refs', 'vp')), false)
})

test('a name that is a folder, or lies behind a link, is not written', async () => {
  await move(id(0), null, 'refs/heads/vp/run/below')
  await assert.rejects(move(id(1), null), { code: 'workspace.git' })
  execFileSync('ln', ['-s', root, join(gitDir, 'refs', 'heads', 'away')])
  await assert.rejects(move(id(1), null, 'refs/heads/away/x'), { code: 'workspace.unsupported' })
  assert.equal(existsSync(join(root, 'x')), false)
})

/**
 * The human's working tree, index, configuration, hooks and branches are the same before and after a run, also with
 * uncommitted work and a hostile configuration; nothing of theirs is run.
 */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { approvedProject, git, makePlace, turnOf, vp, vpJson, writeFiles, type Place } from '../e2e/kit.ts'
import { HOOKS, isSame, manifest, setTraps } from '../e2e/traps.ts'
import { WORDS_FILES, wordsModel } from '../e2e/words.ts'

function uncommittedWork(place: Place): void {
  writeFiles(place.repository, {
    'src/trim.js': 'export const trim = (text) => text.trim() // my unfinished work\n',
    'notes.txt': 'untracked\n',
    'staged.txt': 'staged\n',
    'ignored.log': 'ignored\n',
    '.gitignore': '*.log\n',
  })
  git(place, 'add', 'staged.txt')
  symlinkSync('src/trim.js', join(place.repository, 'link'))
  chmodSync(join(place.repository, 'notes.txt'), 0o600)
}

test("a whole lifecycle leaves the human's repository as it was, traps and unfinished work included", async (t) => {
  const server = await startScriptedServer((request) => wordsModel(turnOf(request)))
  t.after(() => server.close())
  const place = makePlace(t, { ...WORDS_FILES, '.gitattributes': '*.js filter=evil diff=evil merge=evil\n' }, server)
  assert.equal((await vp(place, ['new', '--name', 'words'])).code, 0)
  uncommittedWork(place)
  const mark = setTraps(place)
  for (const args of [['plan', '--from-prd', 'PRD.md'], ['estimate'], ['approve', '--budget-usd', '1', '--no-input']])
    assert.equal((await vp(place, args)).code, 0)
  const before = manifest(place)
  for (const args of [
    ['start'],
    ['status'],
    ['logs'],
    ['validate'],
    ['verify'],
    ['export'],
    ['replay'],
    ['fs', 'read', 'src/trim.js'],
    ['search', 'trim'],
    ['run', 'test'],
  ]) {
    const { code, stderr } = await vp(place, args)
    assert.equal(code, 0, `vp ${args.join(' ')}: ${stderr}`)
    isSame(manifest(place), before, `after vp ${args.join(' ')}`)
  }
  assert.ok(!existsSync(mark), existsSync(mark) ? readFileSync(mark, 'utf8') : '')
  const completed = await vpJson(place, ['complete'])
  assert.equal(completed.code, 0, JSON.stringify(completed.doc))
  const tests = completed.doc.result?.['tests'] as unknown as { before: number; after: number }
  assert.ok(tests.before > 0 && tests.after > 0, 'tests are counted before and after')
  assert.ok(!existsSync(mark), existsSync(mark) ? readFileSync(mark, 'utf8') : '')
  const after = manifest(place)
  for (const path of ['src/trim.js', 'notes.txt', 'staged.txt', 'link', '.git/config', ...HOOKS.map((hook) => `.git/hooks/${hook}`)])
    assert.equal(after[path], before[path], path)
  assert.throws(() => git(place, 'diff', '--no-ext-diff', 'HEAD'))
  assert.ok(existsSync(mark), 'the traps are real: plain git falls into them')
  rmSync(join(place.repository, '.git', 'hooks'), { recursive: true })
  writeFileSync(join(place.repository, '.git', 'config'), '[core]\n  repositoryformatversion = 0\n  bare = false\n')
  assert.match(git(place, 'status', '--porcelain'), /^A {2}staged\.txt$/m, 'what was staged is staged still')
  assert.match(git(place, 'status', '--porcelain'), /^ M src\/trim\.js$/m)
})

test('vp complete refuses while a file it would change has unfinished work, and changes nothing', async (t) => {
  const server = await startScriptedServer((request) => wordsModel(turnOf(request)))
  t.after(() => server.close())
  const place = await approvedProject(t, WORDS_FILES, server)
  assert.equal((await vp(place, ['start'])).code, 0)
  writeFiles(place.repository, { 'src/upper.js': 'mine\n' })
  const before = manifest(place)
  const refused = await vpJson(place, ['complete'])
  assert.equal(refused.code, 7)
  assert.equal(refused.doc.error?.code, 'workspace.moved')
  isSame(manifest(place), before, 'after the refusal')
  rmSync(join(place.repository, 'src/upper.js'))
  writeFiles(place.repository, { 'other.txt': 'x\n' })
  git(place, 'add', 'other.txt')
  git(place, 'commit', '-qm', 'moved on')
  assert.equal((await vpJson(place, ['complete'])).doc.error?.code, 'workspace.moved')
  const merged = await vpJson(place, ['complete', '--merge'])
  assert.equal(merged.code, 0, JSON.stringify(merged.doc))
  assert.ok(existsSync(join(place.repository, 'src/count.js')) && existsSync(join(place.repository, 'other.txt')))
  assert.equal(git(place, 'status', '--porcelain', '--untracked-files=no'), '')
})

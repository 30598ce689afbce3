/** `autonomy` of vp status: what a person changed of a run before it was complete, and that nothing of theirs is lost by it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { approvedProject, git, turnOf, vp, vpJson, writeFiles, type Cleanup, type Place } from '../e2e/kit.ts'
import { WORDS_FILES, wordsModel } from '../e2e/words.ts'

async function started(t: Cleanup): Promise<Place> {
  const server = await startScriptedServer((request) => wordsModel(turnOf(request)))
  t.after(() => void server.close())
  const place = await approvedProject(t, WORDS_FILES, server)
  assert.equal((await vp(place, ['start'])).code, 0)
  return place
}

const statusOf = async (place: Place) => (await vpJson(place, ['status'])).doc.result ?? {}
const hunksOf = (doc: { result?: Record<string, unknown> }) => doc.result?.['hunks'] as { applied: number; changed: number } | undefined

test('a run that nobody touched is all its own; before it is complete nothing is said', async (t) => {
  const place = await started(t)
  assert.equal((await statusOf(place))['autonomy'], null)
  const { code, doc } = await vpJson(place, ['complete'])
  assert.equal(code, 0)
  assert.ok((hunksOf(doc)?.applied ?? 0) > 1)
  assert.equal(hunksOf(doc)?.changed, 0)
  assert.equal((await statusOf(place))['autonomy'], 1)
  assert.match((await vp(place, ['status'])).stdout, /autonomy 1\.00/)
})

test('commits of a person on the run’s branch are not lost; taken in, they count', async (t) => {
  const place = await started(t)
  const run = String((await statusOf(place))['run_id'])
  git(place, 'switch', '-q', `vp/${run}`)
  const [path = ''] = git(place, 'diff', '--name-only', '--diff-filter=A', 'main', 'HEAD', '--', 'src').split('\n')
  writeFiles(place.repository, { [path]: `// mine\n${readFileSync(join(place.repository, path), 'utf8').replace(/=>/, '=>  ')}` })
  git(place, 'commit', '-qam', 'as I like it')
  const mine = git(place, 'rev-parse', 'HEAD')
  const there = await vpJson(place, ['complete'])
  assert.equal(there.code, 7)
  assert.match(there.doc.error?.message ?? '', /the run’s own branch/)
  git(place, 'switch', '-q', 'main')
  for (const args of [['complete'], ['complete', '--merge']]) {
    const refused = await vpJson(place, args)
    assert.equal(refused.code, 7)
    assert.match(refused.doc.error?.message ?? '', /has commits of yours/)
    assert.equal(git(place, 'rev-parse', `vp/${run}`), mine)
  }
  git(place, 'merge', '-q', `vp/${run}`)
  const { code, doc } = await vpJson(place, ['complete', '--merge'])
  assert.equal(code, 0, JSON.stringify(doc))
  const { applied = 0, changed } = hunksOf(doc) ?? {}
  assert.equal(changed, 1)
  assert.equal((await statusOf(place))['autonomy'], 1 - 1 / applied)
  assert.match(readFileSync(join(place.repository, path), 'utf8'), /^\/\/ mine/)
  assert.ok(git(place, 'log', '--format=%H').includes(mine))
  assert.equal((await vp(place, ['verify'])).code, 0)
})

test('the run’s commits taken in by hand: vp complete adds passport and manifest to the branch', async (t) => {
  const place = await started(t)
  const run = String((await statusOf(place))['run_id'])
  git(place, 'merge', '-q', `vp/${run}`)
  const { code, doc } = await vpJson(place, ['complete'])
  assert.equal(code, 0, JSON.stringify(doc))
  assert.equal(git(place, 'rev-parse', 'HEAD'), doc.result?.['to'])
  assert.match(git(place, 'ls-files', '.vp/runs'), /artifact_manifest\.json/)
  assert.equal((await statusOf(place))['autonomy'], 1)
})

/** `kill -9` between the two steps that bring work home: the branch is at the new commit, index and tree are not. The next vp there finishes it. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { after, FILES, GOAL } from '../e2e/do-trials.ts'
import { git, makePlace, vp, vpJson, type Cleanup, type Place } from '../e2e/kit.ts'

async function halfMoved(t: Cleanup): Promise<Place> {
  const server = await startScriptedServer(after())
  t.after(() => void server.close())
  const place = makePlace(t, { ...FILES, 'mine.txt': 'mine\n' }, server)
  writeFileSync(join(place.repository, 'mine.txt'), 'mine, and not committed\n')
  const killed = await vp(place, ['do', GOAL], { env: { VP_TEST_KILL_AT: 'complete.moving:1' } })
  assert.equal(killed.signal, 'SIGKILL', killed.stderr)
  assert.match(git(place, 'diff', '--cached', '--name-only'), /^src\/add\.js$/m, 'the index holds what was')
  return place
}

function isWhole(place: Place): void {
  assert.equal(git(place, 'status', '--porcelain'), ' M mine.txt')
  assert.match(readFileSync(join(place.repository, 'src/add.js'), 'utf8'), /a \+ b/)
  assert.equal(readFileSync(join(place.repository, 'mine.txt'), 'utf8'), 'mine, and not committed\n')
  const notes = join(place.state, 'moves')
  assert.deepEqual(existsSync(notes) ? readdirSync(notes) : [], [])
}

describe('a branch that a killed vp moved alone is followed by index and tree', { concurrency: 2 }, () => {
  for (const command of [['complete'], ['resume'], ['do', 'something else'], ['doctor']])
    test(`vp ${command[0]}`, async (t) => {
      const place = await halfMoved(t)
      const { stdout, stderr } = await vp(place, command)
      assert.match(stdout + stderr, /main is at [0-9a-f]{7} since vp was killed: your tree and index are moved there too/)
      if (command[0] !== 'do') isWhole(place)
      assert.equal((await vp(place, ['verify'])).code, 0)
    })

  test('what the person changed there meanwhile is in the way, and said', async (t) => {
    const place = await halfMoved(t)
    const file = join(place.repository, 'src/add.js')
    const mine = `${readFileSync(file, 'utf8')}// mine\n`
    writeFileSync(file, mine)
    const { code, doc } = await vpJson(place, ['complete'])
    assert.deepEqual([code, doc.error?.code], [7, 'workspace.moved'])
    assert.match(doc.error?.message ?? '', /your tree and index are not: .*src\/add\.js/)
    assert.equal(readFileSync(file, 'utf8'), mine)
    git(place, 'checkout', '--', 'src/add.js')
    assert.equal((await vp(place, ['complete'])).code, 0)
    isWhole(place)
  })

  test('what the person put right by hand is left alone', async (t) => {
    const place = await halfMoved(t)
    git(place, 'stash')
    git(place, 'reset', '--hard')
    git(place, 'checkout', 'stash@{0}', '--', 'mine.txt')
    git(place, 'reset', '-q')
    const { stdout, stderr } = await vp(place, ['complete'])
    assert.doesNotMatch(stdout + stderr, /was killed/)
    isWhole(place)
  })
})

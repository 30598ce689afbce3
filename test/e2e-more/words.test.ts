/** Words of the command line: what `--` guards, what is one too many, and hints that can be typed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makePlace, vp, vpJson } from '../e2e/kit.ts'

const FILES = { 'src/-dash': 'a dash\n', '-dash': 'a --foo dash\n', 'ünï/a b.txt': 'words --foo\n' }

test('behind -- every word is a word', async (t) => {
  const place = makePlace(t, FILES)
  assert.match((await vp(place, ['search', '--', '--foo'])).stdout, /--foo/)
  assert.equal((await vp(place, ['fs', 'read', '--', '-dash'])).stdout, 'a --foo dash\n')
  assert.equal((await vpJson(place, ['run', 'exec', '--', 'git', 'status', '--short'])).code, 0)
})

const many: readonly (readonly string[])[] = [
  ['status', 'a', 'b'],
  ['logs', 'a', 'b'],
  ['doctor', 'x'],
  ['estimate', 'x'],
  ['fs', 'read', 'src/-dash', 'b'],
  ['complete', 'a', 'b'],
  ['git', 'push', 'a', 'b', 'c'],
]
test('a word too many is refused, and nothing is done without it', async (t) => {
  const place = makePlace(t, FILES)
  for (const args of many) {
    const { code, doc } = await vpJson(place, args)
    assert.deepEqual([code, doc.error?.code, doc.error?.message.endsWith('is one more')], [2, 'usage.flag', true], args.join(' '))
  }
})

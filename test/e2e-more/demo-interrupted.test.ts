/** `vp demo`, interrupted: what was done is kept and goes on, what had not begun leaves nothing. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { processesWith, vp } from '../e2e/kit.ts'
import { stranger, typed } from '../e2e/stranger.ts'

test('Ctrl-C in the run keeps everything, and the line it ends with goes on', async (t) => {
  const place = stranger(t)
  const stopped = await vp(place, ['demo'], {
    onSpawn: (child) => child.stdout?.on('data', (part: Buffer) => void (/^plan/m.test(part.toString()) && setTimeout(() => child.kill('SIGINT'), 400))),
  })
  assert.equal(stopped.code, 130, stopped.stderr)
  assert.match(stopped.stdout, /^The model's words are recorded; everything else here is real\nnew {7}calculator-api/)
  assert.deepEqual(processesWith(place.root), [])
  const next = /next: +(cd [^]*vp resume)$/m.exec(stopped.stderr)?.[1]
  assert.ok(next, stopped.stderr)
  assert.match(typed(place, next.split('\n')), /^run \w+ done: 6 of 6 tasks/m)
})

test('Ctrl-C before the run leaves nothing', async (t) => {
  const place = stranger(t)
  const stopped = await vp(place, ['demo'], { onSpawn: (child) => child.stdout?.once('data', () => child.kill('SIGINT')) })
  assert.equal(stopped.code, 130, stopped.stderr)
  assert.deepEqual(readdirSync(join(place.root, 'their files')), [])
  assert.deepEqual(processesWith(place.root), [])
})

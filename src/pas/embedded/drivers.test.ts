import assert from 'node:assert/strict'
import { test } from 'node:test'
import { activeMs, isDriven, type Driver } from './drivers.ts'

const driver = (worker: string, began_at: number, seen_at: number, over: 0 | 1 = 1): Driver => ({ worker, began_at, seen_at, over })
const alive = (worker: string) => worker === 'lives'

const CASES: [title: string, drivers: Driver[], ms: number | null, driven: boolean][] = [
  ['nobody was written down', [], null, false],
  ['one that ended', [driver('a', 100, 400)], 300, false],
  ['the time between two is none', [driver('a', 100, 400), driver('b', 900, 1000)], 400, false],
  ['two at once count once', [driver('a', 100, 400), driver('b', 200, 500)], 400, false],
  ['one within another', [driver('a', 100, 900), driver('b', 200, 300)], 800, false],
  ['one that died counts to its last sign of life', [driver('dead', 100, 250, 0)], 150, false],
  ['one that lives counts to now', [driver('a', 100, 400), driver('lives', 500, 600, 0)], 800, true],
]
for (const [title, drivers, ms, driven] of CASES)
  test(`drivers: ${title}`, () => {
    assert.equal(activeMs(drivers, 1000, alive), ms)
    assert.equal(isDriven(drivers, alive), driven)
  })

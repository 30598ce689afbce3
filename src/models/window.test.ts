/** When a count says that the prompt was cut, and when it may mean something else. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isTruncated, type Counted } from './window.ts'

const at = (characters: number, tokens: number): Counted => ({ characters, tokens })
const cases: [title: string, now: Counted, before: Counted | null, want: boolean][] = [
  ['code, whole', at(40_000, 11_000), null, false],
  ['half a window of 4,096 for 60,000 characters (ollama/ollama#17889)', at(60_000, 2050), null, true],
  ['159,062 characters, 16,386 tokens: at once it may be whole (itayinbarr/little-coder#128)', at(159_062, 16_386), null, false],
  ['the same, once the prompt had been as long in tokens when it was shorter', at(159_062, 16_386), at(120_000, 16_386), true],
  ['the count stands still while the prompt grows', at(30_000, 4096), at(20_000, 4096), true],
  ['the count falls to half a window while the prompt grows', at(20_000, 2050), at(15_000, 4000), true],
  ['the count grows', at(30_000, 4500), at(20_000, 4096), false],
  ['a short prompt', at(7000, 100), null, false],
  ['a server that counts only what is new', at(30_000, 350), at(28_000, 8000), false],
  ['a server that counts nothing', at(60_000, 0), null, false],
  ['the same prompt again', at(30_000, 7500), at(30_000, 7500), false],
]
const windows: typeof cases = [
  ['a window of 8,192, and what is left of 10,000 tokens', at(40_000, 8192), at(28_000, 7000), true],
  ['half of it is left', at(36_000, 4100), at(28_000, 7000), true],
  ['what grew is lighter than what was there', at(36_000, 8000), at(28_000, 7000), false],
  ['the window is larger than it is', at(36_000, 9000), at(28_000, 7000), false],
]
for (const [title, now, before, want] of windows) test(`a window of 8,192: ${title}`, () => assert.equal(isTruncated(now, before, 8192), want))
for (const [title, now, before, want] of cases) test(`window: ${title}`, () => assert.equal(isTruncated(now, before), want))

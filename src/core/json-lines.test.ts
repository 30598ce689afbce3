import assert from 'node:assert/strict'
import { test } from 'node:test'
import { linesOfJson } from './json-lines.ts'

const TEXT = `{
  "a": { "b": [1,
    { "c": "},{:\\"" }
  ] },
  "d": null
}`

const places: [path: readonly (string | number)[], line: number][] = [
  [[], 1],
  [['a'], 2],
  [['a', 'b', 0], 2],
  [['a', 'b', 1], 3],
  [['a', 'b', 1, 'c'], 3],
  [['d'], 5],
  [['d', 'missing'], 5],
  [['missing'], 1],
]
for (const [path, line] of places) test(`${JSON.stringify(path)} is in line ${line}`, () => assert.equal(linesOfJson(TEXT).lineOf(path), line))

const repeats: [text: string, repeated: readonly string[] | null][] = [
  [TEXT, null],
  ['{"a": 1, "b": {"a": 1}, "c": [{"a": 1}, {"a": 2}]}', null],
  ['{"a": 1, "b": 2, "a": 3}', ['a']],
  ['{"x": [0, {"y": 1, "\\u0079": 2}]}', ['x', '1', 'y']],
]
for (const [text, repeated] of repeats) test(`twice in ${text.slice(0, 50)}`, () => assert.deepEqual(linesOfJson(text).repeated, repeated))

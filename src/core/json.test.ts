/** Equal values give equal bytes, in the order of code units, whatever the locale; what JSON cannot say is refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalJson } from './json.ts'

const cases: [title: string, value: unknown, want: string][] = [
  ['members are sorted, at every depth', { b: 1, a: { d: 1, c: 2 } }, '{"a":{"c":2,"d":1},"b":1}'],
  ['by code unit, not as a language sorts', { ä: 1, b: 2, Z: 3, a: 4, '10': 5, '9': 6 }, '{"10":5,"9":6,"Z":3,"a":4,"b":2,"ä":1}'],
  ['an undefined member is not there, an undefined item is null', { a: undefined, b: [undefined] }, '{"b":[null]}'],
  ['items keep their order', [3, 1, 2], '[3,1,2]'],
  ['numbers and texts as JSON has them', [-0, 1e21, '\u2028"'], '[0,1e+21,"\u2028\\""]'],
]
for (const [title, value, want] of cases) test(title, () => assert.equal(canonicalJson(value), want))

for (const value of [NaN, -Infinity, 1n, () => 1, Symbol('x')])
  test(`refused: ${String(value)}`, () => assert.throws(() => canonicalJson({ a: [value] }), TypeError))

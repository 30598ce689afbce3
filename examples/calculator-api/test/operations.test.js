import assert from 'node:assert/strict'
import { test } from 'node:test'
import { operations } from '../src/operations.js'

const cases = [
  ['add', 2, 3, 5],
  ['subtract', 2, 3, -1],
  ['multiply', 2, 3, 6],
  ['divide', 1, 4, 0.25],
]
for (const [name, a, b, want] of cases)
  test(`${name} ${a} ${b} is ${want}`, () => {
    assert.ok(operations[name], `there is no operation ${name}`)
    const result = operations[name](a, b)
    assert.ok(result === want, `${name} ${a} ${b} is ${result}, not ${want}`)
  })

test('dividing by zero is a RangeError', () => {
  assert.ok(operations.divide, 'there is no operation divide')
  assert.throws(() => operations.divide(1, 0), RangeError)
})

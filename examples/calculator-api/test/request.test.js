import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCalculation } from '../src/request.js'

test('a calculation is an operation and two numbers', () => {
  const sent = '{"operation":"add","a":2,"b":3}'
  const read = JSON.stringify(parseCalculation(sent))
  assert.ok(read === sent, `read as ${read}`)
})

const refused = [
  ['no JSON', 'add 2 3'],
  ['JSON that is no object', '[2, 3]'],
  ['a number in quotes', '{"operation":"add","a":"2","b":3}'],
  ['a number that is missing', '{"operation":"add","a":2}'],
  ['a number beyond all numbers', '{"operation":"add","a":2,"b":1e999}'],
]
for (const [title, body] of refused)
  test(`${title} is a TypeError`, () => {
    const error = thrownBy(() => parseCalculation(body))
    assert.ok(error instanceof TypeError, `${body} ended with ${error?.name ?? 'a result'}`)
  })

function thrownBy(call) {
  try {
    call()
  } catch (error) {
    return error
  }
}

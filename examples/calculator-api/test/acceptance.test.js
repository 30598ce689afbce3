/** What the PRD promises, asked of `route` as the server asks it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { route } from '../src/route.js'

const calculate = (value) => route('POST', '/calculate', JSON.stringify(value))
const same = (what, is, want) => assert.ok(is === want, `${what} is ${is}, not ${want}`)

function answers(answer, status, code) {
  same('the status', answer.status, status)
  if (code) same('the error', answer.body.error?.code, code)
}

test('health says ok', () => answers(route('GET', '/health'), 200))

test('a calculation answers its result', () => {
  const answer = calculate({ operation: 'add', a: 2, b: 3 })
  answers(answer, 200)
  same('the result', answer.body.result, 5)
})

test('all four operations are listed', () => {
  const answer = route('GET', '/operations')
  answers(answer, 200)
  same('the list', answer.body.operations?.join(), 'add,subtract,multiply,divide')
})

test('a body that is no calculation is a bad request', () => {
  answers(route('POST', '/calculate', 'add 2 3'), 400, 'bad_request')
})

test('dividing by zero is told from a broken request', () => {
  answers(calculate({ operation: 'divide', a: 1, b: 0 }), 422, 'division_by_zero')
})

test('an operation that does not exist is named as such', () => {
  for (const operation of ['power', 'toString']) answers(calculate({ operation, a: 1, b: 2 }), 422, 'unknown_operation')
})

test('another path is not found, another method not allowed', () => {
  answers(route('GET', '/nowhere'), 404, 'not_found')
  answers(route('GET', '/calculate'), 405, 'method_not_allowed')
})

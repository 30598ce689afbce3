import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import * as z from 'zod/mini'
import { isScope } from '../policy/scopes.ts'
import { OPERATIONS } from './table.ts'

/** Names of all operations that the sources declare, without the engine's own measurements and a terminal's tokens, which no client calls. */
function declared(): string[] {
  return readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .flatMap((path) => [...readFileSync(join(import.meta.dirname, path), 'utf8').matchAll(/= (?:operation|showing)(?:<[^]*?>)?\(\{\n {2}name: '([^']+)'/g)])
    .map((match) => match[1] ?? '')
    .filter((name) => !/^(?:gate|token)\./.test(name))
}

test('every operation stands in the table, once', () => {
  const names = OPERATIONS.map((operation) => operation.name)
  assert.deepEqual(names.toSorted(), declared().toSorted())
  assert.equal(new Set(names).size, names.length)
})

for (const operation of OPERATIONS)
  test(`${operation.name} says what it takes, gives and needs`, () => {
    assert.match(operation.name, /^[a-z]+\.[a-z]+$/)
    assert.ok(isScope(operation.scope), operation.scope)
    assert.ok(operation.summary.length > 5)
    const params = z.toJSONSchema(operation.params(), { io: 'input' }) as Record<string, unknown>
    assert.deepEqual([params['type'], params['additionalProperties']], ['object', false], 'nothing unknown is taken')
    const result = z.toJSONSchema(operation.result(), { io: 'input' }) as Record<string, unknown>
    assert.equal(result['type'], 'object')
    assert.ok(Object.keys(result['properties'] as object).length > 0)
  })

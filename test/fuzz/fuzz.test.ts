/** A short, seeded run of every target, and what a long one once found. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fuzz, type Target } from './fuzz.ts'
import { TARGETS, targetNamed } from './targets.ts'

for (const target of TARGETS)
  test(`${target.name}: a short run finds nothing, and reaches more than its seeds do`, () => {
    const { findings, inputs, blocks, blocksOfSeeds } = fuzz(target, { seed: 7, cpuMs: 600 })
    assert.deepEqual(findings, [])
    assert.ok(inputs > 0 && blocks >= blocksOfSeeds)
  })

test('the fuzzer finds what is broken, and makes it small', () => {
  const brittle: Target = {
    name: 'brittle',
    watched: ['policy/glob'],
    seeds: ['abc'],
    words: ['x'],
    check: (input) => {
      if (input.includes('xx')) throw new Error('two x')
    },
  }
  assert.deepEqual(fuzz(brittle, { seed: 1, cpuMs: 3000, maxFindings: 1 }).findings, [{ input: 'xx', error: 'two x' }])
})

/** Inputs that once broke a promise. */
const FOUND: readonly (readonly [target: string, input: string])[] = [
  ['redactor', 'Bearer aZ3AKIAQ:pa:rd@db'],
  ['redactor', `password:-----BEGIN${'PRIVATE KEY'}-----BEGIN${'PRIVATE KEY'}-----`],
  ['redactor', 'secret=========================================Y======='],
  ['redactor', `-----BEGIN ${'PRIVATE KEY'}-----x postgres://u:${'p'.repeat(40)}@h/ ${'.'.repeat(80)} ${'A1b2C3d4'.repeat(6)}`],
  ['redactor', `-----BEGIN${'PRIVATE KEY'}-----\n[REDACTED-----BEGIN${'PRIVATE KEY'}-----`],
  ['redactor', 'token=to=token ="token =aZ3kQ9xs'],
  ['redactor', 'k-aZ3kQ9xW7bR2api_:3kQ9xW7bR2mm'],
  ['redactor', 'k-aZ3kQ9xW7bR2Bearer 2mmT5vY8'],
]
for (const [name, input] of FOUND) test(`${name}: ${JSON.stringify(input).slice(0, 60)}`, () => targetNamed(name).check(input))

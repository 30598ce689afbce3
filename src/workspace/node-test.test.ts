import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isNodeTest, nodeTestCommand } from './node-test.ts'

const typed: [typed: string, runs: string | null, inEnvironment: string][] = [
  ['node --test', 'node --test --test-reporter=tap', ''],
  ['node --import ./x.js --test t/', 'node --import ./x.js --test --test-reporter=tap t/', ''],
  [
    'node --test --test-reporter=spec t/',
    'node --test --test-reporter=spec t/',
    '--test-reporter=tap --test-reporter-destination={report} --test-reporter-destination=stdout',
  ],
  ['node --test-only t.js', null, ''],
  ['npx node --test', null, ''],
]
for (const [words, runs, inEnvironment] of typed)
  test(`a call of node:test that a person typed: ${words}`, () => {
    const argv = words.split(' ')
    const command = isNodeTest(argv) ? nodeTestCommand(argv) : null
    assert.deepEqual([command?.argv.join(' ') ?? null, command?.report_args.join(' ') ?? ''], [runs, inEnvironment])
  })

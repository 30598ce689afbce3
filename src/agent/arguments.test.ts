/** What is wrong with arguments, in the words that a model gets. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkArguments } from './arguments.ts'
import { AGENT_TOOLS, type AgentToolName } from './tools.ts'

const tool = (name: AgentToolName) => AGENT_TOOLS.find((one) => one.name === name) ?? assert.fail(name)

const cases: [title: string, tool: AgentToolName, args: Parameters<typeof checkArguments>[1], words: string | null][] = [
  ['what fits', 'read', { path: 'a', from: 1 }, null],
  ['null for what is not given', 'read', { path: 'a', from: null }, null],
  ['what is missing', 'edit', { path: 'a' }, 'edit: old is missing; new is missing. It takes path, old, new, test (optional). Nothing was done.'],
  [
    'what is mistyped',
    'read',
    { path: 7, from: '1' },
    'read: path is 7, not a string; from is "1", not an integer. It takes path, from (optional), to (optional). Nothing was done.',
  ],
  ['what is unknown', 'test', { path: 'a' }, 'test: "path" is none of its arguments. It takes args (optional). Nothing was done.'],
  ['a text for a list', 'run', { argv: 'npm test' }, 'run: argv is "npm test", not an array of texts. It takes argv. Nothing was done.'],
  ['a number in a list', 'run', { argv: ['npm', 1] }, 'run: argv[1] is 1, not a string. It takes argv. Nothing was done.'],
  ['null for what is required', 'read', { path: null }, 'read: path is null, not a string. It takes path, from (optional), to (optional). Nothing was done.'],
]
for (const [title, name, args, words] of cases) test(`arguments: ${title}`, () => assert.equal(checkArguments(tool(name), args).words, words))

test('arguments: what is left is what the tool knows', () => {
  assert.deepEqual(checkArguments(tool('read'), { path: 'a', from: null, lines: 3 }).args, { path: 'a' })
})

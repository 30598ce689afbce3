/** A small repository whose tasks each add one function with its test, and the model that does so, one turn a call. */
import type { ScriptedAnswer } from '../../src/models/scripted-server.ts'
import { call, type Files, type Turn } from './kit.ts'

const NAMES = ['upper', 'lower', 'reverse', 'count'] as const

/** T1 → T2 is a chain, T3 stands alone, T4 joins both. */
const AFTER: readonly (readonly number[])[] = [[], [1], [], [2, 3]]

export const WORDS_FILES = wordsFiles(NAMES.length)

/** With the first `count` tasks in the PRD. */
export function wordsFiles(count: number): Files {
  return {
    'package.json': `${JSON.stringify({ name: 'words', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
    'src/trim.js': 'export const trim = (text) => text.trim()\n',
    'test/trim.test.js': testOf('trim', ' a ', 'a'),
    'PRD.md': [
      '# Words',
      '',
      'Functions on words, each in a file of its own with a test.',
      '',
      '## Tasks',
      '',
      ...NAMES.slice(0, count).map(
        (name, index) =>
          `${index + 1}. Add ${name} (lane: Code-Impl; complexity: simple; files: src/${name}.js, test/${name}.test.js${AFTER[index]?.length ? `; depends on: ${AFTER[index].join(', ')}` : ''})`,
      ),
      '',
    ].join('\n'),
  }
}

const BODIES: Readonly<Record<(typeof NAMES)[number], readonly [body: string, input: string, output: string | number]>> = {
  upper: ['text.toUpperCase()', 'ab', 'AB'],
  lower: ['text.toLowerCase()', 'AB', 'ab'],
  reverse: ["[...text].reverse().join('')", 'ab', 'ba'],
  count: ['text.length', 'abc', 3],
}

function testOf(name: string, input: string, output: string | number): string {
  return [
    "import assert from 'node:assert/strict'",
    "import { test } from 'node:test'",
    `import { ${name} } from '../src/${name}.js'`,
    '',
    `test('${name} works', () => assert.equal(${name}(${JSON.stringify(input)}), ${JSON.stringify(output)}))`,
    '',
  ].join('\n')
}

/** Read, write, test file, test, submit: five turns a task, each after `delayMs`. */
export function wordsModel(turn: Turn, delayMs = 0): ScriptedAnswer {
  const name = NAMES[Number(turn.task.slice(1)) - 1]
  if (!name) return { text: `no such task: ${turn.task}` }
  const [body, input, output] = BODIES[name]
  const steps: ScriptedAnswer[] = [
    call('read', { path: 'src/trim.js' }),
    call('write', { path: `src/${name}.js`, content: `export const ${name} = (text) => ${body}\n` }),
    call('write', { path: `test/${name}.test.js`, content: testOf(name, input, output) }),
    call('test', {}),
    call('submit', { title: `feat: ${name}`, summary: `Adds ${name} and its test.` }),
  ]
  return { ...(steps[turn.turn - 1] ?? { text: 'nothing is left to do' }), delayMs } as ScriptedAnswer
}

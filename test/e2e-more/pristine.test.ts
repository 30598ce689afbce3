/** A gate is about the commit: whatever else lies in the directory of an attempt, whoever left it there, proves nothing. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startScriptedServer, type ScriptedAnswer } from '../../src/models/scripted-server.ts'
import { call, git, makePlace, vpJson, writeFiles, type Cleanup, type Files, type Place } from '../e2e/kit.ts'

const SUBMIT = call('submit', { title: 'fix: add adds', summary: 'It subtracted.' })
const pkg = (testCommand: string) => `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: testCommand } }, null, 2)}\n`
const testOf = (path: string, when = '') =>
  [
    "import assert from 'node:assert/strict'",
    "import { existsSync, writeFileSync } from 'node:fs'",
    "import { test } from 'node:test'",
    `import { add } from '${path}'`,
    "const isWarm = existsSync('warm')",
    `${when === '' ? '// ' : ''}writeFileSync('warm', '')`,
    `test('adds', () => assert.ok(${when === '' ? '' : 'isWarm && '}add(2, 3) === 5))`,
    '',
  ].join('\n')
const readsPlus = (file: string) =>
  `import { readFileSync } from 'node:fs'\nexport const add = (a, b) => (JSON.parse(readFileSync('${file}', 'utf8')).plus ? a + b : a - b)\n`
const EDIT_READER = call('edit', { path: 'add.js', old: '? a + b', new: '? b + a', test: true })
const EDIT = call('edit', { path: 'add.js', old: 'a - b', new: 'a + b', test: true })
const COMMON = { '.gitignore': 'config.json\nwarm\ndist/\n', 'package.json': pkg('node --test'), 'add.test.js': testOf('./add.js') }

interface Trial {
  readonly files: Files
  readonly turns: readonly ScriptedAnswer[]
}

const REFUSED: Readonly<Record<string, Trial>> = {
  'what an earlier run of the tests built of sources that are gone': {
    files: {
      '.gitignore': 'dist/\n',
      'package.json': pkg('node build.js && node --test test/'),
      'build.js': "import { cpSync } from 'node:fs'\ncpSync('src', 'dist', { recursive: true })\n",
      'src/util.js': 'export const one = 1\n',
      'src/add.js': "import { one } from './util.js'\nexport const add = (a, b) => a - b * one\n",
      'test/add.test.js': testOf('../dist/add.js'),
    },
    turns: [
      call('test', {}),
      call('patch', { diff: '--- a/src/util.js\n+++ /dev/null\n@@ -1 +0,0 @@\n-export const one = 1\n' }),
      call('edit', { path: 'src/add.js', old: 'a - b * one', new: 'a + b * one', test: true }),
    ],
  },
  'a test that passes from its second run on': {
    files: { ...COMMON, 'add.js': 'export const add = (a, b) => a - b\n', 'add.test.js': testOf('./add.js', 'warm') },
    turns: [call('test', {}), EDIT],
  },
  'a file that the tests made, run with arguments': {
    files: {
      ...COMMON,
      'mk.js': "import { writeFileSync } from 'node:fs'\nwriteFileSync('config.json', '{\"plus\":true}')\n",
      'add.js': readsPlus('config.json'),
    },
    turns: [call('test', { args: ['mk.js'] }), EDIT_READER],
  },
  'an empty folder': {
    files: {
      ...COMMON,
      'mk.js': "import { mkdirSync } from 'node:fs'\nmkdirSync('data')\n",
      'add.js': "import { writeFileSync } from 'node:fs'\nexport const add = (a, b) => {\n  writeFileSync('data/log.txt', 'x')\n  return a - b\n}\n",
    },
    turns: [call('run', { argv: ['node', 'mk.js'] }), EDIT],
  },
  'a file that is named as a cache of a tool': {
    files: { ...COMMON, 'add.js': readsPlus('.hypothesis/config.json') },
    turns: [call('write', { path: '.hypothesis/config.json', content: '{"plus":true}\n' }), EDIT_READER],
  },
  'bytes that git turns into others': {
    files: {
      ...COMMON,
      '.gitattributes': '*.txt text eol=lf\n',
      'data.txt': 'a\nb\n',
      'mk.js': "import { writeFileSync } from 'node:fs'\nwriteFileSync('data.txt', 'a\\r\\nb\\r\\n')\n",
      'add.js': "import { readFileSync } from 'node:fs'\nexport const add = (a, b) => (readFileSync('data.txt', 'utf8').includes('\\r\\n') ? a + b : a - b)\n",
    },
    turns: [call('run', { argv: ['node', 'mk.js'] }), EDIT_READER],
  },
}

async function trial(t: Cleanup, { files, turns }: Trial, before: (place: Place) => void = () => undefined) {
  const server = await startScriptedServer((_request, n) => turns[n - 1] ?? SUBMIT)
  t.after(() => void server.close())
  const place = makePlace(t, files, server)
  before(place)
  const head = git(place, 'rev-parse', 'main')
  const { code, doc } = await vpJson(place, ['do', 'fix add'])
  return { place, head, code, doc, passing: JSON.stringify(server.requests[turns.length]) }
}

describe('a gate that only passes beside what the commit will not have', { concurrency: 2 }, () => {
  for (const [what, one] of Object.entries(REFUSED))
    test(what, async (t) => {
      const { place, head, code, doc, passing } = await trial(t, one)
      assert.match(passing, /1 passed|pass 1/, 'the attempt itself saw its test pass')
      assert.equal(code, 3, JSON.stringify(doc))
      assert.equal(git(place, 'rev-parse', 'main'), head)
    })
})

test('a folder that a task made and then replaced by a file is no trouble', async (t) => {
  const { code, doc } = await trial(t, {
    files: {
      ...COMMON,
      'add.js': 'export const add = (a, b) => a - b\n',
      'mk.js': "import { mkdirSync, writeFileSync } from 'node:fs'\nmkdirSync('made')\nwriteFileSync('made/a.txt', '')\n",
      'turn.js': "import { rmSync, writeFileSync } from 'node:fs'\nrmSync('made', { recursive: true })\nwriteFileSync('made', '')\n",
    },
    turns: [call('run', { argv: ['node', 'mk.js'] }), call('run', { argv: ['node', 'turn.js'] }), EDIT],
  })
  assert.equal(code, 0, JSON.stringify(doc))
})

test('a tracked file that is named as a cache of a tool is recorded when it changes', async (t) => {
  const cache = '.hypothesis/config.json'
  const { place, code, doc } = await trial(
    t,
    { files: { ...COMMON, 'add.js': readsPlus(cache) }, turns: [call('write', { path: cache, content: '{"plus":true}\n' }), EDIT_READER] },
    (at) => {
      writeFiles(at.repository, { [cache]: '{"plus":false}\n' })
      git(at, 'add', '-f', cache)
      git(at, 'commit', '-qm', 'a cache')
    },
  )
  assert.equal(code, 0, JSON.stringify(doc))
  assert.equal(git(place, 'show', `main:${cache}`), '{"plus":true}')
})

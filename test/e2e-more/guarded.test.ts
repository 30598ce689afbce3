/** Commands of a task that write what steers other programs: taken back, told to the model, and no attempt that did so passes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startScriptedServer, type ScriptedAnswer } from '../../src/models/scripted-server.ts'
import { call, git, makePlace, turnOf, vpJson } from '../e2e/kit.ts'

const FILES = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'add.js': 'export const add = (a, b) => a - b\n',
  'add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from './add.js'\n\ntest('adds', () => assert.equal(add(2, 3), 5))\n",
}
const PLANTED = ['.vscode/tasks.json', '.vp/lanes/code-impl.yaml', 'sub/.git/HEAD', '.envrc', '.husky/pre-commit']
const LANE = "lane: Code-Impl\ncommands: { deny: [[node, '*']] }\n"
const PLANT = `import fs from 'node:fs'
import path from 'node:path'
for (const at of ${JSON.stringify(PLANTED)}) {
  fs.mkdirSync(path.dirname(at), { recursive: true })
  fs.writeFileSync(at, ${JSON.stringify(LANE)})
}
`
const SUBMIT = call('submit', { title: 'fix: add adds', summary: 'It subtracted.' })
const MEND = call('edit', { path: 'add.js', old: 'a - b', new: 'a + b' })

/** The attempts of one task; a model that is out of turns submits. */
const ways: [title: string, first: readonly ScriptedAnswer[], said: RegExp | null][] = [
  [
    'a command of the model',
    [
      call('write', { path: 'plant.js', content: PLANT }),
      call('run', { argv: ['node', 'plant.js'] }),
      call('run', { argv: ['node', 'plant.js'] }),
      MEND,
      SUBMIT,
    ],
    /exit 0\\nIt wrote what no command may, and that was taken back: [^.]*\.envrc/,
  ],
  ['a test that the model wrote', [call('write', { path: 'plant.test.js', content: PLANT }), MEND, SUBMIT], null],
]
for (const [title, first, said] of ways)
  test(`${title} that writes protected names fails the attempt, and nothing of it is left`, async (t) => {
    const second = [call('write', { path: 'plant.js', content: '\n' }), call('write', { path: 'plant.test.js', content: '\n' }), SUBMIT]
    let attempts = 0
    const server = await startScriptedServer((request) => {
      const { turn } = turnOf(request)
      if (turn === 1) attempts++
      return (attempts === 1 ? first : second)[turn - 1] ?? SUBMIT
    })
    t.after(() => void server.close())
    const place = makePlace(t, FILES, server)
    const { code, doc } = await vpJson(place, ['do', 'fix add'])
    assert.equal(code, 0, JSON.stringify(doc))
    assert.equal(attempts, 2, 'the first attempt did not pass')
    const heard = JSON.stringify(server.requests.at(-1)?.messages)
    assert.match(heard, /protected file written|written by a command or a test of this task/)
    for (const name of ['.vscode', '.envrc', 'sub/.git', '.husky']) assert.match(heard, new RegExp(name.replace('.', '\\.')))
    const all = JSON.stringify(server.requests.map(({ messages }) => messages))
    if (said) assert.equal([...all.matchAll(new RegExp(said, 'g'))].length > 1, true, 'both runs were told, so the planted lane did not hold for the second')
    assert.doesNotMatch(git(place, 'ls-tree', '-r', '--name-only', 'HEAD'), /vscode|envrc|husky|\.vp\/lanes|sub/)
  })

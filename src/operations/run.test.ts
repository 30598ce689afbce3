/** What commands of a tree answer: what they wrote, whose limits held, and which results are kept. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, linkSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openRealKit, type RealKit } from '../../test/real-kit.ts'
import type { Files } from '../../test/e2e/kit.ts'
import { scopesOf } from '../policy/scopes.ts'
import { fsWrite } from './fs.ts'
import { invoke } from './invoke.ts'
import type { Caller, Operation } from './operation.ts'
import { runBuild, runExec, runLint, runTest } from './run.ts'
import { runUndo } from './runs.ts'
import type { TreeScene } from './scene.ts'

const HUMAN: Caller = { actor: 'human', surface: 'cli', scopes: scopesOf('human') }

async function call({ kit, tree }: Pick<RealKit, 'kit' | 'tree'>, operation: Operation, params: unknown): Promise<Record<string, unknown>> {
  const answer = await invoke(kit, operation, params, HUMAN, tree)
  if (!answer.ok) throw answer.error
  return answer.result as Record<string, unknown>
}

const FILES: Files = { 'a.txt': 'one', 'b.txt': 'one', 'c.txt': 'one', 'd.txt': 'one', 'e.txt': 'one', 'deep/f.txt': 'one', 'node_modules/d/d.js': '' }
const scripts: [title: string, script: string, writes: string[]][] = [
  ['nothing', '', []],
  ['what it only reads', "fs.readFileSync('a.txt')", []],
  ['a new file, also in a new folder', "fs.mkdirSync('new/er', { recursive: true }); fs.writeFileSync('new/er/x', '')", ['new/er/x']],
  ['a change of the same length', "fs.writeFileSync('a.txt', 'eno')", ['a.txt']],
  ['the same bytes written again', "fs.writeFileSync('b.txt', 'one')", ['b.txt']],
  ['a time set back', "fs.writeFileSync('c.txt', 'eno'); fs.utimesSync('c.txt', 1, 1)", ['c.txt']],
  ['a mode', "fs.chmodSync('d.txt', 0o755)", ['d.txt']],
  ['what is gone, and what took its place', "fs.rmSync('deep', { recursive: true }); fs.symlinkSync('a.txt', 'deep')", ['deep', 'deep/f.txt']],
  ['a new name', "fs.renameSync('e.txt', 'z.txt')", ['e.txt', 'z.txt']],
  ['nothing of what belongs to the environment, which it cannot change', "try { fs.writeFileSync('node_modules/d/d.js', '1') } catch {}", []],
  ['a name that no listing shows', "fs.writeFileSync('.env', 'A=1')", ['.env']],
]
test('run.exec tells what was written', async (t) => {
  const named = Object.fromEntries(scripts.map(([, script], n) => [`do-${n}.js`, `const fs = require('node:fs')\n${script}\n`]))
  const real = openRealKit(t, { ...FILES, ...named })
  for (const [n, [title, , writes]] of scripts.entries()) {
    const before = real.tree.world()
    const result = await call(real, runExec, { argv: ['node', `do-${n}.js`] })
    assert.deepEqual([result['exit_code'], result['writes'], result['writes_whole']], [0, writes, true], `${title}: ${result['output']}`)
    assert.equal(real.tree.world() - before, writes.length > 0 ? 1 : 0, `${title}: the world moves when something was written`)
  }
})

test('what a command wrote in a checkout can be undone, and the undo too', async (t) => {
  const write = "fs.writeFileSync('a.txt', 'eno'); fs.rmSync('b.txt'); fs.chmodSync('c.txt', 0o755); fs.mkdirSync('new'); fs.writeFileSync('new/x', 'x')"
  const real = openRealKit(t, { ...FILES, 'do.js': `const fs = require('node:fs')\n${write}\n` })
  const at = (path: string) => join(real.tree.root, path)
  const look = () =>
    ['a.txt', 'b.txt', 'new/x']
      .map((path) => (existsSync(at(path)) ? readFileSync(at(path), 'utf8') : null))
      .concat(String((statSync(at('c.txt')).mode >> 6) & 1))
  const before = look()
  const done = await invoke(real.kit, runExec, { argv: ['node', 'do.js'] }, HUMAN, real.tree)
  assert.ok(done.ok && (done.result as { writes_undoable: boolean }).writes_undoable)
  const after = look()
  assert.notDeepEqual(after, before)
  const undone = await invoke(real.kit, runUndo, { id: done.receipt, apply: true }, { ...HUMAN, yes: true }, real.tree)
  assert.ok(undone.ok, JSON.stringify(undone))
  assert.deepEqual(look(), before)
  const again = await invoke(real.kit, runUndo, { id: undone.receipt, apply: true }, { ...HUMAN, yes: true }, real.tree)
  assert.ok(again.ok)
  assert.deepEqual(look(), after)
  assert.deepEqual(
    readdirSync(join(real.kit.paths.state, 'tmp')).filter((name) => name.startsWith('held-')),
    [],
    'no copy is left',
  )
})

/** Every name with what it is: kind, mode of a file, content or target. */
function picture(root: string): Record<string, string> {
  const entries = (readdirSync(root, { recursive: true }) as string[]).filter((path) => !path.startsWith('.git'))
  const say = (path: string) => {
    const found = lstatSync(join(root, path))
    if (found.isSymbolicLink()) return `link ${readlinkSync(join(root, path))}`
    return found.isDirectory() ? 'directory' : `${(found.mode & 0o777).toString(8)} ${found.isFile() ? readFileSync(join(root, path), 'utf8') : 'other'}`
  }
  return Object.fromEntries(entries.toSorted().map((path) => [path, say(path)]))
}

const TURNS: [title: string, script: string, writes: string[]][] = [
  [
    'a file becomes a directory and a directory a file',
    "fs.rmSync('tofile'); fs.mkdirSync('tofile'); fs.writeFileSync('tofile/in', 'x'); fs.rmSync('todir', { recursive: true }); fs.writeFileSync('todir', 'y')",
    ['todir', 'todir/a', 'todir/deep/b', 'tofile', 'tofile/in'],
  ],
  ['a file becomes a link', "fs.rmSync('f.txt'); fs.symlinkSync('b.txt', 'f.txt')", ['f.txt']],
  [
    'a link becomes a file, and another leads elsewhere',
    "fs.rmSync('old'); fs.writeFileSync('old', 'x'); fs.rmSync('far'); fs.symlinkSync('/etc', 'far')",
    ['far', 'old'],
  ],
  ['new links', "fs.symlinkSync('f.txt', 'new'); fs.mkdirSync('d/e', { recursive: true }); fs.symlinkSync('nowhere', 'd/e/l')", ['d/e/l', 'new']],
  [
    'a directory becomes a link, a link a directory',
    "fs.rmSync('todir', { recursive: true }); fs.symlinkSync('b', 'todir'); fs.rmSync('old'); fs.mkdirSync('old'); fs.writeFileSync('old/f', '')",
    ['old', 'old/f', 'todir', 'todir/a', 'todir/deep/b'],
  ],
  ['a file that is written and has two names then', "fs.writeFileSync('f.txt', 'x'); fs.linkSync('f.txt', 'second')", ['f.txt', 'second']],
  [
    'directories alone',
    "fs.mkdirSync('d/e', { recursive: true }); fs.writeFileSync('d/e/f', ''); fs.mkdirSync('empty'); fs.renameSync('todir/deep', 'moved')",
    ['d/e/f', 'moved/b', 'todir/deep/b'],
  ],
]
test('whatever a command makes of files, directories and links is undone exactly, and the undo too', async (t) => {
  const named = Object.fromEntries(TURNS.map(([, script], n) => [`do-${n}.js`, `const fs = require('node:fs')\n${script}\n`]))
  const real = openRealKit(t, { ...named, 'todir/a': 'precious', 'todir/deep/b': 'b', tofile: 'treasure', 'f.txt': 'f' })
  symlinkSync('f.txt', join(real.tree.root, 'old'))
  symlinkSync('../out', join(real.tree.root, 'far'))
  chmodSync(join(real.tree.root, 'tofile'), 0o755)
  for (const [n, [title, , writes]] of TURNS.entries()) {
    const before = picture(real.tree.root)
    const done = await invoke(real.kit, runExec, { argv: ['node', `do-${n}.js`] }, HUMAN, real.tree)
    assert.ok(done.ok, title)
    const result = done.result as { writes: string[]; writes_undoable: boolean; output: string }
    assert.deepEqual([result.writes, result.writes_undoable], [writes, true], `${title}: ${result.output}`)
    const after = picture(real.tree.root)
    const undone = await call(real, runUndo, { id: done.receipt, apply: true })
    assert.deepEqual([undone['restored'], undone['refused']], [writes.length, 0], title)
    assert.deepEqual(picture(real.tree.root), before, title)
    const { receipt } = (await invoke(real.kit, runUndo, { apply: true }, HUMAN, real.tree)) as { receipt: string }
    assert.deepEqual(picture(real.tree.root), after, `${title}: the undo is undone`)
    await call(real, runUndo, { id: receipt, apply: true })
    assert.deepEqual(picture(real.tree.root), before, `${title}: and that too`)
  }
})

test("what vp writes while a command runs is not the command's", async (t) => {
  const script = (extra: string) =>
    `const fs = require('node:fs')\nfs.writeFileSync('started', '')\nwhile (!fs.existsSync('made/go')) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)\n${extra}`
  const real = openRealKit(t, {
    'a.js': script("fs.writeFileSync('a.txt', 'command')"),
    'b.js': script("fs.writeFileSync('f.txt', 'command')"),
    'f.txt': 'old',
    'a.txt': 'old',
  })
  const at = (path: string) => join(real.tree.root, path)
  for (const [file, writes, undoable, refused] of [
    ['a.js', ['a.txt', 'started'], true, []],
    ['b.js', ['f.txt', 'started'], false, ['f.txt']],
  ] as const) {
    writeFileSync(at('f.txt'), 'old')
    const running = invoke(real.kit, runExec, { argv: ['node', file] }, HUMAN, real.tree)
    while (!existsSync(at('started'))) await new Promise((resolve) => setTimeout(resolve, 10))
    await call(real, fsWrite, { path: 'f.txt', content: 'patched' })
    await call(real, fsWrite, { path: 'made/go', content: '' })
    const done = await running
    assert.ok(done.ok, JSON.stringify(done))
    const result = done.result as { writes: string[]; writes_undoable: boolean }
    assert.deepEqual([result.writes, result.writes_undoable], [writes, undoable], file)
    const undone = await call(real, runUndo, { id: done.receipt, apply: true })
    const files = undone['files'] as { path: string; outcome: string }[]
    assert.deepEqual(
      files.filter(({ outcome }) => outcome === 'refused').map(({ path }) => path),
      refused,
      file,
    )
    assert.match(String(undone['caveat']), /somebody else changed here while the command ran/)
    assert.equal(readFileSync(at('f.txt'), 'utf8'), file === 'a.js' ? 'patched' : 'command', 'what vp wrote stays')
    assert.equal(existsSync(at('made/go')), true)
    rmSync(at('made'), { recursive: true })
  }
})

test('what a person put in the way since stays, and so does what depends on it', async (t) => {
  const script =
    "fs.rmSync('tofile'); fs.mkdirSync('tofile'); fs.writeFileSync('tofile/in', 'x'); fs.rmSync('todir', { recursive: true }); fs.writeFileSync('todir', 'y')"
  const real = openRealKit(t, { 'do.js': `const fs = require('node:fs')\n${script}\n`, 'todir/a': 'precious', tofile: 'treasure' })
  const done = await invoke(real.kit, runExec, { argv: ['node', 'do.js'] }, HUMAN, real.tree)
  writeFileSync(join(real.tree.root, 'todir'), 'mine')
  writeFileSync(join(real.tree.root, 'tofile/mine'), 'mine')
  const before = picture(real.tree.root)
  delete before['tofile/in']
  const undone = await call(real, runUndo, { id: done.receipt, apply: true })
  const files = undone['files'] as { path: string; outcome: string; reason: string | null }[]
  assert.deepEqual(
    files.map(({ path, outcome, reason }) => [path, outcome, reason]),
    [
      ['todir', 'refused', 'changed since'],
      ['todir/a', 'refused', '"todir" is not a directory'],
      ['tofile', 'refused', 'it is a directory now, and tofile/mine in it stays'],
      ['tofile/in', 'restored', null],
    ],
  )
  assert.deepEqual(picture(real.tree.root), before)
})

test('what no copy was kept of is named, alone and beside others', async (t) => {
  const script = (extra: string) => `const fs = require('node:fs')\nfs.writeFileSync('a.txt', 'x')\n${extra}\n`
  const real = openRealKit(t, { 'alone.js': script(''), 'both.js': script("fs.writeFileSync('b.txt', 'x')"), 'a.txt': 'a', 'b.txt': 'b' })
  linkSync(join(real.tree.root, 'a.txt'), join(real.tree.root, 'again.txt'))
  const alone = await invoke(real.kit, runExec, { argv: ['node', 'alone.js'] }, HUMAN, real.tree)
  assert.ok(alone.ok && !(alone.result as { writes_undoable: boolean }).writes_undoable)
  const answer = await invoke(real.kit, runUndo, { id: alone.receipt, apply: true }, HUMAN, real.tree)
  assert.ok(!answer.ok && answer.error.code === 'undo.not_found')
  assert.match(answer.error.message, /cannot be given back: vp kept no copy/)
  const both = await invoke(real.kit, runExec, { argv: ['node', 'both.js'] }, HUMAN, real.tree)
  const undone = await call(real, runUndo, { id: both.receipt, apply: true })
  assert.deepEqual([undone['restored'], undone['refused']], [1, 2])
  assert.equal(readFileSync(join(real.tree.root, 'b.txt'), 'utf8'), 'b')
})

const SLOW = "import { test } from 'node:test'\ntest('takes its time', () => new Promise((resolve) => setTimeout(resolve, 1300)))\n"
const QUICK_LANE = 'lane: Narrative\ncommands: { allow: [], deny: [] }\nlimits: { max_exec_seconds: 1 }\n'

function slowProject(t: TestContext): Pick<RealKit, 'kit' | 'tree'> {
  const real = openRealKit(t, {
    'package.json': JSON.stringify({ name: 'slow', type: 'module', scripts: { test: 'node --test', lint: 'node slow.test.js' } }),
    'slow.test.js': SLOW,
    '.vp/lanes/narrative.yaml': QUICK_LANE,
  })
  const tree: TreeScene = { ...real.tree, record: async () => 'tree-1' }
  return { ...real, tree }
}

test('run.test holds the limits of the lane it is given, and keeps no result that a limit made', async (t) => {
  const real = slowProject(t)
  const cut = await call(real, runTest, { lane: 'Narrative' })
  assert.deepEqual([cut['pass_rate'], cut['exit_code'], cut['reused_from']], [null, null, null])
  assert.match(String(cut['output']), /ended by its wall limit/)
  const whole = await call(real, runTest, {})
  assert.deepEqual([whole['pass_rate'], whole['reused_from']], [1, null])
  assert.equal((await call(real, runTest, {}))['reused_from'], String(whole['report_path']).replace('receipt:', ''), 'that one is kept')
})

test('run.lint holds the limits of the lane it is given; a lane that is none is refused', async (t) => {
  const real = slowProject(t)
  const cut = await call(real, runLint, { lane: 'Narrative' })
  assert.deepEqual([cut['ok'], cut['exit_code']], [false, null])
  assert.equal((await call(real, runLint, {}))['ok'], true)
  for (const operation of [runTest, runLint]) await assert.rejects(call(real, operation, { lane: 'Nowhere' }), { code: 'plan.unknown_lane' })
})

test('a result is kept for the very same files, arguments and toolchain', async (t) => {
  const real = openRealKit(t, {
    'package.json': JSON.stringify({ name: 'kept', type: 'module', scripts: { test: 'node --test' } }),
    'a.test.js': "import { test } from 'node:test'\ntest('a', () => {})\n",
  })
  let id = 'tree-1'
  const at = { kit: real.kit, tree: { ...real.tree, record: async () => id } }
  const fresh = async (params: object = {}) => (await call(at, runTest, params))['reused_from'] === null
  assert.deepEqual([await fresh(), await fresh()], [true, false])
  assert.equal(await fresh({ args: [join('.', 'a.test.js')] }), true, 'other arguments')
  id = 'tree-2'
  assert.deepEqual([await fresh(), await fresh()], [true, false], 'other files')
  let n = 0
  const growing = { kit: real.kit, tree: { ...real.tree, record: async () => `tree-${10 + (n++ % 2)}` } }
  await call(growing, runTest, {})
  assert.equal((await call(growing, runTest, {}))['reused_from'], null, 'a run that changed its own tree is not kept')
})

test('a report is a file that the command wrote, never one that it links to', async (t) => {
  const project = (how: string) => ({
    version: 1,
    project_id: 1,
    name: 'reports',
    test: { argv: ['node', how], runner: 'tap', report_args: ['{report}'], report: { format: 'tap', from: 'file', path: 'report.tap' } },
    lint: null,
    environment: { reuse: [], setup: [], lock_files: [] },
    needs_git: false,
  })
  const real = openRealKit(t, {
    'write.js': "require('node:fs').writeFileSync(process.argv[2], 'TAP version 13\\nok 1 - x\\n1..1\\n')\n",
    'link.js': "require('node:fs').symlinkSync(require('node:fs').readFileSync('where.txt', 'utf8'), process.argv[2])\n",
    '.vp/project.json': JSON.stringify(project('write.js')),
  })
  const outside = join(real.tree.root, '../outside.tap')
  writeFileSync(outside, 'TAP version 13\nok 1 - x\n1..1\n')
  writeFileSync(join(real.tree.root, 'where.txt'), outside)
  const passed = async (how: string) => {
    const tree = { ...real.tree, project: project(how) as unknown as TreeScene['project'] }
    const result = await call({ kit: real.kit, tree }, runTest, {})
    return [result['exit_code'], result['pass_rate']]
  }
  assert.deepEqual(await passed('write.js'), [0, 1])
  assert.deepEqual(await passed('link.js'), [0, null])
})

test('what was judged is what runs: a word is no template', async (t) => {
  const real = openRealKit(t, { ...FILES, 'argv.js': 'console.log(JSON.stringify(process.argv.slice(2)))\n' })
  const words = ['{report}', 'x{report}y{report}', '$&']
  const { output } = await call(real, runExec, { argv: ['node', 'argv.js', ...words] })
  assert.deepEqual(JSON.parse(String(output)), words)
})

const GIT: [argv: string[], caller: Caller, code: string, rule: string, next: string][] = [
  [['git', 'add', 'a.txt'], HUMAN, 'policy.denied', 'global/git-data', 'vp git commit'],
  [['git', 'commit', '-m', 'x'], HUMAN, 'policy.denied', 'global/git-data', 'vp git commit'],
  [['git', 'push', 'origin', 'main'], HUMAN, 'policy.denied', 'global/git-push', 'vp git push'],
  [['git', 'push'], { ...HUMAN, scopes: new Set(['run.exec']) }, 'policy.scope', 'scope/git.push', 'vp git push'],
  [['git', 'push', '--force'], { ...HUMAN, scopes: new Set(['run.exec']) }, 'policy.denied', 'global/git-force', 'vp policy explain -- git push --force'],
]
test('git that a command cannot do is refused with the way to do it, and nobody is asked', async (t) => {
  const real = openRealKit(t, FILES)
  for (const [argv, caller, code, rule, next] of GIT) {
    const asking: Caller = { ...caller, confirm: async () => assert.fail('asked') }
    const answer = await invoke(real.kit, runExec, { argv }, asking, real.tree)
    assert.ok(!answer.ok)
    assert.deepEqual([answer.error.code, answer.error.details.rule, answer.error.details.next?.[0]], [code, rule, next], argv.join(' '))
  }
})

test('words that are added to the project’s own commands say what they are about, and choose no code', async (t) => {
  const manifest = { type: 'module', scripts: { test: 'node --test', lint: 'node lint.js', build: 'node build.js' } }
  const real = openRealKit(t, {
    'package.json': JSON.stringify(manifest),
    'a.test.js': "import { test } from 'node:test'\ntest('a', () => {})\n",
    'lint.js': '',
  })
  const refused: [Operation, readonly string[], string][] = [
    [runTest, ['--eval', 'process.exit(0)'], 'code-impl/inline-code'],
    [runTest, ['--import=data:text/javascript,1'], 'global/node-option'],
    [runTest, ['http://169.254.169.254/'], 'global/cloud-metadata'],
    [runLint, ['--script-shell=/bin/sh'], 'global/npm-option'],
    [runBuild, ['--prefix', '/'], 'global/npm-option'],
  ]
  for (const [operation, args, rule] of refused) {
    const answer = await invoke(real.kit, operation, { args }, HUMAN, real.tree)
    assert.ok(!answer.ok, args.join(' '))
    assert.deepEqual([answer.error.code, answer.error.details.rule], ['policy.denied', rule], args.join(' '))
  }
  assert.equal((await call(real, runTest, { args: ['a.test.js'] }))['passed'], 1)
})

/**
 * Commands that write what steers other programs, what is secret and what was installed, in a person's checkout on every
 * backend of this machine: afterwards it is as it was, or the answer names what is not.
 */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { Breach } from '../../src/operations/guarded.ts'
import { invoke } from '../../src/operations/invoke.ts'
import { runExec } from '../../src/operations/run.ts'
import { scopesOf } from '../../src/policy/scopes.ts'
import { makePlace, vpJson, writeFiles } from '../e2e/kit.ts'
import { openRealKit, type RealKit } from '../real-kit.ts'

const base = mkdtempSync(join(tmpdir(), 'vp-guarded-'))
const cleanups: (() => void)[] = [() => rmSync(base, { recursive: true, force: true })]
after(() => cleanups.toReversed().forEach((fn) => fn()))

const THERE = {
  'a.txt': 'a',
  '.gitignore': '.env\nsecrets/\n*.key\nnode_modules/\n.venv/\n',
  '.env': 'A=1',
  'server.key': 'key',
  'secrets/one': 's',
  'pkg/.env.local': 'B=1',
  'pkg/node_modules/dep/index.js': '1',
  'node_modules/dep/index.js': '1',
  'node_modules/.bin/jest': '1',
  '.venv/bin/activate': '1',
  '.mcp.json': '{}',
  'pkg/.vscode/tasks.json': '{}',
  'bare/HEAD': 'ref: refs/heads/main\n',
  'bare/config': '[core]\n\tbare = true\n',
  'bare/objects/x': '',
  'bare/refs/x': '',
}

interface Case {
  readonly title: string
  readonly script: string
  /** Told on every backend. */
  readonly told?: readonly string[]
  /** Told where nothing is mounted; elsewhere the write fails. */
  readonly told_unmounted?: readonly string[]
  readonly writes?: readonly string[]
  /** Paths that are written in spite of it, and named as still there. */
  readonly left?: readonly string[]
}

const write = (path: string, text = 'x') =>
  `attempt(() => { fs.mkdirSync(path.dirname('${path}'), { recursive: true }); fs.writeFileSync('${path}', '${text}') });`
const gone = (path: string) => `attempt(() => fs.rmSync('${path}', { recursive: true }));`
const CASES: readonly Case[] = [
  {
    title: 'destroys secrets and packages that are there',
    script: `${gone('.env')}${gone('secrets')}${write('server.key')}${write('pkg/.env.local')}${write('node_modules/.bin/jest')}${gone('node_modules/dep/index.js')}${write('.venv/bin/activate')}${write('pkg/node_modules/dep/index.js')}`,
    told_unmounted: [
      '.env',
      '.venv/bin/activate',
      'node_modules/.bin/jest',
      'node_modules/dep/index.js',
      'pkg/.env.local',
      'pkg/node_modules/dep/index.js',
      'secrets',
      'secrets/one',
      'server.key',
    ],
  },
  {
    title: 'adds to packages that are there',
    script: write('node_modules/.bin/tsc') + write('.venv/lib/x.pth'),
    told_unmounted: ['.venv/lib', 'node_modules/.bin/tsc'],
  },
  {
    title: 'moves the folder above them away',
    script: `fs.renameSync('pkg', 'gkp'); ${write('pkg/.vscode/tasks.json', 'evil')}${write('pkg/node_modules/dep/index.js', 'evil')}`,
    told: ['pkg/.env.local', 'pkg/.vscode', 'pkg/node_modules'],
  },
  {
    title: 'leaves a link where the folder above them was',
    script: `fs.renameSync('pkg', 'gkp'); fs.symlinkSync(process.env.TMPDIR, 'pkg')`,
    told: ['pkg/.env.local', 'pkg/.vscode', 'pkg/node_modules'],
  },
  {
    title: 'writes names that steer other programs and are not there yet',
    script: [
      '.vp/project.json',
      '.vp/lanes/code-impl.yaml',
      '.vscode/tasks.json',
      '.claude/settings.json',
      '.envrc',
      '.gitmodules',
      '.husky/pre-commit',
      'a/b/.vscode/tasks.json',
      '.VSCODE/tasks.json',
    ]
      .map((path) => write(path))
      .join(''),
    told: ['.VSCODE', '.claude', '.envrc', '.gitmodules', '.husky', '.vp', '.vscode', 'a/b/.vscode'],
  },
  {
    title: 'changes one that is there',
    script: write('.mcp.json', 'evil') + write('pkg/.vscode/tasks.json', 'evil'),
    told_unmounted: ['.mcp.json', 'pkg/.vscode/tasks.json'],
  },
  {
    title: 'plants a repository',
    script: `${write('sub/.git/HEAD')}${write('sub/.git/config')}${write('file/.git', 'gitdir: ../sub/.git')}${write('a b/c/.GIT/HEAD')}`,
    told: ['a b/c/.GIT', 'file/.git', 'sub/.git'],
  },
  {
    title: 'plants a repository without a name',
    script: `${write('plain/HEAD')}${write('plain/objects/x')}${write('plain/refs/x')}${write('plain/config')}${write('far/HEAD')}${write('far/commondir')}`,
    told: ['far/HEAD', 'plain/HEAD'],
    writes: ['far/commondir', 'plain/config', 'plain/objects/x', 'plain/refs/x'],
  },
  {
    title: 'changes the settings of a bare repository that is there',
    script: write('bare/config', '[core]') + write('bare/hooks/post-commit'),
    told: ['bare/hooks'],
    told_unmounted: ['bare/config'],
  },
  {
    title: 'changes what git reads before anything else',
    script: write('.git/hooks/pre-commit') + write('.git/config', '[core]') + write('.git/info/attributes', '* x'),
    told_unmounted: ['.git/config', '.git/hooks/pre-commit', '.git/info/attributes'],
  },
  { title: 'puts another repository in its place', script: `attempt(() => { fs.renameSync('.git', 'g'); ${write('.git/HEAD')} });`, told_unmounted: ['.git'] },
  {
    title: 'plants packages beside the sources',
    script: write('node_modules_/x') + write('src/node_modules/dep/index.js'),
    told: [],
    writes: ['node_modules_/x'],
    left: ['src/node_modules'],
  },
  { title: 'writes a secret file that was not there', script: write('.env.prod') + write('src/credentials.ts'), writes: ['.env.prod', 'src/credentials.ts'] },
  {
    title: 'writes names that are hard to say',
    script: `${write('new\\nline')} fs.writeFileSync(Buffer.from([0x62, 0xff, 0xfe]), 'x')`,
    writes: ['b\\xff\\xfe', 'new\\x0aline'],
  },
  { title: 'leaves a cache that Python believes', script: write('src/__pycache__/a.pyc'), writes: [] },
]

describe('a command in a checkout', { concurrency: 3 }, () => {
  for (const name of ['bwrap', 'box', 'landlock']) {
    const skip =
      name === 'bwrap' && !['/usr/bin/bwrap', '/bin/bwrap', '/usr/local/bin/bwrap'].some((path) => existsSync(path)) ? 'bubblewrap is not installed' : false
    describe(name, { skip, concurrency: 1 }, () => {
      let real: RealKit
      before(() => {
        real = openRealKit({ after: (fn) => void cleanups.push(fn) }, { 'a.txt': 'a' }, { VP_SANDBOX: name })
      })
      beforeEach(() => {
        // Names that are no UTF-8 are there too.
        execFileSync('find', ['.', '-mindepth', '1', '-maxdepth', '1', '!', '-name', '.git', '-exec', 'rm', '-rf', '{}', '+'], { cwd: real.tree.root })
        writeFiles(real.tree.root, THERE)
      })
      const run = async (script: string) => {
        const attempt = 'const fs = require("node:fs"), path = require("node:path"); const attempt = (f) => { try { f() } catch {} };'
        writeFileSync(join(real.tree.root, 'do.js'), `${attempt}\n${script}`)
        const answer = await invoke(real.kit, runExec, { argv: ['node', 'do.js'] }, { actor: 'human', surface: 'cli', scopes: scopesOf('human') }, real.tree)
        if (!answer.ok) throw answer.error
        return answer.result as { exit_code: number; writes: string[]; writes_whole: boolean; writes_undoable: boolean; breaches: Breach[]; output: string }
      }

      for (const { title, script, told = [], told_unmounted = [], writes, left = [] } of CASES)
        test(title, async () => {
          const was = shapeOf(real.tree.root)
          const result = await run(script)
          assert.equal(result.exit_code, 0, result.output)
          const expected = [...told, ...(name === 'landlock' ? told_unmounted : []), ...left].sort()
          const names = result.breaches.map(({ path }) => path)
          assert.deepEqual(
            expected.filter((path) => !names.includes(path)),
            [],
            JSON.stringify(result.breaches),
          )
          if (expected.length === 0) assert.deepEqual(names, [])
          assert.deepEqual(
            result.breaches.filter(({ outcome }) => outcome === 'left').map(({ path }) => path),
            left.filter((path) => existsSync(join(real.tree.root, path))),
          )
          if (writes) assert.deepEqual(result.writes, writes)
          const now = shapeOf(real.tree.root)
          for (const [path, text] of was) assert.equal(now.get(path), text, `${path} is as it was`)
          for (const path of now.keys())
            if (!was.has(path))
              assert.doesNotMatch(path, /(^|\/)(\.git|\.vscode|\.vp|\.claude|\.envrc|\.gitmodules|\.husky|__pycache__)(\/|$)/i, `${path} is not there`)
          assert.deepEqual(
            readdirSync(join(real.kit.paths.state, 'tmp')).filter((entry) => !entry.startsWith('etc-')),
            [],
            'no copy is left',
          )
        })

      test('a program with rights of its own is told and loses them, however it came', async () => {
        const at = join(real.tree.root, 'tool')
        writeFileSync(at, 'x')
        chmodSync(at, 0o4755)
        const result = await run("fs.renameSync('tool', 'tool2')")
        assert.deepEqual(result.breaches, [{ path: 'tool2', kind: 'set_id', outcome: 'restored' }])
        assert.equal(lstatSync(join(real.tree.root, 'tool2')).mode & 0o7777, 0o755)
      })

      test('what lies deeper than a path can name is said, and hides nothing that can be reached', async () => {
        const result = await run(
          `for (const top of ['deep', '.vscode']) { fs.mkdirSync(top); fs.writeFileSync(top + '/tasks.json', 'x'); const home = process.cwd(); process.chdir(top); for (let n = 0; n < 60; n++) { fs.mkdirSync('d'.repeat(100)); process.chdir('d'.repeat(100)) }; fs.writeFileSync('.envrc', 'x'); process.chdir('/'); process.chdir(home) }`,
        )
        assert.equal(result.exit_code, 0, result.output)
        assert.equal(result.writes_whole, false)
        assert.ok(
          result.breaches.some(({ path, kind, outcome }) => path.startsWith('deep/d') && kind === 'unseen' && outcome === 'left'),
          JSON.stringify(result.breaches).slice(0, 500),
        )
        assert.equal(existsSync(join(real.tree.root, '.vscode/tasks.json')), false)
        assert.equal(existsSync(join(real.tree.root, '.vscode')), false)
      })

      test('a link of that name is what it was', async () => {
        symlinkSync('a.txt', join(real.tree.root, '.zed'))
        const result = await run("fs.rmSync('.zed'); fs.symlinkSync('/etc', '.zed')")
        assert.deepEqual(result.breaches, [{ path: '.zed', kind: 'protected', outcome: 'restored' }])
        assert.equal(readlinkSync(join(real.tree.root, '.zed')), 'a.txt')
      })

      test('nothing is left that writes once the command has been looked after', async () => {
        const late = 'sleep 1; mkdir late; printf "[core]\\n\\tfsmonitor = false\\n" >> .git/config; echo x > .git/hooks/pre-commit'
        const result = await run(
          `require('node:child_process').spawn('setsid', ['-f', 'sh', '-c', ${JSON.stringify(late)}], { env: { PATH: '/usr/bin:/bin' }, detached: true, stdio: 'ignore' }).unref(); setTimeout(() => process.exit(0), 300)`,
        )
        assert.equal(result.exit_code, 0, result.output)
        const was = shapeOf(real.tree.root)
        await new Promise((resolve) => setTimeout(resolve, 1500))
        assert.deepEqual(shapeOf(real.tree.root), was)
        assert.equal(existsSync(join(real.tree.root, 'late')), false)
      })

      test('what a build puts together is left, and is not passed over', async () => {
        mkdirSync(join(real.tree.root, 'dist'))
        const result = await run(write('dist/node_modules/dep/index.js') + write('made/node_modules/dep/index.js'))
        assert.deepEqual(
          result.breaches.map(({ path, outcome }) => [path, outcome]),
          [
            ['dist/node_modules', 'left'],
            ['made/node_modules', 'left'],
          ],
        )
        assert.deepEqual([result.writes_whole, result.writes_undoable], [false, false])
      })

      test('git says of a planted repository what it says of a folder', async () => {
        const mark = join(base, `mark-${name}`)
        await run(
          `${write('sub/.git/HEAD', 'ref: refs/heads/main')}fs.mkdirSync('sub/.git/objects'); fs.mkdirSync('sub/.git/refs'); fs.writeFileSync('sub/.git/config', '[core]\\n\\tfsmonitor = "touch ${mark}; false"\\n')`,
        )
        try {
          execFileSync('git', ['-C', 'sub', 'status'], { cwd: real.tree.root, stdio: 'ignore' })
        } catch {
          // there may be no folder any more
        }
        assert.equal(existsSync(mark), false)
      })
    })
  }
})

/** Guarded files and links of THERE, and names of everything. */
function shapeOf(root: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(root.length + 1)
    if (path.includes('\ufffd')) continue // no UTF-8: only Buffers reach it
    if (/^(do\.js|a\.txt|\.gitignore|\.git\/(?!config|hooks|info))/.test(path) || /^bare\/(HEAD|objects|refs)/.test(path)) continue
    if (entry.isFile()) found.set(path, readFileSync(join(root, path), 'latin1'))
  }
  return found
}

test('tests of a project that write such names are told at the terminal, whatever their verdict', async (t) => {
  const place = makePlace(t, {
    'package.json': JSON.stringify({ name: 'p', type: 'module', scripts: { test: 'node --test' } }),
    'a.test.js':
      "import fs from 'node:fs'\nimport { test } from 'node:test'\ntest('a', () => { fs.mkdirSync('sub/.git', { recursive: true }); fs.writeFileSync('.mcp.json', '{}') })\n",
    'do.cjs': "require('node:fs').mkdirSync('sub/.git', { recursive: true })",
  })
  for (const [argv, named] of [
    [['run', 'test'], /taken back: \.mcp\.json, sub\/\.git\.$/],
    [['run', 'exec', '--', 'node', 'do.cjs'], /taken back: sub\/\.git\.$/],
  ] as const) {
    const { code, doc } = await vpJson(place, [...argv])
    assert.equal(code, 4, JSON.stringify(doc))
    assert.equal(doc.error?.code, 'sandbox.breach')
    assert.match(doc.error?.message ?? '', named)
    assert.deepEqual([existsSync(join(place.repository, '.mcp.json')), existsSync(join(place.repository, 'sub/.git'))], [false, false])
  }
})

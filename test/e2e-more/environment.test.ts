/**
 * What a project needs beside its tracked files, with real npm and real virtual environments: reused from the checkout,
 * or set up after a yes, once per lock file. A missing one is never a failed gate and costs no model request.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { startScriptedServer, type ScriptedAnswer, type ScriptedServer } from '../../src/models/scripted-server.ts'
import { call, git, makePlace, processesWith, receiptsOf, VP, vp, vpJson, writeFiles, type Cleanup, type Place } from '../e2e/kit.ts'

const JSON_LINES = (value: object) => `${JSON.stringify(value, null, 2)}\n`

const WORKSPACE = {
  '.gitignore': 'node_modules\n.venv\n',
  'package.json': JSON_LINES({
    name: 'shop',
    version: '1.0.0',
    private: true,
    type: 'module',
    workspaces: ['packages/*'],
    scripts: { test: 'node --test' },
    dependencies: { plain: 'file:vendor/plain-1.0.0.tgz' },
  }),
  'packages/price/package.json': JSON_LINES({ name: '@shop/price', version: '1.0.0', type: 'module', exports: './price.js' }),
  'packages/price/price.js': 'export const price = (net) => net - 1\n',
  'test/price.test.js': [
    "import assert from 'node:assert/strict'",
    "import { test } from 'node:test'",
    "import { price } from '@shop/price'",
    "import plain from 'plain'",
    '',
    "test('adds the tax', () => assert.equal(plain(price(1)), '2'))",
    '',
  ].join('\n'),
}
const MEND = call('edit', { path: 'packages/price/price.js', old: 'net - 1', new: 'net + 1' })
const MENDS = [call('test', {}), MEND, call('test', {}), call('submit', { title: 'fix: add the tax', summary: 'It was taken off.' })]

function npm(directory: string, ...args: string[]): void {
  execFileSync('npm', [...args, '--offline', '--no-audit', '--no-fund', '--cache', join(directory, '..', 'npm-cache')], { cwd: directory, stdio: 'pipe' })
}

/** A package as the registry would give it: installed, not linked. */
function pack(repository: string, name: string, source: string): void {
  const work = join(repository, '..', `pack-${name}`)
  writeFiles(work, { 'package/package.json': JSON_LINES({ name, version: '1.0.0', main: 'index.js' }), 'package/index.js': source })
  mkdirSync(join(repository, 'vendor'), { recursive: true })
  execFileSync('tar', ['-czf', join(repository, 'vendor', `${name}-1.0.0.tgz`), '-C', work, 'package'])
}

async function serve(t: Cleanup, answers: readonly ScriptedAnswer[]): Promise<ScriptedServer> {
  const server = await startScriptedServer((_request, n) => answers[n - 1] ?? { text: 'nothing is left to do' })
  t.after(() => server.close())
  return server
}

function npmPlace(t: Cleanup, model: { readonly baseUrl: string }): Place {
  const place = makePlace(t, WORKSPACE, model)
  pack(place.repository, 'plain', 'module.exports = (value) => String(value)\n')
  pack(place.repository, 'shout', 'module.exports = (value) => `${value}!`\n')
  npm(place.repository, 'install')
  git(place, 'add', '-A')
  git(place, 'commit', '-q', '-m', 'packages')
  return place
}

const setUps = async (place: Place) => (await receiptsOf(place)).filter((one) => one.op === 'environment.setup')
const outcomes = async (place: Place, op: string) => (await receiptsOf(place)).filter((one) => one.op === op).length

/** Paused for want of an environment: exit 7, the pending approval, and what to type. */
async function pausedForIt(place: Place, args: readonly string[]): Promise<{ id: string; message: string }> {
  const { code, doc, stderr } = await vpJson(place, args)
  assert.equal(code, 7, `${JSON.stringify(doc)}\n${stderr}`)
  assert.equal(doc.error?.code, 'environment.missing')
  const id = doc.error.approval ?? ''
  assert.match(id, /^ap_/)
  assert.deepEqual(doc.error.next, [
    ['vp', 'approve', id],
    ['vp', 'resume'],
  ])
  return { id, message: doc.error.message }
}

async function approvedAndResumed(place: Place, id: string): Promise<void> {
  const unanswered = await vpJson(place, ['approve', id])
  assert.deepEqual([unanswered.code, unanswered.doc.error?.code], [5, 'approval.needed'], 'without a terminal nobody answers')
  assert.equal((await vp(place, ['approve', id, '--for', 'call'])).code, 0)
  const { code, doc, stderr } = await vpJson(place, ['resume'])
  assert.equal(code, 0, `${JSON.stringify(doc)}\n${stderr}`)
  assert.equal(doc.result?.['status'], 'completed')
}

describe('an npm workspace', { concurrency: 3 }, () => {
  test('the packages of the checkout are reused, and a package of the workspace itself is that of the tree', async (t) => {
    const server = await serve(t, MENDS)
    const place = npmPlace(t, server)
    const { code, doc, stderr } = await vpJson(place, ['do', 'fix the failing test'])
    assert.equal(code, 0, `${JSON.stringify(doc)}\n${stderr}`)
    assert.equal(server.requests.length, MENDS.length)
    assert.equal((await setUps(place)).length, 0)
    assert.equal(git(place, 'status', '--porcelain'), '')
    assert.deepEqual(git(place, 'diff', '--name-only', 'HEAD~2', 'HEAD', '--', ':!.vp').split('\n'), ['packages/price/price.js'])
  })

  test('without them nothing is asked of a model; after a yes set-up runs once, and the next run finds it', async (t) => {
    const server = await serve(t, [...MENDS, ...MENDS])
    const place = npmPlace(t, server)
    rmSync(join(place.repository, 'node_modules'), { recursive: true })
    const { id, message } = await pausedForIt(place, ['do', 'fix the failing test'])
    assert.match(message, /node_modules is not installed \(npm ci/)
    assert.equal(server.requests.length, 0)
    // Still unanswered: the same question, not another.
    assert.equal((await pausedForIt(place, ['resume'])).id, id)
    assert.match(JSON.stringify((await vpJson(place, ['status'])).doc.result?.['approvals']), new RegExp(id))
    await approvedAndResumed(place, id)
    assert.equal(server.requests.length, MENDS.length)
    assert.deepEqual(
      (await setUps(place)).map((one) => one.outcome),
      ['ok'],
    )
    assert.ok(!existsSync(join(place.repository, 'node_modules')))
    git(place, 'reset', '-q', '--hard', 'HEAD~2') // red again
    assert.equal((await vpJson(place, ['do', 'fix the failing test'])).code, 0)
    assert.equal((await setUps(place)).length, 1)
    assert.equal(await outcomes(place, 'task.failed'), 0)
    assert.equal((await vpJson(place, ['verify'])).code, 0)
  })

  test('a person who says no is not asked again in this run, and the commands to do it by hand are named', async (t) => {
    const server = await serve(t, MENDS)
    const place = npmPlace(t, server)
    rmSync(join(place.repository, 'node_modules'), { recursive: true })
    const { id } = await pausedForIt(place, ['do', 'fix the failing test'])
    assert.equal((await vp(place, ['approve', id, '--deny'])).code, 0)
    const { code, doc } = await vpJson(place, ['resume'])
    assert.deepEqual([code, doc.error?.code, doc.error?.approval], [7, 'environment.missing', undefined])
    assert.match(doc.error?.message ?? '', /npm ci/)
    assert.equal(server.requests.length, 0)
    npm(place.repository, 'ci')
    assert.equal((await vpJson(place, ['resume'])).code, 0)
    assert.equal((await setUps(place)).length, 0)
  })

  test('a set-up that fails says why, leaves nothing half, and is tried again', async (t) => {
    const server = await serve(t, MENDS)
    const place = npmPlace(t, server)
    rmSync(join(place.repository, 'node_modules'), { recursive: true })
    rmSync(join(place.repository, 'vendor/plain-1.0.0.tgz'))
    git(place, 'commit', '-q', '-a', '-m', 'lose a package')
    const { id } = await pausedForIt(place, ['do', 'fix the failing test'])
    assert.equal((await vp(place, ['approve', id, '--for', 'call'])).code, 0)
    for (const attempt of [1, 2, 3]) {
      if (attempt === 2) {
        const { id: again } = await pausedForIt(place, ['resume'])
        assert.notEqual(again, id, 'a yes for one call is used up')
        assert.equal((await vp(place, ['approve', again, '--for', 'run'])).code, 0)
      }
      const { code, doc } = await vpJson(place, ['resume'])
      assert.deepEqual([code, doc.error?.code], [7, 'environment.setup_failed'], JSON.stringify(doc))
      assert.match(doc.error?.message ?? '', /plain-1\.0\.0\.tgz/)
      assert.doesNotMatch(doc.error?.message ?? '', new RegExp(place.root))
      assert.equal((await setUps(place)).length, attempt)
      assert.deepEqual(readdirSync(join(place.state, 'environments')), [])
    }
    assert.equal(server.requests.length, 0)
  })

  test('a task that changes the lock file: paused where it is, and gone on with after a yes, without one model request more', async (t) => {
    const turns: ScriptedAnswer[] = []
    const server = await serve(t, turns)
    const place = npmPlace(t, server)
    const after = join(place.root, 'after')
    cpSync(place.repository, after, { recursive: true, verbatimSymlinks: true })
    npm(after, 'install', '--package-lock-only', './vendor/shout-1.0.0.tgz')
    const changed = (path: string) => call('write', { path, content: readFileSync(join(after, path), 'utf8') })
    turns.push(
      changed('package.json'),
      changed('package-lock.json'),
      call('write', {
        path: 'test/shout.test.js',
        content:
          "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport shout from 'shout'\n\ntest('shouts', () => assert.equal(shout('a'), 'a!'))\n",
      }),
      call('search', { query: 'shout' }),
      MEND,
      call('test', {}),
      call('submit', { title: 'feat: shout', summary: 'Adds a package.' }),
    )
    const { id, message } = await pausedForIt(place, ['do', 'add the package shout'])
    assert.match(message, /changed package-lock\.json/)
    assert.equal(server.requests.length, 6, 'up to the call of the tests')
    await approvedAndResumed(place, id)
    assert.equal(server.requests.length, turns.length)
    assert.equal((await setUps(place)).length, 1)
    assert.equal(await outcomes(place, 'task.failed'), 0)
    // Where the checkout has what the run began with, its first commands find their packages again.
    git(place, 'reset', '-q', '--hard', 'HEAD~2')
    for (const verb of ['replay', 'validate', 'complete']) {
      const { code, doc } = await vpJson(place, [verb])
      assert.equal(code, 0, JSON.stringify(doc))
    }
    assert.equal(readFileSync(join(place.repository, 'package-lock.json'), 'utf8'), readFileSync(join(after, 'package-lock.json'), 'utf8'))
    // What is installed in the checkout is no longer what its lock file says, so the new set-up counts there as well.
    turns.push(call('test', {}), call('write', { path: 'note.md', content: 'x' }), call('submit', { title: 'docs: note', summary: '' }))
    const { code, doc } = await vpJson(place, ['do', 'write a note'])
    assert.equal(code, 0, JSON.stringify(doc))
    assert.equal((await setUps(place)).length, 1)
  })

  test(
    'at a terminal the question is put at once, and the run goes on with the answer',
    { skip: !existsSync('/usr/bin/script') && 'no script(1)' },
    async (t) => {
      const server = await serve(t, MENDS)
      const place = npmPlace(t, server)
      rmSync(join(place.repository, 'node_modules'), { recursive: true })
      const child = spawn('script', ['-qefc', `'${VP}' do 'fix the failing test'`, '/dev/null'], {
        cwd: place.repository,
        env: { ...place.env, TERM: 'xterm' },
        stdio: ['pipe', 'pipe', 'ignore'],
      })
      let shown = ''
      child.stdout.on('data', (part: Buffer) => {
        shown += part.toString()
        // Keys count only after a quiet moment.
        if (part.includes('answer, then Enter')) setTimeout(() => child.stdin.write('p\n'), 1200)
      })
      const code = await new Promise((resolve) => child.on('close', resolve))
      assert.equal(code, 0, shown)
      assert.match(shown, /wants +.*npm ci --no-audit --no-fund/)
      assert.match(shown, /project\/environment/)
      assert.equal(server.requests.length, MENDS.length)
      assert.equal((await setUps(place)).length, 1)
      assert.deepEqual(processesWith(place.root), [])
    },
  )
})

const PYTHON = ['-c', 'import ensurepip, pytest, sys; sys.exit(sys.prefix != sys.base_prefix)']
const noPython = (() => {
  try {
    execFileSync('python3', PYTHON, { stdio: 'pipe' })
    return false
  } catch {
    return 'no python3 with venv and pytest'
  }
})()

const PYTHON_FILES = {
  '.gitignore': '.venv\n__pycache__\n',
  'requirements.txt': './vendor/greet-1.0-py3-none-any.whl\n',
  'price.py': 'def price(net):\n    return net - 1\n',
  'test_price.py': 'import greet\nfrom price import price\n\n\ndef test_price():\n    assert greet.words(price(1)) == "2"\n',
}

/** A wheel, which pip installs without building anything. Source: the binary distribution format of PyPA. */
const WHEEL = `
import zipfile
with zipfile.ZipFile('vendor/greet-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('greet.py', 'def words(value):\\n    return str(value)\\n')
    wheel.writestr('greet-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: greet\\nVersion: 1.0\\n')
    wheel.writestr('greet-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr('greet-1.0.dist-info/RECORD', 'greet.py,,\\ngreet-1.0.dist-info/METADATA,,\\ngreet-1.0.dist-info/WHEEL,,\\ngreet-1.0.dist-info/RECORD,,\\n')
`
const VENV = ['-m', 'venv', '--system-site-packages', '.venv']
const PIP = ['-m', 'pip', 'install', '--no-index', '-q', '-r', 'requirements.txt']
const PYTHON_MENDS = [
  call('test', {}),
  call('edit', { path: 'price.py', old: 'net - 1', new: 'net + 1' }),
  call('test', {}),
  call('submit', { title: 'fix: add the tax', summary: 'It was taken off.' }),
]

/** As `vp new` finds it, but for pytest, which comes from the system: no network is needed. */
async function pythonPlace(t: Cleanup, model: { readonly baseUrl: string }): Promise<Place> {
  const place = makePlace(t, PYTHON_FILES, model)
  mkdirSync(join(place.repository, 'vendor'))
  execFileSync('python3', ['-c', WHEEL], { cwd: place.repository })
  git(place, 'add', '-A')
  git(place, 'commit', '-q', '-m', 'a wheel')
  assert.equal((await vp(place, ['new', '--name', 'prices'])).code, 0)
  const file = join(place.repository, '.vp/project.json')
  const project = JSON.parse(readFileSync(file, 'utf8')) as { test: { argv: string[] }; environment: object }
  assert.deepEqual(project.test.argv, ['.venv/bin/python', '-m', 'pytest', '-q'])
  assert.deepEqual(project.environment, {
    reuse: ['.venv'],
    setup: [
      ['python3', '-m', 'venv', '.venv'],
      ['.venv/bin/python', '-m', 'pip', 'install', '-r', 'requirements.txt'],
    ],
    lock_files: ['requirements.txt'],
  })
  const setup = [
    ['python3', ...VENV],
    ['.venv/bin/python', ...PIP],
  ]
  writeFiles(place.repository, { '.vp/project.json': JSON_LINES({ ...project, environment: { ...project.environment, setup } }) })
  git(place, 'add', '-A')
  git(place, 'commit', '-q', '-m', 'project')
  return place
}

describe('a Python project', { skip: noPython, concurrency: 2 }, () => {
  test('the virtual environment of the checkout runs its tests', async (t) => {
    const server = await serve(t, PYTHON_MENDS)
    const place = await pythonPlace(t, server)
    execFileSync('python3', VENV, { cwd: place.repository })
    execFileSync('.venv/bin/python', PIP, { cwd: place.repository })
    const { code, doc, stderr } = await vpJson(place, ['do', 'fix the failing test'])
    assert.equal(code, 0, `${JSON.stringify(doc)}\n${stderr}`)
    assert.equal(server.requests.length, PYTHON_MENDS.length)
    assert.equal((await setUps(place)).length, 0)
    assert.equal((await vpJson(place, ['run', 'test'])).doc.result?.['passed'], 1)
  })

  test('one that is filled is used where nothing but pyproject.toml says what is in it', async (t) => {
    const edit = call('edit', { path: 'src/price.py', old: 'net - 1', new: 'net + 1' })
    const server = await serve(t, [...PYTHON_MENDS.slice(0, 1), edit, ...PYTHON_MENDS.slice(2)])
    const { 'requirements.txt': _, 'price.py': price, ...files } = PYTHON_FILES
    const place = makePlace(t, { ...files, 'src/price.py': price, 'pyproject.toml': '[project]\nname = "prices"\nversion = "1"\n' }, server)
    execFileSync('python3', VENV, { cwd: place.repository })
    mkdirSync(join(place.repository, 'vendor'))
    execFileSync('python3', ['-c', WHEEL], { cwd: place.repository })
    execFileSync('.venv/bin/python', ['-m', 'pip', 'install', '--no-index', '-q', 'vendor/greet-1.0-py3-none-any.whl'], { cwd: place.repository })
    rmSync(join(place.repository, 'vendor'), { recursive: true })
    assert.equal((await vp(place, ['new', '--name', 'prices'])).code, 0)
    const { doc } = await vpJson(place, ['run', 'test'])
    assert.deepEqual([doc.result?.['passed'], doc.result?.['failed']], [0, 1], JSON.stringify(doc))
    assert.match(String(doc.result?.['output']), /'0' == '2'/)
    git(place, 'add', '-A')
    git(place, 'commit', '-q', '-m', 'project')
    assert.equal((await vpJson(place, ['do', 'fix the failing test'])).code, 0)
  })

  test('without one nothing is asked of a model; set-up makes it and installs the requirements', async (t) => {
    const server = await serve(t, PYTHON_MENDS)
    const place = await pythonPlace(t, server)
    const { id, message } = await pausedForIt(place, ['do', 'fix the failing test'])
    assert.match(message, /^\.venv is not installed/)
    assert.equal(server.requests.length, 0)
    await approvedAndResumed(place, id)
    assert.equal(server.requests.length, PYTHON_MENDS.length)
    assert.equal((await setUps(place)).length, 2, 'two commands, once')
    assert.equal(await outcomes(place, 'task.failed'), 0)
    const byHand = await vpJson(place, ['run', 'test'])
    assert.deepEqual([byHand.code, byHand.doc.error?.code], [7, 'environment.missing'])
  })
})

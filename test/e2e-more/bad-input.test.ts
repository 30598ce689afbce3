/**
 * Bad input and bad surroundings: each ends in one clear error with a code, an exit status of the code table and a next
 * step, or it just works. Nothing is changed by it in the repository or in the ledger's tables, and nothing is lost.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { before, describe, test } from 'node:test'
import { CODES, type ErrorCode } from '../../src/core/errors.ts'
import { startScriptedServer, type ScriptedAnswer, type ScriptedServer } from '../../src/models/scripted-server.ts'
import {
  approvedProject,
  call,
  git,
  makePlace,
  receiptsOf,
  turnOf,
  VP,
  vp,
  vpJson,
  writeFiles,
  type Cleanup,
  type Files,
  type Place,
  type RunOptions,
} from '../e2e/kit.ts'
import { isSame, manifest } from '../e2e/traps.ts'
import { wordsFiles, wordsModel } from '../e2e/words.ts'

const FILES: Files = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'src/add.js': 'export const add = (a, b) => a - b\n',
  'test/add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from '../src/add.js'\n\ntest('adds', () => assert.equal(add(2, 3), 5))\n",
}
const GOAL = 'fix the failing test'
const MENDS: readonly ScriptedAnswer[] = [
  call('read', { path: 'src/add.js' }),
  call('edit', { path: 'src/add.js', old: 'a - b', new: 'a + b' }),
  call('submit', { title: 'fix: add adds', summary: 'It subtracted.' }),
]

/** Mends the tests in three turns, whoever asks. */
const mender = () => startScriptedServer((request) => MENDS[turnOf(request).turn - 1] ?? { text: 'nothing is left to do' })

async function serve(t: Cleanup): Promise<ScriptedServer> {
  const server = await mender()
  t.after(() => server.close())
  return server
}

/** Rows by table of what a refusal must not touch. Receipts are not among them: a refusal has one. */
function held(place: Place): Record<string, unknown> {
  const file = join(place.state, 'ledger.db')
  if (!existsSync(file)) return {}
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    const tables = [
      'projects',
      'plans',
      'runs',
      'run_events',
      'job_cards',
      'exchanges',
      'kept_bodies',
      'approvals',
      'consents',
      'before_images',
      'leases',
      'holds',
    ]
    return Object.fromEntries(tables.map((table) => [table, db.prepare(`SELECT * FROM ${table}`).all()] as const).filter(([, rows]) => rows.length > 0))
  } finally {
    db.close()
  }
}

interface Refusal extends RunOptions {
  readonly code: ErrorCode
  readonly says?: RegExp
  /** The ledger cannot be looked into. */
  readonly blind?: boolean
}

/** One document with this code, its exit status and a next step; repository and ledger are as they were. */
async function refuses(place: Place, args: readonly string[], { code, says, blind, ...options }: Refusal): Promise<void> {
  const [files, rows] = [manifest(place), blind ? null : held(place)]
  const ended = await vpJson(place, args, options)
  const { error } = ended.doc
  assert.equal(error?.code, code, `${JSON.stringify(ended.doc)}\n${ended.stderr}`)
  assert.equal(ended.code, CODES[code].exit)
  assert.ok(error.next.length > 0 || error.hint, `a next step: ${JSON.stringify(error)}`)
  assert.ok(error.message.length > 10 && !error.message.includes('\n'), error.message)
  assert.doesNotMatch(ended.stderr, /^\s+at /m, 'no stack')
  if (says) assert.match(JSON.stringify(error), says)
  isSame(manifest(place), files, `after vp ${args.join(' ')}`)
  if (rows) assert.deepEqual(held(place), rows)
}

async function works(place: Place, args: readonly string[], options: RunOptions = {}): Promise<Record<string, unknown>> {
  const { code, doc, stderr } = await vpJson(place, args, options)
  assert.equal(code, 0, `vp ${args.join(' ')}: ${JSON.stringify(doc)}\n${stderr}`)
  assert.equal(doc.ok, true)
  return doc.result ?? {}
}

/** `main` and `side` change the same line; `verb` then stops in the middle. */
function stopped(place: Place, verb: string, side: string): void {
  const change = (text: string) => {
    writeFiles(place.repository, { 'src/add.js': text })
    git(place, 'commit', '-qam', 'a change')
  }
  git(place, 'switch', '-qc', side)
  change('side\n')
  git(place, 'switch', '-q', 'main')
  change('main\n')
  assert.throws(() => git(place, verb, side), 'it stops for the conflict')
}

/** `lib`, which the tests read. */
function addSubmodule(place: Place): void {
  const lib = join(place.root, 'lib')
  writeFiles(lib, { 'value.txt': '42' })
  const inLib = (...args: string[]) => git(place, '-C', lib, '-c', 'user.name=Lib', '-c', 'user.email=lib@example.org', ...args)
  git(place, 'init', '-q', '-b', 'main', lib)
  inLib('add', '-A')
  inLib('commit', '-qm', 'lib')
  git(place, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', lib, 'lib')
  writeFiles(place.repository, {
    'test/lib.test.js': `${READS}test('lib', () => assert.equal(readFileSync('lib/value.txt', 'utf8'), '42'))\n`,
  })
  git(place, 'add', '-A')
  git(place, 'commit', '-qm', 'a submodule')
}

const READS = "import assert from 'node:assert/strict'\nimport { readFileSync } from 'node:fs'\nimport { test } from 'node:test'\n"
const LARGE = Buffer.alloc(12_345, 'large ')

/** `assets/a.bin`, kept in Git LFS; the tests read it. */
function addPointer(place: Place): string {
  const oid = createHash('sha256').update(LARGE).digest('hex')
  writeFiles(place.repository, {
    'assets/.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n',
    'assets/a.bin': `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${LARGE.length}\n`,
    'test/large.test.js': `${READS}test('large', () => assert.equal(readFileSync('assets/a.bin').length, ${LARGE.length}))\n`,
  })
  git(place, 'add', '-A')
  git(place, 'commit', '-qm', 'a pointer')
  return join('.git', 'lfs', 'objects', oid.slice(0, 2), oid.slice(2, 4), oid)
}

/** The whole of `vp do`, to a commit on the branch. */
async function mends(place: Place, options: RunOptions = {}): Promise<void> {
  const result = await works(place, ['do', GOAL], options)
  assert.equal(result['status'], 'completed')
  assert.match(readFileSync(join(place.repository, 'src/add.js'), 'utf8'), /a \+ b/)
  await works(place, ['verify'], options)
}

async function serveWords(t: Cleanup): Promise<ScriptedServer> {
  const server = await startScriptedServer((request) => wordsModel(turnOf(request)))
  t.after(() => server.close())
  return server
}

// Some of them are long waits: together they take no longer than the longest.
describe('bad input', { concurrency: 3 }, () => {
  /** `vp` as the launcher starts it, after a module that changes what the machine says. */
  function withPreload(place: Place, source: string): readonly string[] {
    const file = join(place.root, 'preload.mjs')
    writeFileSync(file, source)
    return [process.execPath, '--disable-warning=ExperimentalWarning', `--import=${file}`, join(dirname(VP), '..', 'dist', 'vp.mjs')]
  }

  describe('a state database', { concurrency: 2 }, () => {
    test('that another program has locked: nothing is changed or spent, and it works afterwards', async (t) => {
      const server = await serve(t)
      const place = makePlace(t, FILES, server)
      await works(place, ['fs', 'read', 'src/add.js'])
      const other = new DatabaseSync(join(place.state, 'ledger.db'))
      other.exec('BEGIN IMMEDIATE')
      const apply = ['fs', 'patch', '-', '--apply']
      const options = { stdin: PATCH.join('\n') }
      await Promise.all([apply, ['do', GOAL]].map((args) => refuses(place, args, { code: 'store.locked', ...options })))
      assert.equal(server.requests.length, 0)
      assert.equal((await vpJson(place, ['status'])).doc.error?.code, 'run.none', 'looking needs no lock')
      other.exec('ROLLBACK')
      other.close()
      await works(place, apply, options)
      assert.match(readFileSync(join(place.repository, 'src/add.js'), 'utf8'), /a \+ b/)
      await works(place, ['verify'])
    })

    test('of a newer vp is not touched', async (t) => {
      const place = makePlace(t, FILES, await serve(t))
      await works(place, ['fs', 'read', 'src/add.js'])
      const version = (n: number) => {
        const db = new DatabaseSync(join(place.state, 'ledger.db'))
        const old = Number(db.prepare('PRAGMA user_version').get()?.['user_version'])
        db.exec(`PRAGMA user_version = ${n}`)
        db.close()
        return old
      }
      const own = version(999)
      const bytes = readFileSync(join(place.state, 'ledger.db'))
      for (const args of [['do', GOAL], ['status'], ['verify']]) await refuses(place, args, { code: 'store.newer', says: /schema 999/ })
      assert.ok(readFileSync(join(place.state, 'ledger.db')).equals(bytes))
      version(own)
      await works(place, ['verify'])
      await works(place, ['fs', 'read', 'src/add.js'])
    })

    test('on a network file system is not made', async (t) => {
      const server = await serve(t)
      const place = makePlace(t, FILES, server)
      await vp(place, ['--version'])
      const statfs = `import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
const { statfsSync } = fs
fs.statfsSync = (path, options) => Object.assign(statfsSync(path, options), String(path).startsWith(${JSON.stringify(place.state)}) ? { type: 0x6969 } : {})
syncBuiltinESMExports()
`
      const launch = withPreload(place, statfs)
      for (const args of [['do', GOAL], ['status'], ['fs', 'read', 'src/add.js']])
        await refuses(place, args, { code: 'store.network_fs', says: /NFS.*VP_STATE_DIR/, launch })
      assert.ok(!existsSync(join(place.state, 'ledger.db')))
      assert.equal(server.requests.length, 0)
    })
  })

  describe('a state directory', { concurrency: 2 }, () => {
    const NO_PLACE = ['/dev/null', '/proc/x', '/sys/x']
    for (const VP_STATE_DIR of NO_PLACE)
      test(`${VP_STATE_DIR} is none: one code for all, in time`, async (t) => {
        const place = makePlace(t, FILES)
        const launch = ['timeout', '-s', 'KILL', '30', VP]
        for (const args of [['status'], ['fs', 'read', 'src/add.js'], ['doctor']])
          await refuses(place, args, { code: 'store.unusable', says: /VP_STATE_DIR=\/var/, launch, env: { VP_STATE_DIR }, blind: true })
        const cache = { VP_STATE_DIR: place.state, XDG_CACHE_HOME: '/proc/x' }
        assert.equal((await vp(place, ['fs', 'read', 'src/add.js'], { launch, env: cache })).code, 0, 'a cache is not needed')
      })

    test('on a read-only file system', async (t) => {
      const place = makePlace(t, FILES)
      mkdirSync(place.state)
      const launch = ['unshare', '-rm', 'sh', '-c', 'mount -t tmpfs -o ro none "$VP_STATE_DIR" && exec "$@"', 'sh', VP]
      for (const args of [['status'], ['fs', 'read', 'src/add.js'], ['doctor']]) await refuses(place, args, { code: 'store.unusable', launch, blind: true })
    })

    test('set and empty is not set; relative in a repository is refused', async (t) => {
      const place = makePlace(t, FILES)
      const files = manifest(place)
      const env = { VP_STATE_DIR: '', VP_MODEL_BASE_URL: '', XDG_STATE_HOME: 'state' }
      await works(place, ['fs', 'read', 'src/add.js'], { env })
      assert.ok(existsSync(join(place.env['HOME'] as string, '.local', 'state', 'vp', 'ledger.db')))
      await refuses(place, ['status'], { code: 'usage.flag', says: /VP_STATE_DIR=state lies in the repository/, env: { VP_STATE_DIR: 'state' }, blind: true })
      isSame(manifest(place), files, 'nothing was made there')
    })

    test('a wrong setting is not said of the ledger', async (t) => {
      const place = makePlace(t, FILES)
      const { doc } = await vpJson(place, ['doctor'], { env: { VP_SANDBOX: 'bogus' } })
      assert.equal(doc.error?.code, 'config.invalid')
      assert.deepEqual(
        (doc.result as unknown as { checks: { name: string; fix: string[] }[] }).checks.map(({ name, fix }) => [name, fix]),
        [['config', ['unset VP_SANDBOX']]],
      )
    })

    test(
      'a sandbox of another system is refused by name, with what to do',
      { skip: process.platform === 'linux' ? false : 'seatbelt is of macOS' },
      async (t) => {
        const place = makePlace(t, FILES)
        const { doc, code } = await vpJson(place, ['doctor'], { env: { VP_SANDBOX: 'seatbelt' } })
        assert.deepEqual([doc.error?.code, doc.error?.hint, code], ['sandbox.unavailable', 'unset VP_SANDBOX', CODES['sandbox.unavailable'].exit])
        assert.match(doc.error?.message ?? '', /seatbelt is a sandbox of macOS; here vp has bwrap, box, landlock/)
      },
    )
  })

  describe('the surroundings', { concurrency: 4 }, () => {
    test('a model that never answers: a typed end, nothing is spent, and the run goes on when one does', async (t) => {
      const now = { silent: true }
      const server = await startScriptedServer((request) => (now.silent ? { fault: 'silence' } : (MENDS[turnOf(request).turn - 1] as ScriptedAnswer)))
      t.after(() => server.close())
      const place = makePlace(t, FILES, server)
      writeFileSync(join(place.root, 'config.json'), JSON.stringify({ stall_seconds: 1 }))
      const options = { env: { VP_CONFIG: join(place.root, 'config.json') } }
      const files = manifest(place)
      const ended = await vpJson(place, ['do', GOAL], options)
      assert.equal(ended.doc.error?.code, 'model.stalled', JSON.stringify(ended.doc))
      assert.equal(ended.code, CODES['model.stalled'].exit)
      assert.ok(ended.doc.error.next.some((argv) => argv.join(' ') === 'vp resume'))
      assert.deepEqual(held(place)['holds'], undefined, 'no money is held for it')
      isSame(manifest(place), files, 'after vp do')
      now.silent = false
      assert.equal((await works(place, ['resume'], options))['status'], 'completed')
      await works(place, ['complete'], options)
      await works(place, ['verify'])
    })

    /** An hour ahead until the file is there. */
    const clock = (file: string) => `import { existsSync } from 'node:fs'
const now = Date.now
Date.now = () => now() + (existsSync(${JSON.stringify(file)}) ? 0 : 3600_000)
`

    test('a clock set back an hour while a model is asked: the same attempt goes on', async (t) => {
      const now = { back: '' }
      const server = await startScriptedServer((request) => {
        const { turn } = turnOf(request)
        if (turn === 2) writeFileSync(now.back, '')
        return { ...MENDS[turn - 1], delayMs: turn === 2 ? 1000 : 0 } as ScriptedAnswer
      })
      t.after(() => server.close())
      const place = makePlace(t, FILES, server)
      await vp(place, ['--version'])
      now.back = join(place.root, 'back')
      await mends(place, { launch: withPreload(place, clock(now.back)) })
      assert.equal(server.requests.length, MENDS.length, 'no turn is asked twice')
      const receipts = await receiptsOf(place)
      assert.ok(!receipts.some((one) => one.op === 'task.released'), 'the lease is kept')
      await works(place, ['status'])
      await works(place, ['validate'])
    })

    test('a clock set back an hour after a kill: what the dead process held is free, and the run ends', async (t) => {
      const server = await serve(t)
      const place = makePlace(t, FILES, server)
      await vp(place, ['--version'])
      const ahead = { launch: withPreload(place, clock(join(place.root, 'never'))) }
      const killed = await vp(place, ['do', GOAL], { ...ahead, env: { VP_TEST_KILL_AT: 'model.settle:3' } })
      assert.equal(killed.signal, 'SIGKILL')
      assert.equal((held(place)['leases'] as unknown[]).length, 1)
      assert.equal((held(place)['holds'] as unknown[]).length, 1)
      assert.equal((await works(place, ['resume']))['status'], 'completed')
      const spent = (await works(place, ['status']))['runs']
      await works(place, ['complete'])
      assert.equal(held(place)['leases'], undefined)
      assert.equal(held(place)['holds'], undefined)
      assert.ok(
        server.requests.length <= MENDS.length + 1,
        `the turn that was cut is asked again and no other: ${server.requests.length} ${JSON.stringify(spent)}`,
      )
      await works(place, ['verify'])
    })

    test('a clock set back an hour between two runs: the last run is the one that was begun last', async (t) => {
      const place = await approvedProject(t, wordsFiles(1), await serveWords(t))
      const ahead = { launch: withPreload(place, clock(join(place.root, 'never'))) }
      const first = await works(place, ['start'], ahead)
      const second = await works(place, ['start'])
      assert.ok(String(second['run_id']) < String(first['run_id']), 'by their times the first is the last')
      for (const args of [['status'], ['validate'], ['complete']]) assert.equal((await works(place, args))['run_id'], second['run_id'], `vp ${args[0]}`)
      const commits = git(place, 'log', 'main', '--format=%B')
      assert.ok(commits.includes(`VP-Run: ${second['run_id']}`) && !commits.includes(`VP-Run: ${first['run_id']}`), commits)
    })

    test('a Turkish locale: the same words, numbers and lanes', async (t) => {
      const place = makePlace(t, wordsFiles(1), await serveWords(t))
      const turkish = { env: { LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8', LANGUAGE: 'tr' } }
      const prd = readFileSync(join(place.repository, 'PRD.md'), 'utf8').replaceAll('Code-Impl', 'CODE-IMPL').replaceAll('simple', 'SIMPLE')
      writeFileSync(join(place.repository, 'PRD.md'), prd)
      for (const args of [['new', '--name', 'cart'], ['plan', '--from-prd', 'PRD.md'], ['estimate']]) await works(place, args, turkish)
      for (const args of [['status'], ['estimate'], ['policy', 'explain', 'npm test']]) {
        const [there, here] = [await vp(place, args, turkish), await vp(place, args, { env: { LC_ALL: 'en_US.UTF-8' } })]
        assert.equal(there.stdout, here.stdout, `vp ${args.join(' ')}`)
        assert.equal(there.code, here.code)
      }
      await works(place, ['approve', '--budget-usd', '1', '--no-input'], turkish)
      assert.equal((await works(place, ['start'], turkish))['status'], 'completed')
      await works(place, ['verify'], turkish)
    })
  })

  describe('a PRD', { concurrency: 1 }, () => {
    const cleanups: (() => void)[] = []
    let place: Place
    before(async () => {
      place = makePlace({ after: (fn) => void cleanups.push(fn) }, FILES)
      await works(place, ['new', '--name', 'cart'])
    })
    test.after(() => cleanups.forEach((fn) => fn()))

    const bad: [title: string, make: (file: string) => void, code: ErrorCode, says?: RegExp][] = [
      ['missing', () => undefined, 'prd.invalid'],
      ['empty', (file) => writeFileSync(file, ''), 'prd.invalid', /is empty/],
      ['blank', (file) => writeFileSync(file, ' \n\t\n'), 'prd.invalid', /is empty/],
      ['binary', (file) => writeFileSync(file, Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2])), 'prd.invalid', /not a text/],
      ['invalid UTF-8', (file) => writeFileSync(file, Buffer.from('# Preis: 5 \xa4\n', 'latin1')), 'prd.invalid', /UTF-8/],
      [
        '50 MB',
        (file) => {
          writeFileSync(file, '# Big\n')
          truncateSync(file, 50 * 1024 * 1024)
        },
        'prd.invalid',
        /larger than 1 MiB/,
      ],
      ['a link to /dev/zero', (file) => symlinkSync('/dev/zero', file), 'prd.invalid'],
      ['a pipe that nobody writes to', (file) => void execFileSync('mkfifo', [file]), 'prd.invalid'],
      ['a directory', (file) => mkdirSync(file), 'prd.invalid', /not a file/],
      ['a link to itself', (file) => symlinkSync('bad.md', file), 'prd.invalid'],
    ]
    for (const [title, make, code, says] of bad)
      test(`${title} is refused`, { timeout: 10_000 }, async (t) => {
        const file = join(place.root, 'bad.md')
        make(file)
        t.after(() => rmSync(file, { recursive: true, force: true }))
        await refuses(place, ['plan', '--from-prd', file], { code, ...(says ? { says } : {}) })
      })

    test('a link out of the repository is refused, whoever put it there; a file elsewhere is a person’s to name', async (t) => {
      const outside = join(place.root, 'outside.md')
      const link = join(place.repository, 'docs.md')
      writeFileSync(outside, '# Mine\n\n## Tasks\n\n1. A secret task\n')
      symlinkSync(outside, link)
      t.after(() => [outside, link].forEach((file) => rmSync(file)))
      await refuses(place, ['plan', '--from-prd', 'docs.md'], { code: 'path.denied', says: /symlink/ })
      await works(place, ['plan', '--from-prd', outside])
    })

    const plans: [title: string, tasks: string[], code: ErrorCode, says: RegExp][] = [
      ['a cycle', ['1. A (depends on: 2)', '2. B (depends on: 3)', '3. C (depends on: 1)'], 'plan.cycle', /bad\.md/],
      ['a task that depends on itself', ['1. A', '2. B (depends on: 2)'], 'plan.cycle', /T2/],
      ['an unknown lane', ['1. A', '2. B (lane: Code-Imp)'], 'plan.unknown_lane', /"line":6/],
      ['a dependency on a task that is not there', ['1. A (depends on: 7)'], 'plan.invalid', /T7/],
      ['a dependency that is no number', ['1. A (depends on: the first)'], 'plan.invalid', /"line":5/],
      ['two tasks of one number', ['1. A', '1. B'], 'plan.invalid', /numbered 1.*"line":6/],
      ['an unknown complexity', ['1. A (complexity: hard)'], 'plan.invalid', /"line":5/],
      ['tests that no lane may run', ['1. A (tests: npm test)', '2. B (tests: rm -rf /)'], 'policy.denied', /rm -rf \/ is no test.*"line":6/],
    ]
    for (const [title, tasks, code, says] of plans)
      test(`a plan with ${title} is refused`, async () => {
        const file = join(place.root, 'bad.md')
        writeFileSync(file, ['# Cart', '', '## Tasks', '', ...tasks, ''].join('\n'))
        await refuses(place, ['plan', '--from-prd', file], { code, says })
      })

    test('10,000 tasks are a plan', { timeout: 20_000 }, async () => {
      const file = join(place.root, 'large.md')
      // Each waits for the one after it, which is the longest way round.
      const tasks = Array.from({ length: 10_000 }, (_, at) => `${at + 1}. Add ${at} (complexity: trivial${at < 9999 ? `; depends on: ${at + 2}` : ''})`)
      writeFileSync(file, ['# Large', '', '## Tasks', '', ...tasks, ''].join('\n'))
      assert.equal(((await works(place, ['plan', '--from-prd', file]))['tasks'] as unknown[]).length, 10_000)
      await works(place, ['estimate'], { env: { VP_MODEL: 'openai_compatible:none', VP_MODEL_BASE_URL: 'http://127.0.0.1:9' } })
    })
  })

  /** Repositories in a state that a run cannot start from; each is made from the one before the test. */
  describe('a repository', { concurrency: 2 }, () => {
    test('whose .vp leads elsewhere is refused', async (t) => {
      const place = makePlace(t, FILES)
      const outside = join(place.root, 'outside')
      mkdirSync(outside)
      symlinkSync(outside, join(place.repository, '.vp'))
      await refuses(place, ['new', '--name', 'cart'], { code: 'path.denied', says: /symlink/, blind: true })
      assert.equal(existsSync(join(outside, 'project.json')), false)
    })

    const busy: [title: string, make: (place: Place) => void, code: ErrorCode, says?: RegExp][] = [
      ['that is none', (place) => rmSync(join(place.repository, '.git'), { recursive: true }), 'workspace.not_a_repository', /"git","init"/],
      [
        'with no commits',
        (place) => {
          rmSync(join(place.repository, '.git'), { recursive: true })
          git(place, 'init', '-q', '-b', 'main')
        },
        'workspace.no_commits',
        /"git","commit"|git commit/,
      ],
      ['with a rebase in progress', (place) => stopped(place, 'rebase', 'side'), 'workspace.busy', /a rebase/],
      ['with a merge in progress', (place) => stopped(place, 'merge', 'side'), 'workspace.busy', /a merge/],
      ['with a cherry-pick in progress', (place) => stopped(place, 'cherry-pick', 'side'), 'workspace.busy', /a cherry-pick/],
      ['with a bisection in progress', (place) => void git(place, 'bisect', 'start'), 'workspace.busy', /a bisection/],
      [
        'with a submodule that is not checked out',
        (place) => {
          addSubmodule(place)
          git(place, 'submodule', '--quiet', 'deinit', 'lib')
        },
        'workspace.unsupported',
        /submodule lib.*"git","submodule","update","--init"/,
      ],
      ['with LFS pointers whose objects are elsewhere', (place) => void addPointer(place), 'workspace.unsupported', /assets\/a\.bin.*"git","lfs","pull"/],
      [
        'with an LFS object that is damaged',
        (place) => writeFiles(place.repository, { [addPointer(place)]: 'short' }),
        'workspace.unsupported',
        /assets\/a\.bin is damaged/,
      ],
      ['of nobody: no user.name', (place) => void git(place, 'config', '--unset', 'user.name'), 'usage.identity', /user\.name/],
      ['of nobody: no user.email', (place) => void git(place, 'config', '--unset', 'user.email'), 'usage.identity', /user\.email/],
    ]
    for (const [title, make, code, says] of busy)
      test(`${title} is refused before anything is spent`, async (t) => {
        const server = await serve(t)
        const place = makePlace(t, FILES, server, { GIT_CONFIG_NOSYSTEM: '1' })
        make(place)
        await refuses(place, ['do', GOAL], { code, ...(says ? { says } : {}) })
        assert.equal(server.requests.length, 0)
      })

    test('with a detached HEAD: the work is kept on a branch of its own, HEAD stays', async (t) => {
      const place = makePlace(t, FILES, await serve(t))
      git(place, 'switch', '-q', '--detach')
      const [files, head] = [manifest(place), git(place, 'rev-parse', 'HEAD')]
      const ended = await vpJson(place, ['do', GOAL])
      assert.equal(ended.code, CODES['workspace.moved'].exit, ended.stderr)
      assert.equal(ended.doc.error?.code, 'workspace.moved', JSON.stringify(ended.doc))
      assert.deepEqual(ended.doc.error.next[0]?.slice(0, 3), ['git', 'switch', '-c'])
      isSame(manifest(place), files, 'after vp do')
      const commit = ended.doc.error.next[0]?.at(-1) as string
      assert.equal(git(place, 'rev-parse', `${commit}~1`), head)
      assert.match(git(place, 'show', `${commit}:src/add.js`), /a \+ b/)
      await works(place, ['verify'])
    })

    test('with a submodule that is checked out: a task reads it, and can neither write nor commit it', async (t) => {
      const answers = [call('write', { path: 'lib/value.txt', content: '41' }), call('write', { path: 'lib/new.js', content: '' }), ...MENDS]
      const server = await startScriptedServer((request) => answers[turnOf(request).turn - 1] as ScriptedAnswer)
      t.after(() => server.close())
      const place = makePlace(t, FILES, server)
      addSubmodule(place)
      const [link, lib] = [git(place, 'ls-tree', 'HEAD', 'lib'), git(place, '-C', 'lib', 'status', '--porcelain', '--branch')]
      await mends(place)
      assert.match(JSON.stringify(server.requests[1]?.messages.at(-1)), /path\.denied/)
      assert.match(JSON.stringify(server.requests[2]?.messages.at(-1)), /path\.denied/)
      assert.equal(git(place, 'diff', '--name-only', 'HEAD~2', '--', '.', ':!.vp'), 'src/add.js')
      assert.equal(git(place, 'ls-tree', 'HEAD', 'lib'), link)
      assert.equal(git(place, '-C', 'lib', 'status', '--porcelain', '--branch'), lib)
      assert.equal(git(place, 'status', '--porcelain'), '')
      assert.equal((await works(place, ['replay']))['equal'], true)
    })

    test('with LFS objects at hand: a task reads them, and what belongs to LFS does not become a plain file', async (t) => {
      const attempts = [
        [call('write', { path: 'assets/a.bin', content: 'small' }), call('write', { path: 'assets/b.bin', content: 'new\n' }), ...MENDS],
        [
          call('patch', { diff: '--- a/assets/b.bin\n+++ /dev/null\n@@ -1 +0,0 @@\n-new\n' }),
          call('submit', { title: 'fix: add adds', summary: 'It subtracted.' }),
        ],
      ]
      const server = await startScriptedServer((request) => {
        const { turn, feedback } = turnOf(request)
        return attempts[feedback === null ? 0 : 1]?.[turn - 1] as ScriptedAnswer
      })
      t.after(() => server.close())
      const place = makePlace(t, FILES, server)
      writeFiles(place.repository, { [addPointer(place)]: LARGE.toString(), 'assets/a.bin': LARGE.toString() })
      await mends(place)
      assert.match(JSON.stringify(server.requests[1]?.messages.at(-1)), /path\.denied/)
      assert.match(turnOf(server.requests.at(-1) as never).feedback ?? '', /assets\/b\.bin is kept outside of this repository/)
      assert.equal(git(place, 'diff', '--name-only', 'HEAD~2', 'HEAD', '--', '.', ':!.vp'), 'src/add.js')
      assert.ok(readFileSync(join(place.repository, 'assets/a.bin')).equals(LARGE))
    })
  })

  interface Disk {
    /** Where this process sees what `vp` sees at `path`. */
    seen(path: string): string
    launch(cwd: string): readonly string[]
    fill(): void
    free(): void
  }

  /** A real disk of `megabytes` at `at`, in a mount namespace of its own; null where nobody may make one. */
  async function smallDisk(t: Cleanup, at: string, megabytes: number): Promise<Disk | null> {
    mkdirSync(at, { recursive: true })
    for (const [unshare, enter] of [
      [['-m'], ['-m']],
      [['-Urm'], ['-U', '--preserve-credentials', '-m']],
    ] as const) {
      const script = 'mount -t tmpfs -o size="$1",mode=0755 none "$2" && echo ready && exec cat'
      const holder = spawn('unshare', [...unshare, 'sh', '-c', script, 'sh', `${megabytes}m`, at], { stdio: ['pipe', 'pipe', 'ignore'] })
      const isReady = await new Promise((resolve) => {
        holder.stdout.once('data', () => resolve(true))
        holder.once('error', () => resolve(false))
        holder.once('close', () => resolve(false))
      })
      if (!isReady) continue
      t.after(() => void holder.kill('SIGKILL'))
      const seen = (path: string) => `/proc/${holder.pid}/root${path}`
      const filler = seen(join(at, 'filler'))
      return {
        seen,
        launch: (cwd) => ['nsenter', '-t', String(holder.pid), ...enter, 'sh', '-c', 'cd "$0" && exec "$@"', cwd, VP],
        fill: () => void spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4k'], { stdio: 'ignore' }),
        free: () => rmSync(filler, { force: true }),
      }
    }
    return null
  }

  const NO_DISK = { skip: process.platform === 'linux' ? false : 'mount namespaces are Linux' }
  const PATCH = [
    '--- a/src/add.js',
    '+++ b/src/add.js',
    '@@ -1 +1,2 @@',
    '-export const add = (a, b) => a - b',
    '+export const add = (a, b) => a + b',
    '+// mended',
    '',
  ]

  describe('a disk that is full', { concurrency: 2, ...NO_DISK }, () => {
    const skipped = 'this machine lets nobody make a mount namespace'

    test('beneath the tree during a patch: all of it is taken back, and with room it is applied', async (t) => {
      const place = makePlace(t, FILES)
      const disk = await smallDisk(t, join(place.root, 'disk'), 4)
      if (!disk) return t.skip(skipped)
      const cwd = join(place.root, 'disk', 'repository')
      cpSync(place.repository, disk.seen(cwd), { recursive: true })
      const there = { ...place, repository: disk.seen(cwd) }
      const lines = Array.from({ length: 40_000 }, (_, n) => `+// line ${n}, which is long enough to fill the disk`)
      const patch = [...PATCH.slice(0, -1), '--- /dev/null', '+++ b/src/large.js', `@@ -0,0 +1,${lines.length} @@`, ...lines, ''].join('\n')
      writeFileSync(join(place.root, 'fix.diff'), patch)
      // Room for the first file and for some of the second.
      writeFileSync(disk.seen(join(place.root, 'disk', 'ballast')), Buffer.alloc(2_500_000))
      const apply = ['fs', 'patch', join(place.root, 'fix.diff'), '--apply']
      await refuses(there, apply, { code: 'store.full', says: /"df","-h"/, launch: disk.launch(cwd), cwd: place.root })
      rmSync(disk.seen(join(place.root, 'disk', 'ballast')))
      await works(there, apply, { launch: disk.launch(cwd), cwd: place.root })
      assert.match(readFileSync(join(there.repository, 'src/add.js'), 'utf8'), /a \+ b/)
      await works(place, ['verify'])
    })

    test('beneath the ledger during a patch: what has no receipt has not happened', async (t) => {
      const place = makePlace(t, FILES)
      const disk = await smallDisk(t, place.state, 8)
      if (!disk) return t.skip(skipped)
      const options = { launch: disk.launch(place.repository) }
      const there = { ...place, state: disk.seen(place.state) }
      writeFileSync(join(place.root, 'fix.diff'), PATCH.join('\n'))
      const apply = ['fs', 'patch', join(place.root, 'fix.diff'), '--apply']
      await works(there, ['fs', 'read', 'src/add.js'], options)
      // SQLite follows the link in /proc to the wrong disk, so a copy is read.
      const kept = (name: string) => {
        cpSync(there.state, join(place.root, name), { recursive: true })
        return held({ ...place, state: join(place.root, name) })
      }
      const rows = kept('before')
      disk.fill()
      await refuses(there, apply, { code: 'store.full', says: /"df","-h"/, blind: true, ...options })
      disk.free()
      assert.deepEqual(kept('after'), rows)
      await works(there, apply, options)
      assert.match(readFileSync(join(place.repository, 'src/add.js'), 'utf8'), /a \+ b/)
      await works(there, ['verify'], options)
      await works(there, ['undo', '--yes'], options)
      assert.equal(readFileSync(join(place.repository, 'src/add.js'), 'utf8'), FILES['src/add.js'])
    })

    test('beneath a run: it stops with the code, and goes on when there is room', async (t) => {
      const now: { disk?: Disk } = {}
      const server = await startScriptedServer((request, n) => {
        if (n === 2) now.disk?.fill()
        return MENDS[turnOf(request).turn - 1] ?? { text: 'nothing is left to do' }
      })
      t.after(() => server.close())
      const place = makePlace(t, FILES, server)
      const disk = await smallDisk(t, place.state, 16)
      if (!disk) return t.skip(skipped)
      now.disk = disk
      const options = { launch: disk.launch(place.repository) }
      const there = { ...place, state: disk.seen(place.state) }
      const files = manifest(place)
      const ended = await vpJson(there, ['do', GOAL], options)
      assert.equal(ended.doc.error?.code, 'store.full', JSON.stringify(ended.doc))
      assert.equal(ended.code, CODES['store.full'].exit)
      assert.ok(ended.doc.error.next.length > 0)
      isSame(manifest(place), files, 'after vp do')
      disk.free()
      assert.equal((await works(there, ['resume'], options))['status'], 'completed')
      await works(there, ['complete'], options)
      assert.match(readFileSync(join(place.repository, 'src/add.js'), 'utf8'), /a \+ b/)
      await works(there, ['verify'], options)
    })
  })
})

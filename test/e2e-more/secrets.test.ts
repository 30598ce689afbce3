/**
 * A secret planted wherever text comes from, looked for wherever text leaves: what the model is asked, what is printed, the
 * ledger, the papers and the commits of a run, and the bundle. And what a placeholder is worth to whoever holds it.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { bodiesOf, type BodyRow } from '../../src/models/kept-body.ts'
import { startScriptedServer, type ScriptedAnswer, type WireRequest } from '../../src/models/scripted-server.ts'
import { call, git, makePlace, vp, vpJson, type Place } from '../e2e/kit.ts'
import { openRpc } from '../e2e/rpc-client.ts'

// Put together here, so that no scanner takes this file for a leak.
const part = (seed: string): string => `${seed}Zk3Q9xW7bR2mT5vY8cN1pL4s`
const IN_FILE = `file${part('A')}`
const IN_DOTENV = `dotenv-${part('B')}`
const IN_CONFIGURED = `configured ${part('C')}`
const IN_ENVIRONMENT = `environment-${part('D')}`
const IN_GOAL = ['gh', 'p_', part('E'), part('F')].join('').slice(0, 40)
const PLANTED = { IN_FILE, IN_DOTENV, IN_CONFIGURED, IN_ENVIRONMENT, IN_GOAL }

const FILES = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  '.gitignore': '.env\n',
  'src/add.js': 'export const add = (a, b) => a - b\n',
  'src/settings.js': `export const settings = {\n  region: 'north',\n  apiToken: '${IN_FILE}',\n}\n`,
  'tools/print.js': `import { settings } from '../src/settings.js'\nconsole.log('token', settings.apiToken, process.argv.slice(2).join(' '))\nconsole.log('${IN_DOTENV}', '${IN_CONFIGURED}', '${IN_ENVIRONMENT}')\n`,
  'test/add.test.js': `import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from '../src/add.js'\n\ntest('adds', () => assert.equal(add(2, 3), 5, '${IN_CONFIGURED}'))\n`,
}

const lastTool = (request: WireRequest): string => request.messages.findLast((message) => message.role === 'tool')?.content ?? ''

interface Seen {
  readonly place: Place
  readonly requests: readonly WireRequest[]
  /** What the model was told after each of its calls. */
  readonly told: readonly string[]
}

/** One `vp do` whose model makes these calls. */
async function done(
  t: { after(fn: () => void): void },
  script: (told: readonly string[]) => ScriptedAnswer,
  options: { readonly lane?: string; readonly exit?: number; readonly goal?: string } = {},
): Promise<Seen> {
  const told: string[] = []
  const server = await startScriptedServer((request) => {
    if (lastTool(request) !== '') told.push(lastTool(request))
    return script(told)
  })
  t.after(() => void server.close())
  const place = makePlace(t, FILES, server, { DEPLOY_TOKEN: IN_ENVIRONMENT })
  writeFileSync(join(place.repository, '.env'), `PORT=3000\nDB_PASSWORD=${IN_DOTENV}\n`)
  const config = join(place.env['HOME'] as string, '.config', 'vp')
  mkdirSync(join(config, 'lanes'), { recursive: true })
  writeFileSync(join(config, 'values.env'), `VAULT="${IN_CONFIGURED}"\n`)
  writeFileSync(join(config, 'config.json'), JSON.stringify({ secrets: { files: ['~/.config/vp/values.env'] } }))
  if (options.lane) writeFileSync(join(config, 'lanes', 'code-impl.yaml'), options.lane)
  const { code, stdout, stderr } = await vp(place, ['do', options.goal ?? `fix the failing test, the key is ${IN_GOAL}`, '--yes'])
  assert.equal(code, options.exit ?? 0, stdout + stderr)
  clean('what vp do printed', stdout + stderr)
  return { place, requests: server.requests, told }
}

function clean(where: string, text: string, planted: Partial<typeof PLANTED> = PLANTED): void {
  for (const [name, value] of Object.entries(planted))
    assert.ok(!text.includes(value), `${name} in ${where}: ${text.slice(Math.max(0, text.indexOf(value) - 200), text.indexOf(value) + 80)}`)
}

const steps =
  (...answers: readonly ScriptedAnswer[]) =>
  (told: readonly string[]): ScriptedAnswer =>
    answers[Math.min(told.length, answers.length - 1)] as ScriptedAnswer

const FIX = call('edit', { path: 'src/add.js', old: 'a - b', new: 'a + b' })
const SUBMIT = call('submit', { title: `fix: add adds ${IN_GOAL}`, summary: `It subtracted. ${IN_CONFIGURED}` })

/** Every text in the ledger but what the model itself said, which a replay needs as it was. */
function ledgerText(place: Place): string {
  const db = new DatabaseSync(join(place.state, 'ledger.db'), { readOnly: true })
  try {
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all() as { name: string }[]
    return tables
      .flatMap(({ name }) =>
        db
          .prepare(`SELECT * FROM "${name}"`)
          .all()
          .map((row) => JSON.stringify({ ...row, response: null })),
      )
      .concat(keptText(db))
      .join('\n')
  } finally {
    db.close()
  }
}

/** Requests and bodies, which lie there deflated. */
function keptText(db: DatabaseSync): string[] {
  const rows = db.prepare('SELECT sha, base, head, tail, added FROM kept_bodies ORDER BY n').all() as unknown as BodyRow[]
  const texts = [...bodiesOf(rows).values()].map((body) => body?.toString('utf8') ?? '')
  assert.ok(texts.length > 0 && texts.every((text) => text.includes('"messages"')))
  return texts
}

/** Texts that a run leaves on the disk, without the files themselves. */
function papers(directory: string): string {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(?:json|jsonl|log|txt)$/.test(name) && !name.includes('repository.git'))
    .map((name) => readFileSync(join(directory, name), 'utf8'))
    .join('\n')
}

test('a planted secret is nowhere that text leaves', async (t) => {
  const { place, requests, told } = await done(
    t,
    steps(
      call('read', { path: 'src/settings.js' }),
      call('read', { path: 'src/settings.js', from: 3, to: 3 }),
      call('search', { query: 'apiToken' }),
      call('search', { query: IN_FILE.slice(0, 8), glob: 'src/*' }),
      call('run', { argv: ['node', 'tools/print.js', 'x'] }),
      call('read', { path: 'tools/print.js' }),
      call('test', {}),
      call('edit', { path: 'src/settings.js', old: "'[REDACTED:ENV_SECRET:1]',", new: "'[REDACTED:ENV_SECRET:1]', // kept" }),
      call('run', { argv: ['node', 'tools/print.js', '[REDACTED:ENV_SECRET:1]'] }),
      FIX,
      SUBMIT,
    ),
  )
  for (const request of requests) clean('a request', JSON.stringify(request))
  const [read = '', part = '', search = '', spelled = '', run = '', source = '', tests = '', edited = '', refused = ''] = told
  assert.match(read, /apiToken: '\[REDACTED:ENV_SECRET:1\]'/)
  assert.equal(part.trim(), "apiToken: '[REDACTED:ENV_SECRET:1]',")
  assert.match(search, /src\/settings\.js:3: .*\[REDACTED:ENV_SECRET:1\]/)
  assert.equal(spelled, 'No match.', 'a search does not spell a value out')
  assert.match(run, /token .*\[REDACTED/)
  assert.match(run, /\[REDACTED:DB_PASSWORD:1\] \[REDACTED:VAULT:1\] \[REDACTED:DEPLOY_TOKEN:1\]/)
  assert.match(source, /'\[REDACTED:DB_PASSWORD:1\]', '\[REDACTED:VAULT:1\]'/, 'the same values, the same placeholders')
  assert.match(tests, /\[REDACTED:VAULT\]/, 'a measurement is the same for every attempt')
  assert.match(edited, /changed at line 3/)
  assert.match(refused, /policy\.denied: \[REDACTED:ENV_SECRET:1\] stands for a value that stays with the person.*\n.*\n?Rule: code-impl\/secrets/s)
  assert.equal(git(place, 'show', 'HEAD:src/settings.js').split('\n')[2], `  apiToken: '${IN_FILE}', // kept`)
  clean('the commits', git(place, 'log', '--format=%B', '-3'))

  clean('the ledger', ledgerText(place))
  clean('the papers', papers(place.state))
  for (const args of [
    ['status'],
    ['logs', '--tail', '500'],
    ['validate'],
    ['git', 'pr'],
    ['egress', 'show'],
    ['config', 'show'],
    ['doctor'],
    ['replay'],
    ['verify'],
    ['fs', 'read', 'src/settings.js'],
    ['search', 'VAULT'],
    ['run', 'test'],
    ['git', 'commit', '-m', IN_GOAL],
    ['egress', 'show', IN_GOAL, '--debug'],
    ['fs', 'read', `x/${IN_GOAL}`, '--debug'],
    [IN_GOAL],
    ['fs', 'patch', `${IN_CONFIGURED}.diff`, '--debug'],
  ])
    for (const json of [[], ['--json']]) {
      const { stdout, stderr } = await vp(place, [...args, ...json])
      clean(`vp ${args[0]} ${args[1] ?? ''} ${json.join('')}`, stdout + stderr)
    }
  // A value that only a file's own name for it tells is masked where that file was read; by hand, each command reads anew.
  const { IN_FILE: _, ...known } = PLANTED
  const printed = await vp(place, ['run', 'exec', '--', 'node', 'tools/print.js', 'y'])
  assert.equal(printed.code, 0, printed.stderr)
  clean('vp run exec', printed.stdout + printed.stderr, known)
  const replayed = await vpJson(place, ['replay'])
  assert.equal(replayed.doc.result?.['equal'], true, 'the same numbers again')
  const bundle = await vpJson(place, ['export'])
  const lines = gunzipSync(readFileSync(String(bundle.doc.result?.['path'])))
    .toString('utf8')
    .split('\n')
  const own = lines.filter((line) => line !== '' && !line.startsWith('{"pack"')).map((line) => JSON.stringify(withoutAnswer(JSON.parse(line) as object)))
  clean('the bundle, but for the tree and the model’s own words', own.join('\n'))
})

function withoutAnswer(line: object): object {
  return 'exchange' in line ? { exchange: { ...(line.exchange as object), answer: null } } : line
}

const LANE = (restore: boolean): string =>
  `lane: Code-Impl\nsecrets: { restore: ${restore} }\ncommands:\n  allow:\n    - [node, '*.js', '*']\n    - { argv: [node, '-e', '*'], effect: ask }\n`

const RESTORING: readonly (readonly [title: string, lane: string | undefined, argv: readonly string[], want: RegExp])[] = [
  ['no lane says so', undefined, ['node', 'tools/argv.js', '[REDACTED:ENV_SECRET:1]'], /policy\.denied: .*gives such values to no command/],
  ['the lane says no', LANE(false), ['node', 'tools/argv.js', '[REDACTED:ENV_SECRET:1]'], /policy\.denied: .*gives such values to no command/],
  [
    'the lane says yes',
    LANE(true),
    ['node', 'tools/argv.js', '--key=[REDACTED:ENV_SECRET:1]'],
    /^exit 0\nlength 35\n--key=\[REDACTED:ENV_SECRET:1\] .*\[REDACTED:ENV_SECRET:\d\]=\n$/,
  ],
  ['a placeholder that was never given', LANE(true), ['node', 'tools/argv.js', '[REDACTED:ENV_SECRET:9]'], /stands for nothing that this task was shown/],
  ['a placeholder as the program', LANE(true), ['[REDACTED:ENV_SECRET:1]', 'x'], /cannot name the program/],
]
for (const [title, lane, argv, want] of RESTORING)
  test(`a placeholder in a command: ${title}`, async (t) => {
    const files = call('write', {
      path: 'tools/argv.js',
      content:
        "const [value] = process.argv.slice(2)\nconsole.log('length', value.length)\nconsole.log(value, Buffer.from(value.slice(6)).toString('base64'))\n",
    })
    const { place, told } = await done(t, steps(call('read', { path: 'src/settings.js' }), files, call('run', { argv: [...argv] }), FIX, SUBMIT), {
      ...(lane === undefined ? {} : { lane }),
      goal: 'fix the failing test',
    })
    assert.match(told[2] ?? '', want)
    clean('the ledger', ledgerText(place))
    assert.equal((await vpJson(place, ['replay'])).doc.result?.['equal'], true)
  })

test('a configured file that is not there is said, and nothing runs', async (t) => {
  const place = makePlace(t, FILES)
  const config = join(place.env['HOME'] as string, '.config', 'vp')
  mkdirSync(config, { recursive: true })
  writeFileSync(join(config, 'config.json'), JSON.stringify({ secrets: { files: ['~/gone.env'] } }))
  const { code, stderr } = await vp(place, ['fs', 'read', 'src/add.js'])
  assert.equal(code, 2)
  assert.match(stderr, /config\.invalid: secrets\.files: ~\/gone\.env cannot be read, so its values could not be masked/)
})

test('raw shows bytes to a client with secrets.read and to no other; neither receipt nor log has them', async (t) => {
  const value = 'abcdefghijkl1234567'
  const place = makePlace(t, {
    'package.json': `${JSON.stringify({ name: 'conf', type: 'module', scripts: { test: 'node --test', lint: 'node tools/say.js' } })}\n`,
    'src/conf.js': `export const API_TOKEN = '${value}'\n`,
    'tools/say.js': "import { API_TOKEN } from '../src/conf.js'\nconsole.log('API_TOKEN=' + API_TOKEN)\n",
    'test/conf.test.js':
      "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { API_TOKEN } from '../src/conf.js'\ntest('conf', () => assert.fail('API_TOKEN=' + API_TOKEN))\n",
  })
  const raw = { path: 'src/conf.js', raw: true }
  const without = openRpc(t, place)
  const refused = await without.request('fs.read', raw)
  assert.deepEqual([refused.error?.data.code, refused.error?.data['rule']], ['policy.scope', 'scope/secrets.read'])
  assert.match(JSON.stringify((await without.request('fs.read', { path: 'src/conf.js' })).result), /REDACTED/)
  const client = openRpc(t, place, {
    args: ['--scope', 'fs.read', '--scope', 'search', '--scope', 'secrets.read', '--scope', 'git.read', '--scope', 'run.exec'],
  })
  assert.equal((await client.request('fs.read', raw)).result?.['content'], `export const API_TOKEN = '${value}'\n`)
  assert.match(JSON.stringify((await client.request('search.code', { query: 'API_TOKEN', raw: true })).result), new RegExp(value))
  assert.match(JSON.stringify((await client.request('git.show', { ref: 'HEAD', raw: true })).result), new RegExp(value))
  assert.match(JSON.stringify((await client.request('fs.read', { path: 'src/conf.js' })).result), /REDACTED/, 'only where it is asked for')
  for (const [method, params] of [
    ['run.exec', { argv: ['node', 'tools/say.js'] }],
    ['run.lint', {}],
    ['run.test', {}],
  ] as const) {
    const answer = async (more: object) => JSON.stringify((await client.request(method, { ...params, ...more })).result)
    assert.match(await answer({ raw: true }), new RegExp(value), method)
    assert.match(await answer({}), /API_TOKEN=\[REDACTED/, `${method}: what raw measured is not kept for others`)
    assert.match(await answer({ raw: true }), new RegExp(value), `${method}: nor are others answered to raw`)
  }
  await client.end()
  const ledger = Buffer.concat(
    ['ledger.db', 'ledger.db-wal']
      .map((name) => join(place.state, name))
      .filter(existsSync)
      .map((file) => readFileSync(file)),
  )
  assert.equal(ledger.includes(value), false)
})

test('with on_hit = halt nothing that holds a masked secret leaves without a yes, and a yes is for these secrets', async (t) => {
  const server = await startScriptedServer((request) => {
    const told = request.messages.filter((message) => message.role === 'tool').length
    return [
      call('read', { path: 'src/add.js' }),
      call('read', { path: 'src/settings.js' }),
      FIX,
      call('test', {}),
      call('submit', { title: 'fix: add', summary: 'It subtracted.' }),
    ][told] as ScriptedAnswer
  })
  t.after(() => void server.close())
  const place = makePlace(t, FILES, server)
  const config = join(place.env['HOME'] as string, '.config', 'vp')
  mkdirSync(config, { recursive: true })
  writeFileSync(join(config, 'config.json'), JSON.stringify({ secrets: { on_hit: 'halt' } }))
  const halted = await vpJson(place, ['do', 'fix the failing test', '--yes'])
  assert.equal(halted.code, 5)
  assert.equal(server.requests.length, 2, 'the third would have held what the second call read')
  const status = (await vpJson(place, ['status'])).doc.result as Record<string, unknown> | undefined
  const [pending] = (status?.['approvals'] ?? []) as { approval: string; wants: string }[]
  assert.match(pending?.wants ?? '', /with secrets masked: ENV_SECRET/)
  const approved = await vp(place, ['approve', pending?.approval ?? '', '--for', 'run'])
  assert.equal(approved.code, 0, approved.stdout + approved.stderr)
  const resumed = await vp(place, ['resume'])
  assert.equal(resumed.code, 0, resumed.stdout + resumed.stderr)
  assert.match(git(place, 'log', '-2', '--format=%s'), /fix: add/)
  for (const request of server.requests) clean('a request', JSON.stringify(request))
})

test('what a plan was made of left too, and is shown before the calls of its run', async (t) => {
  const server = await startScriptedServer((request) => {
    const asked = request.messages.at(-1)?.content ?? ''
    if (asked.startsWith('Which questions')) return { text: '{"questions":[]}' }
    if (asked.startsWith('Split the work'))
      return { text: '{"tasks":[{"title":"Fix add","lane":"Code-Impl","complexity":"simple","deps":[],"files":["src/add.js"]}]}' }
    const told = request.messages.filter((message) => message.role === 'tool').length
    return [FIX, call('test', {}), call('submit', { title: 'fix: add', summary: 'It subtracted.' })][told] as ScriptedAnswer
  })
  t.after(() => void server.close())
  const place = makePlace(
    t,
    { ...FILES, 'PRD.md': `# Cart\n\nadd() must add. The key is ${IN_GOAL}\n`, 'again.md': `# Cart\n\nadd() adds. The key is ${IN_GOAL}\n` },
    server,
  )
  for (const args of [
    ['new', '--name', 'cart'],
    ['plan', '--from-prd', 'PRD.md'],
    ['plan', '--from-prd', 'again.md'],
    ['estimate'],
    ['approve', '--budget-usd', '1', '--no-input'],
    ['start'],
  ])
    assert.equal((await vp(place, args)).code, 0, args.join(' '))
  const shown = await vpJson(place, ['egress', 'show'])
  const calls = ((shown.doc.result as Record<string, unknown> | undefined)?.['calls'] ?? []) as {
    task: string
    masked: number
    proved: boolean
  }[]
  assert.equal(shown.code, 0)
  assert.deepEqual(
    calls.map(({ task }) => task),
    ['plan', 'plan', 'plan', 'plan', 'T1', 'T1', 'T1'],
    'the plan that was made before it too',
  )
  assert.equal(server.requests.length, 7)
  assert.ok(calls.every(({ proved }) => proved))
  assert.ok(calls.filter(({ task }) => task === 'plan').every(({ masked }) => masked > 0))
  clean('the bytes', JSON.stringify(shown.doc))
})

/** `vp git pr` against scripted forges over real HTTP and a real push: opened once, found again, refused in words. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { startForge, TOKEN, type ForgeServer, type Kind } from '../e2e/forge-server.ts'
import { approvedProject, git, receiptsOf, turnOf, vp, vpJson, type Cleanup, type Place } from '../e2e/kit.ts'
import { openRpc } from '../e2e/rpc-client.ts'
import { wordsFiles, wordsModel } from '../e2e/words.ts'

const cleanups: (() => void)[] = []
const all: Cleanup = { after: (fn) => cleanups.push(fn) }
let place: Place
let runId = ''

before(async () => {
  const server = await startScriptedServer((request) => wordsModel(turnOf(request)))
  all.after(() => server.close())
  place = await approvedProject(all, wordsFiles(1), server)
  assert.equal((await vp(place, ['start'])).code, 0)
  runId = git(place, 'for-each-ref', '--format=%(refname:short)', 'refs/heads/vp/').replace('vp/', '')
})
after(() => {
  for (const fn of cleanups.toReversed()) fn()
})

const VARIABLE = { github: 'GH_ENTERPRISE_TOKEN', gitlab: 'GITLAB_TOKEN', gitea: 'GITEA_TOKEN' } as const

interface Setting {
  readonly forge: ForgeServer
  readonly env: Readonly<Record<string, string>>
}

/** The forge as `origin`, named in the user's configuration, its token in the environment. */
async function setting(t: Cleanup, kind: Kind, more: object = {}): Promise<Setting> {
  const forge = await startForge(t, join(place.root, `${kind}-${Math.random().toString(36).slice(2)}`), kind)
  git(place, 'config', 'remote.origin.url', forge.repositoryUrl)
  configure({ forges: [{ host: forge.host, kind, ...more }] })
  return { forge, env: { [VARIABLE[kind]]: TOKEN } }
}

function configure(value: object): void {
  const directory = join(place.env['HOME'] as string, '.config', 'vp')
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'config.json'), JSON.stringify(value))
}

/** The question, a person's yes, and the same call again. */
async function sent(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Awaited<ReturnType<typeof vpJson>>> {
  const asked = await vpJson(place, ['git', 'pr', ...args], { env })
  assert.equal(asked.code, 5, JSON.stringify(asked.doc))
  assert.equal((await vpJson(place, ['approve', asked.doc.error?.approval ?? '', '--for', 'call'])).code, 0)
  return vpJson(place, ['git', 'pr', ...args], { env })
}

for (const kind of ['github', 'gitlab', 'gitea'] as const)
  test(`${kind}: opened once, found again, as a draft with another title`, async (t) => {
    const { forge, env } = await setting(t, kind)
    const asked = await vpJson(place, ['git', 'pr'], { env })
    assert.deepEqual([asked.code, asked.doc.error?.code], [5, 'approval.needed'])
    assert.deepEqual([forge.seen.length, existsSync(join(forge.bare, 'refs', 'heads', 'vp'))], [0, false], 'nothing is sent before the yes')
    const { code, doc } = await sent([], env)
    assert.equal(code, 0, JSON.stringify(doc))
    const { state, number, url, title, body, head, base } = doc.result as unknown as Record<string, string | number>
    assert.deepEqual([state, number, head, base], ['opened', 1, `vp/${runId}`, 'main'])
    assert.ok(String(url).startsWith(`http://${forge.host}/team/words/`))
    assert.equal(
      execFileSync('git', ['--git-dir', forge.bare, 'rev-parse', `vp/${runId}`], { encoding: 'utf8' }).trim(),
      git(place, 'rev-parse', `vp/${runId}`),
    )
    const [pull] = forge.pulls
    assert.deepEqual([pull?.title, pull?.body, pull?.head, pull?.base, pull?.draft], [title, body, `vp/${runId}`, 'main', false])
    assert.match(pull?.body ?? '', /^\| T1 \| test_pass_rate \| 1\.00 \| >= 0\.90 \| holds \|$/m)
    assert.match(pull?.body ?? '', /^- \d+ receipts, ledger head `[0-9a-f]{64}`/m)
    assert.match(pull?.body ?? '', /^- passport `[0-9a-f]{64}`/m)
    assert.ok(!pull?.body.includes(place.root), 'no path of this machine')
    const again = await sent([], env)
    assert.deepEqual([again.doc.result?.['state'], again.doc.result?.['number'], forge.pulls.length], ['found', 1, 1])
    if (pull) pull.open = false
    const draft = await sent(['--draft', '--title', 'Another title'], env)
    assert.deepEqual([draft.doc.result?.['state'], draft.doc.result?.['number'], forge.pulls[1]?.draft], ['opened', 2, true], JSON.stringify(draft.doc))
    assert.match(forge.pulls[1]?.title ?? '', /^(Draft: |WIP: )?Another title$/)
    const everything = JSON.stringify([doc, again.doc, draft.doc, await receiptsOf(place)]) + readFileSync(join(place.state, 'ledger.db'), 'latin1')
    assert.ok(!everything.includes(TOKEN), 'the token is in no answer and no receipt')
  })

test('two at once: what the forge calls a twin is found', async (t) => {
  const { forge, env } = await setting(t, 'github')
  let looks = 0
  forge.instead = ({ method }) => {
    if (method !== 'GET' || ++looks > 1) return null
    forge.pulls.push({ number: 7, title: 't', body: '', head: `vp/${runId}`, base: 'main', draft: false, open: true })
    return { status: 200, body: [] }
  }
  const { doc } = await sent([], env)
  assert.deepEqual([doc.result?.['state'], doc.result?.['number']], ['found', 7], JSON.stringify(doc))
})

const REFUSED: [title: string, answer: ReturnType<NonNullable<ForgeServer['instead']>>, code: string, says: RegExp][] = [
  ['401', { status: 401, body: { message: 'Bad credentials' } }, 'forge.auth', /does not take the token from GH_ENTERPRISE_TOKEN/],
  ['403', { status: 403, body: { message: 'Resource not accessible by personal access token' } }, 'forge.auth', /may not open pull requests/],
  [
    '403 of a rate limit',
    { status: 403, headers: { 'x-ratelimit-remaining': '0' }, body: { message: 'API rate limit exceeded' } },
    'forge.rate_limited',
    /asks to wait/,
  ],
  ['404', { status: 404, body: { message: 'Not Found' } }, 'forge.refused', /shows this repository to nobody/],
  [
    '422',
    { status: 422, body: { message: 'Validation Failed', errors: [{ message: 'No commits between main and x' }] } },
    'forge.refused',
    /does not take this pull request/,
  ],
  ['429', { status: 429, headers: { 'retry-after': '60' }, body: {} }, 'forge.rate_limited', /asks to wait 60s/],
  ['500', { status: 500, body: 'oops' }, 'forge.failed', /failed/],
  ['502 with a page', { status: 502, headers: { 'content-type': 'text/html' }, body: '<html>' }, 'forge.failed', /failed/],
  ['200 without JSON', { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>log in</html>' }, 'forge.failed', /something else than JSON/],
  ['200 with other JSON', { status: 200, body: { hello: 1 } }, 'forge.failed', /something else than a pull request/],
  ['an address that is none', { status: 200, body: [{ number: 1, html_url: 'javascript:alert(1)' }] }, 'forge.failed', /something else than a pull request/],
  ['the token said back', { status: 401, body: { message: `no such token: ${TOKEN}` } }, 'forge.auth', /does not take/],
]
for (const [title, answer, code, says] of REFUSED)
  test(`a forge that answers ${title}: ${code}`, async (t) => {
    const { forge, env } = await setting(t, 'github')
    forge.instead = () => answer
    const { code: exit, doc } = await sent([], env)
    assert.deepEqual([exit, doc.error?.code], [9, code], JSON.stringify(doc))
    assert.match(doc.error?.message ?? '', says)
    assert.ok((doc.error?.next.length ?? 0) > 0, 'a next step')
    assert.ok(!JSON.stringify(doc).includes(TOKEN))
  })

test('a redirect is not followed, and the token does not go there', async (t) => {
  const stolen: unknown[] = []
  const thief = createServer((request, response) => {
    stolen.push(request.headers)
    response.end('[]')
  })
  await new Promise<void>((resolve) => thief.listen(0, '127.0.0.1', resolve))
  t.after(() => void thief.close())
  for (const status of [301, 302, 307, 308]) {
    const { forge, env } = await setting(t, 'github')
    const location = `http://127.0.0.1:${(thief.address() as AddressInfo).port}/${TOKEN}`
    forge.instead = () => ({ status, headers: { location }, body: {} })
    const { doc } = await sent([], env)
    assert.equal(doc.error?.code, 'forge.refused')
    assert.ok(!JSON.stringify(doc).includes(TOKEN))
  }
  assert.deepEqual(stolen, [])
})

test('a forge that is not there is said, and the branch is pushed', async (t) => {
  const { forge, env } = await setting(t, 'github', { api: 'http://127.0.0.1:1/api/v3' })
  const { code, doc } = await sent([], env)
  assert.deepEqual([code, doc.error?.code], [9, 'forge.failed'])
  assert.match(JSON.stringify(doc), /without a pull request/)
  assert.equal(execFileSync('git', ['--git-dir', forge.bare, 'for-each-ref', '--format=%(refname:short)'], { encoding: 'utf8' }).trim(), `vp/${runId}`)
})

test('the token of a command, and its failure', async (t) => {
  const printer = join(place.env['HOME'] as string, 'print-token')
  writeFileSync(printer, `#!/bin/sh\necho ${TOKEN}\n`, { mode: 0o755 })
  const { doc } = await (async () => {
    await setting(t, 'gitea', { token_command: ['~/print-token'] })
    return sent([], {})
  })()
  assert.equal(doc.result?.['state'], 'opened', JSON.stringify(doc))
  for (const [text, where] of [
    ['exit 3', printer],
    ['printf "a\\tb\\n"', printer],
    [`echo ${TOKEN}`, join(place.repository, 'planted')],
  ] as const) {
    writeFileSync(where, `#!/bin/sh\n${text}\n`, { mode: 0o755 })
    const { forge } = await setting(t, 'gitea', { token_command: [where] })
    const answer = await sent([], {})
    assert.deepEqual([answer.code, answer.doc.error?.code, forge.seen.length], [9, 'forge.auth', 0], JSON.stringify(answer.doc))
  }
})

const TEXT_ONLY: [title: string, url: string, env: Readonly<Record<string, string>>, note: RegExp, compare: RegExp | null][] = [
  [
    'no token',
    'https://github.com/team/words.git',
    {},
    /no token for github\.com: set GITHUB_TOKEN/,
    /^https:\/\/github\.com\/team\/words\/compare\/main\.\.\.vp\/[^?]+\?expand=1$/,
  ],
  [
    'no token, by ssh',
    'git@gitlab.com:group/sub/words.git',
    {},
    /set GITLAB_TOKEN/,
    /^https:\/\/gitlab\.com\/group\/sub\/words\/-\/merge_requests\/new\?merge_request%5Bsource_branch%5D=vp/,
  ],
  ['no token, Gitea', 'ssh://git@codeberg.org:2222/team/words', {}, /set GITEA_TOKEN/, /^https:\/\/codeberg\.org\/team\/words\/compare\/main\.\.\.vp\//],
  ['a host that only looks like one', 'https://gitlab.example.org/team/words', { GITLAB_TOKEN: TOKEN }, /no forge that vp knows/, null],
  ['a host that begins like one', 'https://github.com.example.org/team/words', { GITHUB_TOKEN: TOKEN }, /no forge that vp knows/, null],
  ['a user that looks like a host', 'https://github.com@example.org/team/words', { GITHUB_TOKEN: TOKEN }, /no forge that vp knows/, null],
  ['a path that climbs', 'https://github.com/team/..', { GITHUB_TOKEN: TOKEN }, /no forge that vp knows/, null],
  ['a remote that names a program', 'ext::sh -c x', { GITHUB_TOKEN: TOKEN }, /does not push/, null],
]
for (const [title, url, env, note, compare] of TEXT_ONLY)
  test(`text and exit 0: ${title}`, async () => {
    configure({})
    git(place, 'config', 'remote.origin.url', url)
    const { code, doc } = await vpJson(place, ['git', 'pr'], { env })
    assert.deepEqual([code, doc.result?.['state']], [0, 'text'], JSON.stringify(doc))
    assert.match(String(doc.result?.['note']), note)
    if (compare) assert.match(String(doc.result?.['compare_url']), compare)
    else assert.equal(doc.result?.['compare_url'], null)
    const printed = await vp(place, ['git', 'pr'], { env })
    assert.match(printed.stderr, /^note {2}not sent: /m)
    assert.doesNotMatch(printed.stdout, /not sent/)
  })

test('a dry run sends nothing; --offline says why not; a title is one line', async (t) => {
  const { forge, env } = await setting(t, 'github')
  const dry = await vpJson(place, ['git', 'pr', '--dry-run'], { env })
  assert.deepEqual([dry.code, dry.doc.result?.['state'], dry.doc.result?.['note'], forge.seen.length], [0, 'text', null, 0])
  configure({})
  git(place, 'config', 'remote.origin.url', 'https://github.com/team/words')
  const offline = await vpJson(place, ['git', 'pr', '--offline'], { env: { GITHUB_TOKEN: TOKEN } })
  assert.match(String(offline.doc.result?.['note']), /--offline/)
  for (const args of [['--title', 'a\nb'], ['--base', '--force'], ['--base', 'a b'], ['--force']])
    assert.equal((await vpJson(place, ['git', 'pr', ...args], { env })).code, 2, args.join(' '))
})

test('an API in clear text is refused before a token is sent', async () => {
  git(place, 'config', 'remote.origin.url', 'https://git.example.org/team/words')
  for (const api of ['http://git.example.org/api/v3', 'https://user:pass@git.example.org', 'nowhere']) {
    configure({ forges: [{ host: 'git.example.org', kind: 'github', api }] })
    assert.equal((await vpJson(place, ['git', 'pr'], { env: { GITHUB_TOKEN: TOKEN } })).doc.error?.code, 'config.invalid', api)
  }
  configure({})
})

test('no agent opens a pull request, and no caller without git.push', async (t) => {
  const { env } = await setting(t, 'github')
  const client = openRpc(t, place, { args: ['--scope', 'projects.view'], env })
  const { error } = await client.request('git.pr', {})
  assert.deepEqual([error?.data.code], ['policy.scope'])
  assert.ok((await client.request('git.pr', { dry_run: true })).result)
  await client.end()
})

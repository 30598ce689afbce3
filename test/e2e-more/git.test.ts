/**
 * `git.*`, `fs.diff` and their verbs on real repositories: what they read, what they write, and that nothing of a
 * hostile repository runs meanwhile.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { approvedProject, git, makePlace, turnOf, vp, vpJson, writeFiles, type Cleanup, type Place } from '../e2e/kit.ts'
import { openRpc, type RpcClient } from '../e2e/rpc-client.ts'
import { isSame, manifest, setTraps } from '../e2e/traps.ts'
import { WORDS_FILES, wordsModel } from '../e2e/words.ts'

const FILES = { 'a.txt': 'one\ntwo\nthree\n', 'src/b.txt': 'b\n', 'src/c.txt': 'c\n', 'gone.txt': 'x\n', 'run.sh': '#!/bin/sh\n', '.gitignore': '*.log\n' }

async function ok(client: RpcClient, method: string, params: unknown = {}): Promise<Record<string, never> & Record<string, unknown>> {
  const { result, error } = await client.request(method, params)
  assert.ok(result, `${method}: ${JSON.stringify(error)}`)
  return result
}

async function refusal(client: RpcClient, method: string, params: unknown): Promise<[code: number, name: string]> {
  const { error } = await client.request(method, params)
  assert.ok(error, `${method} ${JSON.stringify(params)} is refused`)
  return [error.code, error.data.code]
}

const head = (place: Place, ref = 'HEAD'): string => git(place, 'rev-parse', ref)

/** A bare repository beside the place, as `origin`. */
function makeRemote(place: Place, name = 'remote.git'): string {
  const remote = join(place.root, name)
  git(place, 'init', '-q', '--bare', '-b', 'main', remote)
  git(place, 'remote', 'add', 'origin', remote)
  return remote
}

/** The question is recorded; a person answers it at the terminal; the same call goes through. */
async function pushed(place: Place, args: readonly string[] = []): Promise<Awaited<ReturnType<typeof vpJson>>> {
  const asked = await vpJson(place, ['git', 'push', ...args])
  assert.equal(asked.code, 5, JSON.stringify(asked.doc))
  const approval = asked.doc.error?.approval
  assert.ok(approval, 'the question has an id')
  assert.equal((await vpJson(place, ['approve', approval, '--for', 'call'])).code, 0)
  return vpJson(place, ['git', 'push', ...args])
}

test('nothing of a hostile repository runs, whatever is read, committed or pushed', async (t) => {
  const place = makePlace(t, { ...FILES, 'drawing.bin': 'v1\n', '.gitattributes': '*.bin filter=evil\n*.txt diff=evil merge=evil\n' })
  const remote = makeRemote(place)
  const mark = setTraps(place)
  writeFiles(place.repository, { 'a.txt': 'one\n2\nthree\n', 'new.txt': 'new\n', 'drawing.bin': 'v2\n' })
  const before = manifest(place)
  const client = openRpc(t, place)
  const status = await ok(client, 'git.status')
  assert.deepEqual(status['files'], [
    { path: 'a.txt', staged: null, unstaged: 'modified' },
    { path: 'new.txt', staged: null, unstaged: 'untracked' },
  ])
  assert.deepEqual(status['uncompared'], ['drawing.bin'])
  for (const [method, params] of [
    ['git.diff', {}],
    ['git.diff', { staged: true }],
    ['git.diff', { ref: 'HEAD' }],
    ['git.diff', { ref: 'HEAD', to: 'main' }],
    ['git.log', {}],
    ['git.log', { path: 'a.txt' }],
    ['git.show', {}],
    ['git.show', { ref: 'HEAD', path: 'drawing.bin' }],
    ['git.branch', {}],
    ['fs.diff', {}],
  ] as const)
    await ok(client, method, params)
  isSame(manifest(place), before, 'after reading')
  assert.deepEqual(await refusal(client, 'git.commit', { message: 'm', paths: ['drawing.bin'] }), [-32602, 'workspace.unsupported'])
  isSame(manifest(place), before, 'after a refusal')
  const named = await ok(client, 'git.commit', { message: 'named', paths: ['a.txt', 'new.txt'] })
  await ok(client, 'git.branch', { name: 'other', switch: true })
  assert.equal((await client.end()).code, 0)
  assert.equal((await pushed(place, ['origin', 'other'])).code, 0)
  assert.equal(existsSync(mark), false, existsSync(mark) ? readFileSync(mark, 'utf8') : '')
  assert.equal(execFileSync('git', ['--git-dir', remote, 'rev-parse', 'other'], { encoding: 'utf8' }).trim(), named['sha'])
  const commit = git(place, 'cat-file', 'commit', String(named['sha']))
  assert.doesNotMatch(commit, /gpgsig/)
  assert.match(commit, /^author A\. Person <person@example\.org> /m)
  assert.throws(() => git(place, 'status'))
  assert.ok(existsSync(mark), 'the traps are real: plain git falls into them')
})

/** git tells seconds apart, so the trap needs all of it to happen in one (files' clocks lag), and the look at it in a later one. */
async function inOneSecond(body: () => Promise<void> | void): Promise<void> {
  await delay(1050 - (Date.now() % 1000))
  const second = Math.floor(Date.now() / 1000)
  await body()
  assert.equal(Math.floor(Date.now() / 1000), second, 'the machine was too slow for this test')
  await delay(1000 - (Date.now() % 1000))
}

test('a change of the same size in the same second is seen, before a commit and after it', async (t) => {
  const place = makePlace(t, FILES)
  const client = openRpc(t, place)
  const modified = [{ path: 'a.txt', staged: null, unstaged: 'modified' }]
  await ok(client, 'git.status')
  await inOneSecond(() => {
    writeFiles(place.repository, { 'a.txt': 'one\nTwo\nthree\n' })
    git(place, 'add', 'a.txt')
    git(place, 'commit', '-q', '-m', 'm')
    writeFiles(place.repository, { 'a.txt': 'one\nTWO\nthree\n' })
  })
  assert.deepEqual((await ok(client, 'git.status'))['files'], modified)
  assert.match(String((await ok(client, 'fs.diff'))['unified_diff']), /^\+TWO$/m)
  await inOneSecond(async () => {
    writeFiles(place.repository, { 'a.txt': 'one\ntwO\nthree\n' })
    await ok(client, 'git.commit', { message: 'm', paths: ['a.txt'] })
    writeFiles(place.repository, { 'a.txt': 'one\ntWo\nthree\n' })
  })
  assert.deepEqual((await ok(client, 'git.status'))['files'], modified)
  assert.equal((await client.end()).code, 0)
})

test('git.commit takes named paths and leaves what else is staged', async (t) => {
  const place = makePlace(t, FILES)
  writeFiles(place.repository, {
    'a.txt': 'changed\n',
    'src/b.txt': 'changed\n',
    'src/new.txt': 'new\n',
    'src/.env': 'KEY=1\n',
    'x.log': 'log\n',
    'staged.txt': 's\n',
  })
  rmSync(join(place.repository, 'gone.txt'))
  chmodSync(join(place.repository, 'run.sh'), 0o755)
  git(place, 'add', 'staged.txt')
  const client = openRpc(t, place)
  const base = head(place)
  const folder = await ok(client, 'git.commit', { message: 'src and more\n\nwhy\n', paths: ['src', 'gone.txt', 'run.sh'], signoff: true })
  assert.deepEqual([folder['branch'], folder['files'], folder['omitted']], ['main', 4, ['src/.env']])
  assert.equal(head(place), folder['sha'])
  assert.equal(head(place, 'HEAD^'), base)
  assert.equal(git(place, 'show', '--format=%B', '-s'), 'src and more\n\nwhy\n\nSigned-off-by: A. Person <person@example.org>\n'.trimEnd())
  assert.equal(
    git(place, 'show', '--format=', '--raw', '--no-renames', '--abbrev=4')
      .replace(/:(\d+ \d+) .* /g, '$1 ')
      .split('\n').length,
    4,
  )
  assert.deepEqual(git(place, 'status', '--porcelain').split('\n'), [' M a.txt', 'A  staged.txt', '?? src/.env'])
  assert.match(git(place, 'ls-tree', 'HEAD', 'run.sh'), /^100755 /)
  const staged = await ok(client, 'git.commit', { message: 'as staged' })
  assert.equal(staged['files'], 1)
  assert.equal(git(place, 'show', '--format=', '--name-only'), 'staged.txt')
  const again = await ok(client, 'git.commit', { message: 'all\n\nSigned-off-by: A. Person <person@example.org>', paths: ['.'], signoff: true })
  assert.deepEqual([again['files'], again['omitted']], [1, ['src/.env']])
  assert.equal(git(place, 'show', '--format=%B', '-s').match(/Signed-off-by/g)?.length, 1, 'nobody signs off twice')
  assert.equal(git(place, 'fsck', '--strict'), '')
  assert.match(git(place, 'reflog', '-1', '--format=%gs'), /^commit: all$/)
  await client.end()
})

test('git.commit refuses what it cannot do whole, and changes nothing', async (t) => {
  const place = makePlace(t, FILES)
  writeFiles(place.repository, { 'a.txt': 'changed\n', 'x.log': 'log\n', '.env': 'KEY=1\n' })
  const client = openRpc(t, place)
  const before = manifest(place)
  for (const [params, want] of [
    [{ message: 'm' }, [-32602, 'usage.params']],
    [{ message: '  \n' }, [-32602, 'usage.params']],
    [{ message: 'm', paths: ['src/b.txt'] }, [-32602, 'usage.params']],
    [{ message: 'm', paths: [] }, [-32602, 'usage.params']],
    [{ message: 'm', paths: ['nowhere.txt'] }, [-32004, 'path.not_found']],
    [{ message: 'm', paths: ['a.txt', 'x.log'] }, [-32004, 'path.not_found']],
    [{ message: 'm', paths: ['.env'] }, [-32001, 'path.denied']],
    [{ message: 'm', paths: ['../outside'] }, [-32001, 'path.denied']],
    [{ message: 'm', paths: ['/etc/passwd'] }, [-32001, 'path.denied']],
    [{ message: 'm', paths: ['.git/config'] }, [-32001, 'path.denied']],
    [{ message: 'm', paths: [':(glob)**'] }, [-32004, 'path.not_found']],
    [{ message: 'm', amend: true }, [-32602, 'usage.params']],
  ] as const)
    assert.deepEqual(await refusal(client, 'git.commit', params), want, JSON.stringify(params))
  isSame(manifest(place), before, 'after the refusals')

  writeFileSync(join(place.repository, '.git', 'index.lock'), '')
  assert.deepEqual(await refusal(client, 'git.commit', { message: 'm', paths: ['a.txt'] }), [-32003, 'workspace.busy'])
  assert.ok(existsSync(join(place.repository, '.git', 'index.lock')), 'the lock of another git stays')
  rmSync(join(place.repository, '.git', 'index.lock'))

  writeFileSync(join(place.repository, '.git', 'MERGE_HEAD'), `${head(place)}\n`)
  assert.deepEqual(await refusal(client, 'git.commit', { message: 'm', paths: ['a.txt'] }), [-32003, 'workspace.busy'])
  rmSync(join(place.repository, '.git', 'MERGE_HEAD'))

  git(place, 'checkout', '-q', '--detach')
  assert.deepEqual(await refusal(client, 'git.commit', { message: 'm', paths: ['a.txt'] }), [-32003, 'workspace.moved'])
  assert.deepEqual(await refusal(client, 'git.push', {}), [-32003, 'workspace.moved'])
  git(place, 'checkout', '-q', 'main')
  isSame(manifest(place), { ...before, ...timesOf(place, ['.git/HEAD', '.git/logs/HEAD']) }, 'at the end')
  await client.end()
})

/** Where our own checkout above left traces. */
function timesOf(place: Place, paths: readonly string[]): Record<string, string> {
  const now = manifest(place)
  return Object.fromEntries(paths.map((path) => [path, now[path] ?? '']))
}

test('the first commit of a repository, and from a folder of it, by the verb', async (t) => {
  const place = makePlace(t, FILES)
  const fresh = { ...place, repository: join(place.root, 'fresh') }
  mkdirSync(fresh.repository)
  git(fresh, 'init', '-q', '-b', 'trunk')
  git(fresh, 'config', 'user.name', 'A. Person')
  git(fresh, 'config', 'user.email', 'person@example.org')
  writeFiles(fresh.repository, { 'docs/a.md': 'a\n', 'docs/b.md': 'b\n' })
  const first = await vpJson(fresh, ['git', 'commit', '-m', 'docs: start', 'a.md'], { cwd: join(fresh.repository, 'docs') })
  assert.equal(first.code, 0, JSON.stringify(first.doc))
  assert.equal(git(fresh, 'ls-tree', '-r', '--name-only', 'trunk'), 'docs/a.md')
  assert.deepEqual(git(fresh, 'status', '--porcelain').split('\n'), ['?? docs/b.md'])
  const nobody = await vpJson(fresh, ['git', 'commit', '-m', 'x', 'docs'], { env: { HOME: fresh.root } })
  assert.equal(nobody.code, 0)
  git(fresh, 'config', '--unset', 'user.email')
  writeFiles(fresh.repository, { 'docs/b.md': 'bb\n' })
  const who = await vpJson(fresh, ['git', 'commit', '-m', 'x', 'docs'])
  assert.deepEqual([who.code, who.doc.error?.code], [2, 'usage.identity'])
})

test('git.log, git.show and git.diff say what git says, without secrets', async (t) => {
  const place = makePlace(t, { ...FILES, 'conf.txt': 'API_TOKEN=abcdefghijkl1234567\n' })
  writeFiles(place.repository, { 'a.txt': 'one\n2\nthree\n', '.env': 'PASSWORD=hunter2hunter2\n', 'conf.txt': 'API_TOKEN=zyxwvutsrqpo7654321\n' })
  git(place, 'add', '-f', '.')
  git(place, 'commit', '-q', '-m', 'second\n\nwith a body\nof two lines')
  const client = openRpc(t, place)
  const { commits } = (await ok(client, 'git.log')) as unknown as { commits: { sha: string; subject: string; body: string; parents: string[] }[] }
  assert.deepEqual(
    commits.map((commit) => [commit.sha, commit.subject, commit.body, commit.parents]),
    [
      [head(place), 'second', 'with a body\nof two lines', [head(place, 'HEAD^')]],
      [head(place, 'HEAD^'), 'start', '', []],
    ],
  )
  assert.deepEqual(((await ok(client, 'git.log', { max: 1 })) as unknown as { truncated: boolean }).truncated, true)
  assert.equal((await ok(client, 'git.log', { ref: 'HEAD^..HEAD', path: 'a.txt' }))['commits']?.['length'], 1)
  const shown = await ok(client, 'git.show', { ref: 'HEAD' })
  assert.deepEqual(shown['omitted'], ['.env'])
  assert.match(String(shown['unified_diff']), /^\+2$/m)
  const everything = JSON.stringify([shown, await ok(client, 'git.diff', { ref: 'HEAD^', to: 'HEAD' }), await ok(client, 'fs.diff', { ref: 'HEAD^' })])
  assert.doesNotMatch(everything, /hunter2|abcdefghijkl|zyxwvuts/)
  assert.match(everything, /\[REDACTED/)
  assert.equal((await ok(client, 'git.show', { ref: 'HEAD^', path: 'a.txt' }))['content'], FILES['a.txt'])
  assert.equal(
    (await ok(client, 'git.diff', { ref: 'HEAD^', to: 'HEAD', paths: ['a.txt'] }))['unified_diff'],
    `${git(place, 'diff', '--full-index', 'HEAD^', 'HEAD', '--', 'a.txt')}\n`,
  )
  for (const [method, params, code] of [
    ['git.show', { ref: 'HEAD', path: '.env' }, -32001],
    ['git.show', { ref: 'HEAD', path: 'nowhere' }, -32004],
    ['git.show', { ref: '--output=/tmp/x' }, -32003],
    ['git.show', { ref: 'HEAD:.env' }, -32003],
    ['git.show', { ref: 'nope' }, -32003],
    ['git.log', { ref: '--all' }, -32003],
    ['git.log', { path: '.git' }, -32001],
    ['git.diff', { paths: ['../x'] }, -32001],
    ['git.diff', { staged: true, to: 'HEAD' }, -32602],
    ['git.branch', { name: 'a..b' }, -32602],
    ['git.branch', { name: '-f' }, -32602],
    ['git.branch', { name: 'main' }, -32003],
    ['git.branch', { switch: true }, -32602],
  ] as const)
    assert.equal((await refusal(client, method, params))[0], code, `${method} ${JSON.stringify(params)}`)
  await client.end()
})

test('fs.diff is a patch that makes the commit into what lies on disk', async (t) => {
  const place = makePlace(t, { ...FILES, 'dos.bat': 'rem one\r\nrem two\r\n', '.gitattributes': '*.bat text eol=crlf\n' })
  assert.doesNotMatch(git(place, 'cat-file', 'blob', 'HEAD:dos.bat'), /\r/)
  writeFiles(place.repository, { 'a.txt': 'one\n2\nthree', 'deep/new file.txt': 'ä\n', 'dos.bat': 'rem one\r\nrem 2\r\n', 'x.log': 'ignored\n' })
  rmSync(join(place.repository, 'gone.txt'))
  git(place, 'add', 'a.txt')
  const client = openRpc(t, place)
  const { unified_diff } = (await ok(client, 'fs.diff')) as unknown as { unified_diff: string }
  assert.deepEqual(unified_diff.match(/^diff --git .*$/gm)?.length, 4)
  assert.match(unified_diff, /^-rem two\r$/m)
  assert.doesNotMatch(unified_diff, /^-rem one/m)
  assert.match(String((await ok(client, 'fs.diff', { path: 'deep' }))['unified_diff']), /^diff --git "?a\/deep\/new file\.txt/)
  const before = manifest(place)
  git(place, 'worktree', 'add', '-q', '--detach', join(place.root, 'clean'), 'HEAD')
  const clean = openRpc(t, { ...place, repository: join(place.root, 'clean') })
  assert.equal((await ok(clean, 'fs.patch', { unified_diff, apply: true }))['applied'], true)
  for (const path of ['a.txt', 'deep/new file.txt', 'dos.bat'])
    assert.deepEqual(readFileSync(join(place.root, 'clean', path)), readFileSync(join(place.repository, path)), path)
  assert.equal(existsSync(join(place.root, 'clean', 'gone.txt')), false)
  assert.equal((await ok(clean, 'fs.diff', { path: 'src' }))['unified_diff'], '')
  isSame({ 'a.txt': manifest(place)['a.txt'] ?? '' }, { 'a.txt': before['a.txt'] ?? '' }, 'the first tree')
  await client.end()
  await clean.end()
})

test('git.branch makes a branch where HEAD is, and goes on it without touching files', async (t) => {
  const place = makePlace(t, FILES)
  writeFiles(place.repository, { 'a.txt': 'unfinished\n' })
  const index = statSync(join(place.repository, '.git', 'index')).mtimeMs
  assert.equal((await vpJson(place, ['git', 'branch', 'later'])).code, 0)
  const made = await vpJson(place, ['git', 'branch', 'fix/retry', '--switch'])
  assert.deepEqual([made.code, made.doc.result?.['current'], made.doc.result?.['created']], [0, 'fix/retry', 'fix/retry'])
  assert.equal(git(place, 'symbolic-ref', 'HEAD'), 'refs/heads/fix/retry')
  assert.equal(statSync(join(place.repository, '.git', 'index')).mtimeMs, index)
  assert.equal(git(place, 'status', '--porcelain'), ' M a.txt')
  const listed = await vp(place, ['git', 'branch'])
  assert.match(listed.stdout, /fix\/retry +[0-9a-f]{7} +you are here/)
  assert.equal(listed.stdout.split('\n').filter(Boolean).length, 4)
})

test('git.push asks, binds the yes to the commit, and never forces', async (t) => {
  const place = makePlace(t, FILES)
  const remote = makeRemote(place)
  const inRemote = (ref: string) => execFileSync('git', ['--git-dir', remote, 'rev-parse', ref], { encoding: 'utf8' }).trim()
  const first = await pushed(place)
  assert.deepEqual([first.doc.result?.['from'], first.doc.result?.['to'], first.doc.result?.['up_to_date']], [null, head(place), false])
  assert.equal(inRemote('main'), head(place))
  assert.equal(head(place, 'refs/remotes/origin/main'), head(place), 'as after git push')
  assert.equal((await pushed(place)).doc.result?.['up_to_date'], true)

  const asked = await vpJson(place, ['git', 'push'])
  assert.equal((await vpJson(place, ['approve', String(asked.doc.error?.approval), '--for', 'call'])).code, 0)
  writeFiles(place.repository, { 'a.txt': 'more\n' })
  assert.equal((await vpJson(place, ['git', 'commit', '-m', 'more', 'a.txt'])).code, 0)
  const stale = await vpJson(place, ['git', 'push'])
  assert.equal(stale.code, 5, 'a yes for one commit is none for the next')
  assert.notEqual(stale.doc.error?.approval, asked.doc.error?.approval)
  assert.equal((await pushed(place)).doc.result?.['from'], inRemote('main^'))

  execFileSync('git', ['--git-dir', remote, 'update-ref', 'refs/heads/main', inRemote('main^')])
  git(place, 'commit', '-q', '--amend', '-m', 'rewritten')
  execFileSync('git', ['--git-dir', remote, 'update-ref', 'refs/heads/main', head(place, 'HEAD@{1}')])
  const behind = await pushed(place)
  assert.deepEqual([behind.code, behind.doc.error?.code], [7, 'workspace.moved'])
  assert.equal(inRemote('main'), head(place, 'HEAD@{1}'), 'what was there stays')
})

const ADDRESSES: [address: string, exit: number, code: string][] = [
  ['ext::sh -c touch% /tmp/x', 2, 'forge.unsupported'],
  ['../beside.git', 2, 'forge.unsupported'],
  ['http://example.org/x.git', 2, 'forge.unsupported'],
  ['git://example.org/x.git', 2, 'forge.unsupported'],
  ['--upload-pack=x', 2, 'forge.unsupported'],
  ['ssh://-oProxyCommand=x/y', 2, 'forge.unsupported'],
  ['-oProxyCommand=x:y', 2, 'forge.unsupported'],
  ['/nowhere/at/all.git', 2, 'forge.unsupported'],
  ['INSIDE', 2, 'forge.unsupported'],
  ['https://user:hunter2hunter2@127.0.0.1:1/x.git', 9, 'forge.failed'],
]
for (const [address, exit, code] of ADDRESSES)
  test(`git.push to ${address.slice(0, 40)} is ${code}`, async (t) => {
    const place = makePlace(t, FILES)
    const inside = join(place.repository, 'nested.git')
    git(place, 'init', '-q', '--bare', inside)
    git(place, 'config', 'remote.origin.url', address === 'INSIDE' ? inside : address)
    const { code: got, doc } = exit === 9 ? await pushed(place) : await vpJson(place, ['git', 'push'])
    assert.deepEqual([got, doc.error?.code], [exit, code], JSON.stringify(doc))
    assert.doesNotMatch(JSON.stringify(doc), /hunter2/)
  })

test('--offline refuses a push that would leave the machine', async (t) => {
  const place = makePlace(t, FILES)
  git(place, 'remote', 'add', 'origin', 'https://example.org/x.git')
  const { code, doc } = await vpJson(place, ['git', 'push', '--offline'])
  assert.deepEqual([code, doc.error?.code, doc.error && 'rule' in doc.error && doc.error.rule], [4, 'policy.denied', 'global/offline'])
})

test('git.pr tells what a run was asked, what became of it and how to check it', async (t) => {
  const server = await startScriptedServer((request) => wordsModel(turnOf(request)))
  t.after(() => server.close())
  const place = await startedProject(t, server)
  const { doc, code } = await vpJson(place, ['git', 'pr'])
  assert.equal(code, 0, JSON.stringify(doc))
  const { title, body, base, head: from, run_id, commits } = doc.result as unknown as Record<string, string> & { commits: string[] }
  assert.deepEqual([title, base, from], ['Words', 'main', `vp/${run_id}`])
  assert.equal(commits.length, git(place, 'rev-list', `main..vp/${run_id}`).split('\n').length)
  for (const n of [1, 2, 3, 4]) assert.match(body ?? '', new RegExp(`^- \\[x\\] T${n} Add `, 'm'))
  const counted = /^(\d+) of \1 measured gates hold\.$/m.exec(body ?? '')?.[1]
  const { gates } = (await vpJson(place, ['status'])).doc.result as unknown as { gates: { hold: number; measured: number } }
  assert.deepEqual([Number(counted), Number(counted)], [gates.hold, gates.measured], 'as vp status counts them')
  assert.match(body ?? '', /^\| all \| test_pass_rate \| 1\.00 \|/m)
  assert.match(body ?? '', new RegExp(`vp verify ${run_id}`))
  assert.match(body ?? '', /^- \d+ receipts, ledger head `[0-9a-f]{64}`/m)
  assert.ok(!body?.includes(place.root), 'no path of this machine')
  const printed = await vp(place, ['git', 'pr', '--title', 'Other', '--base', 'trunk'])
  assert.equal(printed.stdout.split('\n')[0], 'Other')
  assert.ok(printed.stdout.includes(body?.trimEnd() ?? 'no body'))
})

async function startedProject(t: Cleanup, server: { readonly baseUrl: string }): Promise<Place> {
  const place = await approvedProject(t, WORDS_FILES, server)
  const { code, stderr } = await vp(place, ['start'])
  assert.equal(code, 0, stderr)
  return place
}

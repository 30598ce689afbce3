/**
 * The human's own key: what it signs, that git finds the signature good, and that a repository cannot name the key,
 * the program or the configuration. Throw-away keys; nothing of this machine's own.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { gitRunner } from '../../src/workspace/git.ts'
import { commitTree, type CommitDraft } from '../../src/workspace/run-repository.ts'
import { approvedProject, git, makePlace, turnOf, vp, vpJson, writeFiles, type Cleanup, type Place } from '../e2e/kit.ts'
import { isSame, manifest } from '../e2e/traps.ts'
import { WORDS_FILES, wordsModel } from '../e2e/words.ts'

const FILES = { 'a.txt': 'one\n' }
const here = (program: string): boolean => spawnSync(program, ['--version']).error === undefined
const SSH = spawnSync('ssh-keygen', ['-?']).error === undefined ? {} : { skip: 'ssh-keygen is not on this machine' }
const GPG = here('gpg') ? {} : { skip: 'gpg is not on this machine' }

const home = (place: Place): string => place.env['HOME'] as string

function globalConfig(place: Place, text: string): void {
  writeFileSync(join(home(place), '.gitconfig'), text)
}

function userConfig(place: Place, sign: string): void {
  mkdirSync(join(home(place), '.config', 'vp'), { recursive: true })
  writeFileSync(join(home(place), '.config', 'vp', 'config.json'), JSON.stringify({ git: { sign } }))
}

/** A key pair and the file by which git knows whose it is. */
function sshKey(place: Place, passphrase = ''): string {
  const key = join(home(place), 'id')
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-C', 'throw-away', '-f', key])
  const allowed = join(home(place), 'allowed')
  execFileSync('sh', ['-c', `printf 'person@example.org %s\\n' "$(cat ${key}.pub)" > ${allowed}`])
  globalConfig(place, `[user]\n\tsigningkey = ${key}.pub\n[gpg]\n\tformat = ssh\n[gpg "ssh"]\n\tallowedSignersFile = ${allowed}\n`)
  return key
}

function gpgKey(t: Cleanup, place: Place): void {
  const gnupg = join(home(place), '.gnupg')
  mkdirSync(gnupg, { mode: 0o700 })
  const env = { ...place.env, GNUPGHOME: gnupg }
  t.after(() => void spawnSync('gpgconf', ['--kill', 'all'], { env }))
  execFileSync('gpg', ['--batch', '--quiet', '--passphrase', '', '--quick-generate-key', 'A. Person <person@example.org>', 'ed25519', 'sign'], {
    env,
    stdio: 'pipe',
  })
  globalConfig(place, '[user]\n\tsigningkey = person@example.org\n')
}

async function finishedRun(t: TestContext, before?: (place: Place) => void): Promise<Place> {
  const server = await startScriptedServer((request) => wordsModel(turnOf(request)))
  t.after(() => server.close())
  const place = await approvedProject(t, WORDS_FILES, server)
  before?.(place)
  const { code, stderr } = await vp(place, ['start'])
  assert.equal(code, 0, stderr)
  return place
}

/** The ids of `range` whose signature git itself finds good. */
function good(place: Place, range: string): boolean[] {
  return git(place, 'rev-list', range)
    .split('\n')
    .map((id) => spawnSync('git', ['verify-commit', id], { cwd: place.repository, env: { ...place.env, GIT_CONFIG_NOSYSTEM: '1' } }).status === 0)
}

test('a signed commit is the unsigned one and a header', SSH, async (t) => {
  const place = makePlace(t, FILES)
  const run = gitRunner('/usr/bin/git')
  const gitDir = join(place.repository, '.git')
  const strip = (id: string) => git(place, 'cat-file', 'commit', id).replace(/^gpgsig [^]*?\n(?! )/m, '')
  const authors = [
    { name: 'A. Person', email: 'a@b' },
    { name: ' <Ä\nuthor committer x>, ', email: '<x@y>.' },
    { name: '"Q" O\'Neil', email: '' },
  ]
  for (const author of authors) {
    const draft: CommitDraft = {
      tree: git(place, 'rev-parse', 'HEAD^{tree}'),
      parents: [git(place, 'rev-parse', 'HEAD')],
      message: 'a: b\n\nbody',
      author,
      epochMs: 1_700_000_000_999,
    }
    const plain = await commitTree(run, gitDir, draft)
    const signed = await commitTree(run, gitDir, { ...draft, sign: async () => '-----BEGIN SSH SIGNATURE-----\nAAAA\n\nBB\n-----END SSH SIGNATURE-----\n' })
    assert.equal(strip(signed), git(place, 'cat-file', 'commit', plain))
  }
  assert.equal(git(place, 'fsck', '--strict', '--no-dangling'), '')
})

test('a key that only the repository names signs nothing, and the note says that it is not read', async (t) => {
  const place = await finishedRun(t, (at) => git(at, 'config', 'user.signingkey', '/etc/hostname'))
  const { code, stderr } = await vp(place, ['complete'])
  assert.equal(code, 0, stderr)
  assert.match(stderr.replace(/\s+/g, ' '), /not signed: .*\(user\.signingkey\), and the repository’s is not read/)
})

test('vp complete signs what it adds with the SSH key, and nothing else', SSH, async (t) => {
  const place = await finishedRun(t, (at) => sshKey(at))
  const { code, doc } = await vpJson(place, ['complete'])
  assert.equal(code, 0, JSON.stringify(doc))
  assert.deepEqual([doc.result?.['signed'], doc.result?.['not_signed'], doc.result?.['how']], [1, null, 'fast-forward'])
  const from = String(doc.result?.['from'])
  assert.deepEqual(good(place, `${from}..main`), [true, false, false, false, false])
  assert.match(git(place, 'log', '-1', '--format=%s'), /^chore\(vp\): passport and manifest/)
  assert.equal(git(place, 'fsck', '--strict', '--no-dangling'), '')
  assert.equal((await vp(place, ['verify'])).code, 0)
})

test('with --merge the merge commit is signed too', SSH, async (t) => {
  const place = await finishedRun(t, (at) => sshKey(at))
  git(place, 'commit', '-q', '--allow-empty', '-m', 'meanwhile')
  const { code, doc } = await vpJson(place, ['complete', '--merge'])
  assert.equal(code, 0, JSON.stringify(doc))
  assert.equal(doc.result?.['how'], 'merge')
  assert.deepEqual(good(place, 'main^!'), [true])
  assert.equal(git(place, 'show', '-s', '--format=%P', 'main').split(' ').length, 2)
})

test('git.sign each signs the commits of tasks when they are made, and the run replays equal', SSH, async (t) => {
  const place = await finishedRun(t, (at) => {
    sshKey(at)
    userConfig(at, 'each')
  })
  const { code, doc } = await vpJson(place, ['complete'])
  assert.equal(code, 0, JSON.stringify(doc))
  assert.deepEqual(good(place, `${String(doc.result?.['from'])}..main`), [true, true, true, true, true])
  assert.equal(doc.result?.['signed'], doc.result?.['commits'])
  const replayed = await vpJson(place, ['replay', String(doc.result?.['run_id'])])
  assert.deepEqual([replayed.code, replayed.doc.result?.['equal']], [0, true], JSON.stringify(replayed.doc))
  writeFiles(place.repository, { 'by-hand.txt': 'x\n' })
  const hand = await vpJson(place, ['git', 'commit', '-s', '-m', 'docs: by hand', 'by-hand.txt'])
  assert.deepEqual([hand.code, hand.doc.result?.['signed']], [0, 'ssh'])
  assert.deepEqual(good(place, 'main^!'), [true])
  assert.match(git(place, 'show', '-s', '--format=%B', 'main'), /Signed-off-by: A\. Person/)
})

test('a commit by hand is signed without a word of the configuration, and says what it passes over', SSH, async (t) => {
  const place = makePlace(t, FILES)
  git(place, 'config', 'commit.gpgsign', 'true')
  writeFiles(place.repository, { 'by-hand.txt': 'x\n', '.git/hooks/pre-commit': '#!/bin/sh\nexit 1\n' })
  chmodSync(join(place.repository, '.git', 'hooks', 'pre-commit'), 0o755)
  const commit = () => vpJson(place, ['git', 'commit', '-m', 'docs: by hand', 'by-hand.txt'])
  const unsigned = await commit()
  assert.deepEqual([unsigned.code, unsigned.doc.result?.['signed']], [0, null], JSON.stringify(unsigned.doc))
  assert.match(String(unsigned.doc.result?.['warnings']), /pre-commit hook .* did not run.*not signed: /)
  sshKey(place)
  writeFiles(place.repository, { 'by-hand.txt': 'y\n' })
  assert.equal((await commit()).doc.result?.['signed'], 'ssh')
  assert.deepEqual(good(place, 'main^!'), [true])
})

test('vp complete signs with the GPG key', GPG, async (t) => {
  const place = await finishedRun(t, (at) => gpgKey(t, at))
  const { code, doc } = await vpJson(place, ['complete'])
  assert.equal(code, 0, JSON.stringify(doc))
  assert.deepEqual(good(place, `${String(doc.result?.['from'])}..main`), [true, false, false, false, false])
})

test('a key that does not sign leaves branch, index and files as they were; afterwards it goes on', SSH, async (t) => {
  const place = await finishedRun(t, (at) => sshKey(at, 'a passphrase that nobody types'))
  const before = manifest(place)
  const branches = git(place, 'for-each-ref')
  const { code, doc } = await vpJson(place, ['complete'])
  assert.deepEqual([code, doc.error?.code], [7, 'sign.failed'], JSON.stringify(doc))
  assert.ok((doc.error?.next.length ?? 0) > 0)
  isSame(manifest(place), before, 'after the refusal')
  assert.equal(git(place, 'for-each-ref'), branches)
  git(place, 'commit', '-q', '--allow-empty', '-m', 'meanwhile')
  assert.equal((await vpJson(place, ['complete', '--merge'])).doc.error?.code, 'sign.failed')
  assert.equal(git(place, 'show', '-s', '--format=%s'), 'meanwhile')
  userConfig(place, 'never')
  const unsigned = await vpJson(place, ['complete', '--merge'])
  assert.deepEqual([unsigned.code, unsigned.doc.result?.['signed'], unsigned.doc.result?.['not_signed']], [0, 0, null])
})

test('signing that a person breaks off changes nothing: exit 130', SSH, async (t) => {
  const place = makePlace(t, FILES)
  sshKey(place)
  userConfig(place, 'each')
  const started = join(place.root, 'started')
  writeFileSync(join(home(place), 'slow'), `#!/bin/sh\ntouch ${started}\nexec sleep 60\n`, { mode: 0o755 })
  appendGlobal(place, '[gpg "ssh"]\n\tprogram = ~/slow\n')
  writeFiles(place.repository, { 'a.txt': 'two\n' })
  const before = git(place, 'rev-parse', 'HEAD')
  const { code, doc } = await vpJson(place, ['git', 'commit', '-m', 'm', 'a.txt'], {
    onSpawn: (child) => {
      const look = setInterval(() => {
        if (!existsSync(started)) return
        clearInterval(look)
        child.kill('SIGINT') // begin nothing new
        setTimeout(() => child.kill('SIGINT'), 200) // stop
      }, 20)
    },
  })
  assert.deepEqual([code, doc.error?.code], [130, 'cancelled'], JSON.stringify(doc))
  assert.equal(git(place, 'rev-parse', 'HEAD'), before)
  assert.equal(git(place, 'status', '--porcelain'), ' M a.txt')
  assert.equal(existsSync(join(place.repository, '.git', 'index.lock')), false)
})

/** With `git.sign` each, `vp git commit` is the quickest way to the key. */
const HOSTILE: [title: string, spoil: (place: Place, mark: string) => void, want: string][] = [
  ['the repository names another key', (place) => git(place, 'config', 'user.signingkey', '/etc/hostname'), 'signed'],
  ['the repository names the format', (place) => git(place, 'config', 'gpg.format', 'x509'), 'signed'],
  ['the repository names the program', (place, mark) => git(place, 'config', 'gpg.ssh.program', mark), 'signed'],
  ['the repository names the program for openpgp', (place, mark) => git(place, 'config', 'gpg.program', mark), 'signed'],
  ['the repository says never', (place) => git(place, 'config', 'commit.gpgSign', 'false'), 'signed'],
  ['the repository asks for the key by a command', (place, mark) => git(place, 'config', 'gpg.ssh.defaultKeyCommand', mark), 'signed'],
  [
    'the user includes a file of the repository',
    (place, mark) => {
      writeFiles(place.repository, { 'team.gitconfig': `[gpg "ssh"]\n\tprogram = ${mark}\n[user]\n\tsigningkey = /etc/hostname\n` })
      appendGlobal(place, `[include]\n\tpath = ${join(place.repository, 'team.gitconfig')}\n`)
    },
    'signed',
  ],
  ['PATH begins in the repository', (place, mark) => plant(place, 'bin/ssh-keygen', mark), 'signed'],
  [
    'the program of the user is a link into the repository',
    (place, mark) => {
      plant(place, 'sign.sh', mark)
      execFileSync('ln', ['-s', join(place.repository, 'sign.sh'), join(home(place), 'sign')])
      appendGlobal(place, `[gpg "ssh"]\n\tprogram = ~/sign\n`)
    },
    'sign.unsupported',
  ],
  [
    'the program of the user lies in the repository',
    (place, mark) => {
      plant(place, 'sign.sh', mark)
      appendGlobal(place, `[gpg "ssh"]\n\tprogram = ${join(place.repository, 'sign.sh')}\n`)
    },
    'sign.unsupported',
  ],
  [
    'the program of the user is named relative',
    (place, mark) => {
      plant(place, 'sign.sh', mark)
      appendGlobal(place, '[gpg "ssh"]\n\tprogram = ./sign.sh\n')
    },
    'sign.unsupported',
  ],
  [
    'the key lies in the repository',
    (place) => {
      execFileSync('cp', [join(home(place), 'id'), join(home(place), 'id.pub'), place.repository])
      appendGlobal(place, `[user]\n\tsigningkey = ${join(place.repository, 'id.pub')}\n`)
    },
    'sign.unsupported',
  ],
  ['the key is not there', (place) => appendGlobal(place, '[user]\n\tsigningkey = ~/nowhere.pub\n'), 'sign.unsupported'],
  ['the format is x509', (place) => appendGlobal(place, '[gpg]\n\tformat = x509\n'), 'sign.unsupported'],
  [
    'the home of gpg lies in the repository',
    (place) => {
      mkdirSync(join(place.repository, 'gnupg'))
      appendGlobal(place, '[gpg]\n\tformat = openpgp\n')
    },
    'sign.unsupported',
  ],
  [
    'the program of the user says nothing',
    (place) => {
      writeFileSync(join(home(place), 'mute'), '#!/bin/sh\nexit 0\n', { mode: 0o755 })
      appendGlobal(place, '[gpg "ssh"]\n\tprogram = ~/mute\n')
    },
    'sign.failed',
  ],
  [
    'the program of the user answers with headers of its own',
    (place) => {
      writeFileSync(
        join(home(place), 'liar'),
        '#!/bin/sh\nfor last; do :; done\nprintf -- "-----BEGIN SSH SIGNATURE-----\\nA\\n-----END SSH SIGNATURE-----\\nparent 0\\n" > "$last.sig"\n',
        { mode: 0o755 },
      )
      appendGlobal(place, '[gpg "ssh"]\n\tprogram = ~/liar\n')
    },
    'sign.failed',
  ],
]
for (const [title, spoil, want] of HOSTILE)
  test(`signing: ${title}: ${want}`, SSH, async (t) => {
    const place = makePlace(t, FILES)
    sshKey(place)
    userConfig(place, 'each')
    const mark = join(place.root, 'trap.sh')
    writeFileSync(mark, `#!/bin/sh\ntouch ${join(place.root, 'trapped')}\n`, { mode: 0o755 })
    spoil(place, mark)
    writeFiles(place.repository, { 'a.txt': 'two\n' })
    const before = git(place, 'rev-parse', 'HEAD')
    const env = { PATH: `${join(place.repository, 'bin')}:${place.env['PATH']}`, GNUPGHOME: join(place.repository, 'gnupg') }
    const { code, doc } = await vpJson(place, ['git', 'commit', '-m', 'm', 'a.txt'], { env })
    assert.equal(existsSync(join(place.root, 'trapped')), false)
    if (want !== 'signed') {
      assert.equal(doc.error?.code, want, JSON.stringify(doc))
      assert.equal(git(place, 'rev-parse', 'HEAD'), before)
      return
    }
    assert.equal(code, 0, JSON.stringify(doc))
    assert.match(git(place, 'cat-file', 'commit', 'HEAD'), /^gpgsig -----BEGIN SSH SIGNATURE-----$/m)
    rmSync(join(place.repository, 'team.gitconfig'), { force: true })
    writeFileSync(join(place.repository, '.git', 'config'), '[core]\n\tbare = false\n')
    assert.deepEqual(good(place, 'HEAD^!'), [true])
  })

function appendGlobal(place: Place, text: string): void {
  execFileSync('sh', ['-c', 'cat >> "$0"', join(home(place), '.gitconfig')], { input: text })
}

function plant(place: Place, path: string, mark: string): void {
  writeFiles(place.repository, { [path]: `#!/bin/sh\nexec ${mark}\n` })
  chmodSync(join(place.repository, path), 0o755)
}

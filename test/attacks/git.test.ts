/**
 * git and repositories that mean harm, one row each: what the operator's own git does with every key that can name a
 * program, with directories that lead elsewhere, and with arguments that look like options. A third of the rows is
 * legitimate and has to go through. What git does inside the sandbox: `git-sandbox.test.ts`; signing and forges:
 * `test/e2e-more/signing.test.ts`, `test/e2e-more/pull-request.test.ts`.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { appendFileSync, chmodSync, cpSync, existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { isVpError } from '../../src/core/errors.ts'
import { gitRunner } from '../../src/workspace/git.ts'
import { commitByHand, createBranch } from '../../src/workspace/human-commit.ts'
import { pushBranch, remoteOf } from '../../src/workspace/human-push.ts'
import { branchesOf, commitsOf, difference, resolveCommit, statusOf, withIndexCopy } from '../../src/workspace/human-reading.ts'
import { findRepositoryRoot, humanIdentity, humanState, openHumanRepository, requireBase } from '../../src/workspace/human-repository.ts'
import { checkOut, commitTree, createRunRepository, handOver, mergeCommits, recordTree } from '../../src/workspace/run-repository.ts'
import { systemClock } from '../../src/compose/process.ts'
import { moveRef } from '../../src/workspace/refs.ts'
import { git, makePlace, writeFiles, type Cleanup, type Files, type Place } from '../e2e/kit.ts'
import { HOOKS } from '../e2e/traps.ts'

const FILES: Files = { 'a.txt': 'one\n', 'b.bin': 'bin\n', 'src/c.txt': 'c\n', 'big.psd': 'psd\n' }
const run = gitRunner('/usr/bin/git')
const AUTHOR = { name: 'A. Person', email: 'person@example.org' }

interface Scene {
  readonly place: Place
  /** A program that leaves a mark. */
  readonly trap: string
  readonly mark: string
  readonly config: string
}

function scene(t: Cleanup, files: Files = FILES): Scene {
  const place = makePlace(t, files)
  const mark = join(place.root, 'trapped')
  const trap = join(place.root, 'trap.sh')
  writeFileSync(trap, `#!/bin/sh\necho "$0 $*" >> ${mark}\ncat 2>/dev/null\n`, { mode: 0o755 })
  git(place, 'init', '-q', '--bare', '-b', 'main', join(place.root, 'remote.git'))
  git(place, 'remote', 'add', 'origin', join(place.root, 'remote.git'))
  return { place, trap, mark, config: join(place.repository, '.git', 'config') }
}

/** All that vp does with a person's repository, from the first look to a push. */
async function everything({ place }: Scene): Promise<void> {
  const repository = await openHumanRepository(run, place.repository, join(place.root, 'views'))
  await humanIdentity(run, repository, place.env)
  const base = await requireBase(run, repository)
  writeFiles(place.repository, { 'a.txt': 'two\n', 'new.txt': 'new\n' })
  await withIndexCopy(repository, 'x', async (reading) => {
    await statusOf(run, reading)
    const all = { paths: [], hide: () => false }
    for (const sides of [{ kind: 'unstaged' }, { kind: 'staged', from: base.commit }, { kind: 'files', from: base.commit }] as const)
      await difference(run, reading, sides, all)
    await difference(run, reading, { kind: 'trees', from: base.commit, to: base.commit }, all)
  })
  await commitsOf(run, repository, { to: base.commit, max: 5 })
  await branchesOf(run, repository, base.branch)
  await commitByHand(run, repository, { message: 'by hand\n', author: AUTHOR, epochMs: 1_700_000_000_000, paths: ['a.txt', 'new.txt'], hide: () => false }, 'y')
  await createBranch(run, repository, 'other', true)
  const { head } = await humanState(run, repository)
  const own = createRunRepository(join(place.root, 'run.git'), repository)
  const at = { directory: join(place.root, 'tree'), index: join(place.root, 'tree-index') }
  await checkOut(run, own, head ?? '', at)
  writeFiles(at.directory, { 'src/c.txt': 'changed\n' })
  const tree = await recordTree(run, own, at)
  const commit = await commitTree(run, own.gitDir, { tree, parents: [head ?? ''], message: 'task\n', author: AUTHOR, epochMs: 0 })
  await handOver(run, own, repository, { base: head ?? '', head: commit })
  await moveRef({ git: run, clock: systemClock }, repository.view, 'refs/heads/vp/run', commit, null)
  await mergeCommits(run, repository.view, head ?? '', commit)
  const remote = await remoteOf(run, repository, 'origin')
  await pushBranch(run, repository, { remote, branch: 'vp/run', env: place.env, signal: new AbortController().signal })
}

/** What is appended to `.git/config`; TRAP is the program. */
const KEYS: readonly string[] = [
  '[core]\n\tfsmonitor = TRAP',
  '[core]\n\tsshCommand = TRAP',
  '[core]\n\tpager = TRAP',
  '[core]\n\teditor = TRAP',
  '[core]\n\taskPass = TRAP',
  '[core]\n\tgitProxy = TRAP',
  '[core]\n\talternateRefsCommand = TRAP',
  '[core]\n\thooksPath = HOOKS',
  '[CORE]\n\tFsMonitor = TRAP',
  '[filter "evil"]\n\tclean = TRAP',
  '[filter "evil"]\n\tsmudge = TRAP',
  '[filter "evil"]\n\tprocess = TRAP\n\trequired = true',
  '[diff]\n\texternal = TRAP',
  '[diff "evil"]\n\tcommand = TRAP',
  '[diff "evil"]\n\ttextconv = TRAP\n\tcachetextconv = true',
  '[merge "evil"]\n\tdriver = TRAP %A',
  '[merge]\n\tdefault = evil\n[merge "evil"]\n\tdriver = TRAP %A',
  '[gpg]\n\tprogram = TRAP\n[commit]\n\tgpgSign = true\n[push]\n\tgpgSign = true\n[tag]\n\tgpgSign = true',
  '[gpg]\n\tformat = ssh\n[gpg "ssh"]\n\tprogram = TRAP\n\tdefaultKeyCommand = TRAP\n[commit]\n\tgpgSign = true',
  '[log]\n\tshowSignature = true\n[gpg]\n\tprogram = TRAP',
  '[alias]\n\tstatus = !TRAP\n\tdiff = !TRAP\n\tlog = !TRAP\n\tcommit-tree = !TRAP\n\tpush = !TRAP',
  '[credential]\n\thelper = !TRAP',
  '[credential "https://example.org"]\n\thelper = !TRAP',
  '[uploadpack]\n\tpackObjectsHook = TRAP',
  '[remote "origin"]\n\treceivepack = TRAP\n\tuploadpack = TRAP',
  '[remote "origin"]\n\tvcs = evil',
  '[url "ext::TRAP "]\n\tinsteadOf = /\n\tpushInsteadOf = /\n[protocol "ext"]\n\tallow = always',
  '[include]\n\tpath = INCLUDED',
  '[includeIf "gitdir:**"]\n\tpath = INCLUDED',
  '[includeIf "onbranch:main"]\n\tpath = INCLUDED',
  '[extensions]\n\tworktreeConfig = true',
  '[trailer "sign"]\n\tkey = Signed-off-by\n\tcmd = TRAP\n\tifexists = replace',
  '[pager]\n\tstatus = TRAP\n\tdiff = TRAP\n\tlog = TRAP',
  '[interactive]\n\tdiffFilter = TRAP',
  '[sequence]\n\teditor = TRAP',
  '[init]\n\ttemplateDir = HOOKS',
  '[submodule]\n\trecurse = true\n[submodule "x"]\n\tupdate = !TRAP\n\tactive = true\n\turl = ext::TRAP',
  '[push]\n\trecurseSubmodules = on-demand\n[submodule]\n\trecurse = true',
  '[receive]\n\tprocReceiveRefs = refs\n[gc]\n\tauto = 1\n\tautoDetach = false',
  '[maintenance]\n\tauto = true\n[fetch]\n\twriteCommitGraph = true\n[core]\n\tcommitGraph = true',
  '[core]\n\tattributesFile = ATTRIBUTES\n[filter "evil"]\n\tclean = TRAP\n\tsmudge = TRAP',
  '[safe]\n\tdirectory = *\n\tbareRepository = all\n[core]\n\tfsmonitor = TRAP',
]
for (const key of KEYS)
  test(`a repository's configuration starts nothing: ${key.replaceAll(/\s+/g, ' ').slice(0, 80)}`, async (t) => {
    const at = scene(t, { ...FILES, '.gitattributes': '*.txt diff=evil merge=evil\n*.bin filter=evil diff=evil\n' })
    const hooks = join(at.place.root, 'hooks')
    for (const hook of HOOKS) plant(join(hooks, hook), at.trap)
    writeFileSync(join(at.place.root, 'attributes'), '*.txt filter=evil diff=evil\n')
    writeFileSync(join(at.place.root, 'included'), `[core]\n\tfsmonitor = ${at.trap}\n[diff]\n\texternal = ${at.trap}\n`)
    writeFileSync(join(at.place.repository, '.git', 'config.worktree'), `[core]\n\tfsmonitor = ${at.trap}\n[diff]\n\texternal = ${at.trap}\n`)
    const words = { TRAP: at.trap, HOOKS: hooks, INCLUDED: join(at.place.root, 'included'), ATTRIBUTES: join(at.place.root, 'attributes') }
    appendFileSync(at.config, `\n${key.replaceAll(/TRAP|HOOKS|INCLUDED|ATTRIBUTES/g, (word) => words[word as keyof typeof words])}\n`)
    await everything(at)
    assert.equal(existsSync(at.mark), false, existsSync(at.mark) ? readFileSync(at.mark, 'utf8') : '')
  })

function plant(file: string, trap: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `#!/bin/sh\nexec ${trap} "$@"\n`)
  chmodSync(file, 0o755)
}

test('no hook of a repository runs, whichever', async (t) => {
  const at = scene(t)
  for (const hook of [
    ...HOOKS,
    'update',
    'pre-receive',
    'post-update',
    'push-to-checkout',
    'proc-receive',
    'pre-merge-commit',
    'pre-rebase',
    'sendemail-validate',
  ])
    plant(join(at.place.repository, '.git', 'hooks', hook), at.trap)
  await everything(at)
  assert.equal(existsSync(at.mark), false)
})

test('attributes of the tree and of .git/info name drivers in vain', async (t) => {
  const at = scene(t)
  writeFiles(at.place.repository, { '.gitattributes': '* diff=evil merge=evil -text ident working-tree-encoding=UTF-16\n' })
  mkdirSync(join(at.place.repository, '.git', 'info'), { recursive: true })
  writeFileSync(join(at.place.repository, '.git', 'info', 'attributes'), '* filter=evil diff=evil merge=evil\n')
  appendFileSync(at.config, `\n[filter "evil"]\n\tclean = ${at.trap}\n\tsmudge = ${at.trap}\n[diff "evil"]\n\tcommand = ${at.trap}\n`)
  writeFiles(at.place.repository, { '.gitattributes': '* diff=evil merge=evil\n' })
  await everything(at)
  assert.equal(existsSync(at.mark), false)
})

/** Directories that lead elsewhere; `secret` is another repository of the person. */
const STRUCTURES: [title: string, spoil: (place: Place, secret: string) => void, want: 'works' | 'workspace.unsupported' | 'workspace.not_a_repository'][] = [
  ['a repository as it is', () => undefined, 'works'],
  [
    '.git is a link to a directory beside it',
    (place) => {
      renameSync(join(place.repository, '.git'), join(place.root, 'elsewhere.git'))
      symlinkSync(join(place.root, 'elsewhere.git'), join(place.repository, '.git'))
    },
    'works',
  ],
  [
    '.git is a file that names a repository of the person',
    (place, secret) => {
      rmSync(join(place.repository, '.git'), { recursive: true })
      writeFileSync(join(place.repository, '.git'), `gitdir: ${secret}/.git\n`)
    },
    'workspace.unsupported',
  ],
  [
    '.git is a file that names nothing',
    (place) => {
      rmSync(join(place.repository, '.git'), { recursive: true })
      writeFileSync(join(place.repository, '.git'), 'gitdir: /nowhere\n')
    },
    'workspace.not_a_repository',
  ],
  [
    '.git is a file with something else in it',
    (place) => {
      rmSync(join(place.repository, '.git'), { recursive: true })
      writeFileSync(join(place.repository, '.git'), '[core]\n\tfsmonitor = x\n')
    },
    'workspace.not_a_repository',
  ],
  [
    '.git/commondir names a repository of the person',
    (place, secret) => writeFileSync(join(place.repository, '.git', 'commondir'), `${secret}/.git\n`),
    'workspace.unsupported',
  ],
  [
    '.git/commondir names a relative directory',
    (place) => writeFileSync(join(place.repository, '.git', 'commondir'), '../../secret/.git\n'),
    'workspace.unsupported',
  ],
  ['.git/commondir is a link', (place, secret) => symlinkSync(join(secret, 'path'), join(place.repository, '.git', 'commondir')), 'workspace.unsupported'],
  ['alternates name a repository of the person', (place, secret) => alternates(place, `${secret}/.git/objects\n`), 'workspace.unsupported'],
  ['alternates name it relative', (place) => alternates(place, '../../../secret/.git/objects\n'), 'workspace.unsupported'],
  ['alternates name it behind a comment', (place, secret) => alternates(place, `# shared\n\n${secret}/.git/objects\n`), 'workspace.unsupported'],
  ['alternates without a name', (place) => alternates(place, '# none\n'), 'works'],
  ['objects is a link to those of the person', (place, secret) => relink(place, 'objects', `${secret}/.git/objects`), 'workspace.unsupported'],
  ['refs is a link to those of the person', (place, secret) => relink(place, 'refs', `${secret}/.git/refs`), 'workspace.unsupported'],
  ['logs is a link to a directory of the person', (place) => relink(place, 'logs', place.root), 'workspace.unsupported'],
  ['logs/HEAD is a link to a file of the person', (place) => relink(place, 'logs/HEAD', join(place.root, 'profile')), 'workspace.unsupported'],
  [
    'the log of a branch is a link to a file of the person',
    (place) => relink(place, 'logs/refs/heads/main', join(place.root, 'profile')),
    'workspace.unsupported',
  ],
  ['the logs of refs are a link to a directory of the person', (place) => relink(place, 'logs/refs', place.root), 'workspace.unsupported'],
  ['a folder of objects is a link to a directory of the person', (place) => relink(place, 'objects/00', place.root), 'workspace.unsupported'],
  [
    'a branch is a link to a file of the person',
    (place) => {
      cpSync(join(place.repository, '.git', 'refs', 'heads', 'main'), join(place.root, 'profile'))
      relink(place, 'refs/heads/main', join(place.root, 'profile'))
    },
    'workspace.unsupported',
  ],
  ['the folder of the runs is a link', (place) => symlinkSync(place.root, join(place.repository, '.git', 'refs', 'heads', 'vp')), 'workspace.unsupported'],
  [
    'HEAD is a link to a secret',
    (place) => {
      writeFileSync(join(place.root, 'secret-file'), 'hunter2hunter2\n')
      relink(place, 'HEAD', join(place.root, 'secret-file'))
    },
    'workspace.unsupported',
  ],
  ['HEAD is an option', (place) => writeFileSync(join(place.repository, '.git', 'HEAD'), '--output=/tmp/x\n'), 'workspace.not_a_repository'],
  ['HEAD climbs out', (place) => writeFileSync(join(place.repository, '.git', 'HEAD'), 'ref: refs/../../../secret\n'), 'workspace.not_a_repository'],
  ['HEAD has two lines', (place) => appendFileSync(join(place.repository, '.git', 'HEAD'), 'ref: refs/heads/x\n'), 'workspace.not_a_repository'],
  [
    'packed-refs is a link',
    (place, secret) => symlinkSync(`${secret}/.git/packed-refs`, join(place.repository, '.git', 'packed-refs')),
    'workspace.unsupported',
  ],
  [
    'the index is a link',
    (place) => {
      cpSync(join(place.repository, '.git', 'index'), join(place.root, 'profile'))
      relink(place, 'index', join(place.root, 'profile'))
    },
    'workspace.unsupported',
  ],
  [
    'config is a link',
    (place) => {
      cpSync(join(place.repository, '.git', 'config'), join(place.root, 'profile'))
      relink(place, 'config', join(place.root, 'profile'))
    },
    'workspace.unsupported',
  ],
  ['core.worktree names a directory of the person', (place, secret) => git(place, 'config', 'core.worktree', secret), 'workspace.unsupported'],
  [
    'CORE.WorkTree in another case',
    (place, secret) => appendFileSync(join(place.repository, '.git', 'config'), `[CORE]\n\tWorkTree = ${secret}\n`),
    'workspace.unsupported',
  ],
  ['a bare repository lies in the tree', (place) => void git(place, 'init', '-q', '--bare', join(place.repository, 'vendor', 'bare.git')), 'works'],
  [
    'what looks like a bare repository is the top of the tree',
    (place) => {
      for (const name of ['objects', 'refs']) mkdirSync(join(place.repository, name))
      writeFiles(place.repository, { HEAD: 'ref: refs/heads/main\n', config: '[core]\n\tfsmonitor = /nowhere\n' })
    },
    'works',
  ],
  ['a repository lies in the tree', (place) => void git(place, 'init', '-q', join(place.repository, 'nested')), 'works'],
  ['a branch packed away', (place) => void git(place, 'pack-refs', '--all'), 'works'],
  ['no reflogs', (place) => rmSync(join(place.repository, '.git', 'logs'), { recursive: true }), 'works'],
  [
    'a tag and a note',
    (place) => {
      git(place, 'tag', '-a', '-m', 't', 'v1')
      git(place, 'notes', 'add', '-m', 'n')
    },
    'works',
  ],
  [
    'a replaced object',
    (place) => void git(place, 'replace', '-f', git(place, 'rev-parse', 'HEAD'), git(place, 'commit-tree', '-m', 'other', 'HEAD^{tree}')),
    'works',
  ],
]
for (const [title, spoil, want] of STRUCTURES)
  test(`${title}: ${want}`, async (t) => {
    const at = scene(t)
    const secret = join(at.place.root, 'secret')
    execFileSync('git', ['clone', '-q', at.place.repository, secret])
    const profile = join(at.place.root, 'profile')
    writeFileSync(profile, '')
    spoil(at.place, secret)
    const before = [readFileSync(profile, 'utf8'), ...execFileSync('git', ['for-each-ref'], { cwd: secret, encoding: 'utf8' })]
    const thrown = await everything(at).then(
      () => null,
      (error: unknown) => error,
    )
    assert.equal(isVpError(thrown) ? thrown.code : thrown === null ? 'works' : String(thrown), want, isVpError(thrown) ? thrown.message : '')
    if (isVpError(thrown)) assert.doesNotMatch(thrown.message, /hunter2/)
    assert.deepEqual(
      [readFileSync(profile, 'utf8'), ...execFileSync('git', ['for-each-ref'], { cwd: secret, encoding: 'utf8' })],
      before,
      'nothing of the person was written',
    )
  })

function alternates(place: Place, text: string): void {
  mkdirSync(join(place.repository, '.git', 'objects', 'info'), { recursive: true })
  writeFileSync(join(place.repository, '.git', 'objects', 'info', 'alternates'), text)
}

function relink(place: Place, name: string, target: string): void {
  const file = join(place.repository, '.git', name)
  rmSync(file, { recursive: true, force: true })
  mkdirSync(dirname(file), { recursive: true })
  symlinkSync(target, file)
}

test('a linked worktree works, and what it is not does not', async (t) => {
  const at = scene(t)
  git(at.place, 'worktree', 'add', '-q', '-b', 'side', join(at.place.root, 'side'))
  await everything({ ...at, place: { ...at.place, repository: join(at.place.root, 'side') } })
  assert.equal(existsSync(at.mark), false)
})

test('a bare repository is no checkout, and the one above is found', (t) => {
  const { place } = scene(t)
  const bare = join(place.repository, 'vendor', 'bare.git')
  git(place, 'init', '-q', '--bare', bare)
  assert.equal(findRepositoryRoot(bare), place.repository)
})

/** Names and arguments that git would read as something else. */
const REFS: [ref: string, ok: boolean][] = [
  ['HEAD', true],
  ['main', true],
  ['HEAD~0', true],
  ['HEAD^{commit}', true],
  ['v1', true],
  ['--output=/tmp/x', false],
  ['-n1', false],
  ['--all', false],
  [':/text', false],
  [':a.txt', false],
  ['HEAD:a.txt', false],
  ['main..side', false],
  ['^main', false],
  ['main --exec=x', false],
  ['main\n--all', false],
  ['@{-1}', false],
]
test('refs: what begins with a dash is no option, and only commits are commits', async (t) => {
  const { place } = scene(t)
  git(place, 'tag', 'v1')
  const repository = await openHumanRepository(run, place.repository, join(place.root, 'views'))
  for (const [ref, ok] of REFS) {
    const found = await resolveCommit(run, repository, ref).then(
      () => true,
      (error: unknown) => (isVpError(error) && error.code === 'workspace.git' ? false : error),
    )
    assert.equal(found, ok, ref)
  }
})

const BRANCHES: [name: string, ok: boolean][] = [
  ['fix/retry', true],
  ['release-1.2', true],
  ['ä', true],
  ['-f', false],
  ['--delete', false],
  ['HEAD', false],
  ['a..b', false],
  ['a b', false],
  ['refs/../x', false],
  ['a.lock', false],
  ['/x', false],
  ['x/', false],
  ['a\\b', false],
  ['@{x', false],
  ['', false],
]
test('branches: a name that git would misread is none', async (t) => {
  const { place } = scene(t)
  const repository = await openHumanRepository(run, place.repository, join(place.root, 'views'))
  for (const [name, ok] of BRANCHES) {
    const made = await createBranch(run, repository, name, false).then(
      () => true,
      (error: unknown) => (isVpError(error) ? false : error),
    )
    assert.equal(made, ok, name)
  }
  assert.deepEqual(git(place, 'for-each-ref', '--format=%(refname:short)', 'refs/heads/').split('\n').length, 4)
})

const PATHS: [path: string, ok: boolean][] = [
  ['a.txt', true],
  ['-p', true],
  ['--all', true],
  [':(glob)x', true],
  ['src', true],
  ['*.txt', false],
  [':(top)a.txt', false],
  [':!a.txt', false],
  ['nowhere', false],
]
test('paths: a pathspec is a name, with or without a dash', async (t) => {
  const { place } = scene(t)
  writeFiles(place.repository, { 'a.txt': '2\n', '-p': 'x\n', '--all': 'x\n', ':(glob)x': 'x\n', 'src/c.txt': '2\n', 'b.bin': 'not named\n' })
  const repository = await openHumanRepository(run, place.repository, join(place.root, 'views'))
  for (const [path, ok] of PATHS) {
    const commit = { message: 'm\n', author: AUTHOR, epochMs: 0, paths: [path], hide: () => false }
    const done = await commitByHand(run, repository, commit, 'z').then(
      ({ files }) => files,
      (error: unknown) => (isVpError(error) ? false : error),
    )
    assert.equal(done, ok ? 1 : false, path)
  }
  assert.match(git(place, 'status', '--porcelain'), /b\.bin/, 'nothing came along')
})

const ADDRESSES: [url: string, ok: boolean][] = [
  ['https://example.org/x.git', true],
  ['ssh://git@example.org/x.git', true],
  ['git@example.org:team/x.git', true],
  ['OUTSIDE', true],
  ['INSIDE', false],
  ['file://INSIDE', false],
  ['ext::sh -c touch% /tmp/x', false],
  ['EXT::sh', false],
  ['fd::7', false],
  ['evil::x', false],
  ['http://example.org/x.git', false],
  ['git://example.org/x.git', false],
  ['ftp://example.org/x.git', false],
  ['-oProxyCommand=x', false],
  ['ssh://-oProxyCommand=x/x', false],
  ['git@-oProxyCommand=x:y', false],
  ['--upload-pack=x', false],
  ['../elsewhere', false],
  ['/nowhere/at/all', false],
]
test('remotes: an address runs nothing, is not in the tree, and is not in clear text', async (t) => {
  const { place } = scene(t)
  const inside = join(place.repository, 'nested.git')
  git(place, 'init', '-q', '--bare', inside)
  for (const [url, ok] of ADDRESSES) {
    const address = url.replace('INSIDE', inside).replace('OUTSIDE', join(place.root, 'remote.git'))
    git(place, 'config', '--replace-all', 'remote.origin.url', address)
    const repository = await openHumanRepository(run, place.repository, join(place.root, 'views'))
    const taken = await remoteOf(run, repository, 'origin').then(
      () => true,
      (error: unknown) => (isVpError(error) && error.code === 'forge.unsupported' ? false : error),
    )
    assert.equal(taken, ok, url)
  }
  for (const name of ['--all', '-o', '', 'a b', '../x']) {
    const repository = await openHumanRepository(run, place.repository, join(place.root, 'views'))
    await assert.rejects(remoteOf(run, repository, name), isVpError, name)
  }
})

test('a message that looks like options and trailers is a message', async (t) => {
  const { place } = scene(t)
  writeFiles(place.repository, { 'a.txt': '3\n' })
  const repository = await openHumanRepository(run, place.repository, join(place.root, 'views'))
  const message = '--amend -F /etc/passwd\n\n`touch x` $(touch y)\n'
  await commitByHand(run, repository, { message, author: AUTHOR, epochMs: 0, paths: ['a.txt'], hide: () => false }, 'm')
  assert.equal(git(place, 'show', '-s', '--format=%B'), message.trimEnd())
  assert.equal(lstatSync(join(place.repository, 'a.txt')).isFile(), true)
})

/** What vp offers is this and nothing more: no verb, and no field of one, throws work away. */
test('destructive verbs and options do not exist', async () => {
  const { OPERATIONS } = await import('../../src/operations/table.ts')
  const names = OPERATIONS.map(({ name }) => name).filter((name) => name.startsWith('git.'))
  assert.deepEqual(names.toSorted(), ['git.branch', 'git.commit', 'git.diff', 'git.log', 'git.pr', 'git.push', 'git.show', 'git.status'])
  const values: Readonly<Record<string, object>> = { 'git.commit': { message: 'm' } }
  for (const operation of OPERATIONS.filter(({ name }) => name.startsWith('git.')))
    for (const field of ['force', 'amend', 'delete', 'hard', 'no_verify', 'mirror', 'prune', 'reset', 'rebase', 'all', 'args', 'config'])
      assert.equal(operation.params().safeParse({ ...values[operation.name], [field]: true }).success, false, `${operation.name} ${field}`)
})

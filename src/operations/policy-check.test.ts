/** Files that rights come from: what is whole, what is broken and where, what a repository asks for in vain. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openRealKit } from '../../test/real-kit.ts'
import { decideCommand } from '../policy/argv.ts'
import { denyPath } from '../policy/paths.ts'
import { checkPolicyFiles, type PolicyPlace } from './policy-check.ts'

function placeWith(t: TestContext, files: Readonly<Record<string, string>>): PolicyPlace {
  const base = mkdtempSync(join(tmpdir(), 'vp-check-'))
  t.after(() => rmSync(base, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(base, name)), { recursive: true })
    writeFileSync(join(base, name), text)
  }
  return { root: join(base, 'repository'), env: {}, paths: { lanes: join(base, 'user/lanes'), configFile: join(base, 'user/config.json') } }
}

const REPOSITORY = 'repository/.vp/lanes/code-impl.yaml'
const USER = 'user/lanes/code-impl.yaml'
const LANE = 'lane: Code-Impl\ncommands:\n  allow:\n    - { id: t, argv: [npm, test], match: [[npm, test]], not_match: [[npm, run]] }\n'

test('nothing there is nothing wrong', (t) => assert.deepEqual(checkPolicyFiles(placeWith(t, {})), []))

test('the rules and examples of whole files are counted', (t) => {
  const found = checkPolicyFiles(placeWith(t, { [REPOSITORY]: LANE, [USER]: LANE, 'user/config.json': '{}' }))
  assert.deepEqual(
    found.map(({ of, ok, rules, examples, cut }) => [of, ok, rules, examples, cut.length]),
    [
      ['configuration', true, 0, 0, 0],
      ['user', true, 1, 2, 0],
      ['repository', true, 1, 2, 0],
    ],
  )
})

const broken: [title: string, name: string, text: string, error: RegExp, line: number | undefined][] = [
  [
    'an example that misses',
    REPOSITORY,
    'lane: Code-Impl\ncommands:\n  allow:\n    - [make]\n    - { argv: [a], match: [[b]] }\n',
    /does not match its example b/,
    5,
  ],
  ['an unknown member', REPOSITORY, 'lane: Code-Impl\ncommands: {}\nshell: true\n', /^shell: no such field$/, 3],
  ['a rule for any program', USER, "lane: Code-Impl\ncommands:\n  allow:\n    - ['*', '*']\n", /bare name of a program/, 4],
  ['a lane that nobody has', 'repository/.vp/lanes/mine.yaml', 'lane: Mine\ncommands: {}\n', /no lane Mine/, 1],
  ['a lane in the file of another', 'repository/.vp/lanes/narrative.yaml', LANE, /looked for in code-impl\.yaml$/, 1],
  ['no YAML', REPOSITORY, 'lane: [\n', /./, 2],
  ['the configuration', 'user/config.json', '{"sandbox":"none"}', /sandbox/, undefined],
]
for (const [title, name, text, error, line] of broken)
  test(`broken: ${title}`, (t) => {
    const [found, ...others] = checkPolicyFiles(placeWith(t, { [name]: text }))
    assert.deepEqual([found?.ok, found?.error?.line, others.length], [false, line, 0])
    assert.match(found?.error?.message ?? '', error)
  })

const wider: [title: string, yaml: string, cut: readonly (readonly [what: RegExp, line: number | undefined])[]][] = [
  [
    'a command that the user has not',
    '    - [curl, x]\n    - [npm, test]\n    - [tool, x]\n',
    [
      [/curl-x: a refusal by global\/no-network/, 4],
      [/tool-x: a refusal by code-impl\/no-rule/, 6],
    ],
  ],
  ['code in arguments', "    - [node, -e, '*']\n", [[/a question by code-impl\/inline-code/, 4]]],
  [
    'a question that the user keeps',
    '    - [git, push]\n    - { argv: [git, push, origin], effect: ask }\n',
    [[/git-push: a question by code-impl\/git-push/, 4]],
  ],
  ['nothing', '    - [npm, run, build]\n', []],
]
for (const [title, rules, cut] of wider)
  test(`wider than the user's lane: ${title}`, (t) => {
    const [found] = checkPolicyFiles(placeWith(t, { [REPOSITORY]: `lane: Code-Impl\ncommands:\n  allow:\n${rules}` }))
    assert.equal(found?.cut.length, cut.length, JSON.stringify(found))
    for (const [at, [what, line]] of cut.entries()) {
      assert.match(found?.cut[at]?.what ?? '', what)
      assert.equal(found?.cut[at]?.line, line)
    }
  })

test("wider than the user's lane: network, limits, mutation", (t) => {
  const text = `${LANE}network: { outbound: true }\nlimits: { max_exec_seconds: 9000, max_mem_mb: 9000, max_parallel: 3 }\nfs_ops: { patch_only: false, backups: false }\n`
  const [found] = checkPolicyFiles(placeWith(t, { [REPOSITORY]: text }))
  assert.deepEqual(
    found?.cut.map(({ what }) => what.split(':')[0]),
    ['network.outbound', 'limits.max_exec_seconds', 'limits.max_mem_mb', 'limits.max_parallel', 'fs_ops.patch_only', 'fs_ops.backups'],
  )
})

test("the user's own lane stands in the place of the shipped one, and the repository narrows that", (t) => {
  const config = mkdtempSync(join(tmpdir(), 'vp-config-'))
  t.after(() => rmSync(config, { recursive: true, force: true }))
  mkdirSync(join(config, 'vp/lanes'), { recursive: true })
  writeFileSync(
    join(config, 'vp/lanes/code-impl.yaml'),
    'lane: Code-Impl\nfile_globs: { deny: ["private/**"] }\ncommands: { allow: [[just, check], [npm, test]] }\n',
  )
  const { kit, tree } = openRealKit(
    t,
    { '.vp/lanes/code-impl.yaml': "lane: Code-Impl\ncommands: { allow: [[just, check], [make, '*']] }\n" },
    { XDG_CONFIG_HOME: config },
  )
  const effects = (root: string) =>
    ['just check', 'npm test', 'make x'].map((row) => decideCommand(row.split(' '), kit.lane('Code-Impl', root), 'human').effect)
  assert.deepEqual(effects(''), ['allow', 'allow', 'deny'])
  assert.deepEqual(effects(tree.root), ['allow', 'deny', 'deny'])
  assert.notEqual(denyPath('private/a', 'read', kit.lane('Code-Impl', tree.root)), null)
  writeFileSync(join(config, 'vp/lanes/code-impl.yaml'), 'lane: Narrative\ncommands: {}\n')
  assert.throws(() => kit.lane('Code-Impl', ''), { code: 'policy.invalid' })
})

const brought: [title: string, put: (at: string) => void, error: RegExp][] = [
  ['a link to a device', (at) => symlinkSync('/dev/zero', at), /is a symlink/],
  ['a pipe', (at) => execFileSync('mkfifo', [at]), /is not a regular file/],
]
for (const [title, put, error] of brought)
  test(`a repository's lane that is ${title} is refused`, (t) => {
    const { kit, tree } = openRealKit(t, { 'a.txt': 'a' })
    mkdirSync(join(tree.root, '.vp/lanes'), { recursive: true })
    const file = join(tree.root, '.vp/lanes/code-impl.yaml')
    put(file)
    const place = { root: tree.root, env: {}, paths: { lanes: join(tree.root, 'none'), configFile: join(tree.root, 'none.json') } }
    for (const named of [[], [file]]) {
      const [found, ...others] = checkPolicyFiles(place, named)
      assert.deepEqual([found?.ok, found?.of, others.length], [false, 'repository', 0])
      assert.match(found?.error?.message ?? '', error)
    }
    assert.throws(() => kit.lane('Code-Impl', tree.root), { code: 'policy.invalid', message: error })
  })

test("a repository's folder of lanes that is a link is refused, a user's is theirs", (t) => {
  const { kit, tree } = openRealKit(t, { 'a.txt': 'a' })
  const place = placeWith(t, { [USER]: LANE })
  mkdirSync(join(tree.root, '.vp'))
  symlinkSync(place.paths.lanes, join(tree.root, '.vp/lanes'))
  assert.throws(() => kit.lane('Code-Impl', tree.root), { code: 'policy.invalid', message: /is a symlink/ })
  const paths = { ...place.paths, lanes: join(tree.root, '.vp/lanes') }
  assert.deepEqual(
    checkPolicyFiles({ ...place, root: tree.root }).map(({ file, ok }) => [file, ok]),
    [
      [join(place.paths.lanes, 'code-impl.yaml'), true],
      ['.vp/lanes', false],
    ],
  )
  assert.deepEqual(
    checkPolicyFiles({ ...place, paths }).map(({ ok }) => ok),
    [true],
  )
})

/**
 * The attack table of paths: names, links, special files and look-alikes, read and written through the very workspace
 * that operations use, on both carriers. Whatever the answer, nothing outside of the root may have been read or changed.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { isVpError } from '../../src/core/errors.ts'
import { parseLaneYaml } from '../../src/policy/lane-file.ts'
import { narrow } from '../../src/policy/lane.ts'
import { denyPath, type Intent } from '../../src/policy/paths.ts'
import { shippedLane } from '../../src/policy/shipped-lanes.ts'
import { openWorkspace, type Workspace } from '../../src/workspace/files.ts'
import { openat2Opener, walkOpener, type Opener } from '../../src/workspace/open-beneath.ts'
import { linklessOpener } from '../../src/workspace/open-without-links.ts'
import { LINUX } from '../fixtures/open-without-links.ts'

const SECRET = 'outside and secret'
const base = mkdtempSync(join(tmpdir(), 'vp-paths-'))
after(() => rmSync(base, { recursive: true, force: true }))

type Row = readonly [title: string, intent: Intent, path: string, want: 'ok' | 'refused']
const long = (bytes: number) => 'n'.repeat(bytes)

const ROWS: readonly Row[] = [
  // honest names
  ['a source file', 'read', 'src/a.ts', 'ok'],
  ['a source file', 'write', 'src/a.ts', 'ok'],
  ['a leading ./', 'write', './src/a.ts', 'ok'],
  ['a new file in a new folder', 'write', 'src/new/er/b.ts', 'ok'],
  ['a blank and an accent', 'write', 'docs/two words/ünï.md', 'ok'],
  ['a name of 200 bytes', 'write', `src/${long(200)}`, 'ok'],
  ['three dots are a name', 'write', 'src/...', 'ok'],
  ['dots in a name', 'write', 'src/a..b.ts', 'ok'],
  ['a percent sign', 'write', 'src/100%2e.md', 'ok'],
  ['a dollar, a tilde', 'write', 'src/$HOME~', 'ok'],
  ['a dash in front', 'write', 'src/-rf', 'ok'],
  ['workflows of a forge', 'write', '.github/workflows/ci.yml', 'ok'],
  ['.gitignore', 'write', '.gitignore', 'ok'],
  ['.gitattributes', 'write', 'a/.gitattributes', 'ok'],
  ['a name that only begins like .git', 'write', '.gitlab-ci.yml', 'ok'],
  ['a name that only begins like .vp', 'write', '.vpx/a', 'ok'],
  ['env without the dot', 'write', 'src/env.ts', 'ok'],
  ['an example with env in its name', 'write', 'src/environment.md', 'ok'],
  ['keys in the plural', 'write', 'src/keys.ts', 'ok'],
  ['a story about secrets', 'write', 'docs/secrets-guide.md', 'ok'],
  ['the lane file, read', 'read', '.vp/lanes/code-impl.yaml', 'ok'],
  ['an editor setting, read', 'read', '.vscode/settings.json', 'ok'],
  ['a package, read', 'read', 'node_modules/a/index.js', 'ok'],
  ['a script keeps its mode', 'write', 'run.sh', 'ok'],
  ['an emoji', 'write', 'docs/🙂.md', 'ok'],

  // the way out, in words
  ['up', 'read', '../canary', 'refused'],
  ['up from a folder', 'read', 'src/../../canary', 'refused'],
  ['up that stays inside', 'read', 'src/../src/a.ts', 'refused'],
  ['up at the end', 'read', 'src/..', 'refused'],
  ['absolute', 'read', '/etc/passwd', 'refused'],
  ['the root itself, absolute', 'read', '/', 'refused'],
  ['a doubled slash', 'read', '//etc/passwd', 'refused'],
  ['a file URL', 'read', 'file:///etc/passwd', 'refused'],
  ['a drive', 'read', 'C:\\Windows\\x', 'refused'],
  ['a share', 'read', '\\\\host\\share', 'refused'],
  ['backslashes up', 'read', '..\\canary', 'refused'],
  ['an empty path', 'write', '', 'refused'],
  ['only a dot', 'write', '.', 'refused'],
  ['a trailing slash', 'write', 'src/', 'refused'],
  ['a NUL', 'read', 'src/a.ts\0.png', 'refused'],
  ['a line break', 'write', 'src/a\nb', 'refused'],
  ['an escape sequence', 'write', 'src/\x1b[2K', 'refused'],
  ['a lone surrogate', 'write', 'src/\udc00', 'refused'],
  ['a name of 256 bytes', 'write', `src/${long(256)}`, 'refused'],
  ['256 bytes that are fewer characters', 'write', `src/${'ü'.repeat(128)}`, 'refused'],
  ['a path of 4096 bytes', 'write', `${'d/'.repeat(2048)}f`, 'refused'],

  // the way out, over links and special files
  ['a link to a file outside', 'read', 'to-canary', 'refused'],
  ['a folder that is a link', 'read', 'to-place/canary', 'refused'],
  ['a file through a link to the root directory', 'read', 'to-root/etc/passwd', 'refused'],
  ['a link to /proc/self/root', 'read', 'to-proc/etc/passwd', 'refused'],
  ['a link to a descriptor', 'read', 'to-fd', 'refused'],
  ['a link in a circle', 'read', 'circle', 'refused'],
  ['a link that stays inside', 'read', 'to-inside', 'refused'],
  ['a new file below a link', 'write', 'to-place/made', 'refused'],
  ['a second name of a file outside', 'read', 'hard', 'refused'],
  ['a pipe', 'read', 'pipe', 'refused'],
  ['a folder as a file', 'read', 'src', 'refused'],
  ['a file as a folder', 'write', 'run.sh/x', 'refused'],

  // what steers git, editors, agents and vp
  ['the git directory', 'read', '.git/config', 'refused'],
  ['a hook', 'write', '.git/hooks/pre-commit', 'refused'],
  ['in capitals', 'write', '.GIT/config', 'refused'],
  ['with a trailing dot', 'write', '.git./config', 'refused'],
  ['with a trailing blank', 'write', '.git /config', 'refused'],
  ['the short name', 'write', 'GIT~1/config', 'refused'],
  ['an NTFS stream', 'write', '.git::$INDEX_ALLOCATION/config', 'refused'],
  ['a character that HFS+ ignores', 'write', '.g\u200cit/config', 'refused'],
  ['wide letters', 'write', '.\uff47it/config', 'refused'],
  ['a ligature in a protected name', 'write', '.con\ufb01g/../.git/x', 'refused'],
  ['a repository within', 'write', 'vendor/x/.git/hooks/post-checkout', 'refused'],
  ['the policy of vp', 'write', '.vp/lanes/code-impl.yaml', 'refused'],
  ['the policy of vp, in capitals', 'write', '.VP/project.json', 'refused'],
  ['submodules', 'write', '.gitmodules', 'refused'],
  ['an editor task', 'write', 'a/.vscode/tasks.json', 'refused'],
  ['a hook manager', 'write', '.husky/pre-push', 'refused'],
  ['tools of another agent', 'write', '.mcp.json', 'refused'],
  ['settings of another agent', 'write', '.claude/settings.json', 'refused'],
  ['rules of another agent', 'write', '.cursorrules', 'refused'],
  ['direnv', 'write', 'a/.envrc', 'refused'],
  ['a package', 'write', 'node_modules/a/index.js', 'refused'],
  ['a virtual environment', 'write', '.venv/bin/python', 'refused'],
  ['bytecode', 'write', 'src/__pycache__/a.cpython-312.pyc', 'refused'],

  // secrets
  ['.env', 'read', '.env', 'refused'],
  ['.env of a stage', 'read', 'a/.env.production', 'refused'],
  ['.ENV', 'read', '.ENV', 'refused'],
  ['a private key', 'read', 'tls/server.key', 'refused'],
  ['a certificate, in capitals', 'read', 'tls/SERVER.PEM', 'refused'],
  ['ssh', 'read', '.ssh/id_ed25519', 'refused'],
  ['a key with a suffix', 'read', 'id_rsa.bak', 'refused'],
  ['a folder of secrets', 'read', 'config/Secrets/a.txt', 'refused'],
  ['credentials', 'read', 'credentials.json', 'refused'],
  ['credentials with a trailing dot', 'read', 'credentials.json.', 'refused'],
  ['.netrc', 'read', '.netrc', 'refused'],
  ['the cloud', 'read', '.aws/credentials', 'refused'],
]

/** A place with something outside to be kept from, and a root full of ways there. */
function hostilePlace(): { readonly place: string; readonly root: string } {
  const place = mkdtempSync(join(base, 'p-'))
  const root = join(place, 'root')
  for (const folder of ['src', '.git/hooks', '.vp/lanes', '.vscode', 'node_modules/a', 'tls', 'config/Secrets', '.ssh', '.aws', '.venv/bin'])
    mkdirSync(join(root, folder), { recursive: true })
  writeFileSync(join(place, 'canary'), SECRET)
  for (const file of ['src/a.ts', 'run.sh', '.git/config', '.vp/lanes/code-impl.yaml', '.vscode/settings.json', 'node_modules/a/index.js', '.env', '.ENV'])
    writeFileSync(join(root, file), 'inside\n')
  for (const file of [
    'tls/server.key',
    'tls/SERVER.PEM',
    'config/Secrets/a.txt',
    '.ssh/id_ed25519',
    'id_rsa.bak',
    'credentials.json',
    'credentials.json.',
    '.netrc',
    '.aws/credentials',
  ])
    writeFileSync(join(root, file), SECRET)
  chmodSync(join(root, 'run.sh'), 0o755)
  const links = {
    'to-canary': '../canary',
    'to-place': '..',
    'to-root': '/',
    'to-proc': '/proc/self/root',
    'to-fd': '/proc/self/fd/0',
    circle: 'circle',
    'to-inside': 'src/a.ts',
  }
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(root, name))
  linkSync(join(place, 'canary'), join(root, 'hard'))
  spawnSync('mkfifo', [join(root, 'pipe')])
  return { place, root }
}

/** Everything below `place` but the root: what may not change, whatever is asked. */
function outside(place: string): string {
  return createHash('sha256')
    .update(readFileSync(join(place, 'canary')))
    .update(readdirSync(place).join('\0'))
    .digest('hex')
}

function tryIt(workspace: Workspace, intent: Intent, path: string): { readonly got: string; readonly text: string } {
  try {
    if (intent === 'read') return { got: 'ok', text: workspace.read(path).bytes.toString('utf8') }
    workspace.writeAll([{ path, bytes: Buffer.from('written\n') }])
    return { got: 'ok', text: '' }
  } catch (error) {
    if (!isVpError(error)) throw error
    return { got: error.code.startsWith('path.') ? 'refused' : error.code, text: error.message }
  }
}

for (const opener of [openat2Opener(), walkOpener, linklessOpener(LINUX)].filter((one): one is Opener => one !== null))
  describe(opener.name, () => {
    const { place, root } = hostilePlace()
    const workspace = openWorkspace(root, { opener, deny: (path, intent) => denyPath(path, intent, shippedLane('Code-Impl')) })
    after(() => workspace.close())
    const untouched = outside(place)
    for (const [title, intent, path, want] of ROWS)
      test(`${want}: ${intent} ${title}`, () => {
        const { got, text } = tryIt(workspace, intent, path)
        assert.equal(got, want, text)
        assert.ok(!text.includes(SECRET), 'what is outside, or secret, is not told')
        assert.equal(outside(place), untouched)
      })
    test('protected files are as they were, and nothing half-written is left', () => {
      for (const file of ['.git/config', '.vp/lanes/code-impl.yaml', '.vscode/settings.json', 'node_modules/a/index.js'])
        assert.equal(readFileSync(join(root, file), 'utf8'), 'inside\n')
      assert.equal(existsSync(join(root, '.git/hooks/pre-commit')), false)
      assert.equal(execFileSync('find', [root, '-name', '.vp-new*'], { encoding: 'utf8' }), '')
    })
    test('what is refused is not listed either', () => {
      const names = workspace.list('', { depth: 3, maxEntries: 1000 }).map(({ path }) => path)
      assert.deepEqual(
        names.filter((name) => /^\.git\/|\.env|id_rsa|server\.key|Secrets\//i.test(name)),
        [],
      )
    })
  })

test('the size of the table, a quarter of it honest names', () => {
  const honest = ROWS.filter(([, , , want]) => want === 'ok').length
  assert.ok(ROWS.length >= 60 && honest >= 20, `${honest} of ${ROWS.length}`)
})

const NARROWED = narrow(
  shippedLane('Code-Impl'),
  parseLaneYaml('lane: Code-Impl\nworkspace_roots: [docs, src]\nfile_globs: { allow: ["**/*.md", "**/*.ts"], deny: ["src/generated/**"] }\ncommands: {}\n'),
)
const LANE_ROWS: readonly Row[] = [
  ['below a root, of an allowed kind', 'write', 'docs/a.md', 'ok'],
  ['below the other root', 'write', 'src/a.ts', 'ok'],
  ['read elsewhere', 'read', 'package.json', 'ok'],
  ['outside of the roots', 'write', 'tools/a.ts', 'refused'],
  ['a root is a folder, not a beginning', 'write', 'docsx/a.md', 'refused'],
  ['of another kind', 'write', 'src/a.sh', 'refused'],
  ['what the lane denies', 'write', 'src/generated/a.ts', 'refused'],
  ['what the lane denies, read', 'read', 'src/generated/a.ts', 'refused'],
  ['what the lane denies, in capitals', 'write', 'src/Generated/a.ts', 'refused'],
  ["what the user's lane denies", 'read', 'docs/a.pem', 'refused'],
]
for (const [title, intent, path, want] of LANE_ROWS)
  test(`a lane narrowed by a repository: ${want}: ${intent} ${title}`, () => assert.equal(denyPath(path, intent, NARROWED) === null ? 'ok' : 'refused', want))

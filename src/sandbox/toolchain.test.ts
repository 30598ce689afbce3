import assert from 'node:assert/strict'
import { chmodSync, existsSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { isVpError } from '../core/errors.ts'
import { environmentToolchain, mountsOf, resolveToolchain } from './toolchain.ts'

const base = mkdtempSync(join(tmpdir(), 'vp-tools-'))
after(() => rmSync(base, { recursive: true, force: true }))
const home = join(base, 'home/u')
const tree = join(home, 'project')

function program(path: string, text = '#!/bin/sh\necho 1.2.3\n') {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  chmodSync(path, 0o755)
  return path
}

mkdirSync(join(tree, 'node_modules/.bin'), { recursive: true })
program(join(home, '.nvm/versions/node/v20/bin/node'))
program(join(home, '.nvm/versions/node/v20/lib/npm-cli.js'), '#!/usr/bin/env node\n')
symlinkSync('../lib/npm-cli.js', join(home, '.nvm/versions/node/v20/bin/npm'))
program(join(tree, 'node_modules/.bin/eslint'))
program(join(tree, 'node_modules/.bin/node'))
mkdirSync(join(home, '.local/bin'), { recursive: true })
program(join(home, '.local/share/pipx/venvs/black/bin/black'), `#!${home}/.pyenv/versions/3.12/bin/python3\n`)
symlinkSync(join(home, '.local/share/pipx/venvs/black/bin/black'), join(home, '.local/bin/black'))
program(join(home, '.local/bin/uv'))
symlinkSync(join(tree, 'node_modules/.bin/eslint'), join(home, '.local/bin/sneaky'))
program(join(home, 'bin/mine'))
program(join(home, '.pyenv/versions/3.12/bin/python3'))
program(join(home, '.pyenv/bin/pyenv'), `#!/bin/sh\n[ "$2" = python3 ] && echo "${home}/.pyenv/versions/3.12/bin/python3"\n`)
program(join(home, '.pyenv/shims/python3'))
program(join(home, '.pyenv/shims/gone'))
program(join(base, 'opt/pyenv/versions/3.13/bin/python3.13'))
program(join(base, 'opt/pyenv/bin/pyenv'), '#!/bin/sh\n[ "$2" = python3.13 ] && echo "$PYENV_ROOT/versions/3.13/bin/python3.13"\n')
program(join(base, 'opt/pyenv/shims/python3.13'))
program(join(home, 'tools/bin/script'), '#!/usr/bin/env node\n')

const nvm = join(home, '.nvm/versions/node/v20')
const PATH = [
  join(tree, 'node_modules/.bin'),
  'relative',
  '',
  join(home, '.pyenv/shims'),
  join(nvm, 'bin'),
  ...['.local/bin', 'bin', 'tools/bin'].map((dir) => join(home, dir)),
  join(base, 'opt/pyenv/shims'),
  '/usr/bin',
  '/bin',
].join(':')
const options = { path: PATH, home, deny: tree }

const found: [title: string, name: string, program: string, prefix: string | null][] = [
  ['nvm: the version is the prefix', 'node', join(nvm, 'bin/node'), nvm],
  ['a link within its prefix keeps its name', 'npm', join(nvm, 'bin/npm'), nvm],
  ['a shim is asked for its target', 'python3', join(home, '.pyenv/versions/3.12/bin/python3'), join(home, '.pyenv/versions/3.12')],
  ['a shim of a manager elsewhere', 'python3.13', join(base, 'opt/pyenv/versions/3.13/bin/python3.13'), join(base, 'opt/pyenv/versions/3.13')],
  ['a link out of ~/.local/bin leads to the venv', 'black', join(home, '.local/share/pipx/venvs/black/bin/black'), join(home, '.local/share/pipx/venvs/black')],
  ['~/.local is too wide: only its bin', 'uv', join(home, '.local/bin/uv'), join(home, '.local/bin')],
  ['the home is too wide: only its bin', 'mine', join(home, 'bin/mine'), join(home, 'bin')],
  ['a system program needs no mount', 'env', '/usr/bin/env', null],
]
for (const [title, name, want, prefix] of found)
  test(title, async () => {
    const chain = await resolveToolchain(name, options)
    assert.deepEqual([chain.program, chain.prefix], [want, prefix])
  })

const refused: [title: string, name: string, code: string][] = [
  ['a path', './node', 'policy.denied'],
  ['an option', '-c', 'policy.denied'],
  ['a program of the workspace', 'eslint', 'policy.denied'],
  ['a link to a program of the workspace', 'sneaky', 'policy.denied'],
  ['nothing of that name', 'no-such-program', 'sandbox.program_missing'],
  ['a shim without a target', 'gone', 'sandbox.program_missing'],
]
for (const [title, name, code] of refused)
  test(`refused: ${title}`, () => assert.rejects(resolveToolchain(name, options), (error) => isVpError(error) && error.code === code))

// Where CARGO_HOME and RUSTUP_HOME say, as in the official image; with links, and with copies of one file.
const rust = join(base, 'usr/local')
const toolchain = join(rust, 'rustup/toolchains/1.90')
program(join(toolchain, 'bin/cargo'))
program(
  join(rust, 'cargo/bin/rustup'),
  '#!/bin/sh\n[ "$CARGO_HOME" = "${0%/bin/rustup}" ] && [ "$2" != ripgrep ] && echo "$RUSTUP_HOME/toolchains/$RUSTUP_TOOLCHAIN/bin/$2"\n',
)
symlinkSync('rustup', join(rust, 'cargo/bin/cargo'))
program(join(toolchain, 'bin/rustc'))
linkSync(join(rust, 'cargo/bin/rustup'), join(rust, 'cargo/bin/rustc'))
program(join(rust, 'cargo/bin/ripgrep'))
const rustEnv = { CARGO_HOME: join(rust, 'cargo'), RUSTUP_HOME: join(rust, 'rustup'), RUSTUP_TOOLCHAIN: '1.90' }
const rustOptions = { ...options, path: `${join(rust, 'cargo/bin')}:/usr/bin:/bin`, env: rustEnv }
for (const [name, want] of [
  ['cargo', join(toolchain, 'bin/cargo')],
  ['rustc', join(toolchain, 'bin/rustc')],
  ['ripgrep', join(rust, 'cargo/bin/ripgrep')],
  ['rustup', join(rust, 'cargo/bin/rustup')],
] as const)
  test(`rustup where its variables say: ${name}`, async () => assert.equal((await resolveToolchain(name, rustOptions)).program, want))

test('rustup is not told what is not its own', () =>
  assert.rejects(
    resolveToolchain('cargo', { ...rustOptions, env: { ...rustEnv, RUSTUP_HOME: undefined } }),
    (error) => isVpError(error) && error.code === 'sandbox.program_missing',
  ))

const packages = join(tree, '.venv')
mkdirSync(join(packages, 'bin'), { recursive: true })
program(join(packages, 'bin/tool'), '#!/usr/bin/env node\n')
program(join(packages, 'bin/native'), 'ELF')
symlinkSync('native', join(packages, 'bin/alias'))
symlinkSync(join(home, '.pyenv/versions/3.12/bin/python3'), join(packages, 'bin/python'))
symlinkSync('/usr/bin/env', join(packages, 'bin/system'))
symlinkSync(join(home, 'bin/mine'), join(packages, 'bin/outside'))
program(join(tree, 'bin/python3'))
symlinkSync(join(tree, 'bin/python3'), join(packages, 'bin/planted'))

const packaged: [title: string, name: string, prefixes: (string | null)[] | string][] = [
  ['a virtual environment mounts what it was made of', 'python', [join(home, '.pyenv/versions/3.12')]],
  ['a script mounts its interpreter', 'tool', [nvm]],
  ['a program of its own mounts nothing', 'alias', []],
  ['a link to the system mounts nothing', 'system', [null]],
  ['a link to anything but an interpreter', 'outside', 'policy.denied'],
  ['a link to an interpreter in the tree', 'planted', 'policy.denied'],
]
for (const [title, name, want] of packaged)
  test(`of an environment: ${title}`, async () => {
    const asked = environmentToolchain(join(packages, 'bin', name), packages, options)
    if (typeof want === 'string') await assert.rejects(asked, (error) => isVpError(error) && error.code === want)
    else
      assert.deepEqual(
        (await asked).map(({ prefix }) => prefix),
        want,
      )
  })

test('a script brings its interpreter', async () => {
  const chain = await resolveToolchain('script', options)
  assert.deepEqual(mountsOf(chain), {
    prefixes: [join(home, 'tools'), nvm],
    binDirs: [join(home, 'tools/bin'), join(nvm, 'bin')],
  })
  assert.equal((await resolveToolchain('black', options)).interpreter?.prefix, join(home, '.pyenv/versions/3.12'))
})

test('the version is its first line', async () => assert.equal((await resolveToolchain('uv', { ...options, askVersion: true })).version, '1.2.3'))

test('pyenv of this machine', { skip: existsSync(join(homedir(), '.pyenv/shims/python3')) ? false : 'no pyenv for this user' }, async () => {
  const shims = join(homedir(), '.pyenv/shims')
  const chain = await resolveToolchain('python3', { path: `${shims}:/usr/bin:/bin`, home: homedir(), deny: tree })
  assert.match(chain.program, /^(\/usr\/|.*\/\.pyenv\/versions\/)/)
})

/** `bin/vp` as people meet it: a checkout that is built when it has to be, and an installed package, from wherever it is called. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, statSync, symlinkSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { promisify } from 'node:util'

const ROOT = join(import.meta.dirname, '../..')
const run = promisify(execFile)
const PINNED = dirname(dirname(realpathSync(process.execPath)))
const FUTURE = new Date(Date.now() + 3_600_000)

function place(t: TestContext, name = 'a place'): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'vp-launcher-')))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  mkdirSync(join(directory, name))
  return join(directory, name)
}

/** A checkout of its own, whose name no shell may take apart. */
function checkout(t: TestContext): string {
  const root = join(place(t), "it's here")
  mkdirSync(root)
  for (const name of ['bin', 'src', 'scripts', 'package.json']) cpSync(join(ROOT, name), join(root, name), { recursive: true, preserveTimestamps: true })
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'))
  return root
}

async function version(program: string, env: Readonly<Record<string, string>> = {}, cwd = '/'): Promise<string> {
  const { stdout } = await run(program, ['--version'], { cwd, env: { PATH: process.env['PATH'] ?? '', HOME: cwd, ...env } })
  return stdout.trim()
}

/** As saved right after the last build began, in place. */
function touchAfterBuild(root: string, source: string): void {
  const after = new Date(statSync(join(root, 'dist', 'vp.mjs')).mtimeMs + 2)
  utimesSync(join(root, source), after, after)
}

const builtAt = (root: string): number => statSync(join(root, 'dist', 'vp.mjs')).ctimeMs

test('launcher: a checkout is built once, and again when a source changed, a prompt too, or when it was moved', async (t) => {
  const root = checkout(t)
  const program = join(root, 'bin', 'vp')
  assert.match(await version(program), /^\d+\.\d+\.\d+$/)
  const first = builtAt(root)
  await version(program)
  assert.equal(builtAt(root), first, 'nothing changed')
  let before = first
  for (const source of ['src/core/errors.ts', 'src/agent/prompts/system.md']) {
    touchAfterBuild(root, source)
    await version(program)
    assert.ok(builtAt(root) > before, source)
    before = builtAt(root)
    await version(program)
    assert.equal(builtAt(root), before, `${source}: once`)
  }
  touchAfterBuild(root, 'src/core/errors.test.ts')
  await version(program)
  assert.equal(builtAt(root), before, 'a test is no source')
  // By a link, and by names with dots in them: nothing is built anew.
  const link = join(dirname(root), 'link')
  symlinkSync(root, link)
  for (const name of [join(link, 'bin', 'vp'), `${root}/bin/../bin/vp`, `${dirname(root)}//${basename(root)}/bin/vp`]) await version(name)
  await version('../link/bin/vp', {}, root)
  assert.equal(builtAt(root), before, 'the same place by another name')
  const moved = join(dirname(root), 'moved')
  renameSync(root, moved)
  await version(join(moved, 'bin', 'vp'))
  assert.ok(builtAt(moved) > before)
})

test('launcher: two first starts at once all find a program', async (t) => {
  const root = checkout(t)
  const words = await Promise.all([1, 2].map(() => version(join(root, 'bin', 'vp'))))
  assert.equal(new Set(words).size, 1)
})

test('launcher: an installed package is found through a link, with Node beside it or in a node_modules above, and never built', async (t) => {
  for (const [what, inside] of [
    ['hoisted, as npx and a global install leave it', 'lib/node_modules'],
    ['nested', 'lib/node_modules/@local-code-operator/vp/node_modules'],
  ] as const) {
    const prefix = place(t)
    const home = join(prefix, 'lib/node_modules/@local-code-operator/vp')
    for (const name of ['bin', 'src', 'scripts', 'package.json', 'dist'])
      cpSync(join(ROOT, name), join(home, name), { recursive: true, preserveTimestamps: true })
    rmSync(join(home, 'dist', 'sources.sh'))
    mkdirSync(join(prefix, inside), { recursive: true })
    symlinkSync(PINNED, join(prefix, inside, basename(PINNED)))
    mkdirSync(join(prefix, 'bin'))
    symlinkSync('../lib/node_modules/@local-code-operator/vp/bin/vp', join(prefix, 'bin', 'vp'))
    utimesSync(join(home, 'src', 'main.ts'), FUTURE, FUTURE)
    const hostile = { NODE_OPTIONS: '--require /nowhere.js', NODE_PATH: '/nowhere' }
    assert.match(await version(join(prefix, 'bin', 'vp'), hostile), /^\d+\.\d+\.\d+$/, what)
    assert.match(await version('./vp', hostile, join(prefix, 'bin')), /^\d+\.\d+\.\d+$/, `${what}, by a relative name`)
    assert.match(await version('vp', { PATH: `${join(prefix, 'bin')}:${process.env['PATH'] ?? ''}` }), /^\d+\.\d+\.\d+$/, `${what}, from PATH`)
  }
})

test('launcher: without the pinned Node, or without what builds, it says what to do', async (t) => {
  const root = place(t)
  cpSync(join(ROOT, 'bin'), join(root, 'bin'), { recursive: true, preserveTimestamps: true })
  await assert.rejects(
    version(join(root, 'bin', 'vp')),
    (error: { code: number; stderr: string }) => error.code === 1 && /install\.node.*npm ci/s.test(error.stderr),
  )
  mkdirSync(join(root, 'node_modules'))
  symlinkSync(PINNED, join(root, 'node_modules', basename(PINNED)))
  await assert.rejects(
    version(join(root, 'bin', 'vp')),
    (error: { code: number; stderr: string }) => error.code === 1 && /install\.damaged.*npm ci/s.test(error.stderr),
  )
})

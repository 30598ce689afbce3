/**
 * The attack table of patches, through fs.patch on a real tree: what a model may write is written exactly, whatever form it
 * has; what names a place outside, a protected file, a link or a device, or fits no single place, changes nothing at all.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, linkSync, lstatSync, mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fsEdit, fsPatch, fsWrite, type PatchAnswer } from '../../src/operations/fs.ts'
import { invoke } from '../../src/operations/invoke.ts'
import { scopesOf } from '../../src/policy/scopes.ts'
import { openRealKit, type RealKit } from '../real-kit.ts'
import { FILES, HONEST, HOSTILE } from './patch-cases.ts'

let real: RealKit
let place = ''
const cleanups: (() => void)[] = []
after(() => cleanups.toReversed().forEach((fn) => fn()))
before(() => {
  real = openRealKit({ after: (fn) => void cleanups.push(fn) }, FILES)
  place = dirname(real.tree.root)
  writeFileSync(join(place, 'canary'), 'canary\n')
  symlinkSync('..', join(real.tree.root, 'up'))
  symlinkSync('../canary', join(real.tree.root, 'link.txt'))
  linkSync(join(place, 'canary'), join(real.tree.root, 'hard.txt'))
})

/** The files as they were before the row. */
function reset(): void {
  execFileSync('git', ['-C', real.tree.root, 'clean', '-qfd', '-e', 'up', '-e', '*.txt'])
  for (const [path, text] of Object.entries({ ...FILES, 'src/gone.txt': 'gone\n' })) {
    mkdirSync(dirname(join(real.tree.root, path)), { recursive: true })
    writeFileSync(join(real.tree.root, path), text)
  }
  for (const path of ['src/moved.txt', '.gitignore']) rmSync(join(real.tree.root, path), { force: true })
  chmodSync(join(real.tree.root, 'src/gone.txt'), 0o644)
}

/** Every name, kind, mode and content of the place, vp's own state left out. */
function world(): string {
  const sum = createHash('sha256')
  const names = execFileSync('find', [place, '-path', `${place}/state*`, '-prune', '-o', '-path', '*/.git/*', '-prune', '-o', '-print'], { encoding: 'utf8' })
  for (const name of names
    .split('\n')
    .filter((one) => one !== '')
    .toSorted()) {
    const found = lstatSync(name)
    sum.update(`${name} ${found.mode} `)
    if (found.isFile()) sum.update(readFileSync(name))
    if (found.isSymbolicLink()) sum.update(readlinkSync(name))
  }
  return sum.digest('hex')
}

async function apply(patch: string, isReal = true) {
  return invoke(real.kit, fsPatch, { unified_diff: patch, apply: isReal }, { actor: 'agent', surface: 'agent', scopes: scopesOf('agent') }, real.tree)
}

for (const [title, patch, path, content] of HONEST)
  test(`applied: ${title}`, async () => {
    reset()
    const untouched = world()
    const dry = await apply(patch, false)
    assert.ok(dry.ok && !(dry.result as PatchAnswer).applied, JSON.stringify(dry))
    assert.equal(world(), untouched, 'a dry run writes nothing')
    const answer = await apply(patch)
    assert.ok(answer.ok && (answer.result as PatchAnswer).applied, JSON.stringify(answer))
    const file = join(real.tree.root, path)
    assert.equal(lstatSync(file, { throwIfNoEntry: false }) ? readFileSync(file, 'utf8') : null, content)
  })

for (const [title, patch, codes] of HOSTILE)
  test(`refused: ${title}`, async () => {
    reset()
    const untouched = world()
    for (const isReal of [false, true]) {
      const answer = await apply(patch, isReal)
      if (!answer.ok) assert.ok(codes.includes(answer.error.code), `${answer.error.code}: ${answer.error.message}`)
      else assert.ok(!isReal && (answer.result as PatchAnswer).hunks.some((hunk) => hunk.outcome === 'rejected'), JSON.stringify(answer))
    }
    assert.equal(world(), untouched)
  })

for (const [title, op, params] of [
  ['written whole', fsWrite, { path: 'src/a.ts', content: 'export const one = "\ud83d"\n' }],
  ['in place of a text', fsEdit, { path: 'src/a.ts', old: '= 1', new: '= "\ud83d"' }],
  ['in a patch', fsPatch, { unified_diff: '--- a/src/a.ts\n+++ b/src/a.ts\n@@ -1 +1 @@\n-export const one = 1\n+export const one = "\ud83d"\n', apply: true }],
] as const)
  test(`refused: half a character, ${title}`, async () => {
    reset()
    const untouched = world()
    const answer = await invoke(real.kit, op, params as never, { actor: 'agent', surface: 'agent', scopes: scopesOf('agent') }, real.tree)
    assert.equal(answer.ok, false, JSON.stringify(answer))
    assert.equal(world(), untouched)
  })

test('the size of the table, a third of it honest', () => {
  const all = HONEST.length + HOSTILE.length
  assert.ok(HOSTILE.length >= 40 && HONEST.length * 3 >= HOSTILE.length, `${HONEST.length} of ${all}`)
})

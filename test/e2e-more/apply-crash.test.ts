/**
 * `kill -9` in the middle of a write into a person's own checkout: after `vp doctor` every file is the old one, or every
 * file is the new one; nothing lies beside them.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CODES } from '../../src/core/errors.ts'
import { DEEP, makePlace, seeded, vp, vpJson, type Cleanup, type Envelope, type Files, type Place } from '../e2e/kit.ts'

const COUNT = 200
const nameOf = (n: number) => `d${n % 7}/f${n}.txt`
const old = (n: number) => `one ${n}\ntwo ${n}\nthree ${n}\n`
const FILES: Files = Object.fromEntries(Array.from({ length: COUNT }, (_, n) => [nameOf(n), old(n)]))
const ADDED = Array.from({ length: 5 }, (_, n) => `new/n${n}.txt`)
const PATCH = [
  ...Array.from({ length: COUNT }, (_, n) => `--- a/${nameOf(n)}\n+++ b/${nameOf(n)}\n@@ -1,3 +1,3 @@\n one ${n}\n-two ${n}\n+TWO ${n}\n three ${n}\n`),
  ...ADDED.map((path) => `--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+new\n`),
].join('')

function patched(t: Cleanup): { place: Place; diff: string } {
  const place = makePlace(t, FILES)
  const diff = join(place.root, 'all.diff')
  writeFileSync(diff, PATCH)
  chmodSync(join(place.repository, nameOf(3)), 0o755)
  return { place, diff }
}

/** `old`, `new`, or what is mixed. */
function stateOf({ repository }: Place): string {
  const texts = Array.from({ length: COUNT }, (_, n) => readFileSync(join(repository, nameOf(n)), 'utf8'))
  const isNew = texts.filter((text, n) => text === old(n).replace('two', 'TWO')).length
  const isOld = texts.filter((text, n) => text === old(n)).length
  const added = ADDED.filter((path) => statSync(join(repository, path), { throwIfNoEntry: false })).length
  assert.equal(statSync(join(repository, nameOf(3))).mode & 0o777, 0o755, 'its mode is kept')
  if (isNew === COUNT && added === ADDED.length) return 'new'
  return isOld === COUNT && added === 0 ? 'old' : `${isOld} old, ${isNew} new, ${COUNT - isOld - isNew} neither, ${added} added`
}

const leftovers = ({ repository }: Place): string[] => (readdirSync(repository, { recursive: true }) as string[]).filter((name) => name.includes('.vp-new-'))

interface Check {
  readonly name: string
  readonly status: string
  readonly detail: string
}

/** Doctor's rows; beside the result there may be an error, since no model is there. */
function checksOf(doc: Envelope): readonly Check[] {
  const { checks } = (doc.result ?? {}) as unknown as { checks: readonly Check[] | undefined }
  assert.ok(checks, JSON.stringify(doc))
  return checks
}

async function isWhole(place: Place): Promise<string> {
  const doctor = await vpJson(place, ['doctor'])
  assert.ok(checksOf(doctor.doc).every(({ name, status }) => name !== 'writes' || status === 'ok'))
  const state = stateOf(place)
  assert.match(state, /^(old|new)$/)
  assert.deepEqual(leftovers(place), [])
  const journal = join(place.state, 'journal')
  assert.deepEqual(existsSync(journal) ? readdirSync(journal) : [], [], 'nothing is left to repair')
  return state
}

test('a patch of 200 files is killed at any moment: old files or new ones, after doctor', async (t) => {
  const trial = patched(t)
  const began = performance.now()
  assert.equal((await vp(trial.place, ['fs', 'patch', trial.diff, '--apply'])).code, 0)
  const wholeMs = performance.now() - began
  assert.equal(await isWhole(trial.place), 'new')
  const chance = seeded(7)
  const seen = new Map<string, number>()
  for (let n = 0; n < (DEEP ? 40 : 3); n++) {
    const { place, diff } = patched(t)
    // The writing itself is the last third.
    const after = wholeMs * (0.5 + chance() * 0.5)
    await vp(place, ['fs', 'patch', diff, '--apply'], { onSpawn: (child) => void setTimeout(() => child.kill('SIGKILL'), after) })
    const state = await isWhole(place)
    seen.set(state, (seen.get(state) ?? 0) + 1)
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(seen)))
})

test('killed when all is written and nothing receipted, doctor puts the old files back', async (t) => {
  const { place, diff } = patched(t)
  const killed = await vp(place, ['fs', 'patch', diff, '--apply'], { env: { VP_TEST_KILL_AT: 'files.written' } })
  assert.equal(killed.signal, 'SIGKILL')
  assert.equal(stateOf(place), 'new')
  assert.equal(await isWhole(place), 'old')
})

test('what a person changed meanwhile is left to them, and said', async (t) => {
  const { place, diff } = patched(t)
  await vp(place, ['fs', 'patch', diff, '--apply'], { env: { VP_TEST_KILL_AT: 'files.written' } })
  writeFileSync(join(place.repository, nameOf(9)), 'mine\n')
  const { doc } = await vpJson(place, ['doctor'])
  const row = checksOf(doc).find(({ name }) => name === 'writes')
  assert.equal(row?.status, 'weak')
  assert.match(row.detail, /204 of its files put back, 1 left, changed or committed since: d2\/f9\.txt/)
  assert.equal(readFileSync(join(place.repository, nameOf(9)), 'utf8'), 'mine\n')
})

/** The patch done by somebody else: the same bytes, other files. */
function patchByHand({ repository }: Place): void {
  for (let n = 0; n < COUNT; n++) {
    const at = join(repository, nameOf(n))
    const mode = statSync(at).mode
    rmSync(at)
    writeFileSync(at, old(n).replace('two', 'TWO'), { mode })
  }
  mkdirSync(join(repository, 'new'), { recursive: true })
  for (const path of ADDED) {
    rmSync(join(repository, path), { force: true })
    writeFileSync(join(repository, path), 'new\n')
  }
}

const commitAll = ({ repository }: Place) => {
  execFileSync('git', ['add', '-A'], { cwd: repository })
  execFileSync('git', ['-c', 'user.name=P', '-c', 'user.email=p@example.org', 'commit', '-qm', 'theirs'], { cwd: repository })
}

for (const label of ['files.planned', 'files.prepared', 'files.written'])
  test(`a write that was killed at ${label} is settled before the next one, which stands`, async (t) => {
    const { place, diff } = patched(t)
    const killed = await vp(place, ['fs', 'patch', diff, '--apply'], { env: { VP_TEST_KILL_AT: label } })
    assert.equal(killed.signal, 'SIGKILL')
    const again = await vp(place, ['fs', 'patch', diff, '--apply'])
    assert.equal(again.code, 0, again.stderr)
    assert.match(again.stderr, label === 'files.written' ? /^warn {2}a write in \S+ was cut off: 205 of its files put back$/m : /put back$/m)
    assert.match(again.stdout, /written: 205 of 205 hunks/)
    assert.equal(stateOf(place), 'new')
    assert.deepEqual(leftovers(place), [])
    assert.equal(await isWhole(place), 'new', 'doctor leaves a write that was finished')
    assert.equal((await vp(place, ['undo', '--yes'])).code, 0)
    assert.equal(stateOf(place), 'old')
  })

const THEIRS: [title: string, label: string, happens: (place: Place) => void][] = [
  ['patched by hand and committed', 'files.prepared', (place) => (patchByHand(place), commitAll(place))],
  ['patched by hand', 'files.planned', patchByHand],
  ['patched by hand, after all was renamed', 'files.written', patchByHand],
  ['committed as the cut write left them', 'files.written', commitAll],
]
for (const [title, label, happens] of THEIRS)
  test(`doctor leaves files that a person has since: ${title}`, async (t) => {
    const { place, diff } = patched(t)
    await vp(place, ['fs', 'patch', diff, '--apply'], { env: { VP_TEST_KILL_AT: label } })
    happens(place)
    const { doc } = await vpJson(place, ['doctor'])
    assert.equal(stateOf(place), 'new', JSON.stringify(checksOf(doc).find(({ name }) => name === 'writes')))
    if (label !== 'files.planned')
      assert.match(String(checksOf(doc).find(({ name }) => name === 'writes')?.detail), /: 0 of its files put back, 205 left, changed or committed since/)
  })

test('a file that the cut write removed comes back, one that a person removed does not', async (t) => {
  const place = makePlace(t, { 'a.txt': 'a\n', 'b.txt': 'b\n' })
  const diff = join(place.root, 'gone.diff')
  writeFileSync(diff, '--- a/a.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n')
  const kill = (at: string) => vp(place, ['fs', 'patch', diff, '--apply'], { env: { VP_TEST_KILL_AT: at } })
  await kill('files.written')
  assert.equal(existsSync(join(place.repository, 'a.txt')), false)
  await vpJson(place, ['doctor'])
  assert.equal(readFileSync(join(place.repository, 'a.txt'), 'utf8'), 'a\n')
  await kill('files.prepared')
  rmSync(join(place.repository, 'a.txt'))
  const { doc } = await vpJson(place, ['doctor'])
  assert.match(String(checksOf(doc).find(({ name }) => name === 'writes')?.detail), /0 of its files put back, 1 left/)
  assert.equal(existsSync(join(place.repository, 'a.txt')), false)
})

for (const label of ['files.prepared', 'files.written'])
  test(`a file that became a directory is a file again, and no folder is left: killed at ${label}`, async (t) => {
    const place = makePlace(t, { del: 'old\n' })
    const diff = join(place.root, 'turn.diff')
    const added = ['del/in/deep', 'new/deep/f'].map((path) => `--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+new\n`).join('')
    writeFileSync(diff, `--- a/del\n+++ /dev/null\n@@ -1 +0,0 @@\n-old\n${added}`)
    const killed = await vp(place, ['fs', 'patch', diff, '--apply'], { env: { VP_TEST_KILL_AT: label } })
    assert.equal(killed.signal, 'SIGKILL')
    const { doc } = await vpJson(place, ['doctor'])
    assert.match(
      String(checksOf(doc).find(({ name }) => name === 'writes')?.detail),
      label === 'files.written' ? /: 3 of its files put back$/ : /: 0 of its files put back$/,
    )
    assert.equal(readFileSync(join(place.repository, 'del'), 'utf8'), 'old\n')
    assert.equal(existsSync(join(place.repository, 'new')), false)
    assert.deepEqual(leftovers(place), [])
  })

test('a name that cannot be made leaves every file as it was', async (t) => {
  const { place, diff } = patched(t)
  writeFileSync(join(place.repository, 'new'), 'a file where a folder should be')
  const { code, doc } = await vpJson(place, ['fs', 'patch', diff, '--apply'])
  assert.deepEqual([code, doc.ok], [CODES['path.not_found'].exit, false], JSON.stringify(doc))
  assert.match(stateOf(place), /^200 old, 0 new, 0 neither, 0 added$|^old$/)
  assert.deepEqual(leftovers(place), [])
})

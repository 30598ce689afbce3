/**
 * `npm run bench -- patch`: our patch engine beside others on the committed slice of real changes, every way of spoiling
 * and every setting; then its time on a file of ordinary length, and how time grows from 1 MB to 10 MB.
 * Others are told the file where they can be; where they write nothing and call it success, that counts as a refusal.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { applyPatch } from 'diff'
import { exactShare, measure, ours, type Engine } from '../test/patch-bar/measure.ts'
import { readSlice } from '../test/patch-bar/slice.ts'

const EVERY = 5
const ROUNDS = 30

export function benchPatch(): void {
  const slice = readSlice()
  const some = slice.filter((_, at) => at % EVERY === 0)
  const root = mkdtempSync(join(tmpdir(), 'vp-bench-patch-'))
  process.stdout.write(
    `${'on spoiled patches of real changes'.padEnd(50)}${['exact %', 'refused', 'wrong', 'again wrong', 'elsewhere wrong'].map(cell).join('')}\n`,
  )
  try {
    printRow(`vp, ${slice.length} cases`, ours, slice)
    printRow(`vp, ${some.length} cases`, ours, some)
    printRow('git apply', writing(gitApply(root)), some)
    printRow('git apply --recount --ignore-whitespace -C1', writing(gitApply(root, '--recount', '--ignore-whitespace', '-C1')), some)
    printRow('GNU patch', writing(gnuPatch(root)), some)
    printRow('jsdiff, fuzz 2', writing(jsdiff), some)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
  const [small, one, ten] = [timeOf(500), timeOf(28_000), timeOf(280_000)]
  process.stdout.write(`vp, file of 500 lines, wrong line numbers: ${small.ms.toFixed(2)} ms, median of ${ROUNDS}\n`)
  process.stdout.write(
    `vp, ${ten.megabytes.toFixed(1)} MB : ${one.megabytes.toFixed(1)} MB: ${(ten.ms / one.ms).toFixed(1)} × the time (${ten.ms.toFixed(0)} ms : ${one.ms.toFixed(0)} ms)\n`,
  )
}

function printRow(name: string, engine: Engine, cases: ReturnType<typeof readSlice>): void {
  const { spoiled, again, elsewhere } = measure(engine, cases).settings
  const cells = [(100 * exactShare(spoiled)).toFixed(2), spoiled.refused, spoiled.wrong, again.wrong, elsewhere.wrong]
  process.stdout.write(`${name.padEnd(50)}${cells.map(cell).join('')}\n`)
}

function cell(value: string | number): string {
  return String(value).padStart(17)
}

/** null where nothing was changed. */
function writing(engine: Engine): Engine {
  return (patch, path, bytes, toldPath) => {
    const got = engine(patch, path, bytes, toldPath)
    return got === null || got.equals(bytes) ? null : got
  }
}

/** Needs the name in the patch, so a patch without headers is refused. */
function gitApply(root: string, ...flags: string[]): Engine {
  const env = { PATH: process.env['PATH'], GIT_CEILING_DIRECTORIES: dirname(root), GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' }
  return (patch, path, bytes) => {
    const file = join(root, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, bytes)
    const { status } = spawnSync('git', ['apply', ...flags, '-'], { cwd: root, env, input: patch })
    return status === 0 ? readFileSync(file) : null
  }
}

/** Told the file, so names do not matter; fuzz as it comes, two lines. */
function gnuPatch(root: string): Engine {
  const [file, out] = [join(root, 'file'), join(root, 'out')]
  return (patch, _path, bytes) => {
    rmSync(out, { force: true })
    writeFileSync(file, bytes)
    const { status } = spawnSync('patch', ['--batch', '--forward', '--silent', '--no-backup-if-mismatch', '-r', '-', '-o', out, file], {
      cwd: root,
      input: patch,
    })
    return status === 0 && existsSync(out) ? readFileSync(out) : null
  }
}

/** Byte by byte as Latin-1, so that no encoding is in its way. */
const jsdiff: Engine = (patch, _path, bytes) => {
  try {
    const result = applyPatch(bytes.toString('latin1'), Buffer.from(patch).toString('latin1'), { fuzzFactor: 2 })
    return result === false ? null : Buffer.from(result, 'latin1')
  } catch {
    return null // its parser throws on what it cannot read: a refusal
  }
}

/** Three hunks with wrong line numbers, so that the whole file is searched. */
function timeOf(count: number): { ms: number; megabytes: number } {
  const lines = Array.from({ length: count }, (_, at) => `const value${at} = compute(${at % 97}, 'some')`)
  const hunks = [0.2, 0.5, 0.8].map((share) => {
    const at = Math.floor(count * share)
    const context = (from: number) => lines.slice(from, from + 3).map((line) => ` ${line}\n`)
    return `@@ -${at + 50},7 +${at + 50},7 @@\n${context(at - 3).join('')}-${lines[at]}\n+const changed = true\n${context(at + 1).join('')}`
  })
  const bytes = Buffer.from(`${lines.join('\n')}\n`)
  const patch = `--- a/x.ts\n+++ b/x.ts\n${hunks.join('')}`
  const times: number[] = []
  for (let round = -3; round < (count > 100_000 ? 7 : ROUNDS); round++) {
    const start = performance.now()
    if (ours(patch, 'x.ts', bytes) === null) throw new Error('the patch of the timing was refused')
    if (round >= 0) times.push(performance.now() - start)
  }
  return { ms: times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN, megabytes: bytes.length / 1e6 }
}

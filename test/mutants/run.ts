/**
 * Breaks the product one line at a time and demands that a named test turns red: `npm run test:mutants`, with
 * `--only N` one row, with `--jobs N` that many at once. Works in copies of the checkout under the temporary
 * directory, never in the checkout itself. Ends with 1 when a mutant survives or a row no longer fits the source.
 */
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from 'node:test'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { MUTANTS, type Mutant } from './mutants.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const COPIED = ['src', 'test', 'examples', 'scripts', 'bin', 'package.json']
const TIMEOUT_MS = 120_000

interface Row extends Mutant {
  readonly n: number
}

/** One worker's own checkout, and the temporary directory of what runs in it. */
interface Copy {
  readonly tree: string
  readonly temporary: string
}

type Verdict = 'passed' | 'failed' | 'skipped'

interface Ran {
  /** By full name; a test that did not run is not in it. */
  readonly tests: ReadonlyMap<string, Verdict>
  /** Why the file gave no answer: it does not load, or it did not end. */
  readonly broken: string | null
}

async function main(): Promise<number> {
  const { only, jobs } = options()
  const rows = MUTANTS.map((mutant, index): Row => ({ ...mutant, n: index + 1 })).filter((row) => only === null || row.n === only)
  if (rows.length === 0) throw new Error(`--only takes a number from 1 to ${MUTANTS.length}`)
  const stale = rows.flatMap((row) => staleness(row).map((why) => ({ row, why })))
  for (const { row, why } of stale) say(row, `stale: ${why}`)
  if (stale.length > 0) return 1

  const startedAt = performance.now()
  const base = mkdtempSync(join(tmpdir(), 'vp-mutants-'))
  process.on('exit', () => rmSync(base, { recursive: true, force: true, maxRetries: 3 }))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130))
  const copies = Array.from({ length: Math.min(jobs, rows.length) }, (_, index) => makeCopy(join(base, String(index + 1))))

  const proven = await provenRows(copies, rows)
  let killed = 0
  await pool(
    copies,
    rows.filter((row) => proven.has(row)),
    async (copy, row) => {
      const since = performance.now()
      const why = await survival(copy, row)
      if (why === null) killed++
      say(row, `${why ?? 'killed'} (${((performance.now() - since) / 1000).toFixed(1)} s)`)
    },
  )
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  print(`${killed} of ${rows.length} mutants killed by their test in ${seconds} s, ${jobs} at a time`)
  return killed === rows.length ? 0 : 1
}

function options(): { only: number | null; jobs: number } {
  const { values } = parseArgs({ options: { only: { type: 'string' }, jobs: { type: 'string', default: '2' } } })
  const whole = (name: string, text: string) => {
    if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`--${name} takes a number, not ${JSON.stringify(text)}`)
    return Number(text)
  }
  return { only: values.only === undefined ? null : whole('only', values.only), jobs: whole('jobs', values.jobs) }
}

/** What is wrong with a row before anything runs, in words. */
function staleness({ file, from, to, test }: Row): string[] {
  const problems = [file, test.file].filter((path) => !existsSync(join(ROOT, path))).map((path) => `there is no file ${path}`)
  if (problems.length > 0) return problems
  const count = readFileSync(join(ROOT, file), 'utf8').split(from).length - 1
  if (count !== 1) problems.push(`${JSON.stringify(from)} stands ${count} times in ${file}, and must stand once`)
  if (/[\r\n]/.test(from + to)) problems.push('a mutant is one line')
  if (from === to) problems.push('it changes nothing')
  return problems
}

function makeCopy(at: string): Copy {
  const copy = { tree: join(at, 'tree'), temporary: join(at, 'tmp') }
  mkdirSync(copy.tree, { recursive: true })
  mkdirSync(copy.temporary)
  for (const name of COPIED) cpSync(join(ROOT, name), join(copy.tree, name), { recursive: true, verbatimSymlinks: true })
  symlinkSync(join(ROOT, 'node_modules'), join(copy.tree, 'node_modules'))
  return copy
}

/** The rows whose test runs, and passes while nothing is broken; the others are told. One process a test file. */
async function provenRows(copies: readonly Copy[], rows: readonly Row[]): Promise<ReadonlySet<Row>> {
  const proven = new Set<Row>()
  await pool(copies, [...Map.groupBy(rows, (row) => row.test.file)], async (copy, [file, own]) => {
    const { tests, broken } = await runTests(copy, file, [...new Set(own.map((row) => row.test.name))])
    for (const row of own) {
      const verdict = tests.get(row.test.name)
      if (verdict === 'passed' && broken === null) proven.add(row)
      else say(row, `no proof: unmutated, “${row.test.name}” ${broken ?? (verdict === undefined ? 'did not run' : verdict)}`)
    }
  })
  return proven
}

/** Null when the named test turned red, else why the mutant is none, in words. */
async function survival(copy: Copy, row: Row): Promise<string | null> {
  const path = join(copy.tree, row.file)
  const original = readFileSync(path, 'utf8')
  writeFileSync(
    path,
    original.replace(row.from, () => row.to),
  )
  try {
    if (!(await loads(path))) return `BAD MUTANT: ${row.file} does not load any more`
    const { tests, broken } = await runTests(copy, row.test.file, [row.test.name])
    const verdict = tests.get(row.test.name)
    if (broken !== null) return `BAD MUTANT: ${row.test.file} ${broken}`
    return verdict === 'failed' ? null : `SURVIVED: “${row.test.name}” ${verdict ?? 'did not run'}`
  } finally {
    writeFileSync(path, original)
  }
}

/** A module that does not load turns every test red, those of the bundle too, and proves nothing. */
async function loads(path: string): Promise<boolean> {
  const script = `await import(${JSON.stringify(pathToFileURL(path).href)})`
  return new Promise((resolve) => execFile(process.execPath, ['--input-type=module', '-e', script], (error) => resolve(error === null)))
}

/** Runs only the named tests of one file, in a process of its own. A test within a suite is named `suite > test`. */
async function runTests(copy: Copy, file: string, names: readonly string[]): Promise<Ran> {
  // bin/vp builds what is missing: so no bundle of another source is ever tested. What one mutant cached, none inherits.
  rmSync(join(copy.tree, 'dist'), { recursive: true, force: true })
  rmSync(copy.temporary, { recursive: true, force: true, maxRetries: 3 })
  mkdirSync(copy.temporary)
  const tests = new Map<string, Verdict>()
  let broken: string | null = null
  const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, VP_TEST_DEEP: ___, ...env } = process.env
  const events = run({
    files: [join(copy.tree, file)],
    cwd: copy.tree,
    env: { ...env, TMPDIR: copy.temporary } as NodeJS.ProcessEnv,
    execArgv: ['--disable-warning=ExperimentalWarning', '--test-force-exit'],
    testNamePatterns: names.map((name) => new RegExp(`^${name.replaceAll(' > ', ' ').replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')}$`)),
    timeout: TIMEOUT_MS,
    signal: AbortSignal.timeout(TIMEOUT_MS + 1000), // for a process that does not hear its timer
  })
  const path: string[] = []
  for await (const { type, data } of events) {
    if (type === 'test:start') path.splice(data.nesting, Infinity, data.name)
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const name = [...path.slice(0, data.nesting), data.name].join(' > ')
    const verdict: Verdict = type === 'test:fail' ? 'failed' : data.skip !== undefined ? 'skipped' : 'passed'
    // One that failed stays failed, where several bear the name.
    if (tests.get(name) !== 'failed') tests.set(name, verdict)
    if (type === 'test:fail' && data.name === join(copy.tree, file)) broken = 'does not load, or did not end'
  }
  return { tests, broken }
}

/** Each copy takes the next item when it is free. */
async function pool<Item>(copies: readonly Copy[], items: readonly Item[], work: (copy: Copy, item: Item) => Promise<void>): Promise<void> {
  const left = [...items]
  await Promise.all(
    copies.map(async (copy) => {
      for (let item = left.shift(); item !== undefined; item = left.shift()) await work(copy, item)
    }),
  )
}

function say(row: Row, what: string): void {
  print(`${String(row.n).padStart(2)}  ${row.file}: ${row.why}: ${what}`)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 2
}

/**
 * What a repository's tests, linter, build and environment are, read once from its own files. Pure over a listing and a
 * reader. A guess is shown to the human, who keeps it in `.vp/project.json`; a model cannot change it in a run.
 */
import { isNodeTest, nodeTestReport } from './node-test.ts'

export interface ProjectFiles {
  /** Tracked paths. */
  readonly list: readonly string[]
  read(path: string): string | null
  /** Whether this lies in the checkout, tracked or not. Absent: nothing but tracked paths does. */
  isThere?(path: string): boolean
}

type Format = 'tap' | 'junit' | 'go-json' | 'cargo' | 'exit'

export interface DetectedCommand {
  readonly argv: readonly string[]
  readonly runner: string
  readonly report_args: readonly string[]
  readonly report_in?: 'NODE_OPTIONS'
  readonly report: { readonly format: Format; readonly from: 'stdout' | 'file'; readonly path?: string }
}

export interface Detected {
  readonly test: DetectedCommand | null
  readonly lint: DetectedCommand | null
  readonly build: DetectedCommand | null
  readonly environment: {
    readonly reuse: readonly string[]
    readonly setup: readonly (readonly string[])[]
    readonly lock_files: readonly string[]
  }
  readonly needs_git: boolean
  /** Where each came from, in words. */
  readonly evidence: readonly string[]
}

const EXIT = { format: 'exit', from: 'stdout' } as const
const VENVS = ['.venv', 'venv']
/** What says which packages a virtual environment holds, the surest first. */
const PYTHON_LOCKS = ['poetry.lock', 'pdm.lock', 'Pipfile.lock', 'pyproject.toml', 'setup.py', 'setup.cfg']
const REQUIREMENTS = ['requirements.txt', 'requirements-dev.txt', 'dev-requirements.txt']

export function detectProject(files: ProjectFiles): Detected {
  const has = (path: string) => files.list.includes(path)
  const environment = detectEnvironment(files, has)
  const evidence: string[] = []
  const found = (command: DetectedCommand | null, what: string, where: string): DetectedCommand | null => {
    if (command) evidence.push(`${what} ${command.argv.join(' ')} (${where})`)
    return command
  }
  const scripts = packageScripts(files)
  const test =
    found(scripts?.test ? npmTest(scripts.test, has) : null, 'tests', 'package.json') ??
    found(
      pytest(files, has, environment.reuse.filter((name) => VENVS.includes(name)).map((name) => `${name}/bin/python`)[0] ?? 'python3'),
      'tests',
      'Python project',
    ) ??
    found(
      has('go.mod')
        ? {
            argv: ['go', 'test', './...'],
            runner: 'go',
            report_args: ['-json'],
            report: { format: 'go-json', from: 'stdout' },
          }
        : null,
      'tests',
      'go.mod',
    ) ??
    found(
      has('Cargo.toml')
        ? {
            argv: ['cargo', 'test', '--offline'],
            runner: 'cargo',
            report_args: [],
            report: { format: 'cargo', from: 'stdout' },
          }
        : null,
      'tests',
      'Cargo.toml',
    ) ??
    found(makeTarget(files, 'test'), 'tests', 'Makefile')
  const lint =
    found(scripts?.lint ? { argv: ['npm', 'run', '--silent', 'lint'], runner: 'npm', report_args: [], report: EXIT } : null, 'linter', 'package.json') ??
    found(usesRuff(files, has) ? { argv: ['ruff', 'check', '.'], runner: 'ruff', report_args: [], report: EXIT } : null, 'linter', 'ruff configuration') ??
    found(makeTarget(files, 'lint'), 'linter', 'Makefile') ??
    found(has('go.mod') ? { argv: ['go', 'vet', './...'], runner: 'go', report_args: [], report: EXIT } : null, 'linter', 'go.mod')
  const build =
    found(scripts?.build ? { argv: ['npm', 'run', '--silent', 'build'], runner: 'npm', report_args: [], report: EXIT } : null, 'build', 'package.json') ??
    found(makeTarget(files, 'build'), 'build', 'Makefile') ??
    found(has('go.mod') ? { argv: ['go', 'build', './...'], runner: 'go', report_args: [], report: EXIT } : null, 'build', 'go.mod') ??
    found(has('Cargo.toml') ? { argv: ['cargo', 'build', '--offline'], runner: 'cargo', report_args: [], report: EXIT } : null, 'build', 'Cargo.toml')
  const asker = gitAsker(files, scripts?.test)
  if (asker !== null) evidence.push(`git for the tests, read-only (${asker})`)
  return { test, lint, build, environment, needs_git: asker !== null, evidence }
}

/** Python packages whose version is read from the history when they are imported or installed. */
const VERSION_FROM_GIT = /\b(setuptools[_-]scm|hatch[_-]vcs|versioneer|poetry-dynamic-versioning|dunamai|pbr\s*=\s*true)\b/i

/** What says that the tests ask git, or null: most never do, and those that make repositories of their own need none. */
function gitAsker(files: ProjectFiles, test: string | undefined): string | null {
  if (test !== undefined && /(^|[;&|(]\s*|\s)git\s+[a-z-]+/.test(test)) return 'package.json'
  return ['pyproject.toml', 'setup.cfg', 'setup.py'].find((name) => VERSION_FROM_GIT.test(files.read(name) ?? '')) ?? null
}

function packageScripts(files: ProjectFiles): { test?: string; lint?: string; build?: string } | null {
  const manifest = parsed(files.read('package.json'))
  if (!manifest) return null
  const scripts = (manifest['scripts'] ?? {}) as Record<string, unknown>
  const pick = (name: string) => (typeof scripts[name] === 'string' && !/no test specified/.test(scripts[name]) ? scripts[name] : undefined)
  const test = pick('test')
  const lint = pick('lint')
  const build = pick('build')
  return { ...(test === undefined ? {} : { test }), ...(lint === undefined ? {} : { lint }), ...(build === undefined ? {} : { build }) }
}

/** npm's script by the runner it ends in; the report arguments are that runner's own. */
function npmTest(script: string, has: (path: string) => boolean): DetectedCommand {
  const argv = has('pnpm-lock.yaml') ? ['pnpm', '--silent', 'test'] : ['npm', 'test', '--silent']
  const simple = !/[;&|<>`$]/.test(script)
  const runs = (name: string) => simple && new RegExp(`(^|\\s|/)${name}(\\s|$)`).test(script)
  const words = script.replace(/['"]/g, '').trim().split(/\s+/)
  if (simple && isNodeTest(words)) return { argv, ...nodeTestReport(words) }
  if (runs('vitest'))
    return {
      argv,
      runner: 'vitest',
      report_args: ['--run', '--reporter=junit', '--outputFile={report}'],
      report: { format: 'junit', from: 'file', path: 'report.xml' },
    }
  if (runs('jest')) return { argv, runner: 'jest', report_args: ['--ci'], report: EXIT }
  return { argv, runner: 'npm', report_args: [], report: EXIT }
}

function pytest(files: ProjectFiles, has: (path: string) => boolean, python: string): DetectedCommand | null {
  const configured =
    has('pytest.ini') ||
    has('conftest.py') ||
    has('tests/conftest.py') ||
    /\[tool\.pytest|pytest/.test(files.read('pyproject.toml') ?? '') ||
    /\[tool:pytest\]/.test(files.read('setup.cfg') ?? '')
  const looks = files.list.some((path) => /(^|\/)(test_[^/]+|[^/]+_test)\.py$/.test(path))
  if (!configured && !looks) return null
  // An installation that points into the checkout (`pip install -e`) leads nowhere in a tree of a run, so its place is said.
  const isBelowSrc = files.list.some((path) => /^src\/[^/]+(\/__init__)?\.py$/.test(path))
  const saysWhere = ['pyproject.toml', 'pytest.ini', 'setup.cfg', 'tox.ini'].some((name) => /pythonpath/.test(files.read(name) ?? ''))
  return {
    argv: [python, '-m', 'pytest', '-q'],
    runner: 'pytest',
    report_args: [
      ...(isBelowSrc && !saysWhere ? ['-o', 'pythonpath=src'] : []),
      '-p',
      'no:cacheprovider',
      '--continue-on-collection-errors',
      '--junit-xml={report}',
    ],
    report: { format: 'junit', from: 'file', path: 'report.xml' },
  }
}

function usesRuff(files: ProjectFiles, has: (path: string) => boolean): boolean {
  return has('ruff.toml') || has('.ruff.toml') || /\[tool\.ruff/.test(files.read('pyproject.toml') ?? '')
}

function makeTarget(files: ProjectFiles, target: string): DetectedCommand | null {
  const text = files.read('Makefile') ?? files.read('makefile')
  return text !== null && new RegExp(`^${target}\\s*:(?!=)`, 'm').test(text)
    ? { argv: ['make', '-s', target], runner: 'make', report_args: [], report: EXIT }
    : null
}

/** By lock file; a directory that git tracks is part of the tree and needs no set-up. */
function detectEnvironment(files: ProjectFiles, has: (path: string) => boolean): Detected['environment'] {
  const reuse: string[] = []
  const setup: string[][] = []
  const lock: string[] = []
  const add = (locks: readonly string[], directories: readonly string[], ...commands: string[][]) => {
    if (!locks[0] || !has(locks[0])) return false
    if (directories.some((directory) => files.list.some((path) => path.startsWith(`${directory}/`)))) return true
    reuse.push(...directories)
    setup.push(...commands)
    lock.push(...locks)
    return true
  }
  if (dependsOnPackages(files))
    void (
      add(['package-lock.json'], npmDirectories(files.read('package-lock.json')), ['npm', 'ci', '--no-audit', '--no-fund']) ||
      add(['pnpm-lock.yaml'], ['node_modules'], ['pnpm', 'install', '--frozen-lockfile']) ||
      add(['yarn.lock'], ['node_modules'], ['yarn', 'install', '--frozen-lockfile'])
    )
  const requirements = REQUIREMENTS.filter(has)
  const there = VENVS.find((name) => files.isThere?.(`${name}/bin/python`))
  const venv = there ?? '.venv'
  const isMade =
    add(['uv.lock'], ['.venv'], ['uv', 'sync', '--frozen']) ||
    add(requirements, [venv], ['python3', '-m', 'venv', venv], [`${venv}/bin/python`, '-m', 'pip', 'install', ...requirements.flatMap((file) => ['-r', file])])
  // One that a person filled by means of their own is as good as it is; what made it is not known.
  if (!isMade && there && !files.list.some((path) => path.startsWith(`${there}/`))) {
    reuse.push(there)
    lock.push(...PYTHON_LOCKS.filter(has).slice(0, 1))
  }
  return { reuse, setup, lock_files: lock }
}

/** Where npm puts packages: a workspace has a directory of its own for what it does not share. Source: npm, package-lock.json(5). */
function npmDirectories(lock: string | null): string[] {
  const keys = Object.keys((parsed(lock)?.['packages'] as object | undefined) ?? {})
  const own = keys.flatMap((key) => /^((?:(?!node_modules\/)[^/]+\/)+node_modules)\//.exec(key)?.[1] ?? [])
  return ['node_modules', ...new Set(own)].toSorted()
}

function dependsOnPackages(files: ProjectFiles): boolean {
  const manifest = (parsed(files.read('package.json')) ?? {}) as Record<string, object | undefined>
  return ['dependencies', 'devDependencies', 'optionalDependencies', 'workspaces'].some((key) => Object.keys(manifest[key] ?? {}).length > 0)
}

/** Null when it is no JSON object: then nothing can be told from it. */
function parsed(text: string | null): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text ?? '')
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : null
  } catch {
    return null
  }
}

/** By the names that runners look for: `test/`, `x.test.ts`, `test_x.py`, `x_test.go`, `XTest.java`. */
export function isTestPath(path: string): boolean {
  return /(^|\/)(tests?|specs?|__tests__)\/|[._-](test|spec)s?\.[^/]+$|(^|\/)test_[^/]+$|_(test|spec)\.[^/]+$|Tests?\.(java|kt|cs|scala)$/.test(path)
}

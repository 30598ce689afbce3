/**
 * Finds the human's own program for a bare name: PATH, symlinks, and version managers asked for their target. Says
 * which directories a sandbox must mount for it. Never a program of the workspace, never through a shell.
 */
import { execFile } from 'node:child_process'
import { accessSync, closeSync, constants, openSync, readSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { VpError } from '../core/errors.ts'

export interface ToolchainOptions {
  /** Versions that are known by the identity of the files. */
  readonly versions?: { get(key: string): string | undefined; set(key: string, version: string): void }
  /** The human's PATH. */
  readonly path: string
  readonly home: string
  /** The workspace: nothing in it is a toolchain. */
  readonly deny: string
  /** The human's environment: a manager that is told there where its own lies is told so again. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Where version managers look for a project's pinned version; the home directory when absent. */
  readonly cwd?: string
  /** Runs the program with `--version`; off for programs that should not be run. */
  readonly askVersion?: boolean
}

export interface Toolchain {
  /** What argv[0] becomes. */
  readonly program: string
  /** To be mounted read-only at the same path; null below /usr. */
  readonly prefix: string | null
  /** To stand on the command's PATH. */
  readonly binDir: string
  /** For a script: the toolchain of its interpreter, where that is another one. */
  readonly interpreter?: Toolchain
  readonly version?: string
}

const ASK_TIMEOUT_MS = 5000
const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib64']
/** Packages here lean on their neighbours. */
const STORES = ['/nix/store', '/gnu/store', '/opt/homebrew']
const INTERPRETER = /^(python|pypy|node|ruby|perl|php)[\d.]*$/
const VERSION_ARGS: Readonly<Record<string, readonly string[]>> = { go: ['version'], java: ['-version'] }

/** Throws `sandbox.program_missing`, and `policy.denied` for a name with a path in it or a program of the workspace only. */
export async function resolveToolchain(program: string, options: ToolchainOptions): Promise<Toolchain> {
  if (!/^[A-Za-z0-9_][A-Za-z0-9._+-]*$/.test(program)) throw new VpError('policy.denied', `${JSON.stringify(program)} is not the bare name of a program`)
  const found = findOnPath(program, options)
  const target = await askShim(found, program, options)
  const denied = real(options.deny)
  if (isWithin(denied, realpathSync(target))) throw inWorkspace(program)
  const chain = place(target, options)
  const interpreter = await interpreterOf(target, chain, options)
  const version = options.askVersion ? await versionOf(program, chain, interpreter ?? undefined, options) : null
  return { ...chain, ...(interpreter ? { interpreter } : {}), ...(version ? { version: version.slice(0, 100) } : {}) }
}

/**
 * What a sandbox must mount besides `packages`, the directory that holds `file`: the interpreter that a virtual environment
 * or a script in it leads to. An interpreter only, as a repository may bring a link to anywhere. Throws `policy.denied`,
 * `sandbox.program_missing`.
 */
export async function environmentToolchain(file: string, packages: string, options: ToolchainOptions): Promise<readonly Toolchain[]> {
  const target = realpathSync(file)
  if (!isExecutable(target)) throw new VpError('sandbox.program_missing', `${basename(file)} is no program that can be started`, { data: { program: file } })
  if (isWithin(real(packages), target)) {
    const interpreter = await interpreterOf(target, { program: target, prefix: packages, binDir: dirname(target) }, options)
    return interpreter ? [interpreter] : []
  }
  if (!isSystem(target) && (!INTERPRETER.test(basename(target)) || isWithin(real(options.deny), target)))
    throw new VpError('policy.denied', `${basename(file)} leads to ${target}, which is no installed interpreter`, { rule: 'global/toolchain' })
  return [place(target, options)]
}

/** Asked once for a program that does not change: `npm --version` alone takes longer than the rest of a start. */
async function versionOf(name: string, chain: Toolchain, interpreter: Toolchain | undefined, options: ToolchainOptions): Promise<string | null> {
  const files = [chain.program, ...(interpreter ? [interpreter.program] : [])].map((file) => realpathSync(file))
  const key = files.map((file) => [file, statSync(file).ino, statSync(file).size, statSync(file).mtimeMs].join(' ')).join(' ')
  const known = options.versions?.get(key)
  if (known !== undefined) return known
  const version = await ask(chain.program, VERSION_ARGS[name] ?? ['--version'], options)
  if (version !== null) options.versions?.set(key, version)
  return version
}

/** Every directory a sandbox must mount for this toolchain, and those for its PATH. */
export function mountsOf(chain: Toolchain): {
  readonly prefixes: readonly string[]
  readonly binDirs: readonly string[]
} {
  const chains = chain.interpreter ? [chain, chain.interpreter] : [chain]
  return { prefixes: chains.flatMap(({ prefix }) => prefix ?? []), binDirs: chains.map(({ binDir }) => binDir) }
}

function findOnPath(program: string, { path, deny }: ToolchainOptions): string {
  const denied = real(deny)
  let isInWorkspace = false
  for (const dir of path.split(':')) {
    // A relative entry means the workspace, sooner or later.
    if (!isAbsolute(dir)) continue
    const candidate = join(dir, program)
    if (!isExecutable(candidate)) continue
    if (!isWithin(denied, real(dir)) && !isWithin(denied, realpathSync(candidate))) return candidate
    isInWorkspace = true
  }
  if (isInWorkspace) throw inWorkspace(program)
  throw new VpError('sandbox.program_missing', `${program} is not on your PATH`, { data: { program } })
}

function inWorkspace(program: string): VpError {
  return new VpError('policy.denied', `${program} is found in the workspace only; programs of the workspace are not run by name`)
}

/** Version managers by the place of their shims, how each is asked, and the variable that tells it where that place is. */
const SHIMS: readonly (readonly [shimDir: RegExp, manager: string, root?: string])[] = [
  [/\/\.?pyenv\/shims$/, 'pyenv', 'PYENV_ROOT'],
  [/\/\.?asdf\/shims$/, 'asdf', 'ASDF_DATA_DIR'],
  [/\/mise\/shims$/, 'mise', 'MISE_DATA_DIR'],
  [/\/\.?rbenv\/shims$/, 'rbenv', 'RBENV_ROOT'],
  [/\/\.?nodenv\/shims$/, 'nodenv', 'NODENV_ROOT'],
  [/\/\.volta\/bin$/, 'volta'],
]
/** What says where rustup keeps its toolchains and which of them is meant. Source: the rustup book, Environment variables. */
const RUSTUP_SAYS = ['CARGO_HOME', 'RUSTUP_HOME', 'RUSTUP_TOOLCHAIN']

/** The program behind a shim, or `found` itself. */
async function askShim(found: string, program: string, options: ToolchainOptions): Promise<string> {
  const dir = dirname(found)
  const [, manager, root] = SHIMS.find(([shims]) => shims.test(dir)) ?? (isRustup(found) ? [null, 'rustup'] : [])
  if (!manager || manager === program) return found
  const places = [join(dirname(dir), 'bin', manager), join(dirname(dir), 'libexec', manager), join(dir, manager)]
  const asked = places.find(isExecutable) ?? findOnPath(manager, options)
  const answer = await ask(asked, ['which', program], options, root ? { [root]: dirname(dir) } : manager === 'rustup' ? saidBy(options.env) : {})
  // A manager that looks elsewhere takes its own shim for a program of the system.
  if (answer !== null && isAbsolute(answer) && isExecutable(answer) && dirname(answer) !== dir) return answer
  throw new VpError('sandbox.program_missing', `${manager} has no ${program} for this project`, {
    next: [`${manager} which ${program}`],
    data: { program },
  })
}

/** A proxy of rustup is rustup itself under another name, in whatever directory; others were simply installed beside it. */
function isRustup(found: string): boolean {
  return basename(realpathSync(found)) === 'rustup' || isSameFile(found, join(dirname(found), 'rustup'))
}

function saidBy(env: ToolchainOptions['env'] = {}): Record<string, string> {
  return Object.fromEntries(RUSTUP_SAYS.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
}

function isSameFile(a: string, b: string): boolean {
  const [first, second] = [a, b].map((path) => statSync(path, { throwIfNoEntry: false }))
  return first !== undefined && second !== undefined && first.ino === second.ino && first.dev === second.dev
}

/** The first line a program prints, or null when it fails or takes too long. */
function ask(
  program: string,
  args: readonly string[],
  { path, home, cwd }: ToolchainOptions,
  env: Readonly<Record<string, string>> = {},
): Promise<string | null> {
  return new Promise((resolve) => {
    const settings = {
      cwd: cwd ?? home,
      env: { PATH: path, HOME: home, LANG: 'C.UTF-8', ...env },
      timeout: ASK_TIMEOUT_MS,
      maxBuffer: 65_536,
    }
    const child = execFile(program, [...args], settings, (error, stdout, stderr) =>
      resolve(error ? null : ((stdout.trim() || stderr.trim()).split('\n')[0] ?? null)),
    )
    child.stdin?.end()
  })
}

/** Where the program lies, by its own name when what must be mounted holds that name too. */
function place(target: string, options: ToolchainOptions): Toolchain {
  const named = join(realpathSync(dirname(target)), basename(target))
  const file = realpathSync(target)
  if (isSystem(file)) {
    const program = isSystem(named) ? named : file
    return { program, prefix: null, binDir: dirname(program) }
  }
  const own = prefixOf(named, options)
  // A link from a common place such as ~/.local/bin leads to the program's real home.
  const program = !isSystem(named) && isWithin(own, file) ? named : file
  return { program, prefix: prefixOf(program, options), binDir: dirname(program) }
}

function prefixOf(program: string, { home, deny }: ToolchainOptions): string {
  const store = STORES.find((store) => isWithin(store, program))
  if (store) return store
  const binDir = dirname(program)
  const prefix = ['bin', 'sbin'].includes(basename(binDir)) ? dirname(binDir) : binDir
  return isTooWide(prefix, [real(home), real(deny)]) ? binDir : prefix
}

/** A directory that holds much more than one toolchain: the home, its parents, ~/.local, the top of the disk. */
function isTooWide(prefix: string, places: readonly string[]): boolean {
  const depth = prefix.split('/').filter(Boolean).length
  return depth < 2 || places.some((held) => isWithin(prefix, held)) || basename(prefix) === '.local'
}

async function interpreterOf(target: string, chain: Toolchain, options: ToolchainOptions): Promise<Toolchain | null> {
  const line = firstLine(target)
  const match = /^#!\s*(\S+)(?:\s+(?:-S\s+)?(\S+))?/.exec(line)
  const program = match?.[1]
  if (!program) return null
  if (basename(program) !== 'env') {
    if (!isAbsolute(program) || isSystem(program) || !isExecutable(program)) return null
    const other = place(program, options)
    return other.prefix === chain.prefix ? null : other
  }
  const name = match[2]
  if (!name || !/^[A-Za-z0-9_][A-Za-z0-9._+-]*$/.test(name) || isExecutable(join(chain.binDir, name))) return null
  const other = await resolveToolchain(name, { ...options, askVersion: false })
  return other.prefix === chain.prefix ? null : other
}

function firstLine(path: string): string {
  const fd = openSync(path, 'r')
  try {
    const head = Buffer.alloc(256)
    return head.toString('latin1', 0, readSync(fd, head, 0, head.length, 0)).split('\n')[0] ?? ''
  } finally {
    closeSync(fd)
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    // Absent, unreadable or a loop of links: in each case not a program for us.
    return false
  }
}

function isSystem(path: string): boolean {
  return SYSTEM.some((top) => isWithin(top, path))
}

function isWithin(top: string, path: string): boolean {
  return path === top || path.startsWith(top === '/' ? '/' : `${top}/`)
}

function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    // Not there: then nothing lies in it, by either name.
    return path
  }
}

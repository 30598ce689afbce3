/**
 * The kit of one process: every effect, built once. The only place where clock, chance and the machine come in.
 */
import { randomFillSync } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { loadConfig } from '../config/config.ts'
import { pathsFrom } from '../config/paths.ts'
import { isVpError, VpError } from '../core/errors.ts'
import type { OpenKit, SandboxInForce } from '../operations/kit.ts'
import { createMasking } from '../operations/masking.ts'
import { openPowerMeter, type PowerMeter } from '../operations/power-meter.ts'
import { environmentSecrets } from '../policy/dotenv.ts'
import { parseLaneYaml } from '../policy/lane-file.ts'
import { isLaneName, laneFileAmong, narrow, type Lane, type LaneName } from '../policy/lane.ts'
import { denyPath, isWithin } from '../policy/paths.ts'
import { SHIPPED_LANES } from '../policy/shipped-lanes.ts'
import { selectBackend } from '../sandbox/select.ts'
import { resolveToolchain, type Toolchain } from '../sandbox/toolchain.ts'
import { makeDirectory } from '../store/make-directory.ts'
import { openWorkspace } from '../workspace/files.ts'
import { gitRunner, rememberingGit } from '../workspace/git.ts'
import { namesInRepository, readRepositoryFile } from '../workspace/repository-file.ts'
import { fileSecrets, workspaceSecrets } from './known-secrets.ts'
import { openLedger } from './ledger.ts'
import { isWorkerAlive, systemClock, workerName } from './process.ts'

export interface KitOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly offline: boolean
  readonly version: string
  /** How this program starts its own sandbox launcher. */
  readonly launcher: { readonly node: string; readonly argv: readonly string[] }
  kill(): void
}

export function openKit(options: KitOptions): OpenKit {
  const { env } = options
  const paths = pathsFrom(env)
  const { config } = loadConfig(paths.configFile, env)
  const ledger = openLedger(paths)
  const worker = workerName(process.pid)
  const known = [...environmentSecrets(env), ...fileSecrets(config.secrets.files, env)]
  const base = createMasking({ known })
  const ports = {
    clock: systemClock,
    random: { bytes: (count: number) => randomFillSync(new Uint8Array(count)) },
  }
  let sandbox: Promise<SandboxInForce> | null = null
  let power: { readonly meter: PowerMeter | null } | null = null
  const tools = new Map<string, Promise<Toolchain>>()
  const versions = rememberedVersions(join(paths.cache, 'toolchains.json'))
  return {
    ...ports,
    store: ledger.store,
    key: ledger.key,
    git: rememberingGit(gitRunner(findProgram('git', env))),
    paths,
    config,
    env,
    offline: options.offline,
    version: options.version,
    power: () => (power ??= { meter: openPowerMeter({ powercap: '/sys/class/powercap', path: env['PATH'] ?? '', monotonic: ports.clock.monotonic }) }).meter,
    worker,
    isAlive: (worker) => isWorkerAlive(worker),
    sleep: (ms, signal) => delay(ms, undefined, signal ? { signal } : {}),
    point: killPoints(env, options.kill),
    sandbox: () =>
      (sandbox ??= selectBackend({
        ...ports,
        cacheFile: join(paths.state, 'sandbox.json'),
        tmpBase: join(paths.state, 'tmp'),
        launcher: options.launcher,
        platform: process.platform,
        arch: process.arch,
        uid: process.getuid?.() ?? 0,
        pid: process.pid,
        ...(config.sandbox ? { pin: config.sandbox } : {}),
      })),
    toolchain: (program, workspace, asked) => {
      const key = `${program}\0${workspace}\0${String(asked?.askVersion)}`
      const found =
        tools.get(key) ??
        resolveToolchain(program, {
          path: env['PATH'] ?? '',
          home: env['HOME'] ?? '',
          deny: workspace,
          env,
          askVersion: asked?.askVersion === true,
          versions,
        })
      tools.set(key, found)
      return found
    },
    openFiles: (root, { fixed = [], lane, lanesAt = root } = {}) => {
      // Read when the first path is asked for: a lane file that is broken is said by what it is about.
      let rules: Lane | undefined
      return openWorkspace(root, {
        deny: (path, intent) =>
          denyPath(path, intent, lane === undefined ? undefined : (rules ??= laneOf(lane, lanesAt, paths.lanes))) ??
          (intent === 'write' && isWithin(path, fixed) ? 'global/foreign-content' : null),
      })
    },
    lane: (name, root) => laneOf(name, root, paths.lanes),
    redactText: base.text,
    redactJson: base.json,
    masking: (roots, asked) => createMasking({ known: [...known, ...[...new Set(roots)].flatMap(workspaceSecrets)], ...asked }),
    check: () => ledger.store.check(),
    close: () => ledger.store.close(),
  }
}

/**
 * The user's lane is their own file, or the shipped one; the repository's file may only narrow it. Read anew each time: a
 * denial that was just written holds. Throws `plan.unknown_lane`, `policy.invalid`.
 */
function laneOf(name: string, root: string, own: string): Lane {
  if (!isLaneName(name))
    throw new VpError('plan.unknown_lane', `there is no lane ${JSON.stringify(name.slice(0, 40))}`, {
      next: Object.keys(SHIPPED_LANES).slice(0, 3),
    })
  const user = readLane(name, own, usersOwn(own)) ?? SHIPPED_LANES[name]
  const repository = root === '' ? null : readLane(name, '.vp/lanes', repositorysOwn(root))
  return repository === null ? user : narrow(user, repository)
}

interface LaneFiles {
  names(): readonly string[]
  read(file: string): string
}

/** A person may link to what is theirs. */
function usersOwn(directory: string): LaneFiles {
  return {
    names: () => (existsSync(directory) ? readdirSync(directory) : []),
    read: (file) => readFileSync(file, 'utf8'),
  }
}

function repositorysOwn(root: string): LaneFiles {
  return {
    names: () => refusedAs('.vp/lanes', () => namesInRepository(root, '.vp/lanes')),
    read: (file) => refusedAs(file, () => String(readRepositoryFile(root, file) ?? '')),
  }
}

function refusedAs<Result>(file: string, read: () => Result): Result {
  try {
    return read()
  } catch (cause) {
    if (!isVpError(cause)) throw cause
    throw new VpError('policy.invalid', `${file} is not read: ${cause.message}`, { cause, where: { file }, next: ['vp policy check'] })
  }
}

function readLane(name: LaneName, directory: string, files: LaneFiles): Lane | null {
  const file = laneFileAmong(files.names(), name, (one) => join(directory, one))
  if (file === null) return null
  const shown = join(directory, file)
  const lane = parseLaneYaml(files.read(shown), shown)
  if (lane.name !== name)
    throw new VpError('policy.invalid', `${shown}:1: this file is for the lane ${name}, and it says ${lane.name}`, { where: { file: shown, line: 1 } })
  return lane
}

/** A cache: a file that cannot be read or written costs a question more. */
function rememberedVersions(file: string): { get(key: string): string | undefined; set(key: string, version: string): void } {
  let known: Record<string, string> | null = null
  const load = () => {
    try {
      return (known ??= JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>)
    } catch {
      return (known = {})
    }
  }
  return {
    get: (key) => (Object.hasOwn(load(), key) ? String(load()[key]) : undefined),
    set: (key, version) => {
      known = { ...load(), [key]: version }
      try {
        makeDirectory(dirname(file))
        writeFileSync(`${file}.${process.pid}`, JSON.stringify(known))
        renameSync(`${file}.${process.pid}`, file)
      } catch {
        // asked again next time
      }
    },
  }
}

function findProgram(name: string, env: KitOptions['env']): string {
  for (const directory of (env['PATH'] ?? '/usr/bin').split(delimiter)) {
    const candidate = join(directory, name)
    if (directory.startsWith('/') && existsSync(candidate)) return candidate
  }
  return `/usr/bin/${name}`
}

/** `VP_TEST_KILL_AT=label:nth` ends the process the hard way at a labelled point; for crash tests only. */
function killPoints(env: KitOptions['env'], kill: () => void): (label: string) => void {
  const wanted = env['VP_TEST_KILL_AT']
  if (!wanted) return () => undefined
  const [label, nth] = wanted.split(':')
  let seen = 0
  return (at) => {
    if (at === label && ++seen === Number(nth ?? 1)) kill()
  }
}

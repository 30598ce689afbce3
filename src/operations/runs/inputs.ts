/**
 * What the outcomes of a run depend on beside its ledger: programs and packages of the machine. Kept in the passport, and named where a replay on
 * another machine, or later, comes out otherwise.
 */
import { release } from 'node:os'
import { sha256 } from '../../core/json.ts'
import type { Passport } from '../../ledger/passport.ts'
import type { ProjectFile } from '../../plms/contract/types.ts'
import { namesInRepository, readWithinRepository } from '../../workspace/repository-file.ts'
import type { Kit } from '../kit.ts'
import { packagesOf } from '../program.ts'

/** As the passport's `env` and `env_snapshot` name them. */
export interface RunInputs {
  readonly runtime_version: string
  readonly os: string
  readonly git: string | null
  readonly vp: string
  readonly toolchains: Readonly<Record<string, string | null>>
  /** By folder of the environment, what is installed there; null: nothing, or nobody keeps an account of it. */
  readonly packages: Readonly<Record<string, string | null>>
}

const MAX_ACCOUNT_BYTES = 64 * 1024 * 1024

/** `root`: where the environment's folders stand. Throws where a program is not there. */
export async function inputsHere(kit: Kit, project: ProjectFile, root: string): Promise<RunInputs> {
  return {
    runtime_version: `node ${process.versions.node}`,
    os: `${process.platform}-${process.arch} ${release().split('-')[0]}`,
    git: (await kit.toolchain('git', root, { askVersion: true })).version?.replace('git version ', '') ?? null,
    vp: kit.version,
    toolchains: await toolchainVersions(kit, project, root),
    packages: Object.fromEntries(project.environment.reuse.map((folder) => [folder, installedIn(root, folder)])),
  }
}

/** In words, as `node was 26.10.0, is 24.3.0`; what either side does not know is no difference. */
export function unequalInputs(was: Passport, is: RunInputs & { readonly backend: string }): string[] {
  const { env, env_snapshot: kept, sandbox } = was
  const at = (name: string) => (kept[name] ?? {}) as Readonly<Record<string, string | null>>
  const pairs: (readonly [name: string, was: unknown, is: unknown])[] = [
    ['node', env.runtime_version.replace('node ', ''), is.runtime_version.replace('node ', '')],
    ['the system', env.os, is.os],
    ['git', kept['git'], is.git],
    ['vp', kept['vp'], is.vp],
    ['the sandbox', sandbox.backend, is.backend],
    ...Object.entries(is.toolchains).map(([name, version]) => [name, at('toolchains')[name], version] as const),
    ...Object.entries(is.packages).map(([folder, installed]) => [folder, at('packages')[folder], installed] as const),
  ]
  return pairs
    .filter(([, before, now]) => typeof before === 'string' && before !== (now ?? 'missing'))
    .map(([name, before, now]) => `${name} was ${before}, is ${now ?? 'missing'}`)
}

async function toolchainVersions(kit: Kit, project: ProjectFile, root: string): Promise<Record<string, string | null>> {
  const programs = [project.test?.argv[0], project.lint?.argv[0]].filter((name) => name !== undefined)
  const versions: Record<string, string | null> = {}
  for (const name of new Set(programs)) {
    // What lies in the repository's own environment is never started outside of a sandbox, not even to ask.
    const isPackaged = packagesOf({ project, inAttempt: true }, name) !== null
    versions[name] = isPackaged ? null : ((await kit.toolchain(name, root, { askVersion: true })).version ?? null)
  }
  return versions
}

/** By the account that npm and pnpm keep, or by an interpreter's version and the names of what is installed for it. Source: PEP 405, PEP 376. */
function installedIn(root: string, folder: string): string | null {
  const read = (name: string) => readWithinRepository(root, `${folder}/${name}`, MAX_ACCOUNT_BYTES)
  const account = read('.package-lock.json') ?? read('.modules.yaml')
  if (account) return sha256(account).slice(0, 12)
  const version = /^version(?:_info)?\s*=\s*(\S+)/m.exec(read('pyvenv.cfg')?.toString('utf8') ?? '')?.[1]
  if (version === undefined) return null
  const names = listed(root, `${folder}/lib`)
    .flatMap((python) => listed(root, `${folder}/lib/${python}/site-packages`))
    .filter((name) => name.endsWith('.dist-info'))
  return `python ${version} with ${names.length} packages, ${sha256(names.join('\n')).slice(0, 12)}`
}

function listed(root: string, folder: string): readonly string[] {
  try {
    return namesInRepository(root, folder)
  } catch {
    return [] // behind a link: nothing is told of it
  }
}

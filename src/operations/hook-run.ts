/**
 * The repository's pre-commit hook on a tree, in the sandbox and without a network: its text lies read-only in the scratch
 * directory, beside a git directory of ours in which the change is staged on its base. Nothing of it runs outside.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isVpError } from '../core/errors.ts'
import { cannotRun, readHookRun, type HookMeasurement } from '../pas/embedded/kpi/pre-commit.ts'
import type { Hook } from '../workspace/hooks.ts'
import { gitText, type RunGit } from '../workspace/git.ts'
import { createRunRepository, scratchCommit, type RunRepository } from '../workspace/run-repository.ts'
import { execute } from './execution.ts'
import type { Scene } from './operation.ts'
import { programOf, type Program } from './program.ts'
import type { TreeScene } from './scene.ts'

export interface HookRequest {
  readonly hook: Hook
  readonly repository: RunRepository
  /** What the change is staged on; null: nothing, so that every file is new. */
  readonly from: string | null
  readonly to: string
}

const MAX_PACK = 64 * 1024 * 1024
const GIT_ENV = {
  GIT_DIR: '/tmp/vp/git',
  GIT_WORK_TREE: '/workspace',
  GIT_INDEX_FILE: '/tmp/vp/git/index',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_EDITOR: ':',
  GIT_AUTHOR_NAME: 'vp',
  GIT_AUTHOR_EMAIL: 'vp@localhost',
  GIT_COMMITTER_NAME: 'vp',
  GIT_COMMITTER_EMAIL: 'vp@localhost',
}
/** What hooks call; those that a text names are shown to it where the person has them. */
const TOOLS = ['node', 'npm', 'npx', 'pnpm', 'yarn', 'python3', 'ruff', 'black', 'go', 'gofmt', 'cargo', 'make']

/** A hook that cannot run here is a value that says so. */
export async function measureHook(scene: Scene, request: HookRequest): Promise<HookMeasurement> {
  const { kit, tree, signal } = scene
  try {
    const tools = await toolsOf(scene, request.hook)
    const run = await execute(
      kit,
      tree,
      {
        argv: hookArgv(request.hook),
        measures: true,
        lane: tree.lane,
        runId: scene.caller.runId,
        prepare: (scratch) => prepare(kit.git, tree, request, scratch),
        env: GIT_ENV,
        mounts: tools.flatMap(({ mounts }) => mounts),
        path: [...packageBins(tree), ...tools.flatMap(({ binDirs }) => binDirs)],
      },
      signal,
    )
    tree.touched()
    scene.notes['sandbox'] = run.backend
    return readHookRun(run)
  } catch (thrown) {
    if (isVpError(thrown) && ['sandbox.program_missing', 'limit.reached', 'policy.denied'].includes(thrown.code)) return cannotRun(thrown.message)
    throw thrown
  }
}

function hookArgv({ kind, argv }: Hook): string[] {
  if (kind === 'pre-commit') return [...argv, '--config', '/tmp/vp/hook/pre-commit']
  return [...argv.slice(0, -1), '/tmp/vp/hook/pre-commit']
}

function packageBins(tree: TreeScene): string[] {
  return (tree.project?.environment.reuse ?? []).map((name) => (name.endsWith('node_modules') ? `/workspace/${name}/.bin` : `/workspace/${name}/bin`))
}

async function toolsOf({ kit, tree, signal }: Scene, { text }: Hook): Promise<Program[]> {
  const home = await tree.environmentHome(signal)
  const named = TOOLS.filter((tool) => new RegExp(`(^|[^\\w.-])${tool}($|[^\\w.-])`, 'm').test(text))
  const found = await Promise.all(
    [...new Set([...named, ...(named.includes('npx') || named.includes('npm') ? ['node'] : [])])].map((tool) =>
      programOf(kit, tree, tool, home).catch(() => null),
    ),
  )
  return found.filter((program) => program !== null)
}

async function prepare(git: RunGit, tree: TreeScene, { hook, repository, from, to }: HookRequest, scratch: string): Promise<void> {
  mkdirSync(join(scratch, 'hook', '_'), { recursive: true })
  writeFileSync(join(scratch, 'hook', 'pre-commit'), hook.text, { mode: 0o555 })
  // The first lines of a husky hook read it.
  for (const name of ['husky.sh', 'h']) writeFileSync(join(scratch, 'hook', '_', name), '', { mode: 0o444 })
  const empty = await gitText(git, ['hash-object', '-t', 'tree', '-w', '--stdin'], { gitDir: repository.gitDir })
  const head = await scratchCommit(git, repository.gitDir, from ?? empty, null)
  const pack = await git(['pack-objects', '--revs', '--stdout', '-q', '--delta-base-offset'], {
    gitDir: repository.gitDir,
    input: `${head}\n${to}\n`,
    maxBytes: MAX_PACK,
  })
  const own = createRunRepository(join(scratch, 'git'), { commonDir: null, objectFormat: repository.objectFormat }, { branch: 'refs/heads/vp', commit: head })
  const call = { gitDir: own.gitDir, index: join(own.gitDir, 'index') }
  await git(['index-pack', '--stdin'], { gitDir: own.gitDir, input: pack.stdout })
  await git(['read-tree', to], call)
  await git(['update-index', '-q', '--refresh'], { ...call, workTree: tree.root, accept: [1] })
}

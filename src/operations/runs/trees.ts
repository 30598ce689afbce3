/** Trees of a run: one directory per attempt, gone when the attempt is; a sweep removes what a killed process left. */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { VpError } from '../../core/errors.ts'
import { hex } from '../../core/ids.ts'
import type { WorkTree } from '../../pas/embedded/attempt.ts'
import type { Workspace } from '../../workspace/files.ts'
import { foreignContent, outermost } from '../../workspace/foreign.ts'
import { checkOut, isToolCache, recordTree, restoreTree, treeOf } from '../../workspace/run-repository.ts'
import type { Breach } from '../guarded.ts'
import type { Kit } from '../kit.ts'
import type { Masking } from '../masking.ts'
import { PROJECT_FILE } from '../projects/project.ts'
import type { TreeScene } from '../scene.ts'
import type { RunScene } from './run-scene.ts'
import { straysOf } from './strays.ts'

export interface RunTree extends WorkTree {
  /** Commit or tree that was checked out. */
  readonly from: string
  readonly scene: TreeScene
  /** The tree as the agent of one attempt sees it: its placeholders are numbered from 1, by what it sees first. */
  attempt(): TreeScene
}

export interface TreeRequest {
  readonly name: string
  readonly lane: string
  /** Commit or tree to check out. */
  readonly from: string
  /** Commit it counts as grown from. */
  readonly base: string
  /** Where the environment of the tree lies, as `environmentFor` says. */
  environment(tree: TreeScene, signal: AbortSignal): Promise<string>
}

/** Throws `environment.missing` and `workspace.unsupported`, so that they are said before anything else is tried. */
export async function openRunTree(kit: Kit, run: RunScene, request: TreeRequest, signal: AbortSignal): Promise<RunTree> {
  const directory = join(run.directory, 'trees', `${request.name}-${hex(kit.random, 3)}`)
  const at = { directory: join(directory, 'tree'), index: join(directory, 'index') }
  const { git } = kit
  const foreign = await foreignContent(git, { gitDir: run.repository.gitDir, treeish: request.from }, { root: run.human.root, scratch: run.directory })
  await checkOut(git, run.repository, request.from, at)
  const { reuse } = run.project.environment
  const fixed = outermost(foreign)
  const excluded = [...reuse, ...fixed.map(({ path }) => path)]
  let world = 0
  const [made, written] = [new Set<string>(), new Set<string>()]
  let isKnown = true
  const breaches: Breach[] = []
  let files: Workspace | null = null
  let masking: Masking | null = null
  // What is checked out is that tree; git looks at the files again where something has written since.
  let recorded = { world, tree: await treeOf(git, run.repository.gitDir, request.from) }
  const record = async (): Promise<string> => {
    if (recorded.world !== world) {
      const now = world
      recorded = { world: now, tree: await recordTree(git, run.repository, at, excluded) }
    }
    return recorded.tree
  }
  const asRecorded = async () => ({
    root: at.directory,
    objects: git.objects(run.repository.gitDir),
    format: run.repository.objectFormat,
    tree: await record(),
  })
  const scene: TreeScene = {
    root: at.directory,
    home: run.human.root,
    lane: request.lane,
    project: run.project,
    environmentHome: (now) => request.environment(scene, now),
    files: () => (files ??= kit.openFiles(at.directory, { lane: request.lane, lanesAt: run.human.root, fixed: foreign.map(({ path }) => path) })),
    masking: () => (masking ??= kit.masking([at.directory, run.human.root])),
    record,
    restore: async (treeId) => {
      if (recorded.world === world && recorded.tree === treeId) return []
      const now = world
      const changed = await restoreTree(git, run.repository, at, treeId, excluded)
      recorded = { world: now, tree: treeId }
      return changed
    },
    foreignFolders: fixed.filter(({ kind }) => kind === 'submodule').map(({ path }) => path),
    shownGit: run.project.needs_git ? { gitDir: run.repository.gitDir, human: run.human.commonDir, commit: request.base, from: request.from } : null,
    breached: (found) => void breaches.push(...found),
    breaches: () => breaches,
    touched: (change) => {
      world++
      for (const path of change?.paths ?? []) {
        written.add(path)
        if (change?.isMade) made.add(path)
      }
      if (change?.isPart) isKnown = false
    },
    unrecorded: async () =>
      straysOf(
        await asRecorded(),
        [...made].filter((path) => !isToolCache(path)),
      ),
    isPristine: async () => isKnown && (await straysOf(await asRecorded(), written, 1)).length === 0,
    world: () => world,
    inAttempt: true,
  }
  const dispose = async () => {
    files?.close()
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    refuseTracked(at.directory, reuse)
    for (const one of foreign) await one.put(at.directory)
    await scene.environmentHome(signal)
  } catch (error) {
    await dispose()
    throw error
  }
  let attempt: TreeScene | null = null
  const asAgent = (): TreeScene => {
    const numbered = kit.masking([scene.root, scene.home], { numbered: true })
    return { ...scene, masking: () => numbered }
  }
  return {
    base: request.base,
    from: request.from,
    scene,
    attempt: () => (attempt ??= asAgent()),
    record,
    dispose,
  }
}

function refuseTracked(root: string, reuse: readonly string[]): void {
  const tracked = reuse.find((name) => existsSync(join(root, name)))
  if (tracked !== undefined)
    throw new VpError('config.invalid', `environment.reuse: ${tracked} is tracked by git, so it is part of the tree`, {
      where: { file: PROJECT_FILE },
      next: [`remove ${JSON.stringify(tracked)} from "reuse"`, `git rm -r --cached ${tracked}`],
    })
}

/** Removes trees that no living attempt owns. */
export function sweepTrees(directory: string): number {
  const trees = join(directory, 'trees')
  if (!existsSync(trees)) return 0
  const left = readdirSync(trees)
  for (const name of left) rmSync(join(trees, name), { recursive: true, force: true })
  return left.length
}

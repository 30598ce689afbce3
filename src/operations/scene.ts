/**
 * The tree that calls are about: the human's checkout, or the tree of one task attempt. What is the same for
 * both is said once, so that an operation cannot tell them apart.
 */
import type { ProjectFile } from '../plms/contract/types.ts'
import type { Workspace } from '../workspace/files.ts'
import type { Breach } from './guarded.ts'
import type { Masking } from './masking.ts'

export interface ShownGit {
  /** Of the run: the objects of its commits. */
  readonly gitDir: string
  /** Of the human, whose objects the run borrows. */
  readonly human: string
  /** Where HEAD stands. */
  readonly commit: string
  /** Commit or tree that the index holds. */
  readonly from: string
}

export interface Change {
  readonly paths: readonly string[]
  /** By the task itself; else it is what its tests left behind. */
  readonly isMade: boolean
  /** There may be more than `paths`. */
  readonly isPart?: boolean
}

export interface TreeScene {
  /** Absolute; '' where there is no tree (operations on the machine). */
  readonly root: string
  /** The human's checkout, whose lanes hold and whose environment directories are reused; equals `root` outside attempts. */
  readonly home: string
  readonly lane: string
  /** Where the environment directories lie that fit the tree's lock files as they are now. Throws `environment.missing`. */
  environmentHome(signal: AbortSignal): Promise<string>
  /** In a checkout reading it throws `config.invalid` where the file is broken. */
  readonly project: ProjectFile | null
  /** Opens the files once; throws `usage.project` where there is no tree. */
  files(): Workspace
  /** The filter for what leaves from here; made once. */
  masking(): Masking
  /** Id of the tree as it is now (git), or null outside a run: the measurement's key. */
  record(): Promise<string | null>
  /** Puts the files back as they were at `record`; the paths that had changed since. Only in an attempt. */
  restore(treeId: string): Promise<readonly string[]>
  /** Submodules of the tree: shown to commands read-only, since nothing of them is recorded. */
  readonly foreignFolders: readonly string[]
  /** Git data that commands of an attempt see, read-only; null: none, as most tests need none. */
  readonly shownGit: ShownGit | null
  /** Keeps what a command of this tree wrote and may not. */
  breached(breaches: readonly Breach[]): void
  breaches(): readonly Breach[]
  /** Says that files changed; `world` counts it. */
  touched(change?: Change): void
  /** Files that the task itself made and no commit of it will have as they are, since git ignores or changes them; in path order. */
  unrecorded(): Promise<readonly string[]>
  /** The files are those that `record` records and nothing beside them, so that what is measured here is true of the commit. */
  isPristine(): Promise<boolean>
  world(): number
  /** True in an attempt, where git itself holds every before-image. */
  readonly inAttempt: boolean
}

/** The human's checkout as a tree scene, for what is done by hand outside of runs. */
import type { ProjectFile } from '../../plms/contract/types.ts'
import type { Workspace } from '../../workspace/files.ts'
import { notARepository } from '../../workspace/git-directory.ts'
import { findRepositoryRoot } from '../../workspace/human-repository.ts'
import type { Breach } from '../guarded.ts'
import type { Kit } from '../kit.ts'
import type { Masking } from '../masking.ts'
import type { TreeScene } from '../scene.ts'
import { readProjectFile } from './project.ts'

export interface Checkout extends TreeScene {
  close(): void
}

/** `from` or the repository above it; a directory without git is a workspace too. */
export function openCheckout(kit: Kit, from: string, lane = 'Code-Impl'): Checkout {
  const root = findRepositoryRoot(from) ?? from
  let files: Workspace | null = null
  let masking: Masking | null = null
  let world = 0
  let project: { readonly file: ProjectFile | null } | null = null
  const breaches: Breach[] = []
  return {
    root,
    home: root,
    lane,
    // Read when it is asked for: one that is broken stops what needs it and nothing else.
    get project() {
      return (project ??= { file: readProjectFile(root) }).file
    },
    environmentHome: async () => root,
    files: () => (files ??= kit.openFiles(root, { lane })),
    masking: () => (masking ??= kit.masking([root])),
    record: async () => null,
    restore: async () => [],
    foreignFolders: [],
    shownGit: null,
    breached: (found) => void breaches.push(...found),
    breaches: () => breaches,
    touched: () => void world++,
    unrecorded: async () => [],
    isPristine: async () => true,
    world: () => world,
    inAttempt: false,
    close: () => files?.close(),
  }
}

/** Throws `workspace.not_a_repository`. */
export function requireRoot(from: string): string {
  const root = findRepositoryRoot(from)
  if (root) return root
  throw notARepository(from)
}

/** What the `git.*` operations and `fs.diff` share: the human's repository opened, and which of its paths may be shown. */
import { entryAt } from '../workspace/tree-objects.ts'
import { VpError } from '../core/errors.ts'
import { hex } from '../core/ids.ts'
import { denyPath } from '../policy/paths.ts'
import { findHook, type Hook } from '../workspace/hooks.ts'
import { withIndexCopy, type Reading } from '../workspace/human-reading.ts'
import { openHumanRepository, type HumanRepository } from '../workspace/human-repository.ts'
import type { Kit } from './kit.ts'
import type { Scene } from './operation.ts'

/** Throws `workspace.not_a_repository`, `workspace.unsupported`, and `sandbox.unavailable` as every `git.*` does. */
export async function openRepository(scene: Scene): Promise<HumanRepository> {
  const { kit, tree } = scene
  const { backend } = await kit.sandbox()
  scene.notes['sandbox'] = backend.name
  return openHumanRepository(kit.git, tree.root, kit.paths.views)
}

/** Reads the repository with an index that is a copy. */
export async function readRepository<Result>(scene: Scene, body: (reading: Reading) => Promise<Result>): Promise<Result> {
  return withIndexCopy(await openRepository(scene), hex(scene.kit.random, 4), body)
}

export const isHidden = (path: string): boolean => denyPath(path, 'read') !== null

/** Named paths as git takes them; `.` is everything. Throws `path.denied` with the rule. */
export function requireReadable(paths: readonly string[]): readonly string[] {
  const plain = paths.map((path) => path.replace(/^\.(\/|$)/, '').replace(/\/$/, ''))
  for (const path of plain.filter((one) => one !== '')) {
    const rule = denyPath(path, 'read')
    if (rule !== null) throw new VpError('path.denied', `${JSON.stringify(path.slice(0, 200))} may not be read: ${rule}`, { rule })
  }
  return plain
}

/** The pre-commit hook of a repository as it is at a commit. */
export function hookAt(kit: Kit, repository: HumanRepository, commit: string): Promise<Hook | null> {
  const tracked = async (path: string): Promise<string | null> => {
    const objects = kit.git.objects(repository.view)
    const entry = await entryAt(objects, commit, path)
    return entry?.mode.startsWith('100') ? (await objects.read(entry.id)).body.toString('utf8') : null
  }
  return findHook(kit.git, repository, { tracked, hide: isHidden })
}

/**
 * The program of a command: one of the human's own by its bare name, or, by its path, one of the packages beside the
 * tree (`.venv/bin/python`). A program of the tree itself is none: whoever writes the tree would choose what runs.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { VpError } from '../core/errors.ts'
import { isDependencyPath } from '../policy/paths.ts'
import type { Mount } from '../sandbox/contract.ts'
import { environmentToolchain, mountsOf, type Toolchain } from '../sandbox/toolchain.ts'
import type { Kit } from './kit.ts'
import type { TreeScene } from './scene.ts'

export interface Program {
  /** On the host: what is looked at to tell one version from another. */
  readonly file: string
  /** What argv[0] becomes in the sandbox. */
  readonly path: string
  readonly mounts: readonly Mount[]
  readonly binDirs: readonly string[]
}

/** `home` holds the tree's environment directories. Throws `sandbox.program_missing`, `environment.missing`, `policy.denied`. */
export async function programOf(kit: Kit, tree: TreeScene, name: string, home: string): Promise<Program> {
  const directory = packagesOf(tree, name)
  if (directory === null) return programFrom(await kit.toolchain(name, tree.root))
  const file = join(home, name)
  if (!existsSync(file))
    throw new VpError('environment.missing', `${name} is not there: ${directory} is not installed`, {
      next: tree.project?.environment.setup.map((argv) => argv.join(' ')) ?? ['vp new --name NAME'],
    })
  const beyond = await environmentToolchain(file, join(home, directory), {
    path: kit.env['PATH'] ?? '',
    home: kit.env['HOME'] ?? '',
    deny: tree.root,
    env: kit.env,
  })
  const mounts = beyond.flatMap((chain) => programFrom(chain).mounts)
  const binDirs = [join('/workspace', name, '..'), ...beyond.flatMap((chain) => mountsOf(chain).binDirs)]
  return { file, path: join('/workspace', name), mounts, binDirs }
}

function programFrom(tool: Toolchain): Program {
  const { prefixes, binDirs } = mountsOf(tool)
  return { file: tool.program, path: tool.program, mounts: prefixes.map((prefix) => ({ hostPath: prefix, sandboxPath: prefix })), binDirs }
}

/** The environment directory that a path lies in; in an attempt only one that the project names is from outside the tree. */
export function packagesOf(tree: Pick<TreeScene, 'project' | 'inAttempt'>, name: string): string | null {
  const parts = name.split('/')
  const at = parts.findIndex((_, index) => index < parts.length - 1 && isDependencyPath(parts.slice(0, index + 1).join('/')))
  if (at < 0) return null
  const directory = parts.slice(0, at + 1).join('/')
  if (parts.includes('..') || (tree.inAttempt && !tree.project?.environment.reuse.includes(directory))) return null
  return directory
}

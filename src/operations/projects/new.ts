/**
 * `vp new`: finds tests, linter and environment once, writes `.vp/project.json`, makes the project's record. Also
 * used by `vp do` on a repository without a project, where nothing is written into the tree.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { VpError } from '../../core/errors.ts'
import { isoUtc } from '../../core/ports.ts'
import type { ProjectCommand, ProjectFile } from '../../plms/contract/types.ts'
import { conventionWords, detectConvention, type CommitConvention } from '../../workspace/commit-convention.ts'
import { detectProject, type Detected } from '../../workspace/detect.ts'
import { treePaths } from '../../workspace/git.ts'
import { readWithinRepository } from '../../workspace/repository-file.ts'
import { historyOf } from '../../workspace/tree-objects.ts'
import { humanState, openHumanRepository } from '../../workspace/human-repository.ts'
import type { Hook } from '../../workspace/hooks.ts'
import { isNodeTest, nodeTestCommand } from '../../workspace/node-test.ts'
import type { Kit } from '../kit.ts'
import { hookAt } from '../repository.ts'
import { writeOwnFile } from './own-files.ts'
import { loadTemplate } from './templates.ts'
import { createProjectRecord, PROJECT_FILE, readProjectFile, requireProject, type ProjectRecord } from './project.ts'

export interface NewProject {
  readonly project_id: number
  readonly name: string
  readonly template_used: string | null
  readonly index: { readonly files: number; readonly symbols: null }
  readonly test: readonly string[] | null
  readonly lint: readonly string[] | null
  readonly environment: ProjectFile['environment']
  readonly hooks: NonNullable<ProjectFile['hooks']> | null
  /** How commits are titled here, in words; null for too few. */
  readonly commits: string | null
  /** They are signed off here (`vp git commit -s`). */
  readonly signoff: boolean
  readonly evidence: readonly string[]
  readonly files_written: readonly string[]
}

/** Throws `project.exists`, `usage.project`, `config.invalid` of a template. */
export async function newProject(kit: Kit, root: string, name: string, templateId: string | null): Promise<NewProject> {
  if (!/^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,63}$/u.test(name))
    throw new VpError('usage.project', 'a project name is 1 to 64 letters, digits, blanks, dots, dashes', {
      next: ['vp new --name shop-api'],
    })
  const existing = readProjectFile(root)
  if (existing) {
    const known = await kit.store.read((tx) => requireProject(tx, existing.project_id)).catch(() => null)
    throw new VpError('project.exists', `${existing.name} was made here${known ? ` on ${isoUtc(known.created_at).slice(0, 10)}` : ''} (${PROJECT_FILE})`, {
      next: ['vp plan', 'vp status'],
    })
  }
  const template = templateId === null ? null : loadTemplate(kit, templateId)
  const { detected, count, hook, commits } = await detect(kit, root)
  const record = await kit.store.transaction((tx) => createProjectRecord(tx, { root, name, template, now: kit.clock.now() }), {
    durable: true,
  })
  const file = projectFile(record.id, name, { ...detected, hook, commits }, null)
  writeOwnFile(root, PROJECT_FILE, `${JSON.stringify(file, null, 2)}\n`)
  return {
    project_id: record.id,
    name,
    template_used: template?.template_name ?? null,
    index: { files: count, symbols: null },
    test: file.test?.argv ?? null,
    lint: file.lint?.argv ?? null,
    environment: file.environment,
    hooks: file.hooks ?? null,
    evidence: [
      ...detected.evidence,
      ...(hook ? [`pre-commit hook ${hook.argv.join(' ')} (${hook.kind})`] : []),
      ...(commits ? [`commit titles: ${conventionWords(commits)}`] : []),
    ],
    commits: commits ? conventionWords(commits) : null,
    signoff: commits?.signoff ?? false,
    files_written: [PROJECT_FILE],
  }
}

/** A project for one small change: recorded, but nothing is written into the human's tree. */
export async function ephemeralProject(
  kit: Kit,
  root: string,
  test: readonly string[] | null,
  { detected, hook, commits }: Detection,
): Promise<{ record: ProjectRecord; file: ProjectFile }> {
  const known = await kit.store.read((tx) => tx.get<{ id: number }>("SELECT id FROM projects WHERE root = ? AND name = 'vp do' ORDER BY id DESC LIMIT 1", root))
  const record = known
    ? await kit.store.read((tx) => requireProject(tx, known.id))
    : await kit.store.transaction((tx) => createProjectRecord(tx, { root, name: 'vp do', now: kit.clock.now() }))
  return { record, file: projectFile(record.id, 'vp do', { ...detected, hook, commits }, test) }
}

function projectFile(
  id: number,
  name: string,
  detected: Detected & { hook: Hook | null; commits: CommitConvention | null },
  test: readonly string[] | null,
): ProjectFile {
  return {
    version: 1,
    project_id: id,
    name,
    test: test ? commandOf(test, detected) : detected.test,
    lint: detected.lint,
    build: detected.build,
    ...(detected.hook ? { hooks: { pre_commit: { kind: detected.hook.kind, argv: detected.hook.argv } } } : {}),
    ...(detected.commits ? { commits: detected.commits } : {}),
    environment: detected.environment,
    needs_git: detected.needs_git,
  }
}

/** `--test CMD`: the detected command when it is the same one, so that its runner's report is read. */
export function commandOf(argv: readonly string[], detected: Pick<Detected, 'test'>): ProjectCommand {
  const plain = (words: readonly string[]) => words.filter((word) => word !== '--silent').join(' ')
  if (detected.test && plain(detected.test.argv) === plain(argv)) return detected.test
  if (isNodeTest(argv)) return nodeTestCommand(argv)
  return { argv: [...argv], runner: argv[0] ?? 'command', report_args: [], report: { format: 'exit', from: 'stdout' } }
}

/** Lock files are among what is read. */
const MAX_BYTES = 16 * 1024 * 1024

/** The commands that the repository's own files name. Throws `workspace.*`. */
export async function detectCommands(kit: Kit, root: string): Promise<Pick<ProjectFile, 'test' | 'lint' | 'build'>> {
  return (await detect(kit, root)).detected
}

/** What a repository's own files and history say of how it is worked on. */
export interface Detection {
  readonly detected: Detected
  /** Tracked files. */
  readonly count: number
  readonly hook: Hook | null
  readonly commits: CommitConvention | null
}

/** Over the tracked files of HEAD; throws `workspace.no_commits`. */
export async function detect(kit: Kit, root: string): Promise<Detection> {
  const human = await openHumanRepository(kit.git, root, kit.paths.views)
  const { head } = await humanState(kit.git, human)
  if (!head)
    throw new VpError('workspace.no_commits', 'the repository has no commit yet, so there is nothing to start from', {
      next: ['git add -A && git commit -m "start"'],
    })
  const [list, hook, history] = await Promise.all([
    treePaths(kit.git, human.view, head),
    hookAt(kit, human, head),
    historyOf(kit.git.objects(human.view), head, 100),
  ])
  // Deleted in the checkout: not there for the person either.
  const read = (path: string): string | null => (list.includes(path) ? (readWithinRepository(root, path, MAX_BYTES)?.toString('utf8') ?? null) : null)
  return {
    detected: detectProject({ list, read, isThere: (path) => existsSync(join(root, path)) }),
    count: list.length,
    hook,
    commits: detectConvention(history),
  }
}

/**
 * The pre-commit hook that a repository's people have: which it is, and its text. Read as data, never started here; a
 * hook that is tracked is read from a commit, so that a task cannot weaken the one it is measured by. A file that leads
 * out of the repository is no hook.
 */
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import type { RunGit } from './git.ts'
import { lastValue, readGitConfig } from './git-config.ts'
import type { HumanRepository } from './human-repository.ts'
import { isWithin } from './persons-programs.ts'

export interface Hook {
  /** `git`: a file that git would start; `husky`: the one that husky would; `pre-commit`: the program of that name, by its configuration. */
  readonly kind: 'git' | 'husky' | 'pre-commit'
  /** As a person would start it. */
  readonly argv: readonly string[]
  /** Of the hook, or of the configuration. */
  readonly text: string
}

export interface HookSource {
  /** A regular file of the commit, or null. */
  tracked(path: string): Promise<string | null>
  /** Paths that may not be read. */
  hide(path: string): boolean
}

const HUSKY = '.husky/pre-commit'
const PRE_COMMIT = '.pre-commit-config.yaml'
const MAX_BYTES = 256 * 1024

export async function findHook(git: RunGit, repository: HumanRepository, source: HookSource): Promise<Hook | null> {
  const hooksPath = lastValue(await readGitConfig(git, join(repository.commonDir, 'config')), 'core.hookspath')
  const husky = hooksPath === null || hooksPath.startsWith('.husky') ? await source.tracked(HUSKY) : null
  if (husky !== null) return { kind: 'husky', argv: ['sh', '-e', HUSKY], text: husky }
  const file = await hookFile(repository, hooksPath, source)
  const config = await source.tracked(PRE_COMMIT)
  if (config !== null && (file === null || /pre-commit\.com/.test(file.text))) return { kind: 'pre-commit', argv: ['pre-commit', 'run'], text: config }
  return file && { kind: 'git', argv: [...interpreterOf(file.text), file.name], text: file.text }
}

async function hookFile(repository: HumanRepository, hooksPath: string | null, source: HookSource): Promise<{ name: string; text: string } | null> {
  const { root, commonDir } = repository
  const file = hooksPath === null ? join(commonDir, 'hooks', 'pre-commit') : resolve(root, hooksPath, 'pre-commit')
  const inTree = hooksPath !== null && isWithin(root, file) ? relative(root, file) : null
  const tracked = inTree === null ? null : await source.tracked(inTree)
  if (inTree !== null && tracked !== null) return { name: inTree, text: tracked }
  const text = plainText(file, repository, source)
  return text === null ? null : { name: inTree ?? '.git/hooks/pre-commit', text }
}

/** Null for what git would not start, for a link that leads out, and for bytes that are no text. */
function plainText(file: string, { root, commonDir }: HumanRepository, source: HookSource): string | null {
  if (!existsSync(file)) return null
  const real = realpathSync(file)
  const stat = statSync(real)
  const isOurs = isWithin(commonDir, real) || (isWithin(root, real) && !source.hide(relative(root, real)))
  if (!isOurs || !stat.isFile() || stat.size > MAX_BYTES || (stat.mode & 0o111) === 0) return null
  const text = readFileSync(real, 'utf8')
  return text.includes('\0') || text.includes('\uFFFD') ? null : text
}

/** The words before the file: those of its first line, by the bare name of the program. */
function interpreterOf(text: string): string[] {
  const words =
    /^#!\s*(.+)$/m
      .exec(text.startsWith('#!') ? (text.split('\n', 1)[0] ?? '') : '')?.[1]
      ?.trim()
      .split(/\s+/) ?? []
  const own = words[0]?.endsWith('/env') ? words.slice(1).filter((word) => word !== '-S' && !word.includes('=')) : words
  const name = own[0]?.split('/').at(-1) ?? ''
  return /^[\w.+-]+$/.test(name) ? [name, ...own.slice(1)] : ['sh']
}

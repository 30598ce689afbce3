/** A change of one file that may become a case: which are fit for the bar, and the diff of it as git writes it. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { SliceCase } from '../slice.ts'

export interface Change {
  readonly path: string
  readonly before: Buffer
  readonly after: Buffer
}

export interface Candidate extends SliceCase {
  /** The patch changes this file and no other. */
  readonly isAlone: boolean
}

const LANGUAGES: readonly [lang: string, path: RegExp][] = [
  ['ts', /(?<!\.d)\.tsx?$/],
  ['py', /\.pyi?$/],
  ['go', /\.go$/],
  ['rs', /\.rs$/],
  ['c', /\.[ch]$/],
  ['md', /\.md$/],
]
const MAX_FILE_BYTES = 100_000
const MAX_PATCH_CHARACTERS = 20_000
/** Not of the project itself, so maybe under other terms; or written by a program. */
const FOREIGN = /(?:^|\/)(?:_?vendor|vendored|third_party|node_modules|dist|generated)\//
const OTHER_TERMS = /GNU (?:Lesser |Library |Affero )?General Public|Mozilla Public|SPDX-License-Identifier:.*GPL|Creative Commons/i

export function langOf(path: string): string | null {
  return FOREIGN.test(path) ? null : (LANGUAGES.find(([, pattern]) => pattern.test(path))?.[0] ?? null)
}

/** null where the change is too large, no text, or under terms of its own. */
export function caseOf(change: Change): Pick<SliceCase, 'lang' | 'path' | 'before' | 'after' | 'patch'> | null {
  const lang = langOf(change.path)
  if (lang === null || change.before.length > MAX_FILE_BYTES || change.before.equals(change.after)) return null
  const [before, after] = [change.before.toString(), change.after.toString()]
  if (/[\0\uFFFD]/.test(before + after) || OTHER_TERMS.test(before + after)) return null
  const patch = gitDiff(change)
  return patch.length > MAX_PATCH_CHARACTERS || !patch.includes('\n@@ ') ? null : { lang, path: change.path, before, after, patch }
}

function gitDiff({ path, before, after }: Change): string {
  const root = mkdtempSync(join(tmpdir(), 'patch-bar-'))
  try {
    for (const [side, bytes] of [
      ['a', before],
      ['b', after],
    ] as const) {
      mkdirSync(dirname(join(root, side, path)), { recursive: true })
      writeFileSync(join(root, side, path), bytes)
    }
    const argv = ['-c', 'core.abbrev=7', 'diff', '--no-index', '--no-color', '--no-ext-diff', '--no-prefix', '--diff-algorithm=myers', `a/${path}`, `b/${path}`]
    const env = { PATH: process.env['PATH'], GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' }
    return spawnSync('git', argv, { cwd: root, env, encoding: 'utf8' }).stdout
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

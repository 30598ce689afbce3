/**
 * A git configuration file, read as data: by name, so that nothing is discovered, without what it includes, and
 * nothing runs. What most of them hold (sections, keys, values without quotes) is read here, since a program for it would be
 * the dearest question of a start; a file with anything else is git's to read.
 */
import { existsSync, readFileSync } from 'node:fs'
import { nulList, type RunGit } from './git.ts'

/** In the order of the file. Section and name in small letters, the part between them as written; a key without a value is `true`. */
export type GitConfig = readonly (readonly [key: string, value: string])[]

/** Empty where there is no such file. Throws `workspace.git` for a file that git could not read either. */
export async function readGitConfig(git: RunGit, file: string): Promise<GitConfig> {
  if (!existsSync(file)) return []
  const plain = plainConfig(readFileSync(file))
  if (plain) return plain
  return nulList((await git(['config', '--file', file, '--no-includes', '--list', '-z'])).stdout).map((entry) => {
    const at = entry.indexOf('\n')
    return at < 0 ? [entry, 'true'] : [entry.slice(0, at), entry.slice(at + 1)]
  })
}

const SECTION = /^[ \t]*\[([A-Za-z0-9-]+)(?:[ \t]+"([^"\\\n]*)")?\][ \t]*$/
/** No quotes, escapes, tabs or comments behind a value: there git's versions differ. */
const SETTING = /^[ \t]*([A-Za-z][A-Za-z0-9-]*)(?: *=([^\t"\\#;]*))?$/
const BLANK = /^[ \t]*([#;].*)?$/

/** Null for anything that is not plainly a section, a setting, a comment or nothing. Syntax: git-config(1). */
export function plainConfig(bytes: Buffer): GitConfig | null {
  const text = bytes.toString('latin1')
  // eslint-disable-next-line no-control-regex
  if (/[^\n\t\x20-\x7e]/.test(text)) return null
  const found: (readonly [string, string])[] = []
  let section = ''
  for (const line of text.split('\n')) {
    if (BLANK.test(line)) continue
    const head = SECTION.exec(line)
    const setting = head ? null : SETTING.exec(line)
    if (head) section = `${head[1]?.toLowerCase()}.${head[2] === undefined ? '' : `${head[2]}.`}`
    else if (setting && section !== '') found.push([section + setting[1]?.toLowerCase(), setting[2]?.trim() ?? 'true'])
    else return null
  }
  return found
}

/** The last value of a key, as git counts. */
export function lastValue(config: GitConfig, key: string): string | null {
  return config.findLast(([name]) => name === key)?.[1] ?? null
}

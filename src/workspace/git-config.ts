/**
 * A git configuration file, read as data: by name, so that nothing is discovered, without what it includes, and
 * nothing runs. One question whoever asks, so that a git which remembers answers the second from memory.
 */
import { existsSync } from 'node:fs'
import { nulList, type RunGit } from './git.ts'

/** In the order of the file. Section and name in small letters, the part between them as written; a key without a value is `true`. */
export type GitConfig = readonly (readonly [key: string, value: string])[]

/** Empty where there is no such file. Throws `workspace.git` for a file that git could not read either. */
export async function readGitConfig(git: RunGit, file: string): Promise<GitConfig> {
  if (!existsSync(file)) return []
  return nulList((await git(['config', '--file', file, '--no-includes', '--list', '-z'])).stdout).map((entry) => {
    const at = entry.indexOf('\n')
    return at < 0 ? [entry, 'true'] : [entry.slice(0, at), entry.slice(at + 1)]
  })
}

/** The last value of a key, as git counts. */
export function lastValue(config: GitConfig, key: string): string | null {
  return config.findLast(([name]) => name === key)?.[1] ?? null
}

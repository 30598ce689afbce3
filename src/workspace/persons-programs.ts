/**
 * Programs and settings of the person that git or we start on their behalf: looked up where the person keeps them,
 * never in the repository at hand, whoever wrote that.
 */
import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs'
import { delimiter, isAbsolute, join, resolve, sep } from 'node:path'

export type PersonsEnv = Readonly<Record<string, string | undefined>>

/** Links are followed; a path that is not there yet is judged by its name. */
export function isWithin(root: string, path: string): boolean {
  const real = existsSync(path) ? realpathSync(path) : resolve(path)
  return real === root || real.startsWith(root + sep)
}

/** PATH without what lies in the repository, or would be looked up in the current directory. */
export function outsidePath(env: PersonsEnv, root: string): string {
  return (env['PATH'] ?? '')
    .split(delimiter)
    .filter((directory) => isAbsolute(directory) && !isWithin(root, directory))
    .join(delimiter)
}

/** The absolute path of a program outside the repository: a bare name by PATH, `~/` from home. Null when there is none. */
export function findOutside(program: string, env: PersonsEnv, root: string): string | null {
  const path = program.startsWith('~/') ? join(env['HOME'] ?? '/nonexistent', program.slice(2)) : program
  const candidates = path.includes('/')
    ? isAbsolute(path)
      ? [path]
      : []
    : outsidePath(env, root)
        .split(delimiter)
        .filter(Boolean)
        .map((directory) => join(directory, path))
  return candidates.find((file) => isProgram(file) && !isWithin(root, file)) ?? null
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

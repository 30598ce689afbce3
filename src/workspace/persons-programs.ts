/**
 * Programs and settings of the person that git or we start on their behalf: looked up where the person keeps them,
 * never in the repository at hand, whoever wrote that.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs'
import { delimiter, isAbsolute, join, resolve, sep } from 'node:path'
import { VpError } from '../core/errors.ts'

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

export interface PersonsCall {
  readonly env: PersonsEnv
  readonly input: Buffer | null
  readonly waitMs: number
  /** Away from the terminal: it cannot ask there, and Ctrl-C does not reach it. */
  readonly detached: boolean
  readonly signal: AbortSignal
}

/** One that is away from the terminal leads a group of its own, which ends with it. */
function killWhole(child: ChildProcess, leadsGroup: boolean): void {
  try {
    if (leadsGroup && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    else child.kill('SIGKILL')
  } catch {
    // it has ended by itself meanwhile
  }
}

export interface PersonsEnd {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** It was ended, since its time was over. */
  readonly isLate: boolean
}

/** Bounded in time and output; exit and words are values. Throws `cancelled`. */
export function startForPerson(program: string, args: readonly string[], call: PersonsCall): Promise<PersonsEnd> {
  return new Promise((resolve, reject) => {
    const { env, signal, detached } = call
    if (signal.aborted) return reject(new VpError('cancelled', 'cancelled'))
    const child = spawn(program, args, { cwd: '/', env, stdio: ['pipe', 'pipe', 'pipe'], detached })
    let isLate = false
    const stop = () => {
      killWhole(child, detached)
      // A grandchild may hold the pipes for as long as it likes.
      end(null)
    }
    const late = setTimeout(() => {
      isLate = true
      stop()
    }, call.waitMs)
    signal.addEventListener('abort', stop, { once: true })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (part: Buffer) => (stdout = (stdout + part.toString('latin1')).slice(0, 65_536)))
    child.stderr.on('data', (part: Buffer) => (stderr = (stderr + part.toString('utf8')).slice(-8192)))
    const end = (code: number | null) => {
      child.stdout.destroy()
      child.stderr.destroy()
      clearTimeout(late)
      signal.removeEventListener('abort', stop)
      if (signal.aborted) reject(new VpError('cancelled', 'cancelled'))
      else resolve({ code, stdout, stderr, isLate })
    }
    child.on('error', (error) => {
      stderr = error.message
      end(null)
    })
    child.on('close', end)
    child.stdin.on('error', () => undefined) // it may not read at all; its exit code says why
    child.stdin.end(call.input ?? '')
  })
}

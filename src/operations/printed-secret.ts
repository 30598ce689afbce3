/** What a command of the person's prints: a token, a key. Its words are in no receipt, error or log; no shell reads it. */
import { VpError, type ErrorCode } from '../core/errors.ts'
import { findOutside, outsidePath, startForPerson } from '../workspace/persons-programs.ts'
import type { Kit } from './kit.ts'

const PATIENCE_MS = 30_000

export interface SecretCommand {
  readonly argv: readonly string[]
  /** The repository, whose programs are not the person's. */
  readonly root: string
  /** `token`, `key`: for the words. */
  readonly what: string
  readonly code: ErrorCode
}

/** The first line, trimmed. Throws `code` where it is not found, fails, takes longer than 30 s or prints nothing. */
export async function printedSecret(kit: Pick<Kit, 'env'>, { argv, root, what, code }: SecretCommand, signal: AbortSignal): Promise<string> {
  const [name = '', ...args] = argv
  const program = findOutside(name, kit.env, root)
  if (program === null) throw new VpError(code, `${name}, which prints the ${what}, is not found outside this repository`, { next: ['vp config show'] })
  const ended = await startForPerson(program, args, {
    env: { ...kit.env, PATH: outsidePath(kit.env, root) },
    input: null,
    waitMs: PATIENCE_MS,
    detached: true,
    signal,
  })
  const [secret = ''] = ended.stdout.trim().split('\n')
  if (ended.code === 0 && secret.trim() !== '') return secret.trim()
  const how = ended.isLate ? ` within ${PATIENCE_MS / 1000} s` : ended.code === 0 ? '' : `, exit ${ended.code ?? 'by a signal'}`
  throw new VpError(code, `${name} printed no ${what}${how}`, {
    next: [argv.join(' '), 'vp config show'],
  })
}

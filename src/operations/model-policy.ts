/** The model policy in force: the file that a person set, else the shipped one. Validated before it replaces another. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { VpError } from '../core/errors.ts'
import { DEFAULT_POLICY } from '../models/policy/default.ts'
import { checkPolicy, parsePolicy } from '../models/policy/load.ts'
import type { PolicyFile } from '../models/policy/schema.ts'
import { atPath } from '../store/directory.ts'
import { makeDirectory } from '../store/make-directory.ts'
import type { Kit } from './kit.ts'

export interface PolicyInForce {
  readonly policy: PolicyFile
  /** null: nobody has set one. */
  readonly file: string | null
  readonly warnings: readonly string[]
}

/** Throws `config.invalid`: one that cannot be read is not passed over. */
export function policyInForce(kit: Pick<Kit, 'paths'>): PolicyInForce {
  const file = kit.paths.modelPolicy
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { policy: DEFAULT_POLICY, file: null, warnings: [] }
    throw new VpError('config.invalid', `${file} cannot be read`, { cause: error, where: { file } })
  }
  return { ...parsePolicy(text, file, 'no other takes its place: mend it, or delete it for the shipped one'), file }
}

/** In one step, and only when it holds. Throws `config.invalid`; the policy before it then stays. */
export function writePolicy(kit: Pick<Kit, 'paths' | 'worker'>, value: unknown): PolicyInForce {
  const file = kit.paths.modelPolicy
  const read = checkPolicy(value, { file: 'the policy', meanwhile: 'the policy before it stays in force' })
  const fresh = `${file}.new`
  atPath(file, ['export VP_CONFIG=FILE'], () => {
    makeDirectory(dirname(file))
    try {
      writeFileSync(fresh, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
      parsePolicy(readFileSync(fresh, 'utf8'), fresh)
      renameSync(fresh, file)
    } finally {
      rmSync(fresh, { force: true })
    }
  })
  return { ...read, file }
}

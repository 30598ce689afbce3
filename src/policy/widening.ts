/**
 * Where a repository's lane says more than the user's: cut when it is used, and worth a word before. Pure. A rule counts
 * as wider when a command of its own, an example or the shortest that it fits, is one that the user's lane refuses.
 */
import { decideCommand } from './argv.ts'
import type { ArgvPattern, Lane } from './lane.ts'

export interface Widening {
  readonly what: string
  /** 1-based, where it is known. */
  readonly line?: number
}

export function widenings(user: Lane, repository: Lane): readonly Widening[] {
  const commands = repository.commands.allow.flatMap((rule): Widening[] => {
    const cut = [shortest(rule.argv), ...(rule.match ?? [])].map((argv) => decideCommand(argv, user, 'human')).find(({ effect }) => effect !== 'allow')
    if (cut === undefined || (cut.effect === 'ask' && rule.effect === 'ask')) return []
    const says = cut.effect === 'ask' ? 'a question' : 'a refusal'
    return [{ what: `${rule.id}: ${says} by ${cut.rule} stays`, ...(rule.where ? { line: rule.where.line } : {}) }]
  })
  const { limits, fsOps } = repository
  const larger = (own: number | undefined, wide: number | undefined) => own !== undefined && wide !== undefined && own > wide
  const others: (string | false)[] = [
    repository.network.outbound && !user.network.outbound && 'network.outbound: there is no network',
    larger(limits.maxExecSeconds, user.limits.maxExecSeconds) && `limits.max_exec_seconds: ${user.limits.maxExecSeconds} stays`,
    larger(limits.maxMemMb, user.limits.maxMemMb) && `limits.max_mem_mb: ${user.limits.maxMemMb} stays`,
    larger(limits.maxCpuPct, user.limits.maxCpuPct) && `limits.max_cpu_pct: ${user.limits.maxCpuPct} stays`,
    larger(limits.maxParallel, user.limits.maxParallel) && `limits.max_parallel: ${user.limits.maxParallel} stays`,
    user.fsOps.patchOnly && !fsOps.patchOnly && 'fs_ops.patch_only: true stays',
    user.fsOps.backups && !fsOps.backups && 'fs_ops.backups: true stays',
  ]
  return [...commands, ...others.filter((what) => what !== false).map((what) => ({ what }))]
}

/** What a pattern fits with as few words as it can, `x` for what it leaves open. */
function shortest(pattern: ArgvPattern): string[] {
  const last = pattern.length - 1
  return pattern.flatMap((token, at) => {
    if (token.length > 1 && token.endsWith('?')) return []
    return at === last && token === '*' ? [] : [token.replaceAll('*', 'x')]
  })
}

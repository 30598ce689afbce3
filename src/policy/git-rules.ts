/**
 * git arguments that no lane can allow: what throws work away, runs helpers, writes elsewhere or rewrites history,
 * in every spelling that git's option parser takes (abbreviations, clusters, `+refspec`).
 */
import type { GlobalDenial } from './global-rules.ts'

const FORCE: GlobalDenial = {
  rule: 'global/git-force',
  reason: 'shipped; no lane and no flag can allow it',
  nearest: 'vp git push, by a person with the scope git.push',
}
const LOSES_WORK: GlobalDenial = {
  rule: 'global/git-loses-work',
  reason: 'it can drop work that is not committed',
  nearest: 'vp undo; git.show to look at another ref',
}
const RUNS_CODE: GlobalDenial = {
  rule: 'global/git-runs-code',
  reason: 'the option runs a helper, reads or writes outside the work tree',
}

const NEVER: ReadonlySet<string> = new Set([
  'clean',
  'filter-branch',
  'filter-repo',
  'fast-import',
  'config',
  'daemon',
  'credential',
  'gc',
  'prune',
  'maintenance',
  'am',
  'send-email',
  'hook',
  'worktree',
  'bundle',
  'bisect',
  'difftool',
  'mergetool',
  'submodule',
  'clone',
  'fetch',
  'pull',
  'remote',
  'ls-remote',
  'archive',
  'update-ref',
  'update-index',
  'reflog',
  'replace',
  'instaweb',
  'gui',
  'citool',
  'shell',
  'upload-pack',
  'receive-pack',
  'hash-object',
  'check-attr',
  'format-patch',
  'apply',
  'rm',
  'restore',
  'svn',
  'p4',
  'cvsimport',
  'http-fetch',
  'http-push',
  'init',
])

/** `rest` is what follows `git`. */
export function gitDeny(rest: readonly string[]): GlobalDenial | null {
  const verb = rest[0] ?? ''
  const own = rest.slice(1)
  if (verb.startsWith('-') && verb !== '--version') return { rule: 'global/git-option', reason: 'no option stands before the sub-command' }
  if (verb === 'push') return denyPush(own)
  if (NEVER.has(verb))
    return verb === 'clean' || verb === 'restore' || verb === 'rm' ? LOSES_WORK : { rule: 'global/git-verb', reason: `git ${verb} is not offered` }
  if (own.some(runsCode)) return RUNS_CODE
  if (own.some((argument) => !argument.startsWith('-') && /^(?:ext|fd)::/.test(argument))) return RUNS_CODE
  return denyLoss(verb, own)
}

function denyPush(own: readonly string[]): GlobalDenial | null {
  const isForce = (argument: string): boolean =>
    /^--(?:fo|m|de|pru)/.test(argument) || /^-[a-zA-Z]*[fd]/.test(argument) || /^[+:]/.test(argument) || argument.includes(':+')
  if (own.some(isForce)) return FORCE
  return own.some((argument) => runsCode(argument) || /^(?:ext|fd)::/.test(argument) || argument.startsWith('--rep')) ? RUNS_CODE : null
}

function denyLoss(verb: string, own: readonly string[]): GlobalDenial | null {
  const has = (pattern: RegExp): boolean => own.some((argument) => pattern.test(argument))
  const hasPath = own.includes('--') || own.includes('.') || has(/^:/)
  if (verb === 'reset' && has(/^--(?:h|m(?:e|$)|k)/)) return { ...LOSES_WORK, rule: 'global/git-reset-hard' }
  if (verb === 'checkout' && (hasPath || has(/^-[a-zA-Z]*[fB]/) || has(/^--(?:f|ou|th|pat|m)/))) return LOSES_WORK
  if (verb === 'switch' && (has(/^-[a-zA-Z]*[fC]/) || has(/^--(?:f|di|m)/))) return LOSES_WORK
  if (verb === 'rebase' && (has(/^-[a-zA-Z]*[ix]/) || has(/^--(?:i|ex|ed)/))) return { rule: 'global/git-rebase', reason: 'rewrites history step by step' }
  if (verb === 'stash' && has(/^(?:drop|clear|pop|create|store)$/)) return LOSES_WORK
  if ((verb === 'branch' || verb === 'tag') && (has(/^-[a-zA-Z]*[dDfMC]/) || has(/^--(?:de|f)/))) return LOSES_WORK
  if (verb === 'commit' && own.some((argument) => argument.startsWith('--am')))
    return { rule: 'global/git-amend', reason: 'a commit that is there is not rewritten' }
  if (verb === 'commit' && (has(/^-[a-zA-Z]*[FtC]/) || has(/^--(?:file|temp|reu|reed)/))) return RUNS_CODE
  return null
}

function runsCode(argument: string): boolean {
  return /^--(?:ou|ext-|textc|no-ind|up|rec|exe|filters|open|work-|git-d|conf)/.test(argument) || argument.startsWith('-O')
}

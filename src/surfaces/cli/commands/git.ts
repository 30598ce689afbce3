/** `vp git branch`, `commit`, `push`, `pr`: your own repository, by your order, with nothing of it running. */
import { relative, resolve } from 'node:path'
import { VpError } from '../../../core/errors.ts'
import { gitBranch, gitCommit } from '../../../operations/git.ts'
import { gitPr } from '../../../operations/git-pr.ts'
import { gitPush } from '../../../operations/publish.ts'
import type { Command } from '../command.ts'
import { textFlag } from '../parse.ts'
import { branchesScreen, committedScreen, proposedScreen, pushedScreen, type BranchesView, type ProposedView, type PushedView } from '../screens/git.ts'

export const gitBranchCommand: Command = {
  name: 'git branch',
  group: 'by hand',
  summary: 'list branches, or make one where you are',
  usage: 'vp git branch [NAME [--switch]]',
  takes: 1,
  examples: ['vp git branch', 'vp git branch fix/retry --switch', 'vp git branch --json | jq -r .result.current'],
  flags: { switch: { type: 'boolean', help: 'go on it; files and index stay as they are' } },
  needsKit: true,
  exits: [0, 2, 4, 7],
  json: 'current, branches[]{name,sha,current}, created',
  async run(context) {
    const name = context.positionals[0]
    const answer = await context.call(gitBranch, { ...(name === undefined ? {} : { name }), ...(context.flags['switch'] === true ? { switch: true } : {}) })
    const result = answer.result as Omit<BranchesView, 'next'> & { current: string | null }
    const next = result.created === null ? [] : result.current === result.created ? ['vp git commit -m MESSAGE PATH'] : [`git switch ${result.created}`]
    return { result, receipt: answer.receipt, screen: (look) => branchesScreen({ ...result, next }, look) }
  },
}

export const gitCommitCommand: Command = {
  name: 'git commit',
  group: 'by hand',
  summary: 'commit named paths, or what you staged; runs no hook, no filter, no program of the repository',
  usage: 'vp git commit -m MESSAGE [--signoff] [PATH…]',
  takes: 'words',
  examples: ['vp git commit -m "fix(cart): keep both" src/cart', 'vp git commit -s -m "docs: how to retry" docs/retry.md', 'vp git commit -m "as staged"'],
  flags: {
    message: { type: 'string', short: 'm', help: 'the message; its first line is the subject' },
    signoff: { type: 'boolean', short: 's', help: 'add Signed-off-by with your git identity' },
  },
  needsKit: true,
  exits: [0, 2, 4, 7],
  json: 'sha, branch, subject, files, omitted[], signed, warnings[]',
  async run(context) {
    const message = textFlag(context.flags, 'message')
    if (message === undefined) throw new VpError('usage.flag', 'vp git commit takes -m MESSAGE', { next: ['vp git commit -m "fix: …" PATH'] })
    const { root } = context.checkout()
    const paths = context.positionals.map((path) => relative(root, resolve(context.cwd, path)) || '.')
    const answer = await context.call(gitCommit, {
      message,
      ...(context.flags['signoff'] === true ? { signoff: true } : {}),
      ...(paths.length > 0 ? { paths } : {}),
    })
    const result = answer.result as { sha: string; branch: string; subject: string; files: number; omitted: string[]; warnings: string[] }
    const view = { ...result, next: ['vp git push'] }
    return { result, receipt: answer.receipt, warnings: result.warnings, screen: (look) => committedScreen(view, look) }
  },
}

export const gitPushCommand: Command = {
  name: 'git push',
  group: 'by hand',
  summary: 'push one branch to your remote after a yes, never by force',
  usage: 'vp git push [REMOTE [BRANCH]]',
  takes: 2,
  examples: ['vp git push', 'vp git push origin fix/retry', 'vp git push --no-input     (leaves the question for vp approve)'],
  flags: {},
  needsKit: true,
  exits: [0, 2, 4, 5, 7, 9],
  json: 'remote, url, branch, from, to, up_to_date',
  async run(context) {
    const [remote, branch] = context.positionals
    const answer = await context.call(gitPush, { ...(remote === undefined ? {} : { remote }), ...(branch === undefined ? {} : { branch }) })
    const result = answer.result as PushedView
    return { result, receipt: answer.receipt, screen: (look) => pushedScreen(result, look) }
  },
}

export const gitPrCommand: Command = {
  name: 'git pr',
  group: 'by hand',
  summary: 'push a run and open its pull request after a yes, or print it where no forge or token is known',
  usage: 'vp git pr [RUN] [--draft] [--title TEXT] [--base BRANCH] [--dry-run]',
  takes: 1,
  examples: ['vp git pr', 'vp git pr 9c1f --base main --draft', 'vp git pr --dry-run > pr.md'],
  flags: {
    base: { type: 'string', help: 'the branch it should go to' },
    title: { type: 'string', help: 'another title' },
    draft: { type: 'boolean', help: 'as a draft' },
    'dry-run': { type: 'boolean', help: 'send nothing; print title and body' },
  },
  needsKit: true,
  exits: [0, 2, 4, 5, 7, 9],
  json: 'run_id, title, body, base, head, commits[], state, number, url, compare_url, note',
  async run(context) {
    const run = context.positionals[0]
    const base = textFlag(context.flags, 'base')
    const title = textFlag(context.flags, 'title')
    const answer = await context.call(gitPr, {
      ...(run ? { run } : {}),
      ...(base ? { base } : {}),
      ...(title ? { title } : {}),
      ...(context.flags['draft'] === true ? { draft: true } : {}),
      ...(context.flags['dry-run'] === true ? { dry_run: true } : {}),
    })
    const result = answer.result as ProposedView
    return { result, receipt: answer.receipt, screen: (look) => proposedScreen(result, look) }
  },
}

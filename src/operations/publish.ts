/**
 * git.push: what leaves this machine. It is asked for every time, names remote, branch and commit, and is never forced.
 */
import * as z from 'zod/mini'
import { VpError } from '../core/errors.ts'
import { resolveCommit } from '../workspace/human-reading.ts'
import { humanState, type HumanRepository } from '../workspace/human-repository.ts'
import { pushBranch, remoteOf, type Remote } from '../workspace/human-push.ts'
import { operation, type Decision, type Scene } from './operation.ts'
import { openRepository } from './repository.ts'

interface PushParams {
  readonly remote?: string | undefined
  readonly branch?: string | undefined
}

interface Push {
  readonly repository: HumanRepository
  readonly remote: Remote
  readonly branch: string
  readonly commit: string
}

/** Throws `workspace.moved` on a detached HEAD, `forge.unsupported`, `workspace.git` for a branch that is not there. */
async function pushOf(params: PushParams, scene: Scene): Promise<Push> {
  const { git } = scene.kit
  const repository = await openRepository(scene)
  const branch = params.branch ?? (await humanState(git, repository)).branch?.replace('refs/heads/', '')
  if (branch === undefined) throw new VpError('workspace.moved', 'HEAD is detached, so there is no branch to push', { next: ['vp git push BRANCH'] })
  const remote = await remoteOf(git, repository, params.remote ?? 'origin')
  return { repository, remote, branch, commit: await resolveCommit(git, repository, `refs/heads/${branch}`) }
}

export const gitPush = operation<PushParams, { remote: string; url: string; branch: string; from: string | null; to: string; up_to_date: boolean }>({
  name: 'git.push',
  summary: 'push one branch to your remote, never by force',
  params: () =>
    z.strictObject({
      remote: z.optional(z.string().check(z.maxLength(100))),
      branch: z.optional(z.string().check(z.minLength(1), z.maxLength(200))),
    }) as never,
  result: () =>
    z.object({
      remote: z.string(),
      url: z.string(),
      branch: z.string(),
      from: z.nullable(z.string()),
      to: z.string(),
      up_to_date: z.boolean(),
    }),
  effect: 'publish',
  scope: 'git.push',
  async decide(params, scene): Promise<Decision> {
    const { remote, branch, commit } = await pushOf(params, scene)
    scene.notes['push'] = { branch, commit, remote: remote.name, url: remote.shown }
    if (scene.kit.offline && !remote.local) return { effect: 'deny', rule: 'global/offline', reason: `--offline, and ${remote.shown} is not this machine` }
    return { effect: 'ask', rule: 'global/git-push', reason: 'what is pushed has left this machine' }
  },
  ask(_params, scene) {
    const { branch, commit, remote, url } = pushNote(scene)
    return {
      wants: `push ${branch} (${commit.slice(0, 12)}) to ${remote}, ${url}`,
      reaches: `${url}, with your own git's credentials`,
      undo: 'not: others may have it at once',
      fullyUndoable: false,
      maxExtent: 'call',
    }
  },
  // Commits that came after the yes are not what the person saw.
  boundTo: (_params, scene) => ({ ...pushNote(scene) }),
  async handler(params, scene) {
    const { repository, remote, branch } = await pushOf(params, scene)
    const pushed = await pushBranch(scene.kit.git, repository, { remote, branch, env: scene.kit.env, signal: scene.signal })
    return { remote: remote.name, url: remote.shown, branch, ...pushed }
  },
  say: (_params, result) => `${result.branch} to ${result.remote}: ${result.up_to_date ? 'up to date' : result.to.slice(0, 7)}`,
})

function pushNote(scene: Scene): { branch: string; commit: string; remote: string; url: string } {
  return scene.notes['push'] as { branch: string; commit: string; remote: string; url: string }
}

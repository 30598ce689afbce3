/**
 * git.push, git.pr: what leaves this machine, and the words that go with it. A push is asked for every time, names
 * remote, branch and commit, and is never forced; a pull request is text, and no forge is needed for it.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { VpError } from '../core/errors.ts'
import { sha256 } from '../core/json.ts'
import { openViolations } from '../pas/embedded/reducer/gates.ts'
import { tokensOf } from '../pas/embedded/reducer/budget.ts'
import type { RunState } from '../pas/embedded/reducer/state.ts'
import { gitText, readRef, type RunGit } from '../workspace/git.ts'
import { commitsOf, resolveCommit } from '../workspace/human-reading.ts'
import { humanState, type HumanRepository } from '../workspace/human-repository.ts'
import { pushBranch, remoteOf, type Remote } from '../workspace/human-push.ts'
import { operation, type Decision, type Scene } from './operation.ts'
import { readPlan } from './projects/plans.ts'
import { projectRoot } from './projects/project.ts'
import { openRepository } from './repository.ts'
import { chosenState } from './runs/chosen-run.ts'
import { pullRequest } from './runs/pull-request.ts'
import { branchOf } from './runs/run-scene.ts'

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
  params: z.strictObject({
    remote: z.optional(z.string().check(z.maxLength(100))),
    branch: z.optional(z.string().check(z.minLength(1), z.maxLength(200))),
  }) as never,
  result: z.object({
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

export const gitPr = operation({
  name: 'git.pr',
  summary: 'title and body of a pull request, from a run and its receipts',
  params: z.strictObject({
    run: z.optional(z.string()),
    base: z.optional(z.string().check(z.minLength(1), z.maxLength(200))),
    title: z.optional(z.string().check(z.minLength(1), z.maxLength(200))),
  }),
  result: z.object({
    run_id: z.string(),
    title: z.string(),
    body: z.string(),
    base: z.nullable(z.string()),
    head: z.string(),
    commits: z.array(z.string()),
  }),
  effect: 'read',
  scope: 'projects.view',
  async handler(params, scene) {
    const { git } = scene.kit
    const repository = await openRepository(scene)
    const state = await chosenState(scene, params.run)
    if ((await projectRoot(scene.kit, state.project_id)) !== scene.tree.root)
      throw new VpError('run.none', `run ${state.run_id} belongs to another repository`, { next: ['vp status'] })
    const tip = (await readRef(git, repository.view, branchOf(state.run_id))) ?? state.head
    const { base, head } = await branchesFor(git, repository, state.run_id, tip)
    const commits = state.head === state.base ? [] : await commitsOf(git, repository, { from: state.base, to: tip, max: 1000 })
    const text = pullRequest(await factsOf(scene, state, tip, new Map(commits.map((commit) => [commit.sha, commit.subject]))))
    return {
      run_id: state.run_id,
      title: params.title ?? text.title,
      body: text.body,
      base: params.base ?? base,
      head,
      commits: commits.map((commit) => commit.sha),
    }
  },
  say: (_params, result) => result.title,
})

async function factsOf(scene: Scene, state: RunState, tip: string, subjects: ReadonlyMap<string, string>) {
  const { kit, tree } = scene
  const plan = await readPlan(kit, state.project_id, state.plan_version)
  const titles = new Map(plan?.tasks.map((task) => [task.n, task.title]))
  const head = await kit.store.read((tx) => tx.get<{ n: number; key: string }>('SELECT n, key FROM heads WHERE run_id = ?', state.run_id))
  return {
    run_id: state.run_id,
    plan_version: state.plan_version,
    base: state.base,
    head: tip,
    heading: headingOf(tree.root, plan?.prd_sha ?? ''),
    tasks: state.order.flatMap((id) => {
      const task = state.tasks[id]
      if (!task) return []
      const { n, goal } = task.card.payload
      const subject = task.commit === null ? null : (subjects.get(task.commit) ?? null)
      return [
        { n, title: titles.get(n) ?? goal, lane: task.card.lane, status: task.status, attempts: task.attempt, commit: task.commit, subject, gates: task.kpis },
      ]
    }),
    violations: openViolations(state),
    receipts: { count: head?.n ?? 0, head: head?.key ?? '', key_id: kit.key().id },
    cost_usd: state.price_unknown ? null : state.micro_usd / 1e6,
    tokens: tokensOf(state),
    completed: tip !== state.head,
  }
}

/** The first heading of the requirements that the plan was made from; null when they are gone or others by now. */
function headingOf(root: string, prdSha: string): string | null {
  try {
    const text = readFileSync(join(root, '.vp', 'prd.md'), 'utf8')
    return sha256(text) === prdSha ? (/^#\s+(.+)$/m.exec(text)?.[1]?.trim() ?? null) : null
  } catch {
    return null // a run without a PRD: `vp do`
  }
}

/**
 * From which branch to which: the human's own when it holds the run already, else `vp/<run>` onto the human's. Where the
 * human's is the remote's default itself, `vp/<run>` is what can be asked for.
 */
async function branchesFor(git: RunGit, repository: HumanRepository, runId: string, tip: string): Promise<{ base: string | null; head: string }> {
  const { view } = repository
  const ref = (await humanState(git, repository)).branch
  const current = ref?.replace('refs/heads/', '') ?? null
  const own = branchOf(runId).replace('refs/heads/', '')
  const standard = await defaultBranch(git, view)
  if (ref === null || current === standard) return { base: standard, head: own }
  const holds = await git(['merge-base', '--is-ancestor', tip, ref], { gitDir: view, accept: [1, 128] })
  return holds.code === 0 ? { base: standard, head: current ?? own } : { base: current, head: own }
}

/** Where the remote's HEAD points, else `main` or `master` where there is one. */
async function defaultBranch(git: RunGit, view: string): Promise<string | null> {
  const { code, stdout } = await git(['symbolic-ref', '--quiet', 'refs/remotes/origin/HEAD'], { gitDir: view, accept: [1, 128] })
  if (code === 0) return stdout.toString().trim().replace('refs/remotes/origin/', '')
  const found = await gitText(git, ['for-each-ref', '--format=%(refname:short)', 'refs/heads/main', 'refs/heads/master'], { gitDir: view })
  return found.split('\n')[0] || null
}

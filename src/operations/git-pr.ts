/**
 * git.pr: a pull request from a run and its receipts. Where the forge and a token are known it pushes the run's branch,
 * never by force, and opens the request or finds the open one, after a yes; else it is text and an address to open.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { asVpError, isVpError, VpError } from '../core/errors.ts'
import { sha256 } from '../core/json.ts'
import type { Passport } from '../ledger/passport.ts'
import { openViolations, runTally } from '../pas/embedded/reducer/gates.ts'
import { tokensOf } from '../pas/embedded/reducer/budget.ts'
import type { RunState } from '../pas/embedded/reducer/state.ts'
import { gitText, readRef, type RunGit } from '../workspace/git.ts'
import { commitsOf } from '../workspace/human-reading.ts'
import { humanState, type HumanRepository } from '../workspace/human-repository.ts'
import { pushBranch, remoteOf, type Remote } from '../workspace/human-push.ts'
import { readRepositoryFile } from '../workspace/repository-file.ts'
import { FORGES } from './forges/apis.ts'
import { forgeOf, type ForgeRepository } from './forges/forge.ts'
import { propose, tokenSource } from './forges/propose.ts'
import type { Kit } from './kit.ts'
import { operation, type Decision, type Scene } from './operation.ts'
import { readPlan } from './projects/plans.ts'
import { openRepository } from './repository.ts'
import { ownRun } from './runs/chosen-run.ts'
import { pullRequest, type PullRequestFacts } from './runs/pull-request.ts'
import { branchOf, runDirectory } from './runs/run-scene.ts'

interface PrParams {
  readonly run?: string | undefined
  readonly base?: string | undefined
  readonly title?: string | undefined
  readonly draft?: boolean | undefined
  readonly dry_run?: boolean | undefined
}

interface PrResult {
  readonly run_id: string
  readonly title: string
  readonly body: string
  readonly base: string | null
  readonly head: string
  readonly commits: readonly string[]
  /** `text`: nothing was sent. */
  readonly state: 'text' | 'opened' | 'found'
  readonly number: number | null
  readonly url: string | null
  /** Where a person can open it by hand. */
  readonly compare_url: string | null
  /** Why nothing was sent although nobody said so. */
  readonly note: string | null
}

/** What would be sent, and to whom: made once a call. */
interface Draft extends Pick<PrResult, 'run_id' | 'title' | 'body' | 'base' | 'head' | 'commits'> {
  readonly repository: HumanRepository
  readonly tip: string
  readonly remote: Remote | null
  readonly forge: ForgeRepository | null
  readonly note: string | null
}

const drafts = new WeakMap<Scene, Draft>()

export const gitPr = operation<PrParams, PrResult>({
  name: 'git.pr',
  summary: 'a pull request from a run and its receipts: pushed and opened where the forge is known, else as text',
  params: () =>
    z.strictObject({
      run: z.optional(z.string()),
      base: z.optional(z.string().check(z.regex(/^[^-\s\p{C}][^\s\p{C}]{0,199}$/u))),
      title: z.optional(z.string().check(z.minLength(1), z.maxLength(200), z.regex(/^[^\p{C}]+$/u))),
      draft: z.optional(z.boolean()),
      dry_run: z.optional(z.boolean()),
    }) as never,
  result: () =>
    z.object({
      run_id: z.string(),
      title: z.string(),
      body: z.string(),
      base: z.nullable(z.string()),
      head: z.string(),
      commits: z.array(z.string()),
      state: z.enum(['text', 'opened', 'found']),
      number: z.nullable(z.int()),
      url: z.nullable(z.string()),
      compare_url: z.nullable(z.string()),
      note: z.nullable(z.string()),
    }) as never,
  effect: 'publish',
  scope: 'projects.view',
  async decide(params, scene): Promise<Decision> {
    const draft = await draftOf(params, scene)
    drafts.set(scene, draft)
    if (!isSent(draft, params)) return { effect: 'allow', rule: 'scope/projects.view', reason: 'nothing is sent' }
    if (!scene.caller.scopes.has('git.push'))
      throw new VpError('policy.scope', 'Missing scope: git.push', { rule: 'scope/git.push', next: ['vp git pr --dry-run'] })
    scene.notes['pr'] = { branch: draft.head, commit: draft.tip, base: draft.base, remote: draft.remote?.shown ?? '', api: draft.forge?.api ?? '' }
    return { effect: 'ask', rule: 'global/git-push', reason: 'what is pushed has left this machine' }
  },
  ask(_params, scene) {
    const { head, tip, base, remote, forge } = draftIn(scene)
    return {
      wants: `push ${head} (${tip.slice(0, 12)}) to ${remote?.shown ?? ''} and open a pull request to ${base ?? ''}`,
      reaches: `${remote?.shown ?? ''}, with your own git's credentials; ${forge?.api ?? ''}, with your token`,
      undo: 'not: others may have it at once',
      fullyUndoable: false,
      maxExtent: 'call',
    }
  },
  // What is read there is what the person said yes to.
  boundTo(params, scene) {
    const { head, tip, base, title, body, remote, forge } = draftIn(scene)
    return { head, tip, base, title, body: sha256(body), remote: remote?.shown ?? null, api: forge?.api ?? null, draft: params.draft ?? false }
  },
  async handler(params, scene) {
    const draft = draftIn(scene)
    const { run_id, title, body, base, head, commits, forge, remote, repository } = draft
    const text = { run_id, title, body, base, head, commits: [...commits] }
    const compare = forge && base !== null ? FORGES[forge.kind].compareUrl(forge, { base, head }) : null
    if (!isSent(draft, params) || !forge || !remote || base === null)
      return { ...text, state: 'text', number: null, url: null, compare_url: compare, note: params.dry_run ? null : draft.note }
    await pushBranch(scene.kit.git, repository, { remote, branch: head, env: scene.kit.env, signal: scene.signal })
    try {
      const done = await propose(scene.kit, forge, { title, body, base, head, draft: params.draft ?? false }, repository.root, scene.signal)
      return { ...text, state: done.made ? 'opened' : 'found', number: done.number, url: done.url, compare_url: compare, note: null }
    } catch (thrown) {
      const error = asVpError(thrown)
      throw new VpError(error.code, error.message, { ...error.details, cause: thrown, changed: `${head} is on ${remote.name}, without a pull request` })
    }
  },
  say: (_params, result) => (result.state === 'text' ? result.title : `${result.state} #${result.number} ${result.url}`),
})

function draftIn(scene: Scene): Draft {
  const draft = drafts.get(scene)
  if (!draft) throw new VpError('internal', 'a pull request was not decided on')
  return draft
}

const isSent = (draft: Draft, params: PrParams): boolean => draft.note === null && params.dry_run !== true

/** Throws `run.*`, `workspace.*`. */
async function draftOf(params: PrParams, scene: Scene): Promise<Draft> {
  const { kit } = scene
  const { git } = kit
  const repository = await openRepository(scene)
  const { state } = await ownRun(scene, params.run)
  const tip = (await readRef(git, repository.view, branchOf(state.run_id))) ?? state.head
  const chosen = await branchesFor(git, repository, state.run_id, tip)
  const commits = state.head === state.base ? [] : await commitsOf(git, repository, { from: state.base, to: tip, max: 1000 })
  const text = pullRequest(await factsOf(scene, state, tip, new Map(commits.map((commit) => [commit.sha, commit.subject]))))
  const base = params.base ?? chosen.base
  const { remote, forge, note } = await destination(kit, repository, base)
  return {
    repository,
    run_id: state.run_id,
    title: kit.redactText(params.title ?? text.title),
    body: kit.redactText(text.body),
    base,
    head: chosen.head,
    tip: (await readRef(git, repository.view, `refs/heads/${chosen.head}`)) ?? tip,
    commits: commits.map((commit) => commit.sha),
    remote,
    forge,
    note,
  }
}

/** The forge of `origin`, and why nothing can be sent to it. */
async function destination(kit: Kit, repository: HumanRepository, base: string | null): Promise<Pick<Draft, 'remote' | 'forge' | 'note'>> {
  const nowhere = (note: string, remote: Remote | null = null, forge: ForgeRepository | null = null) => ({ remote, forge, note })
  let remote: Remote
  try {
    remote = await remoteOf(kit.git, repository, 'origin')
  } catch (thrown) {
    if (isVpError(thrown) && thrown.code === 'forge.unsupported') return nowhere(thrown.message)
    throw thrown
  }
  const forge = forgeOf(remote.url, kit.config.forges)
  if (!forge) return nowhere(`${remote.shown} is no forge that vp knows; name it in the user configuration (forges)`, remote)
  if (kit.offline && !remote.local) return nowhere('--offline, and the forge is not this machine', remote, forge)
  if (base === null) return nowhere('the branch it should go to is not known (--base)', remote, forge)
  if (tokenSource(kit, forge) === null)
    return nowhere(`no token for ${forge.host}: set ${FORGES[forge.kind].tokenNames(forge.host)[0]} to open it from here`, remote, forge)
  return { remote, forge, note: null }
}

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
    whole: state.whole?.kpis ?? [],
    tally: runTally(state),
    violations: [...openViolations(state), ...(state.whole?.violations ?? [])],
    receipts: { count: head?.n ?? 0, head: head?.key ?? '', key_id: kit.key().id },
    cost_usd: state.price_unknown ? null : state.micro_usd / 1e6,
    tokens: tokensOf(state),
    completed: tip !== state.head,
    passport: passportOf(kit, state.run_id),
  }
}

/** What the run was made with; null when its files are gone. */
function passportOf(kit: Kit, runId: string): PullRequestFacts['passport'] {
  try {
    const text = readFileSync(join(runDirectory(kit, runId), 'replay_passport.json'), 'utf8')
    const { providers, sandbox, policy_version, plan_sha, prd_sha256, started_at } = JSON.parse(text) as Passport
    const models = [...new Set(Object.values(providers.lanes))]
    return { models, tier: providers.tier, backend: sandbox.backend, policy: policy_version, plan_sha, prd_sha: prd_sha256, started_at, sha: sha256(text) }
  } catch {
    return null // kept elsewhere, or not at all: the receipts say what there was
  }
}

/** The first heading of the requirements that the plan was made from; null when they are gone or others by now. */
function headingOf(root: string, prdSha: string): string | null {
  try {
    const text = readRepositoryFile(root, '.vp/prd.md')?.toString('utf8') ?? ''
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

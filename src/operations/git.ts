/**
 * git.status, diff, log, show, branch, commit: the human's repository through the view, so that nothing of its
 * configuration runs. Secret files are never shown; reading changes nothing; a commit takes what a person names or
 * has staged, without hooks or filters, and is signed with the person's own key unless `git.sign` is `never`.
 */
import { join } from 'node:path'
import * as z from 'zod/mini'
import { once } from '../core/once.ts'
import { VpError } from '../core/errors.ts'
import { hex } from '../core/ids.ts'
import { decode, isBinary, joinLines } from '../patch/text-file.ts'
import type { Identity, RunGit } from '../workspace/git.ts'
import { lastValue, readGitConfig } from '../workspace/git-config.ts'
import { commitByHand, createBranch } from '../workspace/human-commit.ts'
import { branchesOf, commitsOf, difference, emptyTree, resolveCommit, statusOf, type CommitEntry, type Sides } from '../workspace/human-reading.ts'
import { humanIdentity, humanState, type HumanRepository } from '../workspace/human-repository.ts'
import { operation, showing, type Decision, type Scene } from './operation.ts'
import { hookAt, isHidden, openRepository, readRepository, requireReadable } from './repository.ts'
import { signingOf } from './signing.ts'

const refShape = once(() => z.string().check(z.minLength(1), z.maxLength(256)))
const pathShape = once(() => z.string().check(z.minLength(1), z.maxLength(4096)))
const pathsShape = once(() => z.array(pathShape()).check(z.minLength(1), z.maxLength(1000)))
const MAX_FILES = 5000
const MAX_CONTENT = 2 * 1024 * 1024

const changeWord = once(() => z.nullable(z.string()))

export const gitStatus = operation({
  name: 'git.status',
  summary: 'what is changed, staged and untracked',
  params: () => z.strictObject({}),
  result: () =>
    z.object({
      branch: z.nullable(z.string()),
      head: z.nullable(z.string()),
      busy: z.nullable(z.string()),
      clean: z.boolean(),
      files: z.array(z.object({ path: z.string(), staged: changeWord(), unstaged: changeWord() })),
      uncompared: z.array(z.string()),
      truncated: z.boolean(),
    }),
  effect: 'read',
  scope: 'git.read',
  handler: (_params, scene) =>
    readRepository(scene, async (reading) => {
      const { head, branch, busy } = await humanState(scene.kit.git, reading.repository)
      const { files, uncompared } = await statusOf(scene.kit.git, reading)
      return {
        branch: branch?.replace('refs/heads/', '') ?? null,
        head,
        busy,
        clean: files.length === 0,
        files: files.slice(0, MAX_FILES),
        uncompared,
        truncated: files.length > MAX_FILES,
      }
    }),
  say: (_params, result) => (result.clean ? 'clean' : `${result.files.length} files`),
})

export const gitDiff = showing({
  name: 'git.diff',
  summary: 'tree against index; with staged, index against HEAD; with ref, tree or `to` against it',
  params: () => z.strictObject({ ref: z.optional(refShape()), to: z.optional(refShape()), staged: z.optional(z.boolean()), paths: z.optional(pathsShape()) }),
  result: () => z.object({ unified_diff: z.string(), omitted: z.array(z.string()) }),
  effect: 'read',
  scope: 'git.read',
  handler: (params, scene) =>
    readRepository(scene, async (reading) => {
      const { git } = scene.kit
      const paths = requireReadable(params.paths ?? [])
      const from = params.ref === undefined ? await headOrEmpty(git, reading.repository) : await resolveCommit(git, reading.repository, params.ref)
      const to = params.to === undefined ? null : await resolveCommit(git, reading.repository, params.to)
      if (to && params.staged) throw new VpError('usage.params', 'git.diff: staged compares with the index, to with a commit; not both')
      const sides: Sides = to
        ? { kind: 'trees', from, to }
        : params.staged
          ? { kind: 'staged', from }
          : params.ref === undefined
            ? { kind: 'unstaged' }
            : { kind: 'files', from }
      const { unified_diff, omitted } = await difference(git, reading, sides, { paths, hide: isHidden })
      return { unified_diff, omitted: [...omitted] }
    }),
  say: (params) => [params.ref, params.to, ...(params.paths ?? [])].filter(Boolean).join(' ').slice(0, 100) || 'unstaged',
})

async function headOrEmpty(git: RunGit, repository: HumanRepository): Promise<string> {
  return (await humanState(git, repository)).head ?? emptyTree(git, repository)
}

const commitShape = {
  sha: z.string(),
  parents: z.array(z.string()),
  author: z.object({ name: z.string(), email: z.string() }),
  date: z.string(),
  subject: z.string(),
  body: z.string(),
}
const plainCommit = (commit: CommitEntry) => ({ ...commit, parents: [...commit.parents], author: { ...commit.author } })

export const gitLog = showing({
  name: 'git.log',
  summary: 'commits, newest first',
  params: () => z.strictObject({ ref: z.optional(refShape()), max: z.optional(z.int().check(z.gte(1), z.lte(500))), path: z.optional(pathShape()) }),
  result: () => z.object({ commits: z.array(z.object(commitShape)), truncated: z.boolean() }),
  effect: 'read',
  scope: 'git.read',
  async handler(params, scene) {
    const { git } = scene.kit
    const repository = await openRepository(scene)
    const max = params.max ?? 20
    const paths = requireReadable(params.path === undefined ? [] : [params.path])
    // `a..b` as git reads it; a bare name is all that it reaches.
    const [from, to] = /^([^\s.][^\s]*?)\.\.([^\s.][^\s]*)$/.exec(params.ref ?? '')?.slice(1) ?? [undefined, params.ref ?? 'HEAD']
    const range = {
      ...(from === undefined ? {} : { from: await resolveCommit(git, repository, from) }),
      to: await resolveCommit(git, repository, to ?? 'HEAD'),
      max: max + 1,
      paths,
    }
    const commits = await commitsOf(git, repository, range)
    return { commits: commits.slice(0, max).map(plainCommit), truncated: commits.length > max }
  },
  say: (params, result) => `${params.ref ?? 'HEAD'} · ${result.commits.length} commits`,
})

export const gitShow = showing({
  name: 'git.show',
  summary: 'a commit and what it changed; with path, a file as it was there',
  params: () => z.strictObject({ ref: z.optional(refShape()), path: z.optional(pathShape()) }),
  result: () =>
    z.object({
      ...commitShape,
      unified_diff: z.nullable(z.string()),
      omitted: z.array(z.string()),
      content: z.nullable(z.string()),
      encoding: z.nullable(z.string()),
    }),
  effect: 'read',
  scope: 'git.read',
  handler: (params, scene) =>
    readRepository(scene, async (reading) => {
      const { git } = scene.kit
      const { repository } = reading
      const sha = await resolveCommit(git, repository, params.ref ?? 'HEAD')
      const [commit] = await commitsOf(git, repository, { to: sha, max: 1 })
      if (!commit) throw new VpError('workspace.git', `commit ${sha.slice(0, 7)} cannot be read`)
      if (params.path !== undefined) {
        const file = await fileAt(git, repository, sha, requireReadable([params.path])[0] ?? '')
        return { ...plainCommit(commit), unified_diff: null, omitted: [], ...file }
      }
      const from = commit.parents[0] ?? (await emptyTree(git, repository))
      const { unified_diff, omitted } = await difference(git, reading, { kind: 'trees', from, to: sha }, { paths: [], hide: isHidden })
      return { ...plainCommit(commit), unified_diff, omitted: [...omitted], content: null, encoding: null }
    }),
  say: (params, result) => [result.sha.slice(0, 7), params.path].filter(Boolean).join(' '),
})

/** Throws `path.not_found`, `path.not_regular`, `limit.reached` above 2 MiB. */
async function fileAt(git: RunGit, { view }: HumanRepository, sha: string, path: string): Promise<{ content: string; encoding: string }> {
  const call = { gitDir: view }
  const { stdout } = await git(['ls-tree', '-z', sha, '--', `:(top,literal)${path}`], call)
  const [mode = '', type = '', id = ''] = stdout.toString('utf8').split(/[ \t]/)
  if (mode === '') throw new VpError('path.not_found', `${JSON.stringify(path)} is not in ${sha.slice(0, 7)}`)
  if (type !== 'blob' || mode === '120000') throw new VpError('path.not_regular', `${JSON.stringify(path)} is not a regular file in ${sha.slice(0, 7)}`)
  const bytes = (await git(['cat-file', 'blob', id], { ...call, maxBytes: MAX_CONTENT })).stdout
  if (isBinary(bytes)) return { content: '', encoding: 'binary' }
  const file = decode(bytes)
  return { content: joinLines(file), encoding: file.encoding }
}

export const gitBranch = operation({
  name: 'git.branch',
  summary: 'list branches; with a name, make one at HEAD',
  params: () => z.strictObject({ name: z.optional(z.string().check(z.minLength(1), z.maxLength(200))), switch: z.optional(z.boolean()) }),
  result: () =>
    z.object({
      current: z.nullable(z.string()),
      branches: z.array(z.object({ name: z.string(), sha: z.string(), current: z.boolean() })),
      created: z.nullable(z.string()),
    }),
  effect: 'write',
  scope: 'git.commit',
  async handler(params, scene) {
    const { git } = scene.kit
    const repository = await openRepository(scene)
    if (params.name !== undefined) await createBranch(git, repository, params.name, params.switch ?? false)
    else if (params.switch) throw new VpError('usage.params', 'git.branch: switch goes with the name of a new branch', { next: ['git switch NAME'] })
    const { branch } = await humanState(git, repository)
    const branches = await branchesOf(git, repository, branch)
    return { current: branch?.replace('refs/heads/', '') ?? null, branches, created: params.name ?? null }
  },
  say: (_params, result) => result.created ?? `${result.branches.length} branches`,
})

export const gitCommit = operation({
  name: 'git.commit',
  summary: 'commit the named paths, or what is staged; runs no hook or filter, signs with your key unless git.sign is never',
  params: () => z.strictObject({ message: z.string().check(z.maxLength(65_536)), signoff: z.optional(z.boolean()), paths: z.optional(pathsShape()) }),
  result: () =>
    z.object({
      sha: z.string(),
      branch: z.string(),
      /** As it was committed. */
      subject: z.string(),
      files: z.int(),
      omitted: z.array(z.string()),
      signed: z.nullable(z.string()),
      warnings: z.array(z.string()),
    }),
  effect: 'write',
  scope: 'git.commit',
  decide: (params, scene) => decideMessage(params.message, scene),
  async handler(params, scene) {
    const { kit } = scene
    const repository = await openRepository(scene)
    const author = await humanIdentity(kit.git, repository, kit.env)
    const masked = kit.redactText(params.message)
    const message = await messageOf(kit.git, masked, params.signoff ? author : null)
    const paths = params.paths === undefined ? null : requireReadable(params.paths)
    const signing = await signingOf(kit, { root: repository.root, present: scene.caller.confirm !== undefined, signal: scene.signal })
    const commit = { message, author, epochMs: kit.clock.now(), paths, hide: isHidden, sign: signing.sign }
    const done = await commitByHand(kit.git, repository, commit, hex(kit.random, 4))
    const hook = await hookAt(kit, repository, done.sha)
    const warnings = [
      ...(masked === params.message ? [] : ['the message held a secret: it was committed with a placeholder in its place']),
      ...(hook === null ? [] : [`the pre-commit hook (${hook.argv.at(-1)}) did not run: vp runs nothing of a repository outside the sandbox`]),
      ...(signing.note !== null && (await wantsSignature(kit.git, repository)) ? [`not signed: ${signing.note}`] : []),
    ]
    return { ...done, subject: message.split('\n')[0] ?? '', omitted: [...done.omitted], signed: signing.format, warnings }
  },
  say: (_params, result) => `${result.sha.slice(0, 7)} on ${result.branch}: ${result.subject.slice(0, 100)}`,
})

/** What a person's own git would have signed. */
async function wantsSignature(git: RunGit, { commonDir }: HumanRepository): Promise<boolean> {
  return lastValue(await readGitConfig(git, join(commonDir, 'config')), 'commit.gpgsign') === 'true'
}

/** A person is told, as they can write another; a program's message is masked, and it is told that it was. */
function decideMessage(message: string, { kit, caller }: Scene): Decision {
  const isPerson = caller.actor === 'human' || caller.actor === 'operator'
  if (!isPerson || kit.redactText(message) === message) return { effect: 'allow', rule: 'scope/git.commit', reason: 'allowed to whoever holds the scope' }
  return {
    effect: 'deny',
    rule: 'secrets/message',
    reason: 'the message holds what reads like a secret, and a commit keeps it for good',
    nearest: 'the same message without it',
    next: ['vp git commit -m MESSAGE PATH'],
  }
}

/** Throws `usage.params` for an empty message. */
async function messageOf(git: RunGit, text: string, signer: Identity | null): Promise<string> {
  const message = text.replaceAll('\0', '').trim()
  if (message === '') throw new VpError('usage.params', 'git.commit: a commit needs a message', { next: ['vp git commit -m "fix: …"'] })
  if (!signer) return `${message}\n`
  const trailer = `Signed-off-by: ${signer.name} <${signer.email}>`
  // git puts it among the trailers that are there; with no configuration in sight it runs nothing for that.
  const { stdout } = await git(['interpret-trailers', '--if-exists', 'addIfDifferent', '--trailer', trailer], { input: `${message}\n` })
  return stdout.toString('utf8')
}

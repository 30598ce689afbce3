/**
 * One branch to the human's own remote, never by force. Only the remote's address is taken from the repository;
 * credentials, proxies and ssh are the person's, from their own configuration, never from the repository's, and no
 * hook runs.
 */
import { existsSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { VpError } from '../core/errors.ts'
import { lastValue, readGitConfig } from './git-config.ts'
import { gitText, type RunGit } from './git.ts'
import type { HumanRepository } from './human-repository.ts'
import { isWithin, outsidePath } from './persons-programs.ts'

export interface Remote {
  readonly name: string
  /** Secret parts included: for git only. */
  readonly url: string
  /** For people: without user and password. */
  readonly shown: string
  /** A repository on this machine. */
  readonly local: boolean
}

/** Throws `forge.unsupported` when there is no such remote, or its address would run something. */
export async function remoteOf(git: RunGit, repository: HumanRepository, name: string): Promise<Remote> {
  if (!/^[A-Za-z0-9][\w./-]{0,99}$/.test(name)) throw new VpError('usage.params', `${JSON.stringify(name.slice(0, 40))} is no name for a remote`)
  const config = await readGitConfig(git, join(repository.commonDir, 'config'))
  const url = lastValue(config, `remote.${name}.pushurl`) ?? lastValue(config, `remote.${name}.url`)
  if (url === null)
    throw new VpError('forge.unsupported', `this repository has no remote ${name}`, { next: [`git remote add ${name} URL`], where: { file: '.git/config' } })
  return { name, url, shown: shownUrl(url), local: placeOf(url, repository) === 'here' }
}

export function shownUrl(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^@/]*@/i, '$1')
}

/**
 * `https:`, `ssh:`, `user@host:path` and, on this machine, `file:` and absolute paths outside the repository. Helpers
 * (`ext::`), clear-text protocols and repositories inside the tree, whose hooks would be the tree's, are refused.
 */
function placeOf(url: string, repository: HumanRepository): 'here' | 'elsewhere' {
  const refused = (why: string) =>
    new VpError('forge.unsupported', `vp does not push to ${shownUrl(url).slice(0, 200)}: ${why}`, { where: { file: '.git/config' } })
  if (/[\s\0]/.test(url) || url.startsWith('-')) throw refused('that is no address')
  if (/^[\w+.-]+::/.test(url)) throw refused('the address names a program')
  if (/^(https|ssh):\/\/[^-]/i.test(url)) return 'elsewhere'
  if (/^http:\/\/(127\.0\.0\.1|localhost|\[::1\])[:/]/i.test(url)) return 'here'
  const path = /^file:\/\//i.test(url) ? fileURLToPath(url) : isAbsolute(url) ? url : null
  if (path !== null) {
    if (!existsSync(path)) throw refused('nothing is there')
    if (isWithin(repository.root, path)) throw refused('it lies in this repository')
    return 'here'
  }
  if (/^([\w.-]+@)?[A-Za-z0-9][\w.-]*:[^/:-]/.test(url) || /^[\w.-]+@[A-Za-z0-9][\w.-]*:\//.test(url)) return 'elsewhere'
  throw refused('only https, ssh and repositories on this machine')
}

export interface Pushed {
  /** What the remote had; null: the branch is new there. */
  readonly from: string | null
  readonly to: string
  readonly up_to_date: boolean
}

/** Variables of the person that their git needs to reach a remote. */
const PERSONS =
  /^(HOME|USER|LOGNAME|XDG_CONFIG_HOME|XDG_RUNTIME_DIR|SSH_AUTH_SOCK|SSH_AGENT_PID|GIT_SSH|GIT_SSH_COMMAND|GIT_SSH_VARIANT|GIT_ASKPASS|SSH_ASKPASS|(HTTPS|HTTP|ALL|NO)_PROXY)$/i

/** Throws `workspace.moved` when the remote has commits that are not here, `forge.failed` when it cannot be reached. */
export async function pushBranch(
  git: RunGit,
  repository: HumanRepository,
  push: { readonly remote: Remote; readonly branch: string; readonly env: Readonly<Record<string, string | undefined>>; readonly signal: AbortSignal },
): Promise<Pushed> {
  const { remote, branch } = push
  const ref = `refs/heads/${branch}`
  const to = await gitText(git, ['rev-parse', '--verify', `${ref}^{commit}`], { gitDir: repository.view })
  const allowed = ['https', 'ssh', 'file', ...(remote.local ? ['http'] : [])].flatMap((protocol) => ['-c', `protocol.${protocol}.allow=always`])
  const { code, stdout, stderr } = await git(
    [...allowed, 'push', '--porcelain', '--no-verify', '--no-signed', '--no-follow-tags', '--recurse-submodules=no', remote.name, `${ref}:${ref}`],
    {
      gitDir: repository.view,
      env: { ...personsEnv(push.env, repository.root), ...remoteEnv(remote) },
      accept: [1, 128],
      signal: push.signal,
    },
  )
  const [flag, , summary = ''] =
    stdout
      .toString('utf8')
      .split('\n')
      .find((line) => line.includes(`${ref}:${ref}`))
      ?.split('\t') ?? []
  if (flag === '=') return { from: to, to, up_to_date: true }
  if (code === 0 && flag === '*') return { from: null, to, up_to_date: false }
  if (code === 0 && flag === ' ') return { from: await fullId(git, repository, summary.split('..')[0] ?? ''), to, up_to_date: false }
  if (flag === '!' && /fetch first|non-fast-forward|stale info/.test(summary))
    throw new VpError('workspace.moved', `${branch} on ${remote.name} has commits that are not here`, {
      why: 'vp never forces a push',
      next: [`git pull --rebase ${remote.name} ${branch}`],
    })
  const said = (flag === '!' ? summary : (stderr.trim().split('\n').at(-1) ?? '')).replaceAll(remote.url, remote.shown)
  throw new VpError('forge.failed', `${remote.shown} did not take ${branch}`, { why: said.slice(0, 300), next: [`git push ${remote.name} ${branch}`] })
}

/** As the person's own git: their home and agent, their configuration, no prompt; no program of the repository. */
function personsEnv(env: Readonly<Record<string, string | undefined>>, root: string): Record<string, string | undefined> {
  const theirs = Object.fromEntries(Object.entries(env).filter(([name]) => PERSONS.test(name)))
  return { ...theirs, PATH: outsidePath(env, root), GIT_CONFIG_GLOBAL: env['GIT_CONFIG_GLOBAL'], GIT_CONFIG_SYSTEM: undefined, GIT_CONFIG_NOSYSTEM: undefined }
}

/** The remote as configuration of this one call; in the environment, since arguments can be read by every user. */
function remoteEnv(remote: Remote): Record<string, string> {
  const values = [
    [`remote.${remote.name}.url`, remote.url],
    [`remote.${remote.name}.fetch`, `+refs/heads/*:refs/remotes/${remote.name}/*`],
  ]
  return Object.fromEntries([
    ['GIT_CONFIG_COUNT', String(values.length)],
    ...values.flatMap(([key, value], at) => [
      [`GIT_CONFIG_KEY_${at}`, key],
      [`GIT_CONFIG_VALUE_${at}`, value],
    ]),
  ]) as Record<string, string>
}

async function fullId(git: RunGit, { view }: HumanRepository, short: string): Promise<string | null> {
  const { code, stdout } = await git(['rev-parse', '--verify', '--quiet', `${short}^{commit}`], { gitDir: view, accept: [1, 128] })
  return code === 0 ? stdout.toString().trim() : null
}

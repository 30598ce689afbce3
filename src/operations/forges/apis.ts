/**
 * GitHub (also Enterprise), GitLab and Gitea (also Forgejo): find the open proposal, make one, and where a person would.
 * Sources: GitHub REST "Pulls" 2022-11-28, GitLab REST v4 "Merge requests", Gitea API v1 "repository".
 */
import * as z from 'zod/mini'
import { VpError } from '../../core/errors.ts'
import type { ForgeApi, ForgeKind, ForgeRepository, Proposal, Proposed } from './forge.ts'
import type { ForgeAnswer } from './http.ts'

const link = z.string().check(z.regex(/^https?:\/\/[^\s\p{C}]{1,2000}$/u))
const pull = z.object({ number: z.int(), html_url: link })
const giteaPull = z.object({ number: z.int(), html_url: link, head: z.object({ ref: z.string() }), base: z.object({ ref: z.string() }) })
const mergeRequest = z.object({ iid: z.int(), web_url: link })

function read<Shape>(shape: z.ZodMiniType<Shape>, answer: ForgeAnswer): Shape {
  const result = shape.safeParse(answer.body)
  if (result.success) return result.data
  throw new VpError('forge.failed', 'the forge answered with something else than a pull request', {
    data: { status: answer.status },
    next: ['vp git pr --dry-run'],
  })
}

const query = (fields: Readonly<Record<string, string>>): string => new URLSearchParams(fields).toString()
const owner = ({ path }: ForgeRepository): string => path.split('/')[0] ?? ''
const fromPull = ({ number, html_url }: { number: number; html_url: string }): Proposed => ({ number, url: html_url })
const fromMergeRequest = ({ iid, web_url }: { iid: number; web_url: string }): Proposed => ({ number: iid, url: web_url })
const branches = ({ base, head }: Pick<Proposal, 'base' | 'head'>): string =>
  [base, head].map((name) => name.split('/').map(encodeURIComponent).join('/')).join('...')

const github: ForgeApi = {
  tokenNames: (host) => (host === 'github.com' ? ['GITHUB_TOKEN', 'GH_TOKEN'] : ['GH_ENTERPRISE_TOKEN', 'GITHUB_ENTERPRISE_TOKEN', 'GITHUB_TOKEN', 'GH_TOKEN']),
  headers: (token) => ({ authorization: `Bearer ${token}`, accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28' }),
  async find(http, at, { base, head }) {
    const answer = await http.get(`/repos/${at.path}/pulls?${query({ state: 'open', head: `${owner(at)}:${head}`, base, per_page: '2' })}`)
    return read(z.array(pull), answer).map(fromPull)[0] ?? null
  },
  async create(http, at, { title, body, base, head, draft }) {
    const answer = await http.post(`/repos/${at.path}/pulls`, { title, body, base, head, draft }, [422])
    if (answer.status !== 422) return fromPull(read(pull, answer))
    if (/already exists/i.test(JSON.stringify(answer.body ?? ''))) return null
    throw new VpError('forge.refused', `${at.host} does not take this pull request`, {
      why: saidBy422(answer.body),
      next: [`vp git pr --base BRANCH`, ...(draft ? ['vp git pr'] : []), 'vp git pr --dry-run'],
    })
  },
  compareUrl: (at, proposal) => `${at.web}/${at.path}/compare/${branches(proposal)}?expand=1`,
}

function saidBy422(body: unknown): string {
  const errors = (body as { errors?: unknown } | null)?.errors
  const words = Array.isArray(errors)
    ? errors.map((one: { message?: unknown; field?: unknown; code?: unknown }) => String(one?.message ?? `${String(one?.field)} ${String(one?.code)}`))
    : []
  return (words.join('; ') || 'status 422').replace(/[\p{C}\s]+/gu, ' ').slice(0, 300)
}

const gitlab: ForgeApi = {
  tokenNames: () => ['GITLAB_TOKEN'],
  headers: (token) => ({ 'private-token': token }),
  async find(http, at, { base, head }) {
    const fields = query({ state: 'opened', source_branch: head, target_branch: base, per_page: '2' })
    return read(z.array(mergeRequest), await http.get(`/projects/${encodeURIComponent(at.path)}/merge_requests?${fields}`)).map(fromMergeRequest)[0] ?? null
  },
  async create(http, at, { title, body, base, head, draft }) {
    const request = { title: draft ? `Draft: ${title}` : title, description: body, source_branch: head, target_branch: base }
    const answer = await http.post(`/projects/${encodeURIComponent(at.path)}/merge_requests`, request, [409])
    return answer.status === 409 ? null : fromMergeRequest(read(mergeRequest, answer))
  },
  compareUrl: (at, { base, head }) =>
    `${at.web}/${at.path}/-/merge_requests/new?${query({ 'merge_request[source_branch]': head, 'merge_request[target_branch]': base })}`,
}

const PAGES = 10

const gitea: ForgeApi = {
  tokenNames: () => ['GITEA_TOKEN'],
  headers: (token) => ({ authorization: `token ${token}` }),
  // The list takes no branch, so it is read; newest first, and ours is new.
  async find(http, at, { base, head }) {
    for (let page = 1; page <= PAGES; page += 1) {
      const answer = await http.get(`/repos/${at.path}/pulls?${query({ state: 'open', sort: 'recentupdate', limit: '50', page: String(page) })}`)
      const pulls = read(z.array(giteaPull), answer)
      const found = pulls.find((one) => one.head.ref === head && one.base.ref === base)
      if (found) return fromPull(found)
      if (pulls.length === 0) return null
    }
    return null
  },
  async create(http, at, { title, body, base, head, draft }) {
    const answer = await http.post(`/repos/${at.path}/pulls`, { title: draft ? `WIP: ${title}` : title, body, base, head }, [409])
    return answer.status === 409 ? null : fromPull(read(pull, answer))
  },
  compareUrl: (at, proposal) => `${at.web}/${at.path}/compare/${branches(proposal)}`,
}

export const FORGES: Readonly<Record<ForgeKind, ForgeApi>> = { github, gitlab, gitea }

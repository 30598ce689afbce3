/**
 * A forge on this machine: git's own HTTP backend for the push, and the API of GitHub, GitLab or Gitea as documented,
 * with a token to ask for and whatever answers a test wants instead. Remembers every request.
 */
import { execFileSync, spawn } from 'node:child_process'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Cleanup } from './kit.ts'

export type Kind = 'github' | 'gitlab' | 'gitea'

export interface SeenRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: Readonly<Record<string, unknown>>
}

interface Pull {
  readonly number: number
  readonly title: string
  readonly body: string
  readonly head: string
  readonly base: string
  readonly draft: boolean
  open: boolean
}

export interface ForgeServer {
  /** `127.0.0.1:PORT` */
  readonly host: string
  readonly repositoryUrl: string
  readonly bare: string
  readonly seen: SeenRequest[]
  readonly pulls: Pull[]
  /** Answers a request of the API in the forge's place, while it is set. */
  instead: ((request: SeenRequest) => { status: number; headers?: Readonly<Record<string, string>>; body?: unknown } | null) | null
}

export const TOKEN = 'throwaway-token-0123456789'

export async function startForge(t: Cleanup, root: string, kind: Kind): Promise<ForgeServer> {
  const bare = join(root, 'forge', 'team', 'words.git')
  execFileSync('git', ['init', '-q', '--bare', '-b', 'main', bare])
  const pulls: Pull[] = []
  const seen: SeenRequest[] = []
  const server = createServer((incoming, outgoing) => void answer(incoming, outgoing))
  const forge: ForgeServer = { host: '', repositoryUrl: '', bare, seen, pulls, instead: null }
  async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const parts: Buffer[] = []
    for await (const part of incoming) parts.push(part as Buffer)
    const bytes = Buffer.concat(parts)
    if (incoming.url?.startsWith('/team/words.git/')) return gitBackend(root, incoming, bytes, outgoing)
    const body = bytes.length === 0 ? {} : (JSON.parse(bytes.toString('utf8')) as SeenRequest['body'])
    const request = { method: incoming.method ?? '', url: incoming.url ?? '', headers: incoming.headers, body }
    seen.push(request)
    const { status, headers, body: said } = forge.instead?.(request) ?? API[kind](request, pulls, forge.host)
    outgoing.writeHead(status, { 'content-type': 'application/json', ...headers })
    outgoing.end(said === undefined ? '' : typeof said === 'string' ? said : JSON.stringify(said))
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return Object.assign(forge, { host, repositoryUrl: `http://${host}/team/words.git` })
}

/** CGI, as git-http-backend(1) describes it. */
function gitBackend(root: string, incoming: IncomingMessage, body: Buffer, outgoing: ServerResponse): void {
  const [path = '', queryText = ''] = (incoming.url ?? '').split('?')
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      GIT_PROJECT_ROOT: join(root, 'forge'),
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: path,
      QUERY_STRING: queryText,
      REQUEST_METHOD: incoming.method ?? '',
      CONTENT_TYPE: incoming.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: incoming.headers['content-encoding'] ?? '',
      CONTENT_LENGTH: String(body.length),
      REMOTE_USER: 'person',
    },
  })
  const out: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => out.push(part))
  child.on('close', () => {
    const all = Buffer.concat(out)
    const end = all.indexOf('\r\n\r\n')
    const fields = all
      .subarray(0, end)
      .toString('latin1')
      .split('\r\n')
      .map((line) => line.split(': ') as [string, string])
    const status = Number(fields.find(([name]) => name === 'Status')?.[1]?.slice(0, 3) ?? 200)
    outgoing.writeHead(status, Object.fromEntries(fields.filter(([name]) => name !== 'Status')))
    outgoing.end(all.subarray(end + 4))
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(body)
}

type Api = (request: SeenRequest, pulls: Pull[], host: string) => { status: number; headers?: Record<string, string>; body: unknown }

const text = (value: unknown): string => String(value ?? '')

function add(pulls: Pull[], fields: Omit<Pull, 'number' | 'open'>): Pull {
  const pull = { ...fields, number: pulls.length + 1, open: true }
  pulls.push(pull)
  return pull
}

const twin = (pulls: readonly Pull[], head: string, base: string) => pulls.some((pull) => pull.open && pull.head === head && pull.base === base)

const API: Readonly<Record<Kind, Api>> = {
  github({ method, url, headers, body }, pulls, host) {
    const at = new URL(url, `http://${host}`)
    if (headers.authorization !== `Bearer ${TOKEN}`) return { status: 401, body: { message: 'Bad credentials' } }
    if (at.pathname !== '/api/v3/repos/team/words/pulls' || !headers['user-agent']) return { status: 404, body: { message: 'Not Found' } }
    const shown = (pull: Pull) => ({ number: pull.number, html_url: `http://${host}/team/words/pull/${pull.number}`, draft: pull.draft })
    if (method === 'GET') {
      const [head, base] = [at.searchParams.get('head'), at.searchParams.get('base')]
      return { status: 200, body: pulls.filter((pull) => pull.open && `team:${pull.head}` === head && pull.base === base).map(shown) }
    }
    const [head, base] = [text(body['head']), text(body['base'])]
    if (twin(pulls, head, base))
      return {
        status: 422,
        body: {
          message: 'Validation Failed',
          errors: [{ resource: 'PullRequest', code: 'custom', message: `A pull request already exists for team:${head}.` }],
        },
      }
    if (base !== 'main') return { status: 422, body: { message: 'Validation Failed', errors: [{ resource: 'PullRequest', field: 'base', code: 'invalid' }] } }
    return { status: 201, body: shown(add(pulls, { title: text(body['title']), body: text(body['body']), head, base, draft: body['draft'] === true })) }
  },
  gitlab({ method, url, headers, body }, pulls, host) {
    const at = new URL(url, `http://${host}`)
    if (headers['private-token'] !== TOKEN) return { status: 401, body: { message: '401 Unauthorized' } }
    if (at.pathname !== '/api/v4/projects/team%2Fwords/merge_requests') return { status: 404, body: { message: '404 Project Not Found' } }
    const shown = (pull: Pull) => ({ iid: pull.number, web_url: `http://${host}/team/words/-/merge_requests/${pull.number}` })
    if (method === 'GET') {
      const [head, base] = [at.searchParams.get('source_branch'), at.searchParams.get('target_branch')]
      return { status: 200, body: pulls.filter((pull) => pull.open && pull.head === head && pull.base === base).map(shown) }
    }
    const [head, base] = [text(body['source_branch']), text(body['target_branch'])]
    if (twin(pulls, head, base)) return { status: 409, body: { message: [`Another open merge request already exists for this source branch: !1`] } }
    const title = text(body['title'])
    return { status: 201, body: shown(add(pulls, { title, body: text(body['description']), head, base, draft: title.startsWith('Draft: ') })) }
  },
  gitea({ method, url, headers, body }, pulls, host) {
    const at = new URL(url, `http://${host}`)
    if (headers.authorization !== `token ${TOKEN}`) return { status: 401, body: { message: 'token is required' } }
    if (at.pathname !== '/api/v1/repos/team/words/pulls') return { status: 404, body: { message: 'not found' } }
    const shown = (pull: Pull) => ({
      number: pull.number,
      html_url: `http://${host}/team/words/pulls/${pull.number}`,
      head: { ref: pull.head },
      base: { ref: pull.base },
    })
    if (method === 'GET') {
      const page = Number(at.searchParams.get('page') ?? 1)
      return {
        status: 200,
        body: pulls
          .filter((pull) => pull.open)
          .slice((page - 1) * 50, page * 50)
          .map(shown),
      }
    }
    const [head, base] = [text(body['head']), text(body['base'])]
    if (twin(pulls, head, base)) return { status: 409, body: { message: 'pull request already exists for these targets' } }
    const title = text(body['title'])
    return { status: 201, body: shown(add(pulls, { title, body: text(body['body']), head, base, draft: title.startsWith('WIP: ') })) }
  },
}

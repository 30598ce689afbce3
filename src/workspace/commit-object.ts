/**
 * A signed commit, made as bytes: the object, the person's signature in its header, one write. git is not asked to sign,
 * since it would take program and key from whatever configuration it sees. Source: gitformat-signature(5), git's ident.c.
 */
import { VpError } from '../core/errors.ts'
import type { Identity, RunGit } from './git.ts'
import type { CommitDraft } from './run-repository.ts'

/** The armoured signature of these bytes. Throws `sign.failed`, `cancelled`. */
export type SignBytes = (payload: Buffer) => Promise<string>

/** A commit's bytes with the person's signature of them. */
export async function withSignatureOf(sign: SignBytes, bytes: Buffer, { tree }: Pick<CommitDraft, 'tree'>): Promise<Buffer> {
  return withSignature(bytes, await sign(bytes), tree.length === 64 ? 'gpgsig-sha256' : 'gpgsig')
}

/** What `git commit-tree` writes for the draft. Throws `usage.identity` for a name that git would not take. */
export function commitBytes({ tree, parents, author, epochMs, message }: CommitDraft): Buffer {
  const wrong = [tree, ...parents].find((id) => !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(id))
  if (wrong !== undefined) throw new VpError('internal', `${wrong.slice(0, 80)} is no id of a git object`)
  const who = `${identText(author)} ${Math.floor(epochMs / 1000)} +0000`
  const lines = [`tree ${tree}`, ...[...new Set(parents)].map((parent) => `parent ${parent}`), `author ${who}`, `committer ${who}`]
  return Buffer.from(`${lines.join('\n')}\n\n${message}${message.endsWith('\n') ? '' : '\n'}`)
}

/** As git cleans it: a name cannot end the line, and cannot pretend to be an address. */
function identText({ name, email }: Identity): string {
  const clean = (text: string) => text.replace(/^[\u0000-\u0020.,:;<>"\\']+|[\u0000-\u0020.,:;<>"\\']+$/g, '').replace(/[\n<>]/g, '')
  if (clean(name) === '')
    throw new VpError('usage.identity', 'your git name has no letters, and commits need an author', { next: ['git config --global user.name "Your Name"'] })
  return `${clean(name)} <${clean(email)}>`
}

/** The signature as the last header; its further lines begin with a blank. */
export function withSignature(commit: Buffer, signature: string, header: 'gpgsig' | 'gpgsig-sha256'): Buffer {
  const end = commit.indexOf('\n\n') + 1
  const field = `${header} ${signature.trimEnd().replaceAll('\n', '\n ')}\n`
  return Buffer.concat([commit.subarray(0, end), Buffer.from(field), commit.subarray(end)])
}

/** How many of the commits carry a signature; whose it is, and whether it holds, is for `git verify-commit`. */
export async function countSigned(git: RunGit, gitDir: string, commits: readonly string[]): Promise<number> {
  const headers = await Promise.all(commits.map(async (id) => (await git.objects(gitDir).read(id)).body.toString('latin1').split('\n\n', 1)[0] ?? ''))
  return headers.filter((header) => /^gpgsig(-sha256)? /m.test(header)).length
}

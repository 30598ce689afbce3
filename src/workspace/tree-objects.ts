/**
 * Trees as values: what is in one, what differs between two, one with files put into it. A name is its bytes as Latin-1
 * within; a path that leaves is text. Format: `<mode> <name>\0<id as bytes>`, sorted as if a directory's name ended in `/`.
 */
import { VpError } from '../core/errors.ts'
import type { TreeEntry } from './git.ts'
import type { Objects } from './objects.ts'

interface Entry {
  /** Octal without leading zeros, as trees hold it: `100644`, `40000`. */
  readonly mode: string
  readonly name: string
  readonly id: string
}

export interface TreeChange {
  readonly path: string
  readonly status: 'A' | 'M' | 'D' | 'T'
  /** Six digits; of what is not there, zeros. */
  readonly oldMode: string
  readonly newMode: string
}

export interface TreeDifference extends TreeChange {
  /** Null of what is not there. */
  readonly oldId: string | null
  readonly newId: string | null
}

export const DIRECTORY = '40000'
const GITLINK = '160000'
const NONE = '000000'

export function parseTree(body: Buffer, idBytes: number): Entry[] {
  const entries: Entry[] = []
  for (let at = 0; at < body.length;) {
    const blank = body.indexOf(0x20, at)
    const nul = body.indexOf(0, blank)
    if (blank < 0 || nul < 0 || nul + idBytes >= body.length) throw new VpError('workspace.git', 'a tree object is cut', { next: ['git fsck'] })
    const mode = body.toString('latin1', at, blank)
    entries.push({ mode, name: body.toString('latin1', blank + 1, nul), id: body.toString('hex', nul + 1, nul + 1 + idBytes) })
    at = nul + 1 + idBytes
  }
  return entries
}

export function formatTree(entries: readonly Entry[]): Buffer {
  const key = ({ mode, name }: Entry) => (mode === DIRECTORY ? `${name}/` : name)
  const sorted = entries.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
  return Buffer.concat(sorted.flatMap(({ mode, name, id }) => [Buffer.from(`${mode} ${name}\0`, 'latin1'), Buffer.from(id, 'hex')]))
}

export interface CommitHead {
  readonly tree: string
  readonly parents: readonly string[]
  readonly subject: string
  readonly body: string
  /** When it was committed, in seconds. */
  readonly time: number
}

/** Throws `workspace.git` for what is no commit. */
export async function readCommit(objects: Objects, id: string): Promise<CommitHead> {
  const { type, body } = await objects.read(id)
  const text = body.toString('utf8')
  const end = text.indexOf('\n\n')
  const head = end < 0 ? text : text.slice(0, end)
  const tree = /^tree ([0-9a-f]+)$/m.exec(head)?.[1]
  if (type !== 'commit' || tree === undefined) throw new VpError('workspace.git', `git object ${id} is no commit`, { next: ['git fsck'] })
  // A subject ends at the first empty line, and its lines are one. Source: git-log(1), `%s`.
  const message = end < 0 ? '' : text.slice(end).trimStart()
  const first = message.split(/\n[ \t]*(?:\n|$)/, 1)[0] ?? ''
  return {
    tree,
    parents: [...head.matchAll(/^parent ([0-9a-f]+)$/gm)].map(([, parent = '']) => parent),
    subject: first.replaceAll(/\s*\n\s*/g, ' ').trimEnd(),
    body: message.slice(first.length).trim(),
    time: Number(/^committer .* (\d+) [+-]\d+$/m.exec(head)?.[1] ?? 0),
  }
}

/** At most `max` commits from `head` back, the latest first; where the history is cut short, it ends there. */
export async function historyOf(objects: Objects, head: string, max: number): Promise<CommitHead[]> {
  const found: CommitHead[] = []
  const seen = new Set([head])
  const ready = [await readCommit(objects, head)]
  while (ready.length > 0 && found.length < max) {
    const latest = ready.reduce((best, one) => (one.time > best.time ? one : best))
    ready.splice(ready.indexOf(latest), 1)
    found.push(latest)
    for (const parent of latest.parents) {
      if (seen.has(parent)) continue
      seen.add(parent)
      const commit = await readCommit(objects, parent).catch(() => null) // of a shallow clone
      if (commit) ready.push(commit)
    }
  }
  return found
}

const NAMED = /^((?:[0-9a-f]{40}|[0-9a-f]{64}))(\^*)$/

/** The tree that a full id of a commit or tree names, `^` for a commit's first parent. Throws `workspace.git`. */
export async function treeIdOf(objects: Objects, treeish: string): Promise<string> {
  const [, named, up = ''] = NAMED.exec(treeish) ?? []
  if (named === undefined) throw new VpError('workspace.git', `${treeish.slice(0, 80)} is no id of a git object`)
  let id: string = named
  for (const _ of up) {
    const [parent] = (await readCommit(objects, id)).parents
    if (parent === undefined) throw new VpError('workspace.git', `commit ${id} has no parent`)
    id = parent
  }
  return (await objects.read(id)).type === 'commit' ? (await readCommit(objects, id)).tree : id
}

async function entriesOf(objects: Objects, id: string): Promise<Entry[]> {
  const { type, body } = await objects.read(id)
  if (type !== 'tree') throw new VpError('workspace.git', `git object ${id} is no tree`, { next: ['git fsck'] })
  return parseTree(body, id.length / 2)
}

/** Every file below a commit or tree, in git's order. */
export async function filesBelow(objects: Objects, treeish: string): Promise<TreeEntry[]> {
  // All folders of a level are asked for together: one after another each would wait for its answer.
  const walk = async (id: string, prefix: string): Promise<TreeEntry[]> => {
    const below = (await entriesOf(objects, id)).map(async (entry) =>
      entry.mode === DIRECTORY ? walk(entry.id, `${prefix}${entry.name}/`) : { mode: entry.mode, id: entry.id, path: shown(prefix + entry.name) },
    )
    return (await Promise.all(below)).flat()
  }
  return walk(await treeIdOf(objects, treeish), '')
}

/** Changed paths from one commit or tree to another, renames as delete and add, in the order of their bytes. */
export async function diffTrees(objects: Objects, from: string, to: string): Promise<TreeDifference[]> {
  const changes: { path: string; before: Entry | null; after: Entry | null }[] = []
  const walk = async (before: string | null, after: string | null, prefix: string): Promise<void> => {
    if (before === after) return
    const [old, now] = await Promise.all([before === null ? [] : entriesOf(objects, before), after === null ? [] : entriesOf(objects, after)])
    const left = new Map(old.map((entry) => [entry.name, entry]))
    const right = new Map(now.map((entry) => [entry.name, entry]))
    const below: Promise<void>[] = []
    for (const name of new Set([...left.keys(), ...right.keys()])) {
      const a = left.get(name) ?? null
      const b = right.get(name) ?? null
      if (a && b && a.id === b.id && a.mode === b.mode) continue
      const file = (entry: Entry | null) => (entry?.mode === DIRECTORY ? null : entry)
      const folder = (entry: Entry | null) => (entry?.mode === DIRECTORY ? entry.id : null)
      if (file(a) ?? file(b)) changes.push({ path: prefix + name, before: file(a), after: file(b) })
      if (folder(a) ?? folder(b)) below.push(walk(folder(a), folder(b), `${prefix}${name}/`))
    }
    await Promise.all(below)
  }
  const [a, b] = await Promise.all([treeIdOf(objects, from), treeIdOf(objects, to)])
  await walk(a, b, '')
  return changes
    .toSorted((x, y) => (x.path < y.path ? -1 : 1))
    .map(({ path, before, after }) => ({
      path: shown(path),
      status: before === null ? 'A' : after === null ? 'D' : kindOf(before) === kindOf(after) ? 'M' : 'T',
      oldMode: before?.mode ?? NONE,
      newMode: after?.mode ?? NONE,
      oldId: before?.id ?? null,
      newId: after?.id ?? null,
    }))
}

/** The bytes of a file in a commit or tree; null where the path names none. */
export async function fileAt(objects: Objects, treeish: string, path: string): Promise<Buffer | null> {
  const entry = await entryAt(objects, treeish, path)
  return entry === null ? null : (await objects.read(entry.id)).body
}

/** A file, program or link of a commit or tree; null where the path names none. */
export async function entryAt(objects: Objects, treeish: string, path: string): Promise<{ readonly mode: string; readonly id: string } | null> {
  const found = await lookUp(objects, treeish, path)
  return found === null || found.mode === DIRECTORY || found.mode === GITLINK ? null : found
}

/** Whether a path is a folder of a commit or tree, or that of a submodule. */
export async function hasFolder(objects: Objects, treeish: string, path: string): Promise<boolean> {
  const found = await lookUp(objects, treeish, path)
  return found !== null && (found.mode === DIRECTORY || found.mode === GITLINK)
}

async function lookUp(objects: Objects, treeish: string, path: string): Promise<Entry | null> {
  let id = await treeIdOf(objects, treeish)
  const parts = Buffer.from(path).toString('latin1').split('/')
  for (const [index, part] of parts.entries()) {
    const entry = (await entriesOf(objects, id)).find(({ name }) => name === part)
    if (!entry || index === parts.length - 1) return entry ?? null
    if (entry.mode !== DIRECTORY) return null
    id = entry.id
  }
  return null
}

/** A tree with these files in it (path → content), mode 644; what stood in the place of one of their folders is gone. */
export async function withFiles(objects: Objects, treeish: string, files: ReadonlyMap<string, Buffer>): Promise<string> {
  let tree: string | null = await treeIdOf(objects, treeish)
  for (const [path, bytes] of files) tree = await put(objects, tree, Buffer.from(path).toString('latin1').split('/'), objects.write('blob', bytes))
  return tree
}

async function put(objects: Objects, tree: string | null, [name = '', ...rest]: readonly string[], blob: string): Promise<string> {
  const entries = tree === null ? [] : await entriesOf(objects, tree)
  const old = entries.find((entry) => entry.name === name)
  const fresh: Entry =
    rest.length === 0
      ? { mode: '100644', name, id: blob }
      : { mode: DIRECTORY, name, id: await put(objects, old?.mode === DIRECTORY ? old.id : null, rest, blob) }
  return objects.write('tree', formatTree([...entries.filter((entry) => entry !== old), fresh]))
}

const kindOf = ({ mode }: Entry) => mode.slice(0, -4)
const shown = (latin1: string) => Buffer.from(latin1, 'latin1').toString('utf8')

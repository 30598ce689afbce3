/**
 * What the end-to-end tests share: a real repository, a real server that speaks for the model, and `bin/vp` as its
 * own process with a HOME, state and cache of its own.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Json } from '../../src/core/json.ts'
import type { ScriptedAnswer, WireRequest } from '../../src/models/scripted-server.ts'

export const VP = join(import.meta.dirname, '..', '..', 'bin', 'vp')
export const DEEP = process.env['VP_TEST_DEEP'] === '1'

export interface Place {
  /** Holds everything; removed at the end of the test. */
  readonly root: string
  readonly repository: string
  readonly state: string
  readonly env: Readonly<Record<string, string>>
}

export type Files = Readonly<Record<string, string>>

export interface Cleanup {
  after(fn: () => void): void
}

/** A repository of `files` with one commit, and nothing of this machine's own settings. */
export function makePlace(t: Cleanup, files: Files, model?: { readonly baseUrl: string }, env: Readonly<Record<string, string>> = {}): Place {
  const root = mkdtempSync(join(tmpdir(), 'vp-e2e-'))
  t.after(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }))
  const repository = join(root, 'repository')
  const place = placeAt(root, model, env)
  mkdirSync(repository)
  mkdirSync(place.env['HOME'] as string)
  writeFiles(repository, files)
  git(place, 'init', '-q', '-b', 'main')
  git(place, 'config', 'user.name', 'A. Person')
  git(place, 'config', 'user.email', 'person@example.org')
  git(place, 'add', '-A')
  git(place, 'commit', '-q', '-m', 'start')
  return place
}

function placeAt(root: string, model: { readonly baseUrl: string } | undefined, env: Readonly<Record<string, string>>): Place {
  return {
    root,
    repository: join(root, 'repository'),
    state: join(root, 'state'),
    env: {
      PATH: process.env['PATH'] ?? '/usr/bin:/bin',
      HOME: join(root, 'home'),
      VP_STATE_DIR: join(root, 'state'),
      XDG_CACHE_HOME: join(tmpdir(), 'vp-e2e-cache'),
      ...(process.env['VP_SANDBOX'] ? { VP_SANDBOX: process.env['VP_SANDBOX'] } : {}),
      ...(model ? { VP_MODEL: 'openai_compatible:scripted', VP_MODEL_BASE_URL: model.baseUrl, VP_MODEL_API_KEY: 'k-scripted' } : {}),
      ...env,
    },
  }
}

export function writeFiles(directory: string, files: Files): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), content)
  }
}

export function git(place: Place, ...args: string[]): string {
  return execFileSync('git', args, {
    cwd: place.repository,
    env: { ...place.env, GIT_CONFIG_NOSYSTEM: '1' },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trimEnd()
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  readonly stdin?: string | Buffer
  /** What starts `vp` in its place: the words before its arguments. */
  readonly launch?: readonly string[]
  readonly onSpawn?: (child: ChildProcess) => void
}

/** One command of the product, to its end. */
export function vp(place: Place, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const env = Object.fromEntries(Object.entries({ ...place.env, ...options.env }).filter(([, value]) => value !== undefined)) as Record<string, string>
  const [program = VP, ...words] = options.launch ?? []
  const child = spawn(program, [...words, ...args], { cwd: options.cwd ?? place.repository, env, stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.stdin ?? '')
  options.onSpawn?.(child)
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => out.push(part))
  child.stderr.on('data', (part: Buffer) => err.push(part))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout: Buffer.concat(out).toString('utf8'), stderr: Buffer.concat(err).toString('utf8') }))
  })
}

/** A project whose `PRD.md` is planned, priced and approved. */
export async function approvedProject(
  t: Cleanup,
  files: Files,
  model: { readonly baseUrl: string },
  env: Readonly<Record<string, string>> = {},
): Promise<Place> {
  const place = makePlace(t, files, model, env)
  for (const args of [['new', '--name', 'words'], ['plan', '--from-prd', 'PRD.md'], ['estimate'], ['approve', '--budget-usd', '1', '--no-input']]) {
    const { code, stderr } = await vp(place, args)
    assert.equal(code, 0, `vp ${args[0]}: ${stderr}`)
  }
  return place
}

export interface Envelope {
  readonly ok: boolean
  readonly result?: Record<string, never> & Record<string, unknown>
  readonly error?: {
    readonly code: string
    readonly message: string
    readonly next: readonly (readonly string[])[]
    readonly hint?: string
    readonly approval?: string
  }
  readonly receipt?: string
}

/** The same with `--json`: exit status and the one document. */
export async function vpJson(
  place: Place,
  args: readonly string[],
  options: RunOptions = {},
): Promise<{ code: number | null; signal: NodeJS.Signals | null; doc: Envelope; stderr: string }> {
  const ended = await vp(
    place,
    args.includes('--') ? [...args.slice(0, args.indexOf('--')), '--json', ...args.slice(args.indexOf('--'))] : [...args, '--json'],
    options,
  )
  try {
    return { code: ended.code, signal: ended.signal, doc: JSON.parse(ended.stdout) as Envelope, stderr: ended.stderr }
  } catch {
    throw new Error(`vp ${args.join(' ')} (exit ${ended.code ?? ended.signal}) printed no document:\n${ended.stdout}\n${ended.stderr}`)
  }
}

export interface ReceiptSeen {
  readonly op: string
  readonly attempt?: number
  readonly outcome: string
  readonly error?: { readonly code: string; readonly message: string }
  readonly usage?: { readonly tokens_in: number }
  readonly detail?: { readonly left_out?: readonly string[]; readonly ignored?: readonly string[]; readonly reused_from?: string }
}

/** Every receipt of the ledger, oldest first. */
export async function receiptsOf(place: Place): Promise<ReceiptSeen[]> {
  const { DatabaseSync } = await import('node:sqlite')
  const db = new DatabaseSync(join(place.state, 'ledger.db'), { readOnly: true })
  try {
    return db
      .prepare('SELECT body FROM receipts ORDER BY seq')
      .all()
      .map((row) => JSON.parse(String(row['body'])) as ReceiptSeen)
  } finally {
    db.close()
  }
}

/** A later turn's script: what task and which turn of which attempt a request is, from its words alone. */
export interface Turn {
  /** `T3` */
  readonly task: string
  /** 1-based, by the answers the conversation holds. */
  readonly turn: number
  /** The gate's words when this attempt mends an earlier one. */
  readonly feedback: string | null
  readonly request: WireRequest
}

export function turnOf(request: WireRequest): Turn {
  const goal = request.messages.find((message) => message.role === 'user')?.content ?? ''
  return {
    task: /^Task (T\d+)/.exec(goal)?.[1] ?? '',
    turn: request.messages.filter((message) => message.role === 'assistant').length + 1,
    feedback: /did not pass:\n([^]*)\nMend that/.exec(goal)?.[1] ?? null,
    request,
  }
}

export const call = (name: string, args: Json): ScriptedAnswer => ({ calls: [{ name, arguments: args }] })

/** Processes whose environment or command line carries `word`; zombies are nobody. */
export function processesWith(word: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
        return line.includes(word) || environment.includes(word) ? [`${pid} ${line}`] : []
      } catch {
        return []
      }
    })
}

/** The backends to try: all that this machine has when deep, else the one that is chosen by itself. */
export const BACKENDS: readonly (string | undefined)[] = DEEP ? ['bwrap', 'box', 'landlock'] : [undefined]

/** A seeded sequence in [0, 1): the same trials on every machine. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 4294967296
  }
}

/**
 * `vp do` against a server that answers at once: when the first request comes, what vp itself takes between an answer
 * and the next request beside its tool's work, how much it sends, how much memory its own processes take.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { startScriptedServer, type ScriptedAnswer } from '../src/models/scripted-server.ts'

export interface DoFigures {
  readonly firstRequestMs: number
  readonly steps: readonly { readonly name: string; readonly ownMs: number; readonly toolMs: number }[]
  readonly characters: number
  readonly peakMb: number
  readonly backend: string
  /** From its start to its end. */
  readonly wallMs: number
  /** Of the messages of a request, the share of bytes that the next one begins with; the least of all. */
  readonly prefixReused: number
}

/** How vp is started: `bin/vp`, or Node with something before it. */
export type Launch = readonly [program: string, ...args: string[]]

const line = (n: number) => `export const price${n} = (net) => net * 1.${n} // ${'x'.repeat(20)}\n`
const FILE = `${Array.from({ length: 11 }, (_, n) => line(10 + n)).join('')}export const add = (a, b) => a - b\n`.padEnd(799, '/') + '\n'
const FILES: Readonly<Record<string, string>> = {
  'package.json': `${JSON.stringify({ name: 'bench', type: 'module', scripts: { test: 'node --test' } })}\n`,
  'src/add.js': FILE,
  'test/add.test.js':
    "import assert from 'node:assert'\nimport { test } from 'node:test'\nimport { add } from '../src/add.js'\ntest('adds', () => assert.equal(add(2, 3), 5))\n",
}
const call = (name: string, args: Record<string, string>): ScriptedAnswer => ({ calls: [{ name, arguments: args }] })
const TURNS = [
  call('read', { path: 'src/add.js' }),
  call('edit', { path: 'src/add.js', old: 'a - b', new: 'a + b' }),
  call('test', {}),
  call('submit', { title: 'fix: add adds', summary: 'It subtracted.' }),
]
const STEPS = [
  ['read', 'fs.read'],
  ['edit', 'fs.edit'],
  ['test', 'run.test'],
] as const

export async function measureDo(vp: string, env: Readonly<Record<string, string>>, root: string, rounds: number): Promise<DoFigures> {
  const all: (DoFigures & { round: number })[] = []
  for (let round = -1; round < rounds; round++) {
    const figures = await doOnce([vp], env, root)
    if (round >= 0) all.push({ ...figures, round }) // the first one fills caches and probes the sandbox
  }
  const peakMb = await peakOf([vp], env, root)
  const middle = (pick: (one: DoFigures) => number) => all.map(pick).toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN
  return {
    firstRequestMs: middle((one) => one.firstRequestMs),
    steps: STEPS.map(([name], index) => ({
      name,
      ownMs: middle((one) => one.steps[index]?.ownMs ?? Number.NaN),
      toolMs: middle((one) => one.steps[index]?.toolMs ?? Number.NaN),
    })),
    characters: middle((one) => one.characters),
    peakMb,
    backend: all[0]?.backend ?? '',
    wallMs: middle((one) => one.wallMs),
    prefixReused: Math.min(...all.map((one) => one.prefixReused)),
  }
}

let made = 0

/** A repository with one failing test, each with a tree of its own: what was measured of one is no measure of another. */
export function makeRepository(env: Readonly<Record<string, string>>, root: string): string {
  const place = mkdtempSync(join(root, 'do-'))
  for (const [path, content] of Object.entries(FILES)) {
    mkdirSync(join(place, path, '..'), { recursive: true })
    writeFileSync(join(place, path), content)
  }
  writeFileSync(join(place, 'package.json'), FILES['package.json']?.replace('"bench"', `"bench-${String(++made).padStart(4, '0')}"`) ?? '')
  const git = (...args: string[]) => execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@example.org', ...args], { cwd: place, env: { ...env } })
  git('init', '-q', '-b', 'main')
  git('config', 'user.name', 'A. Person')
  git('config', 'user.email', 'person@example.org')
  git('add', '-A')
  git('commit', '-qm', 'start')
  return place
}

const MEMORY_ROUNDS = 3

/** The most of some rounds of their own: who looks at every process each 5 ms is late with the server's answers, so these rounds give no times. */
export async function peakOf(launch: Launch, env: Readonly<Record<string, string>>, root: string): Promise<number> {
  let peak = 0
  for (let round = 0; round < MEMORY_ROUNDS; round++) peak = Math.max(peak, (await doOnce(launch, env, root, true)).peakMb)
  return peak
}

/** `peakMb` is NaN where the memory is not watched. */
export async function doOnce([program, ...before]: Launch, env: Readonly<Record<string, string>>, root: string, watchesMemory = false): Promise<DoFigures> {
  const place = makeRepository(env, root)
  const server = await startScriptedServer((_request, n) => TURNS[n - 1] ?? { text: 'done' })
  const began = performance.now()
  const child = spawn(program, [...before, 'do', 'fix the failing test', '--json'], {
    cwd: place,
    env: { ...env, VP_MODEL: 'openai_compatible:scripted', VP_MODEL_BASE_URL: server.baseUrl },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const peak = watchesMemory ? watchMemory(child.pid ?? 0) : () => Number.NaN
  const out: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => out.push(part))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  const wallMs = performance.now() - began
  const document = JSON.parse(Buffer.concat(out).toString('utf8')) as { result: { run_id: string; backend: string } }
  if (code !== 0) throw new Error(`vp do: exit ${code}`)
  await server.close()
  const durations = toolTimes(env['VP_STATE_DIR'] ?? '', document.result.run_id)
  rmSync(place, { recursive: true, force: true })
  return {
    firstRequestMs: (server.times[0]?.cameMs ?? Number.NaN) - began,
    steps: STEPS.map(([name, op], index) => {
      // From the last byte of an answer to the head of the next request: what the server takes is not vp's own.
      const gap = (server.times[index + 1]?.cameMs ?? Number.NaN) - (server.times[index]?.answeredMs ?? Number.NaN)
      const toolMs = durations.get(op) ?? 0
      return { name, ownMs: gap - toolMs, toolMs }
    }),
    characters: server.requests.reduce((sum, request) => sum + JSON.stringify(request).length, 0),
    peakMb: peak(),
    backend: document.result.backend,
    wallMs,
    prefixReused: prefixReused(server.requests.map(({ messages }) => messages)),
  }
}

/** The same turns with the reference agent: ms to its first request, and in all. */
export async function referenceOnce(
  node: string,
  agent: string,
  env: Readonly<Record<string, string>>,
  root: string,
): Promise<{ firstRequestMs: number; wallMs: number }> {
  const place = makeRepository(env, root)
  const server = await startScriptedServer((_request, n) => TURNS[n - 1] ?? { text: 'done' })
  const began = performance.now()
  const child = spawn(node, [agent, server.baseUrl, 'fix the failing test'], { cwd: place, env: { ...env }, stdio: ['ignore', 'ignore', 'inherit'] })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  const wallMs = performance.now() - began
  await server.close()
  if (code !== 0 || server.requests.length !== TURNS.length) throw new Error(`the reference agent: exit ${code}, ${server.requests.length} requests`)
  rmSync(place, { recursive: true, force: true })
  return { firstRequestMs: (server.times[0]?.cameMs ?? Number.NaN) - began, wallMs }
}

function prefixReused(requests: readonly (readonly unknown[])[]): number {
  const texts = requests.map((messages) => JSON.stringify(messages).slice(0, -1))
  const shares = texts.slice(1).map((text, index) => {
    const before = texts[index] ?? ''
    let same = 0
    while (same < before.length && before[same] === text[same]) same++
    return same / before.length
  })
  return Math.min(1, ...shares)
}

/** ms that each tool itself took, by its receipt. */
function toolTimes(state: string, run: string): Map<string, number> {
  const db = new DatabaseSync(join(state, 'ledger.db'), { readOnly: true })
  try {
    const rows = db.prepare("SELECT op, body FROM receipts WHERE run_id = ? AND op IN ('fs.read', 'fs.edit', 'run.test') ORDER BY seq").all(run)
    return new Map(rows.map((row) => [String(row['op']), (JSON.parse(String(row['body'])) as { duration_ms?: number }).duration_ms ?? 0]))
  } finally {
    db.close()
  }
}

/**
 * Peak resident memory of the process and those of its own program below it, by VmHWM; what the sandbox runs is not
 * vp's, nor is the moment between fork and exec in which a child still looks like its parent.
 */
function watchMemory(pid: number): () => number {
  const peaks = new Map<number, { mb: number; looks: number }>()
  const look = () => {
    for (const one of [pid, ...below(pid)]) {
      try {
        const status = readFileSync(`/proc/${one}/status`, 'utf8')
        const command = readFileSync(`/proc/${one}/cmdline`, 'utf8')
        if (!/vp\.mjs|launcher\.mjs/.test(command)) continue
        peaks.set(one, { mb: Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024, looks: (peaks.get(one)?.looks ?? 0) + 1 })
      } catch {
        // it has ended between listing and reading
      }
    }
  }
  const timer = setInterval(look, 5)
  return () => {
    clearInterval(timer)
    return [...peaks.values()].filter(({ looks }) => looks >= 4).reduce((sum, { mb }) => sum + mb, 0)
  }
}

function below(pid: number): number[] {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
    return children.flatMap((child) => [child, ...below(child)])
  } catch {
    return []
  }
}

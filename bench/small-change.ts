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
}

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
    const figures = await once(vp, env, root)
    if (round >= 0) all.push({ ...figures, round }) // the first one fills caches and probes the sandbox
  }
  const middle = (pick: (one: DoFigures) => number) => all.map(pick).toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN
  return {
    firstRequestMs: middle((one) => one.firstRequestMs),
    steps: STEPS.map(([name], index) => ({
      name,
      ownMs: middle((one) => one.steps[index]?.ownMs ?? Number.NaN),
      toolMs: middle((one) => one.steps[index]?.toolMs ?? Number.NaN),
    })),
    characters: middle((one) => one.characters),
    peakMb: Math.max(...all.map((one) => one.peakMb)),
    backend: all[0]?.backend ?? '',
  }
}

async function once(vp: string, env: Readonly<Record<string, string>>, root: string): Promise<DoFigures> {
  const place = mkdtempSync(join(root, 'do-'))
  for (const [path, content] of Object.entries(FILES)) {
    mkdirSync(join(place, path, '..'), { recursive: true })
    writeFileSync(join(place, path), content)
  }
  const git = (...args: string[]) => execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@example.org', ...args], { cwd: place, env: { ...env } })
  git('init', '-q', '-b', 'main')
  git('config', 'user.name', 'A. Person')
  git('config', 'user.email', 'person@example.org')
  git('add', '-A')
  git('commit', '-qm', 'start')
  const arrivals: number[] = []
  const server = await startScriptedServer((_request, n) => {
    arrivals.push(performance.now())
    return TURNS[n - 1] ?? { text: 'done' }
  })
  const began = performance.now()
  const child = spawn(vp, ['do', 'fix the failing test', '--json'], {
    cwd: place,
    env: { ...env, VP_MODEL: 'openai_compatible:scripted', VP_MODEL_BASE_URL: server.baseUrl },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const peak = watchMemory(child.pid ?? 0)
  const out: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => out.push(part))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  const document = JSON.parse(Buffer.concat(out).toString('utf8')) as { result: { run_id: string; backend: string } }
  if (code !== 0) throw new Error(`vp do: exit ${code}`)
  await server.close()
  const durations = toolTimes(env['VP_STATE_DIR'] ?? '', document.result.run_id)
  rmSync(place, { recursive: true, force: true })
  return {
    firstRequestMs: (arrivals[0] ?? Number.NaN) - began,
    steps: STEPS.map(([name, op], index) => {
      const gap = (arrivals[index + 1] ?? Number.NaN) - (arrivals[index] ?? Number.NaN)
      const toolMs = durations.get(op) ?? 0
      return { name, ownMs: gap - toolMs, toolMs }
    }),
    characters: server.requests.reduce((sum, request) => sum + JSON.stringify(request).length, 0),
    peakMb: peak(),
    backend: document.result.backend,
  }
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

/**
 * `npm run bench -- agent`: a small change from its goal to its commit, in the sandbox and receipted, against a server that
 * answers at once. The yardsticks run in between: a reference agent that proves nothing, and `node -e 0`.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { median, printRows, stepRow, type Row } from './rows.ts'
import { doOnce, peakOf, referenceOnce, type DoFigures } from './small-change.ts'

const ROOT = join(import.meta.dirname, '..')
const REFERENCE = join(import.meta.dirname, 'reference-agent.mjs')
const COUNTER = join(import.meta.dirname, 'count-programs.mjs')

export async function benchAgent(vp: string, rounds: number): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'vp-bench-'))
  const env = { PATH: process.env['PATH'] ?? '', HOME: root, VP_STATE_DIR: join(root, 'state'), XDG_CACHE_HOME: join(root, 'cache'), LANG: 'C.UTF-8' }
  try {
    const node: number[] = []
    const reference: { firstRequestMs: number; wallMs: number }[] = []
    const runs: DoFigures[] = []
    // The first round fills caches, builds the bundle and probes the sandbox.
    for (let round = -1; round < Math.max(5, Math.round(rounds / 3)); round++) {
      const at = performance.now()
      spawnSync(process.execPath, ['-e', '0'], { env })
      const nodeMs = performance.now() - at
      const plain = await referenceOnce(process.execPath, REFERENCE, env, root)
      const figures = await doOnce([vp], env, root)
      if (round < 0) continue
      node.push(nodeMs)
      reference.push(plain)
      runs.push(figures)
    }
    print({ node: median(node), reference, runs, programs: await programsOf(env, root), memory: await peakOf([vp], env, root) })
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

/** Programs that vp itself starts in one small change; what those start is theirs. */
async function programsOf(env: Readonly<Record<string, string>>, root: string): Promise<string[]> {
  const log = join(root, 'programs')
  writeFileSync(log, '')
  const node = [
    process.execPath,
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    '--import',
    COUNTER,
    join(ROOT, 'dist', 'vp.mjs'),
  ] as const
  await doOnce(node, { ...env, VP_BENCH_PROGRAMS: log, VP_LAUNCHER: join(ROOT, 'bin', 'vp') }, root)
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  if (process.env['VP_BENCH_SHOW'] === 'programs') process.stderr.write(`${lines.join('\n')}\n`)
  return lines
}

interface Figures {
  readonly node: number
  readonly reference: readonly { readonly firstRequestMs: number; readonly wallMs: number }[]
  readonly runs: readonly DoFigures[]
  readonly programs: readonly string[]
  /** MB at the peak. */
  readonly memory: number
}

function print({ node, reference, runs, programs, memory }: Figures): void {
  const middle = (pick: (one: DoFigures) => number) => median(runs.map(pick))
  const plain = median(reference.map(({ wallMs }) => wallMs))
  const [wall, first] = [middle((one) => one.wallMs), middle((one) => one.firstRequestMs)]
  const ms = (value: number) => `${value.toFixed(1)} ms`
  const git = programs.filter((line) => /(^|\/)git( |$)/.test(line)).length
  const reused = Math.min(...runs.map((one) => one.prefixReused))
  const rows: Row[] = [
    { what: 'node -e 0', value: ms(node), limit: '', holds: true },
    {
      what: 'reference agent, nothing proved',
      value: `${ms(plain)}  first request ${ms(median(reference.map(({ firstRequestMs }) => firstRequestMs)))}`,
      limit: '',
      holds: true,
    },
    { what: 'vp do: wall', value: `${(wall / plain).toFixed(2)} × the reference  ${ms(wall)}`, limit: '2 ×', holds: wall <= 2 * plain },
    { what: 'vp do: first request', value: `${(first / node).toFixed(2)} × node -e 0  ${ms(first)}`, limit: '4 ×', holds: first <= 4 * node },
    ...(runs[0]?.steps ?? []).map(({ name }, index) => {
      const of = (pick: (step: DoFigures['steps'][number]) => number) => middle((one) => pick(one.steps[index] as DoFigures['steps'][number]))
      return stepRow(
        name,
        of(({ ownMs }) => ownMs),
        of(({ toolMs }) => toolMs),
        node,
      )
    }),
    { what: 'vp do: programs started', value: `${programs.length}, ${git} of them git`, limit: '12', holds: programs.length <= 12 },
    { what: 'vp do: memory, all of vp', value: `${memory.toFixed(0)} MB`, limit: '100 MB', holds: memory <= 100 },
    { what: 'vp do: prefix reused', value: `${(100 * reused).toFixed(1)} %`, limit: '100 %', holds: reused === 1 },
    {
      what: 'vp do: four requests',
      value: `${middle((one) => one.characters).toLocaleString('en')} characters`,
      limit: '20,000',
      holds: middle((one) => one.characters) <= 20_000,
    },
  ]
  printRows(rows, `sandbox ${runs[0]?.backend ?? ''}, median of ${runs.length}`)
}

/**
 * `npm run bench`: what vp takes beside the bare Node it runs on, measured in the same minutes. Ratios are the claim,
 * milliseconds only the picture. Runs are interleaved, so that a busy moment meets all of them.
 * `npm run bench -- patch` measures the patch engine instead, `npm run bench -- sandbox` the cost of one sandboxed command,
 * `npm run bench -- undo` what a thousand files take to be given back, `npm run bench -- redact` the filter of secrets on long lines, `npm run bench -- agent` the whole way of a small change
 * beside an agent that proves nothing.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { benchAgent } from './agent.ts'
import { measureDo, type DoFigures } from './small-change.ts'
import { median, printRows, stepRow } from './rows.ts'
import { writeLedger } from './ledger.ts'
import { benchPatch } from './patch.ts'
import { benchRedact } from './redact.ts'
import { benchSandbox } from './sandbox.ts'
import { benchUndo } from './undo.ts'

const VP = join(import.meta.dirname, '..', 'bin', 'vp')
const ROUNDS = Number(process.env['VP_BENCH_ROUNDS'] ?? 30)
const RECEIPTS = 100_000

if (process.argv[2] === 'patch') benchPatch()
else if (process.argv[2] === 'sandbox') await benchSandbox()
else if (process.argv[2] === 'undo') benchUndo()
else if (process.argv[2] === 'redact') benchRedact()
else if (process.argv[2] === 'agent') await benchAgent(VP, ROUNDS)
else await benchProgram()

async function benchProgram(): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'vp-bench-'))
  const env = { PATH: process.env['PATH'] ?? '', HOME: root, VP_STATE_DIR: join(root, 'state'), XDG_CACHE_HOME: join(root, 'cache'), LANG: 'C.UTF-8' }
  try {
    const repository = join(root, 'repository')
    mkdirSync(repository)
    execFileSync('git', ['init', '-q', '-b', 'main'], { cwd: repository, env })
    spawnSync(VP, ['--version'], { env }) // builds, where the bundle is older than the source
    process.stderr.write(`writing a ledger of ${RECEIPTS.toLocaleString('en')} receipts\n`)
    await writeLedger(env.VP_STATE_DIR, repository, RECEIPTS)
    const starts = startTimes(repository, env)
    const small = await measureDo(VP, { ...env, VP_STATE_DIR: join(root, 'state-do') }, root, Math.max(5, Math.round(ROUNDS / 3)))
    print(starts, small)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

function startTimes(cwd: string, env: NodeJS.ProcessEnv): Record<'node' | 'version' | 'status', number> {
  const commands = { node: [process.execPath, '-e', '0'], version: [VP, '--version'], status: [VP, 'status'] } as const
  const times = { node: [] as number[], version: [] as number[], status: [] as number[] }
  for (let round = -2; round < ROUNDS; round++)
    for (const [name, [file, ...args]] of Object.entries(commands) as [keyof typeof commands, readonly [string, ...string[]]][]) {
      const at = performance.now()
      const { status, stderr } = spawnSync(file, args, { cwd, env })
      if (status !== 0) throw new Error(`${file} ${args.join(' ')}: exit ${status}\n${stderr.toString()}`)
      if (round >= 0) times[name].push(performance.now() - at) // the first two rounds fill caches
    }
  return { node: median(times.node), version: median(times.version), status: median(times.status) }
}

function print(starts: ReturnType<typeof startTimes>, small: DoFigures): void {
  const ms = (value: number) => `${value.toFixed(1)} ms`
  const ratio = (value: number) => `${(value / starts.node).toFixed(2)} ×`
  const rows = [
    { what: 'node -e 0, the yardstick', value: ms(starts.node), limit: '', holds: true },
    { what: 'vp --version', value: `${ratio(starts.version)}  ${ms(starts.version)}`, limit: '1.5 ×', holds: starts.version <= 1.5 * starts.node },
    {
      what: `vp status, ${RECEIPTS.toLocaleString('en')} receipts`,
      value: `${ratio(starts.status)}  ${ms(starts.status)}`,
      limit: '1.5 ×',
      holds: starts.status <= 1.5 * starts.node,
    },
    {
      what: 'vp do: first request',
      value: `${ratio(small.firstRequestMs)}  ${ms(small.firstRequestMs)}`,
      limit: '6 ×',
      holds: small.firstRequestMs <= 6 * starts.node,
    },
    ...small.steps.map((step) => stepRow(step.name, step.ownMs, step.toolMs, starts.node)),
    { what: 'vp do: four requests', value: `${small.characters.toLocaleString('en')} characters`, limit: '26,000', holds: small.characters <= 26_000 },
    { what: 'vp do: memory, all of vp', value: `${small.peakMb.toFixed(0)} MB`, limit: '100 MB', holds: small.peakMb <= 100 },
  ]
  printRows(rows, `sandbox ${small.backend}, median of ${ROUNDS}`)
}

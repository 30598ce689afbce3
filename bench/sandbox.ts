/**
 * `npm run bench -- sandbox`: one `/bin/true` in vp's own bubblewrap beside the barest bubblewrap there is, interleaved, both
 * started as vp starts programs. The ratio is the claim: what minimal root, filter and limits cost.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DEFAULT_LIMITS } from '../src/sandbox/contract.ts'
import { selectBackend } from '../src/sandbox/select.ts'

const ROUNDS = Number(process.env['VP_BENCH_ROUNDS'] ?? 60)
const LIMIT = 2

export async function benchSandbox(): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'vp-bench-sandbox-'))
  try {
    const workspace = join(root, 'tree')
    mkdirSync(workspace)
    const { backend } = await selectBackend({
      clock: { now: () => Date.now(), monotonic: () => performance.now() },
      random: { bytes: (count) => randomBytes(count) },
      launcher: { node: process.execPath, argv: [join(import.meta.dirname, '../src/sandbox/launcher-entry.ts')] },
      tmpBase: join(root, 'runs'),
      cacheFile: join(root, 'sandbox.json'),
      platform: process.platform,
      arch: process.arch,
      uid: process.getuid?.() ?? 0,
      pid: process.pid,
      pin: 'bwrap',
    })
    const ours = async () => {
      const run = await backend.run({
        argv: ['/bin/true'],
        workspace,
        writable: true,
        protect: [],
        cwd: '',
        mounts: [],
        env: {},
        path: [],
        network: 'none',
        limits: DEFAULT_LIMITS,
        marker: randomBytes(16).toString('hex'),
      })
      if (run.exitCode !== 0) throw new Error(`vp's box: exit ${run.exitCode} ${run.stderr.toString()}`)
    }
    const bare = () => started('/usr/bin/bwrap', ['--unshare-all', '--ro-bind', '/', '/', '--', '/bin/true'])
    const plain = () => started('/bin/true', [])
    const times = { plain: [] as number[], bare: [] as number[], ours: [] as number[] }
    for (let round = -3; round < ROUNDS; round++)
      for (const [name, run] of [
        ['plain', plain],
        ['bare', bare],
        ['ours', ours],
      ] as const) {
        const at = performance.now()
        await run()
        if (round >= 0) times[name].push(performance.now() - at) // the first three fill caches
      }
    const ratio = median(times.ours) / median(times.bare)
    const row = (what: string, values: readonly number[], rest = '') => `${what.padEnd(46)}${median(values).toFixed(1).padStart(6)} ms${rest}\n`
    process.stdout.write(
      row('/bin/true', times.plain) +
        row('bwrap --unshare-all --ro-bind / / -- /bin/true', times.bare) +
        row("the same in vp's bwrap", times.ours, `  ${ratio.toFixed(2)} ×  ${LIMIT} ×  ${ratio <= LIMIT ? 'holds' : 'MISSED'}`) +
        `median of ${ROUNDS}, interleaved\n`,
    )
    if (ratio > LIMIT) process.exitCode = 1
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

function started(file: string, args: readonly string[]): Promise<void> {
  return new Promise((done, failed) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: {} })
    child.on('error', failed)
    child.on('close', (code) => (code === 0 ? done() : failed(new Error(`${file}: exit ${code}`))))
  })
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

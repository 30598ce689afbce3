/**
 * `npm run bench -- undo`: one patch over a thousand files, taken back by `vp undo`, beside `git restore` of the same files,
 * which keeps nothing. And what the before-images take on the disk beside the bytes that were written.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const VP = join(import.meta.dirname, '..', 'bin', 'vp')
const ROUNDS = Number(process.env['VP_BENCH_ROUNDS'] ?? 5)
const FILES = 1000
const LIMIT_MS = 2000
const LIMIT_DISK = 2

export function benchUndo(): void {
  const root = mkdtempSync(join(tmpdir(), 'vp-bench-undo-'))
  const env = { PATH: process.env['PATH'] ?? '', HOME: root, VP_STATE_DIR: join(root, 'state'), XDG_CACHE_HOME: join(root, 'cache'), LANG: 'C.UTF-8' }
  const place = join(root, 'repository')
  const run = (file: string, ...args: string[]) => {
    const at = performance.now()
    const { status, stderr } = spawnSync(file, args, { cwd: place, env, maxBuffer: 1 << 30 })
    if (status !== 0) throw new Error(`${file} ${args.join(' ')}: exit ${status}\n${stderr.toString()}`)
    return performance.now() - at
  }
  try {
    mkdirSync(join(place, 'src'), { recursive: true })
    const names = Array.from({ length: FILES }, (_, n) => `src/f${n}.js`)
    for (const [n, name] of names.entries()) writeFileSync(join(place, name), bodyOf(n, 'before'))
    for (const args of [
      ['init', '-q', '-b', 'main'],
      ['config', 'user.name', 'A'],
      ['config', 'user.email', 'a@example.org'],
      ['add', '-A'],
      ['commit', '-qm', 'start'],
    ])
      execFileSync('git', args, { cwd: place, env })
    const write = () => names.forEach((name, n) => writeFileSync(join(place, name), bodyOf(n, 'after')))
    write()
    writeFileSync(join(root, 'all.diff'), execFileSync('git', ['diff'], { cwd: place, env, maxBuffer: 1 << 30 }))
    run('git', 'restore', '.')
    const times = { git: [] as number[], vp: [] as number[] }
    let disk = Number.NaN
    for (let round = 0; round < ROUNDS; round++) {
      write()
      times.git.push(run('git', 'restore', '.'))
      run(VP, 'fs', 'patch', join(root, 'all.diff'), '--apply', '--json')
      if (round === 0) disk = sizeOf(join(root, 'state', 'blobs')) / (FILES * bodyOf(0, 'after').length)
      times.vp.push(run(VP, 'undo', '--yes', '--json'))
      if (names.some((name, n) => readFileSync(join(place, name), 'utf8') !== bodyOf(n, 'before'))) throw new Error('not all files are as they were')
    }
    const [git, vp] = [median(times.git), median(times.vp)]
    process.stdout.write(
      `git restore, ${FILES} files          ${git.toFixed(0).padStart(6)} ms\n` +
        `vp undo of a patch over them      ${vp.toFixed(0).padStart(6)} ms  ${(vp / git).toFixed(1)} ×  ${LIMIT_MS} ms  ${vp <= LIMIT_MS ? 'holds' : 'MISSED'}\n` +
        `before-images beside bytes written  ${disk.toFixed(2)} ×  ${LIMIT_DISK} ×  ${disk <= LIMIT_DISK ? 'holds' : 'MISSED'}\n` +
        `median of ${ROUNDS}\n`,
    )
    if (!(vp <= LIMIT_MS && disk <= LIMIT_DISK)) process.exitCode = 1
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

/** 4 KiB that do not compress to nothing. */
function bodyOf(n: number, word: string): string {
  return Array.from(
    { length: 64 },
    (_, line) => `export const v${line} = '${((n * 7919 + line * 104_729) >>> 0).toString(36).padEnd(24, 'x')} ${word.padEnd(12)}'\n`,
  ).join('')
}

function sizeOf(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

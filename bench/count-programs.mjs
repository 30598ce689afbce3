/** Loaded before vp where its programs are counted: writes a line for each that vp itself starts. */
import childProcess from 'node:child_process'
import { appendFileSync } from 'node:fs'

for (const name of ['spawn', 'spawnSync', 'execFile', 'execFileSync']) {
  const own = childProcess[name]
  childProcess[name] = (file, ...rest) => {
    appendFileSync(process.env.VP_BENCH_PROGRAMS, `${[file, ...(Array.isArray(rest[0]) ? rest[0] : [])].join(' ').slice(0, 160)}\n`)
    return own(file, ...rest)
  }
}

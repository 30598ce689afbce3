/** Runs a program for the rebuild; what it says on failure is thrown. */
import { spawnSync } from 'node:child_process'

export function run(file: string, argv: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(file, argv, { cwd, encoding: 'utf8', maxBuffer: 1 << 28 })
  if (status !== 0) throw new Error(`${file} ${argv.join(' ')}: ${error?.message ?? `exit ${status}`}\n${stdout}${stderr}`)
  return stdout
}

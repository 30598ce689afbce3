/**
 * argv, environment, exit: nothing else. What a fast answer needs is loaded here; the rest behind its command.
 */
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { pathsFrom } from './config/paths.ts'

const VERSION = '0.1.0'

async function main(): Promise<number> {
  const argv = process.argv.slice(2)
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    process.stdout.write(`${VERSION}\n`)
    return 0
  }
  enableCompileCache(join(pathsFrom(process.env).cache, 'compile'))
  const { runCli } = await import('./compose/cli.ts')
  return runCli({
    argv,
    env: process.env,
    version: VERSION,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    cwd: () => process.cwd(),
  })
}

process.exitCode = await main()

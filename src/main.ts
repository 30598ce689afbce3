/**
 * argv, environment, exit: nothing else. What a fast answer needs is loaded here; the rest behind its command.
 */
import { fstatSync, writeSync } from 'node:fs'
import { cacheCompiled } from './compose/compile-cache.ts'
import { settledEnvironment } from './config/paths.ts'

const VERSION = '0.1.0'
/** Something was given to a stream, which may still be on its way. */
let isStreaming = false

async function main(): Promise<number> {
  const argv = process.argv.slice(2)
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    print(1, `${VERSION}\n`)
    return 0
  }
  const env = settledEnvironment(process.env)
  cacheCompiled(env)
  const { runCli } = await import('./compose/cli.ts')
  return runCli({
    argv,
    env,
    version: VERSION,
    // Opening it costs a tenth of a start, and only a question or a `-` needs it.
    get stdin() {
      return process.stdin
    },
    get stdout() {
      isStreaming = true
      return process.stdout
    },
    get stderr() {
      return steadyStderr()
    },
    facts: (fd) => (isTerminal(fd) ? (fd === 1 ? process.stdout : process.stderr) : { isTTY: false }),
    print,
    cwd: () => process.cwd(),
  })
}

/** Talk that nobody reads any more (`vp do … 2>&1 | head -1`, a closed terminal) ends no work. */
function steadyStderr(): NodeJS.WriteStream {
  isStreaming = true
  if (process.stderr.listenerCount('error') === 0) process.stderr.on('error', () => undefined)
  return process.stderr
}

/** Without opening its stream, and without asking where it cannot be one: either costs a tenth of a start. */
function isTerminal(fd: number): boolean {
  try {
    const stat = fstatSync(fd)
    return stat.isCharacterDevice() && !isMemoryDevice(stat.rdev) && process.getBuiltinModule('node:tty').isatty(fd)
  } catch {
    return false // closed
  }
}

/** `/dev/null` and its like, which stand for a terminal where there is none. Source: Linux, devices.txt. */
function isMemoryDevice(rdev: number): boolean {
  return process.platform === 'linux' && ((rdev >> 8) & 0xfff) === 1
}

/** The whole text, at once where that does not have to wait for a reader. */
function print(fd: 1 | 2, text: string): void {
  const bytes = Buffer.from(text)
  let at = 0
  try {
    if (!isTerminal(fd)) while (at < bytes.length) at += writeSync(fd, bytes, at)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EPIPE') return // nobody reads any more
    // In words of its own, as a full disk under stdout is not one under the ledger.
    if (code !== 'EAGAIN') throw new Error(`${fd === 1 ? 'stdout' : 'stderr'} cannot be written: ${code}`, { cause: error })
  }
  if (at < bytes.length) {
    isStreaming = true
    ;(fd === 1 ? process.stdout : steadyStderr()).write(bytes.subarray(at))
  }
}

process.exitCode = await main()
// All is written and done: taking the engine apart first would be a tenth of a start.
if (!isStreaming) process.exit()
// Words are still on their way: one more Ctrl-C ends that, with the status that the command came to.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => process.exit())

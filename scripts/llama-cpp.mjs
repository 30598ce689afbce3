/**
 * Puts node-llama-cpp where the tests of llama.cpp in process look for it, with the binaries of this platform alone: 81 MB
 * instead of 716 (docs/decisions/0015). `node scripts/llama-cpp.mjs DIRECTORY`; does nothing where it is already.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

const VERSION = '3.22.1'
const directory = resolve(process.argv[2] ?? '.')
const installed = join(directory, 'node_modules', 'node-llama-cpp', 'package.json')
if (existsSync(installed) && JSON.parse(readFileSync(installed, 'utf8')).version === VERSION) process.exit(0)

const own = `${process.platform === 'darwin' ? 'mac' : process.platform}-${process.arch}`
const platforms = ['linux-arm64', 'linux-armv7l', 'linux-riscv64', 'linux-x64', 'linux-x64-cuda', 'linux-x64-cuda-ext', 'linux-x64-vulkan']
const unused = ['cmake-js', ...platforms.filter((name) => name !== own).map((name) => `@node-llama-cpp/${name}`)]
const fresh = `${directory}.${process.pid}`
mkdirSync(join(fresh, 'empty'), { recursive: true })
writeFileSync(join(fresh, 'empty', 'package.json'), JSON.stringify({ name: 'empty', version: '0.0.0' }))
const overrides = Object.fromEntries(unused.map((name) => [name, 'file:./empty']))
writeFileSync(join(fresh, 'package.json'), JSON.stringify({ private: true, dependencies: { 'node-llama-cpp': VERSION }, overrides }))
try {
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--no-package-lock'], { cwd: fresh, stdio: 'inherit', timeout: 240_000 })
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(dirname(directory), { recursive: true })
  renameSync(fresh, directory)
} finally {
  rmSync(fresh, { recursive: true, force: true })
}

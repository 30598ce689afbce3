/**
 * All of the backend of macOS but the profile's force: on Linux, with a program that takes the arguments of sandbox-exec
 * and isolates nothing. That the self-test refuses such a one is part of it.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, test } from 'node:test'
import { STAND_IN } from '../../test/fixtures/sandbox-exec.ts'
import { isVpError } from '../core/errors.ts'
import { DEFAULT_LIMITS, type SandboxRequest, type SandboxResult } from './contract.ts'
import { loadLibc } from './launcher-libc.ts'
import { isThere } from '../core/is-there.ts'
import { prepareSeatbelt, seatbeltBackend, type SeatbeltParts } from './seatbelt.ts'
import { selectBackend, type SelectOptions } from './select.ts'
import { selfTest } from './self-test.ts'

const base = realpathSync(mkdtempSync(join(tmpdir(), 'vp-seatbelt-')))
after(() => rmSync(base, { recursive: true, force: true }))

const programs = join(base, 'programs')
mkdirSync(programs)
writeFileSync(join(programs, 'sandbox-exec'), STAND_IN)
chmodSync(join(programs, 'sandbox-exec'), 0o755)
for (const name of ['bash', 'ps']) symlinkSync(`/usr/bin/${name}`, join(programs, name))

const tmpBase = join(base, 'runs')
mkdirSync(tmpBase)
const clock = { now: () => Date.now(), monotonic: () => performance.now() }
const marker = () => randomBytes(16).toString('hex')
const parts: SeatbeltParts = {
  clock,
  sandboxExec: join(programs, 'sandbox-exec'),
  bash: join(programs, 'bash'),
  ps: join(programs, 'ps'),
  uid: process.getuid?.() ?? -1,
  tmpBase,
}
const backend = seatbeltBackend(parts)
// libuv starts a process on macOS with the descriptors that it was told and no other; here that is asked for.
loadLibc().sealDescriptors()

function scene(name = 'tree') {
  const tree = join(mkdtempSync(join(base, 'place-')), name)
  mkdirSync(join(tree, 'src'), { recursive: true })
  writeFileSync(join(tree, 'file'), 'inside')
  const request = (script: string, change?: Partial<SandboxRequest>): SandboxRequest => ({
    argv: ['/bin/sh', '-c', script],
    workspace: tree,
    writable: true,
    protect: ['.git'],
    cwd: '',
    mounts: [],
    env: {},
    path: [],
    network: 'none',
    limits: { ...DEFAULT_LIMITS, wallMs: 10_000 },
    marker: marker(),
    ...change,
  })
  return { tree, request, sh: (script: string, change?: Partial<SandboxRequest>) => backend.run(request(script, change)) }
}

const cases: [title: string, script: string, want: Partial<Record<keyof SandboxResult, unknown>>, limits?: Partial<SandboxRequest['limits']>][] = [
  ['an exit code', 'exit 3', { exitCode: 3, endedBy: 'exit' }],
  ['a signal', 'kill -TERM $$', { signal: 'SIGTERM', endedBy: 'signal' }],
  ['both streams', 'echo out; echo err >&2', { stdout: 'out\n', stderr: 'err\n' }],
  ['its directory, written back', 'pwd; echo "$PWD"', { stdout: '/workspace\n/workspace\n' }],
  ['its temporary directory and home', 'echo x >"$TMPDIR/x" && echo "$TMPDIR $HOME" && ls "$HOME"', { stdout: '/tmp /home/vp\n' }],
  ['no descriptor of vp', 'ls /proc/self/fd | tr "\\n" " "', { stdout: '0 1 2 3 ' }],
  ['no child that it did not start', 'exec cat /proc/self/task/$$/children', { stdout: '', exitCode: 0 }],
  ['no core file', 'ulimit -c', { stdout: '0\n' }],
  ['the wall clock', 'sleep 20', { endedBy: 'wall' }, { wallMs: 300 }],
  ['CPU seconds', 'while :; do :; done', { endedBy: 'cpu' }, { cpuS: 1 }],
  ['the size of a file', 'exec dd if=/dev/zero of=big bs=65536 count=64', { endedBy: 'file_size' }, { fileBytes: 1024 * 1024 }],
  ['output', 'exec yes', { endedBy: 'output', truncated: true }, { outputBytes: 65_536 }],
  ['processes', 'for i in $(seq 60); do sleep 9 & done; wait', { endedBy: 'processes' }, { tasks: 20 }],
  [
    'memory of all together',
    `exec ${process.execPath} -e 'const a=[];for(;;)a.push(Buffer.alloc(1<<20,1))'`,
    { endedBy: 'memory' },
    { totalMemoryBytes: 200 << 20 },
  ],
]
for (const [title, script, want, limits] of cases)
  test(`seatbelt: ${title}`, async () => {
    const result = await scene().sh(script, { limits: { ...DEFAULT_LIMITS, wallMs: 10_000, ...limits } })
    const found = { ...result, stdout: result.stdout.toString(), stderr: result.stderr.toString() }
    for (const [key, value] of Object.entries(want)) assert.equal(found[key as keyof typeof found], value, `${key}: ${JSON.stringify(found).slice(0, 400)}`)
    assert.equal(found.backend, 'seatbelt')
    assert.deepEqual(readdirSync(tmpBase), [], 'nothing is left')
  })

test('seatbelt: the environment is what a lane gives and nothing of vp', async () => {
  const { stdout } = await scene().sh('env', { env: { LANE: 'a "b"\n$c' } })
  const names = stdout
    .toString()
    .replace('a "b"\n$c', '')
    .trim()
    .split('\n')
    .map((line) => line.split('=')[0])
  assert.ok(names.includes('LANE') && names.includes('VP_RUN_MARKER'))
  assert.deepEqual(
    names.filter((name) => ['OLDPWD', 'USER', 'LOGNAME', 'SSH_AUTH_SOCK'].includes(name ?? '')),
    [],
  )
  await assert.rejects(scene().sh('true', { env: { DYLD_INSERT_LIBRARIES: '/evil' } }), (error) => isVpError(error) && error.code === 'policy.invalid')
})

for (const name of ['a "quoted" (tree)', 'two\nlines', "it's $(here)", 'a=b;c'])
  test(`seatbelt: a tree named ${JSON.stringify(name)}`, async () => {
    const { tree, request, sh } = scene(name)
    const result = await sh('cat file; printf %s "$PWD"', { cwd: 'src/..'.slice(0, 3) })
    assert.match(result.stderr.toString(), /file/, 'the file is one folder up')
    assert.equal(result.stdout.toString(), '/workspace/src')
    const prepared = prepareSeatbelt(parts, request('true'))
    const text = prepared.args[1] ?? ''
    assert.ok(!text.includes(name), 'a name is never in the text of the profile')
    assert.ok(prepared.args.includes(`${prepared.args.find((word) => word.endsWith(`=${tree}`))}`))
    prepared.cleanUp()
  })

test('seatbelt: a program that is not there is an outcome, one that is no set-up is not', async () => {
  const { request } = scene()
  const result = await backend.run(request('', { argv: ['/nowhere/program'] }))
  assert.deepEqual([result.endedBy, result.exitCode], ['exit', 127])
  writeFileSync(join(programs, 'refuses'), '#!/bin/sh\necho "sandbox-exec: unbound variable: file-fly" >&2\nexit 65\n')
  chmodSync(join(programs, 'refuses'), 0o755)
  await assert.rejects(
    seatbeltBackend({ ...parts, sandboxExec: join(programs, 'refuses') }).run(request('true')),
    (error) => isVpError(error) && error.code === 'sandbox.unavailable' && /unbound variable: file-fly/.test(error.message),
  )
  assert.deepEqual(readdirSync(tmpBase), [])
})

test('seatbelt: names that cannot be protected are refused before anything is made', async () => {
  for (const name of ['../x', 'a//b', '/etc', 'x\0y'])
    await assert.rejects(scene().sh('true', { protect: [name] }), (error) => isVpError(error) && error.code === 'policy.invalid', name)
  assert.deepEqual(readdirSync(tmpBase), [])
})

test('seatbelt: a mount in the tree is a link as long as the command runs, and protected', async () => {
  const { tree, request, sh } = scene()
  const packages = mkdtempSync(join(base, 'packages-'))
  writeFileSync(join(packages, 'one'), 'installed')
  const mounts = [{ hostPath: packages, sandboxPath: '/workspace/node_modules' }]
  const result = await sh('cat node_modules/one; cd -P node_modules; pwd', { mounts })
  assert.equal(result.stdout.toString(), 'installed/workspace/node_modules\n')
  assert.equal(lstatSync(join(tree, 'node_modules'), { throwIfNoEntry: false }), undefined)
  const prepared = prepareSeatbelt(parts, request('true', { mounts }))
  const values = prepared.args.filter((_, index) => prepared.args[index - 1] === '-D').map((word) => word.slice(word.indexOf('=') + 1))
  for (const path of [tree, packages, join(tree, 'node_modules'), join(tree, '.git')]) assert.ok(values.includes(path), path)
  prepared.cleanUp()
})

const gone = async (pid: number): Promise<boolean> => {
  for (let waited = 0; waited < 2000 && isThere(pid); waited += 20) await sleep(20)
  return !isThere(pid)
}

test('seatbelt: what the command leaves in its group ends with it at once, what left the group when it was seen', async () => {
  const { tree, sh } = scene()
  const started = performance.now()
  await sh('sleep 33 & echo $! >one')
  assert.ok(performance.now() - started < 2000)
  assert.ok(await gone(Number(readFileSync(join(tree, 'one'), 'utf8'))))
  await sh("setsid sh -c 'echo $$ >two; exec sleep 34' & sleep 1")
  assert.ok(await gone(Number(readFileSync(join(tree, 'two'), 'utf8'))))
})

test('seatbelt: a command whose vp is killed ends', async () => {
  const { tree, request } = scene()
  const prepared = prepareSeatbelt(parts, request('echo $$ >number.new; mv number.new number; exec sleep 35'))
  const script = `const o=JSON.parse(process.argv[1]);require('child_process').spawn(o.file,o.args,{env:o.env,detached:true,stdio:['ignore','ignore','ignore','pipe','pipe']}).stdio[3].end();setTimeout(()=>{},30000)`
  const parent = spawn(process.execPath, ['-e', script, JSON.stringify({ file: prepared.file, args: prepared.args, env: prepared.env })], { stdio: 'ignore' })
  for (let waited = 0; waited < 5000 && !existsSync(join(tree, 'number')); waited += 20) await sleep(20)
  const pid = Number(readFileSync(join(tree, 'number'), 'utf8'))
  assert.ok(isThere(pid))
  parent.kill('SIGKILL')
  await once(parent, 'close')
  assert.ok(await gone(pid))
  prepared.cleanUp()
})

const options: SelectOptions = {
  clock,
  random: { bytes: (count) => randomBytes(count) },
  launcher: { node: process.execPath, argv: [] },
  tmpBase: join(base, 'self-test'),
  cacheFile: join(base, 'sandbox.json'),
  platform: 'darwin',
  arch: 'arm64',
  uid: parts.uid,
  pid: process.pid,
  programDirs: [programs],
}

test('a sandbox-exec that isolates nothing is not chosen, and nothing else is tried on macOS', async () => {
  mkdirSync(options.tmpBase)
  const why = await selfTest(backend, { node: process.execPath, hostPid: process.pid, tmpBase: options.tmpBase, markers: [marker(), marker()] })
  assert.match(why ?? '', /^canary is possible from inside/)
  await assert.rejects(selectBackend(options), (error) => {
    assert.ok(isVpError(error) && error.code === 'sandbox.unavailable')
    assert.match(error.message, /seatbelt: canary is possible/)
    assert.doesNotMatch(error.message, /bwrap|landlock/)
    assert.match(error.details.next?.[0] ?? '', /sandbox-exec/)
    return true
  })
  await assert.rejects(selectBackend({ ...options, programDirs: [join(base, 'none')] }), /sandbox-exec is not installed/)
  assert.equal(existsSync(options.cacheFile), false)
})

for (const [platform, pin, says] of [
  ['linux', 'seatbelt', /seatbelt is a sandbox of macOS; here vp has bwrap, box, landlock/],
  ['darwin', 'bwrap', /bwrap is a sandbox of Linux; here vp has seatbelt/],
] as const)
  test(`${pin} on ${platform} is refused with what to do`, async () => {
    await assert.rejects(selectBackend({ ...options, platform, arch: 'x64', pin }), (error) => {
      assert.ok(isVpError(error) && error.code === 'sandbox.unavailable')
      assert.match(error.message, says)
      assert.equal(error.details.next?.[0], 'unset VP_SANDBOX')
      return true
    })
  })

/** The self-test fails closed: a probe that reports too much, too little or nothing is a reason not to use a backend. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { STAND_IN } from '../../test/fixtures/sandbox-exec.ts'
import type { SandboxResult } from './contract.ts'
import type { ProbeReport } from './probe.ts'
import { kill } from './processes.ts'
import { seatbeltBackend } from './seatbelt.ts'
import { selfTest } from './self-test.ts'
import type { PreparingBackend } from './supervise.ts'

const base = mkdtempSync(join(tmpdir(), 'vp-self-test-'))
after(() => rmSync(base, { recursive: true, force: true }))

const REFUSED = ['canary', 'set_id', 'truncate', 'outside', 'listing', 'core_pattern', 'sysrq', 'host_environ', 'unshare', 'tcp', 'unix', 'abstract']
const GOOD: ProbeReport = {
  attempts: { read: 'done', write: 'done', temp: 'done', ...Object.fromEntries(REFUSED.map((name) => [name, 'EACCES'])) },
  status: 'Name:\tnode\nNoNewPrivs:\t1\nSeccomp:\t2\nCapEff:\t0000000000000000\n',
  variables: ['PATH', 'HOME'],
  descriptors: [],
  left: 0,
}
const attempts = (change: Record<string, string | undefined>): ProbeReport => ({
  ...GOOD,
  attempts: { ...GOOD.attempts, ...change } as ProbeReport['attempts'],
})

/** Two processes of the run; with the guard they end when the other end of descriptor 4 closes. */
const TWO = 'sleep 31 <&- & sleep 31 <&- &'
const GUARDED = `${TWO} read -r _ <&4; kill -KILL 0`

/** A landlock that answers what it is told to. */
const backend = (answer: Partial<SandboxResult>, script = GUARDED): PreparingBackend => ({
  name: 'landlock',
  prepare: ({ marker }) => ({
    backend: 'landlock',
    file: '/bin/sh',
    args: ['-c', script],
    env: { PATH: '/usr/bin:/bin', VP_RUN_MARKER: marker },
    orders: Buffer.alloc(0),
    rewrite: [],
    signalsAsCodes: false,
    setUpFailure: () => null,
    capsProcesses: false,
    watch: () => () => {},
    strays: () => [],
    cleanUp() {},
  }),
  run: async () => ({
    exitCode: 0,
    signal: null,
    endedBy: 'exit',
    stdout: Buffer.alloc(0),
    stderr: Buffer.alloc(0),
    truncated: false,
    durationMs: 1,
    backend: 'landlock',
    ...answer,
  }),
})

const cases: [title: string, answer: ProbeReport | Partial<SandboxResult>, want: RegExp | null][] = [
  ['all as it must be', GOOD, null],
  ...REFUSED.map((name): [string, ProbeReport, RegExp] => [`${name} was possible`, attempts({ [name]: 'done' }), new RegExp(`^${name} is possible`)]),
  ['an attempt was not told', attempts({ tcp: undefined }), /^tcp is possible/],
  ['what must work does not', attempts({ write: 'EROFS' }), /^write does not work inside: EROFS/],
  ['a variable of the host', { ...GOOD, variables: ['PATH', 'AWS_SECRET'] }, /AWS_SECRET is visible/],
  ['no filter', { ...GOOD, status: GOOD.status.replace('Seccomp:\t2', 'Seccomp:\t0') }, /lacks Seccomp: 2/],
  ['a way to new privileges', { ...GOOD, status: GOOD.status.replace('NoNewPrivs:\t1', 'NoNewPrivs:\t0') }, /lacks NoNewPrivs: 1/],
  ['a capability', { ...GOOD, status: GOOD.status.replace('CapEff:\t0000000000000000', 'CapEff:\t0000000000000400') }, /lacks CapEff/],
  ['the probe ended badly', { exitCode: 1, stderr: Buffer.from('why') }, /^the probe ended by exit 1: why/],
  ['the probe said nothing', { stdout: Buffer.alloc(0) }, /JSON/],
]
for (const [title, answer, want] of cases)
  test(`self-test: ${title}`, async () => {
    const result = 'attempts' in answer ? { stdout: Buffer.from(JSON.stringify(answer)) } : answer
    const place = { node: process.execPath, hostPid: process.pid, tmpBase: base, markers: ['a'.repeat(32), 'b'.repeat(32)] as const }
    const why = await selfTest(backend(result as Partial<SandboxResult>), place)
    if (want === null) assert.equal(why, null)
    else assert.match(why ?? '', want)
  })

test('self-test: a run that goes on when vp is killed', async () => {
  const place = { node: process.execPath, hostPid: process.pid, tmpBase: base, markers: ['e'.repeat(32), 'f'.repeat(32)] as const }
  const stays = backend({ stdout: Buffer.from(JSON.stringify(GOOD)) }, TWO)
  assert.equal(await selfTest(stays, place), 'a process outlived its killed parent')
})

/** What of macOS there is to judge; nothing of /proc is. */
const MACOS = ['canary', 'set_id', 'truncate', 'outside', 'listing', 'git', 'git_moved', 'kill_host', 'tcp', 'unix']
const seatbelt = (report: ProbeReport): PreparingBackend => ({
  ...backend({ stdout: Buffer.from(JSON.stringify(report)) }),
  name: 'seatbelt',
  // Without the guard of the backend: sleeps on when its vp is killed.
  prepare: (request) => ({
    backend: 'seatbelt',
    file: '/bin/sh',
    args: ['-c', `cd '${request.workspace}' && exec "$@"`, 'sh', ...request.argv],
    env: {},
    orders: Buffer.alloc(0),
    rewrite: [],
    signalsAsCodes: false,
    setUpFailure: () => null,
    capsProcesses: false,
    watch: () => () => {},
    strays: () => [],
    cleanUp() {
      kill(Number(readFileSync(join(request.workspace, 'number'), 'utf8')))
    },
  }),
})
const onMacos = (change: Record<string, string | undefined>): ProbeReport => ({
  ...GOOD,
  status: '',
  variables: ['PATH', '_', 'SHLVL', '__CF_USER_TEXT_ENCODING'],
  attempts: { read: 'done', write: 'done', temp: 'done', ...Object.fromEntries(MACOS.map((name) => [name, 'EPERM'])), ...change } as ProbeReport['attempts'],
})
const place = () => ({ node: process.execPath, hostPid: process.pid, tmpBase: base, markers: ['c'.repeat(32), 'd'.repeat(32)] as const })
for (const name of MACOS)
  test(`self-test of seatbelt: ${name} was possible`, async () => {
    assert.match((await selfTest(seatbelt(onMacos({ [name]: 'done' })), place())) ?? '', new RegExp(`^${name} is possible`))
    assert.match((await selfTest(seatbelt(onMacos({ [name]: undefined })), place())) ?? '', new RegExp(`^${name} is possible`))
  })

test('self-test of seatbelt: a variable of the host, and a command that outlives its vp', async () => {
  const told = { ...onMacos({}), variables: ['PATH', 'AWS_SECRET'] }
  assert.match((await selfTest(seatbelt(told), place())) ?? '', /AWS_SECRET is visible/)
  assert.equal(await selfTest(seatbelt(onMacos({})), place()), 'a process outlived its killed parent')
})

test('self-test of seatbelt: all as it must be, with its own guard', async () => {
  const real = seatbeltBackend({
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    sandboxExec: standIn(),
    bash: '/usr/bin/bash',
    ps: '/usr/bin/ps',
    uid: process.getuid?.() ?? -1,
    tmpBase: base,
  })
  assert.equal(await selfTest({ ...seatbelt(onMacos({})), prepare: real.prepare }, place()), null)
})

function standIn(): string {
  const file = join(base, 'sandbox-exec')
  writeFileSync(file, STAND_IN, { mode: 0o755 })
  return file
}

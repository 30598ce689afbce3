/** Attacks on a sandbox, the same for each backend; `sandbox.test.ts` runs them. What chooses one: `test/sandbox.test.ts`. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { isVpError } from '../../src/core/errors.ts'
import { DEFAULT_LIMITS, type Backend, type BackendName, type SandboxRequest, type SandboxResult } from '../../src/sandbox/contract.ts'
import { markedProcesses, namedProcesses, threadsOnMachine } from '../../src/sandbox/processes.ts'
import { selectBackend, type SelectOptions } from '../../src/sandbox/select.ts'

export const base = mkdtempSync(join(tmpdir(), 'vp-box-'))
after(() => rmSync(base, { recursive: true, force: true }))
const uid = process.getuid?.() ?? -1
export const marker = () => randomBytes(16).toString('hex')
export const options: SelectOptions = {
  clock: { now: () => Date.now(), monotonic: () => performance.now() },
  random: { bytes: (count) => randomBytes(count) },
  launcher: {
    node: process.execPath,
    argv: ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, '..', '..', 'src', 'sandbox', 'launcher-entry.ts')],
  },
  tmpBase: join(base, 'runs'),
  cacheFile: join(base, 'sandbox.json'),
  platform: process.platform,
  arch: process.arch,
  uid,
  pid: process.pid,
}

interface Scene {
  readonly backend: Backend
  readonly tree: string
  readonly outside: string
  sh(script: string, change?: Partial<SandboxRequest>, signal?: AbortSignal): Promise<SandboxResult>
}

async function scene(name: BackendName): Promise<Scene> {
  const { backend } = await selectBackend({ ...options, pin: name, cacheFile: join(base, `${name}.json`) })
  const place = mkdtempSync(join(base, `${name}-`))
  const tree = join(place, 'tree')
  mkdirSync(join(tree, '.git'), { recursive: true })
  mkdirSync(join(tree, 'src'))
  writeFileSync(join(tree, 'file'), 'inside')
  writeFileSync(join(place, 'canary'), 'canary')
  return {
    backend,
    tree,
    outside: place,
    sh: (script, change, signal) =>
      backend.run(
        {
          argv: ['/bin/sh', '-c', script],
          workspace: tree,
          writable: true,
          protect: ['.git', '.vp'],
          cwd: '',
          mounts: [],
          env: {},
          path: [],
          network: 'none',
          limits: { ...DEFAULT_LIMITS, wallMs: 10_000 },
          marker: marker(),
          ...change,
        },
        signal,
      ),
  }
}

const said = (result: SandboxResult) => `${result.stdout}${result.stderr}`
const all: BackendName[] = ['bwrap', 'box', 'landlock']

const bubblewrap = ['/usr/bin/bwrap', '/bin/bwrap', '/usr/local/bin/bwrap'].some((path) => existsSync(path))
/** Those that this machine can have. */
export const backends: readonly BackendName[] = bubblewrap ? all : ['box', 'landlock']
const spaces: BackendName[] = ['bwrap', 'box']

/** Each script must print `held`, and nothing else decides. */
const held: [title: string, script: (scene: Scene) => string, on: BackendName[]][] = [
  ['reads its own file', () => '[ "$(cat file)" = inside ] && echo held', all],
  ['writes its own file', () => 'echo x > src/new && echo held', all],
  ['does not read outside', ({ outside }) => `cat ${outside}/canary || echo held`, all],
  ['does not write outside', ({ outside }) => `echo x > ${outside}/made || echo held`, all],
  ['does not empty a file outside', ({ outside }) => `truncate -s 0 ${outside}/canary || echo held`, all],
  ['does not follow a link it made', ({ outside }) => `ln -s ${outside}/canary l; cat l || echo held; rm l`, all],
  ['does not write the kernel settings', () => 'sh -c "echo x > /proc/sys/kernel/core_pattern" || echo held', all],
  ['does not read what the host user keeps', () => 'ls /root /home/*/.ssh 2>/dev/null | grep . || echo held', all],
  ['makes no namespaces', () => 'unshare -U true || unshare -r true || echo held', all],
  ['mounts nothing', () => 'mount -t tmpfs none /tmp || echo held', all],
  [
    'has no capability, no way to new ones, and the filter',
    () => 'grep -c -e "CapEff:.0*$" -e "CapBnd:.0*$" -e "NoNewPrivs:.1" -e "Seccomp:.2" /proc/self/status | grep -q "[34]" && echo held',
    all,
  ],
  ['sees only an environment from nothing', () => '[ -z "$VP_CANARY$NODE_OPTIONS$SSH_AUTH_SOCK" ] && [ "$(env | wc -l)" -lt 20 ] && echo held', all],
  ['inherits no descriptor', () => '[ "$(ls /proc/self/fd | tr "\\n" " ")" = "0 1 2 3 " ] && echo held', all],
  ['has a temporary directory and an empty home', () => 'echo x > "$TMPDIR/t" && [ -z "$(ls -A "$HOME")" ] && echo held', all],
  ['does not touch .git', () => 'echo x > .git/config || mv .git g || echo held', spaces],
  ['sees no process of the host', () => '[ "$(ls /proc | grep -c "^[0-9]")" -lt 12 ] && echo held', spaces],
  ['leaves no program with rights of its own: chmod', () => 'cp /usr/bin/id i; chmod 4755 i || chmod 2755 i || chmod u+s i || echo held', all],
  ['leaves no program with rights of its own: at its making', () => 'install -m 6755 /usr/bin/id i2; [ -u i2 ] || [ -g i2 ] || echo held', all],
  ['changes modes as ever', () => 'cp /usr/bin/id i3; chmod 1755 i3 && chmod 600 i3 && mkdir -m 700 d3 && echo held', all],
  [
    'leaves no program with rights of its own: every call that takes a mode',
    // open openat creat mknod chmod fchmodat fchmodat2 openat2, the last of which has its mode where no filter can read it
    () =>
      `[ "$(uname -m)$(command -v perl)" = x86_64/usr/bin/perl ] || { echo held; exit; }
perl -e 'my $n = "p"; my $t = "file";
for ([2, $n.1, 0x41, 04755], [257, -100, $n.2, 0x41, 02755], [85, $n.3, 04755], [133, $n.4, 0104755, 0], [259, -100, $n.5, 0104755, 0], [90, $t, 04755], [91, 1, 04644],
  [268, -100, $t, 04755], [452, -100, $t, 02755, 0], [437, -100, $n.6, pack("QQQ", 0x41, 04755, 0), 24]) { my ($s, @a) = @$_; my $r = syscall($s, @a); print "LOST $s\n" if $r != -1 }
print "held\n"'`,
    all,
  ],
  [
    'sets no attributes and no access lists, and copies with modes and times as ever',
    ({ outside }) =>
      `[ "$(uname -m)$(command -v perl)" = x86_64/usr/bin/perl ] && perl -e '$f = "${outside}/canary"; $n = "user.vp"; $v = "x"; for (188, 189, 463) { my $r = $_ == 463 ? syscall($_, -100, $f, 0, $n, pack("QLL", 0, 0, 0), 16) : syscall($_, $f, $n, $v, 1, 0); print "LOST $_\n" if $r != -1 }'
cp -a src/.. "$TMPDIR/all" && cp -p file "$TMPDIR/copy" && install -m 640 file i4 && touch -d 2001-01-01 i4 && [ "$(stat -c %a i4)" = 640 ] && echo held`,
    all,
  ],
  [
    'is the first to go for want of memory, and cannot change that',
    () =>
      '(echo 0 > /proc/self/oom_score_adj) && echo LOST; (echo 0 > /proc/$PPID/oom_score_adj) && echo LOST; [ "$(cat /proc/self/oom_score_adj)" = 500 ] && echo held',
    ['landlock'],
  ],
  ['writes only where it may', () => 'touch /x || touch /usr/x || touch /etc/x || echo held', all],
]

const ends: [title: string, script: string, limits: Partial<SandboxRequest['limits']>, endedBy: SandboxResult['endedBy'][], on: BackendName[]][] = [
  ['the wall clock', 'sleep 30', { wallMs: 250 }, ['wall'], all],
  ['output without end', 'yes', { outputBytes: 50_000 }, ['output'], all],
  ['a file too large', 'exec dd if=/dev/zero of=src/big bs=1M count=9', { fileBytes: 2_000_000 }, ['file_size'], all],
  ['a busy loop', 'exec sh -c "while :; do :; done"', { cpuS: 1 }, ['cpu'], all],
  [
    'a bomb of threads',
    'exec python3 -c "import threading,time;threading.stack_size(65536);[threading.Thread(target=time.sleep,args=(9,)).start() for _ in range(200)]"',
    { tasks: 40 },
    ['processes'],
    all,
  ],
  [
    'what many files take of the disk',
    'for i in 1 2 3 4 5 6; do head -c 20000000 /dev/zero > "big$i"; sleep 0.2; done',
    { writtenBytes: 50_000_000 },
    ['disk'],
    all,
  ],
  [
    'memory of many',
    'for i in 1 2 3 4; do head -c 90000000 /dev/zero | tail -c 80000000 | sleep 3 & done; wait',
    { totalMemoryBytes: 100_000_000 },
    ['memory'],
    all,
  ],
  // The last one: what it leaves counts until the machine has reaped it.
  ['a fork bomb', 'f() { f | f & sleep 5; }; f; sleep 5', { tasks: 40, wallMs: 1500 }, ['processes', 'exit', 'wall'], all],
]

/** Ways to leave a process behind that neither its parent, nor its group, nor its environment gives away. */
const outlivings: [title: string, script: (late: string) => string][] = [
  ['a session of its own', (late) => `setsid -f ${late}; echo ready`],
  ['no environment', (late) => `env -i setsid -f ${late}; echo ready`],
  ['twice forked', (late) => `(env -i setsid setsid ${late} & ) & sleep 0.1; echo ready`],
  ['fifty at once', (late) => `i=0; while [ $i -lt 50 ]; do env -i setsid -f ${late}; i=$((i + 1)); done; echo ready`],
  [
    'every signal ignored, and stopped',
    (late) => `env -i setsid -f /bin/sh -c "trap '' HUP INT TERM; kill -STOP \\$\\$" sh; env -i setsid -f ${late}; echo ready`,
  ],
  [
    'a chain of forks that runs away',
    (late) => `env -i setsid -f /bin/sh -c 'f() { (sleep 0; f) & }; f; exec ${late.replaceAll("'", '"')}'; sleep 0.2; echo ready`,
  ],
  [
    'after it has shot at everything around',
    (late) => `env -i setsid -f ${late}; trap '' TERM; kill -KILL $PPID; kill -TERM -1; kill -KILL -$PPID; env -i setsid -f ${late}; echo ready`,
  ],
  [
    'after it has set limits for everything around',
    (late) =>
      `env -i setsid -f ${late}; for p in $PPID $(cut -d' ' -f4 /proc/$PPID/stat); do prlimit --pid $p --nofile=0 --as=1 --cpu=0; done 2>/dev/null; echo ready`,
  ],
]

process.env['VP_CANARY'] = 'visible'

/** What each backend has to hold, and how it ends what does not end. */
export function trials(name: BackendName): void {
  describe(name, { concurrency: 1 }, () => {
    let at: Scene
    before(async () => {
      at = await scene(name)
    })
    describe('what holds', { concurrency: 4 }, () => {
      for (const [title, script, on] of held)
        if (on.includes(name))
          test(title, async () => {
            const result = await at.sh(`{ ${script(at)}; } 2>/dev/null`)
            assert.match(result.stdout.toString(), /^held$/m, said(result))
            assert.doesNotMatch(result.stdout.toString(), /LOST/)
            assert.equal(readFileSync(join(at.outside, 'canary'), 'utf8'), 'canary')
            assert.equal(existsSync(join(at.outside, 'made')), false)
          })

      test('exit codes, signals and both streams are told as they are', async () => {
        const exit = await at.sh('echo out; echo err >&2; exit 3')
        assert.deepEqual([exit.exitCode, exit.signal, exit.endedBy, `${exit.stdout}`, `${exit.stderr}`], [3, null, 'exit', 'out\n', 'err\n'])
        const killed = await at.sh('kill -TERM $$')
        assert.deepEqual([killed.exitCode, killed.signal, killed.endedBy], [null, 'SIGTERM', 'signal'])
        const input = await at.sh('cat', { stdin: Buffer.from('typed') })
        assert.equal(`${input.stdout}`, 'typed')
      })

      test('nothing outlives the run, and a child that holds stdout does not hold it up', async () => {
        const own = marker()
        const result = await at.sh('setsid sleep 60 & sleep 61 & (setsid setsid sleep 62 &) ; echo done', { marker: own })
        assert.equal(`${result.stdout}`, 'done\n')
        assert.ok(result.durationMs < 30_000, `${result.durationMs} ms`)
        await settled(own)
      })

      for (const [title, leave] of outlivings)
        test(`nothing outlives the run: ${title}`, async () => {
          const token = `late-${marker()}`
          const result = await at.sh(leave(`/bin/sh -c 'sleep 1; echo evil > ${token}' ${token}`))
          assert.deepEqual(namedProcesses(token), [], said(result))
          assert.equal(result.endedBy, 'exit', said(result))
          assert.match(said(result), /^ready$/m)
          // On a slow machine the first of many may be done before the run is; what counts is what comes after it.
          rmSync(join(at.tree, token), { force: true })
          await new Promise((resolve) => setTimeout(resolve, 1200))
          assert.equal(existsSync(join(at.tree, token)), false)
        })

      test('nothing outlives a run that is ended from outside', async () => {
        const token = `late-${marker()}`
        const script = `env -i setsid -f /bin/sh -c 'sleep 60' ${token}; sleep 60`
        assert.equal((await at.sh(script, { limits: { ...DEFAULT_LIMITS, wallMs: 1000 } })).endedBy, 'wall')
        assert.deepEqual(namedProcesses(token), [])
      })

      test('orphans do not use up the processes of a run', async () => {
        const script = 'i=0; while [ $i -lt 150 ]; do (true &); i=$((i + 1)); done; sleep 0.3; true && echo held'
        const result = await at.sh(script, { limits: { ...DEFAULT_LIMITS, tasks: 100 } })
        assert.equal(said(result), 'held\n')
        assert.equal(result.endedBy, 'exit')
      })

      test('cancelled, before and while it runs', async () => {
        const own = marker()
        assert.equal((await at.sh('sleep 30', { marker: own }, AbortSignal.timeout(200))).endedBy, 'cancelled')
        await settled(own)
        await assert.rejects(at.sh('true', {}, AbortSignal.abort()), (error) => isVpError(error) && error.code === 'cancelled')
      })

      test('/workspace, /tmp and /tmp/vp are what it sees and says', async () => {
        const scratch = join(at.outside, 'scratch')
        mkdirSync(scratch, { recursive: true })
        const result = await at.sh('pwd; echo "$PWD $HOME $TMPDIR"; echo report > "$R"; [ -w "$1" ] && echo "$1"', {
          argv: ['/bin/sh', '-c', 'pwd; echo "$PWD $HOME $TMPDIR"; echo report > "$R"; [ -w "$1" ] && echo "$1"', 'sh', '/workspace/file'],
          cwd: 'src',
          scratch,
          env: { R: '/tmp/vp/report' },
        })
        assert.equal(said(result), '/workspace/src\n/workspace/src /home/vp /tmp\n/workspace/file\n')
        assert.equal(readFileSync(join(scratch, 'report'), 'utf8'), 'report\n')
      })

      test('a mount in the tree is there, read-only, and leaves nothing behind', async () => {
        const modules = join(at.outside, 'modules')
        mkdirSync(join(modules, 'dep'), { recursive: true })
        const mounts = [{ hostPath: modules, sandboxPath: '/workspace/app/node_modules' }]
        const result = await at.sh('ls app/node_modules; touch app/node_modules/x 2>/dev/null || echo held; readlink -f app/node_modules', { mounts })
        assert.equal(said(result), 'dep\nheld\n/workspace/app/node_modules\n')
        assert.deepEqual(
          readdirSync(at.tree).filter((entry) => entry === 'app'),
          [],
        )
        symlinkSync('/etc', join(at.tree, 'evil'))
        const evil = [{ hostPath: modules, sandboxPath: '/workspace/evil/vp-test' }]
        await assert.rejects(at.sh('true', { mounts: evil }), (error) => isVpError(error) && error.code === 'path.denied')
        rmSync(join(at.tree, 'evil'))
      })

      test('a read-only tree is', async () => {
        const result = await at.sh('echo x > file; rm -f file; cat file', { writable: false })
        assert.equal(`${result.stdout}`, 'inside')
      })

      test('a program that is not there is an outcome, not a broken sandbox', async () => {
        const result = await at.sh('', { argv: ['/usr/bin/no-such-program'] })
        assert.equal(result.endedBy, 'exit')
        assert.notEqual(result.exitCode, 0)
      })

      test('a request that is no request is refused', async () => {
        for (const change of [
          { cwd: '../x' },
          { env: { LD_PRELOAD: 'x' } },
          { env: { 'A B': 'x' } },
          { marker: 'short' },
          { workspace: '/' },
          { workspace: '/tmp' },
        ])
          await assert.rejects(at.sh('true', change), (error) => isVpError(error) && error.code === 'policy.invalid', JSON.stringify(change))
      })

      test('reaches no server of the host', async () => {
        const heard: string[] = []
        const tcp = createServer((socket) => (heard.push('tcp'), socket.destroy())).listen(0, '127.0.0.1')
        const udp = createSocket('udp4', () => heard.push('udp')).bind(0, '127.0.0.1')
        await Promise.all([tcp, udp].map((server) => new Promise((resolve) => server.once('listening', resolve))))
        const script = `
const tried = (name, code) => console.log(name, code)
require('dgram').createSocket('udp4').on('error', () => {}).send('x', ${udp.address().port}, '127.0.0.1', () => tried('udp', 'over'))
require('net').connect(${(tcp.address() as AddressInfo).port}, '127.0.0.1').on('error', (e) => tried('tcp', e.code)).on('connect', () => tried('tcp', 'reached'))
setTimeout(() => process.exit(), 300)`
        const node = process.execPath
        const result = await at.sh('', { argv: [node, '-e', script], mounts: [{ hostPath: node, sandboxPath: node }] })
        tcp.close()
        udp.close()
        assert.match(result.stdout.toString(), /^tcp E[A-Z]+$/m, said(result))
        assert.deepEqual(heard, [])
      })

      if (spaces.includes(name))
        test('a server of its own answers on 127.0.0.1, and the host does not', async () => {
          const server = createServer().listen(0, '127.0.0.1')
          await new Promise((resolve) => server.once('listening', resolve))
          const port = (server.address() as AddressInfo).port
          const script = `
const http = require('http'), net = require('net')
const server = http.createServer((_, answer) => answer.end('mine')).listen(0, '127.0.0.1', () =>
  fetch('http://127.0.0.1:' + server.address().port).then((a) => a.text()).then((text) =>
    net.connect(${port}, '127.0.0.1').on('connect', () => { console.log('reached'); process.exit() }).on('error', (e) => { console.log(text, e.code); process.exit() })))`
          const node = process.execPath
          const result = await at.sh('', { argv: [node, '-e', script], mounts: [{ hostPath: node, sandboxPath: node }] })
          server.close()
          assert.equal(`${result.stdout}`, 'mine ECONNREFUSED\n', said(result))
        })
    })

    /** One after the other: as root the runs of one process share what the kernel lets them have together, and a bomb takes it all. */
    describe('ends', { concurrency: 1 }, () => {
      for (const [title, script, limits, want, on] of ends)
        if (on.includes(name))
          test(title, { skip: script.includes('python3') && !existsSync('/usr/bin/python3') ? 'python3 is not installed' : false }, async () => {
            const own = marker()
            const grown = watchThreads()
            const result = await at.sh(script, { limits: { ...DEFAULT_LIMITS, wallMs: 8000, ...limits }, marker: own })
            assert.ok(grown() < 600, 'the number of processes is held')
            assert.ok(want.includes(result.endedBy), `${result.endedBy} ${result.signal} ${said(result).slice(0, 300)}`)
            if (title.startsWith('output')) assert.ok(result.truncated && result.stdout.length < 80_000)
            assert.ok(result.durationMs < 30_000, `${result.durationMs} ms`)
            await settled(own)
          })
    })
  })
}

/** The most by which the threads of the machine grew: other tests start some, a bomb that is not held thousands. */
function watchThreads(): () => number {
  const atStart = threadsOnMachine()
  let most = atStart
  const timer = setInterval(() => (most = Math.max(most, threadsOnMachine())), 10)
  return () => {
    clearInterval(timer)
    return most - atStart
  }
}

async function settled(own: string): Promise<void> {
  for (let waited = 0; waited < 1000 && markedProcesses(own).length > 0; waited += 20) await new Promise((resolve) => setTimeout(resolve, 20))
  assert.deepEqual(
    markedProcesses(own).map((pid) => readlinkSync(`/proc/${pid}/exe`)),
    [],
  )
}

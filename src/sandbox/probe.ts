/**
 * What the self-test runs inside a sandbox: JavaScript for the pinned Node, as text, so that it is the same from
 * source and from the bundle. It tries what must fail and what must work, and prints one JSON object.
 */
export interface ProbeOrders {
  readonly canary: string
  readonly outside: string
  readonly tcp: number
  readonly udp: number
  readonly unix: string
  /** null where there are none: macOS. */
  readonly abstract: string | null
  readonly hostPid: number
}

export interface ProbeReport {
  /** 'done', or how it was refused. */
  readonly attempts: Readonly<Record<string, string>>
  readonly status: string
  readonly variables: readonly string[]
  readonly descriptors: readonly string[]
  /** A process that it left behind, in a session of its own and without an environment; the marker is its last argument. */
  readonly left: number
}

/** Arguments for Node after its own path. */
export function probeArgv(orders: ProbeOrders): string[] {
  return ['-e', SOURCE, JSON.stringify(orders)]
}

const SOURCE = `
const fs = require('fs'), net = require('net'), dgram = require('dgram'), { spawn, spawnSync } = require('child_process')
const o = JSON.parse(process.argv[1]), attempts = {}
const attempt = (name, run) => { try { run(); attempts[name] = 'done' } catch (e) { attempts[name] = String(e.code || e.message) } }
attempt('read', () => { if (fs.readFileSync('file', 'utf8') !== 'inside') throw new Error('other text') })
attempt('write', () => fs.writeFileSync('made', 'x'))
attempt('set_id', () => fs.chmodSync('made', 0o4755))
attempt('temp', () => fs.writeFileSync(process.env.TMPDIR + '/t', 'x'))
attempt('canary', () => fs.readFileSync(o.canary))
attempt('truncate', () => fs.truncateSync(o.canary))
attempt('outside', () => fs.writeFileSync(o.outside + '/made', 'x'))
attempt('listing', () => fs.readdirSync(o.outside))
attempt('git', () => fs.writeFileSync('.git/x', 'x'))
attempt('git_moved', () => fs.renameSync('.git', 'moved'))
attempt('core_pattern', () => fs.closeSync(fs.openSync('/proc/sys/kernel/core_pattern', 'r+')))
attempt('sysrq', () => fs.closeSync(fs.openSync('/proc/sysrq-trigger', 'w')))
attempt('host_environ', () => { if (fs.readFileSync('/proc/' + o.hostPid + '/environ', 'utf8').includes(process.env.VP_RUN_MARKER)) throw new Error('own') })
attempt('kill_host', () => process.kill(o.hostPid, 0))
attempt('unshare', () => { if (spawnSync('unshare', ['-U', 'true']).status !== 0) throw new Error('refused') })
const left = spawn('/bin/sh', ['-c', 'sleep 30; :', process.env.VP_RUN_MARKER], { detached: true, stdio: 'ignore', env: {} })
left.on('error', () => {}).unref()
const entries = (path) => { try { return fs.readdirSync(path) } catch { return [] } }
const descriptors = entries('/proc/self/fd').map((n) => { try { return n + ' ' + fs.readlinkSync('/proc/self/fd/' + n) } catch { return '' } })
const reach = (name, where) => new Promise((done) => {
  const end = (text) => { if (!attempts[name]) attempts[name] = text; done() }
  try {
    const socket = net.connect(where)
    socket.on('connect', () => { end('done'); socket.destroy() }).on('error', (e) => end(String(e.code)))
    setTimeout(() => { end('timeout'); socket.destroy() }, 400).unref()
  } catch (e) { end(String(e.code)) }
})
const own = () => new Promise((done) => {
  const server = net.createServer((s) => s.end()).on('error', (e) => { attempts.loopback = String(e.code); done() })
  server.listen(0, '127.0.0.1', () => reach('loopback', { port: server.address().port, host: '127.0.0.1' }).then(() => { server.close(); done() }))
})
const shout = () => new Promise((done) => {
  const socket = dgram.createSocket('udp4').on('error', () => done())
  socket.send('x', o.udp, '127.0.0.1', () => { try { socket.close() } catch {} done() })
})
Promise.all([reach('tcp', { port: o.tcp, host: '127.0.0.1' }), reach('unix', { path: o.unix }), o.abstract && reach('abstract', { path: o.abstract }), own(), shout()]).then(() => {
  let status = ''
  try { status = fs.readFileSync('/proc/self/status', 'utf8') } catch {}
  fs.writeSync(1, JSON.stringify({ attempts, status, variables: Object.keys(process.env), descriptors, left: left.pid || 0 }))
  process.exit(0)
})
`

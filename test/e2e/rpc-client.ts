/** `vp rpc` as its own process, spoken to in either framing; answers by id, everything else in the order it came. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { join } from 'node:path'
import type { Cleanup, Place } from './kit.ts'

const VP = join(import.meta.dirname, '..', '..', 'bin', 'vp')
const PATIENCE_MS = 60_000

export type RpcFraming = 'lines' | 'frames'

export interface RpcAnswer {
  readonly jsonrpc: '2.0'
  readonly id: number | string | null
  readonly result?: Record<string, never> & Record<string, unknown>
  readonly error?: {
    readonly code: number
    readonly message: string
    readonly data: Record<string, unknown> & { readonly code: string; readonly retryable: boolean; readonly receipt: string | null }
  }
}

export interface RpcClient {
  readonly child: ChildProcessWithoutNullStreams
  /** Sends and waits for the answer with its id. */
  request(method: string, params?: unknown): Promise<RpcAnswer>
  /** Sends any value as one document. */
  send(value: unknown): void
  raw(bytes: string | Buffer): void
  /** The next document that belongs to no `request`. */
  next(): Promise<RpcAnswer | RpcAnswer[]>
  /** Closes the input; exit status, and all that stderr said. */
  end(): Promise<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }>
}

export function openRpc(t: Cleanup, place: Place, options: { framing?: RpcFraming; args?: readonly string[]; env?: Record<string, string> } = {}): RpcClient {
  const framing = options.framing ?? 'lines'
  const child = spawn(VP, ['rpc', ...(options.args ?? [])], { cwd: place.repository, env: { ...place.env, ...options.env } })
  t.after(() => child.kill('SIGKILL'))
  child.stdin.on('error', () => undefined)
  const waiting = new Map<unknown, (answer: RpcAnswer) => void>()
  const others: (RpcAnswer | RpcAnswer[])[] = []
  const readers: ((answer: RpcAnswer | RpcAnswer[]) => void)[] = []
  const stderr: Buffer[] = []
  child.stderr.on('data', (part: Buffer) => stderr.push(part))
  const closed = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal })),
  )
  let buffer: Buffer = Buffer.alloc(0)
  child.stdout.on('data', (part: Buffer) => {
    buffer = Buffer.concat([buffer, part])
    for (let text = takeDocument(); text !== null; text = takeDocument()) deliver(JSON.parse(text) as RpcAnswer | RpcAnswer[])
  })

  function takeDocument(): string | null {
    if (framing === 'lines') {
      const end = buffer.indexOf(10)
      if (end < 0) return null
      const text = buffer.subarray(0, end).toString('utf8')
      buffer = buffer.subarray(end + 1)
      return text
    }
    const end = buffer.indexOf('\r\n\r\n')
    if (end < 0) return null
    const head = buffer.subarray(0, end).toString('latin1')
    const length = Number(/^Content-Length: (\d+)$/.exec(head)?.[1] ?? assert.fail(`no frame: ${head}`))
    if (buffer.length < end + 4 + length) return null
    const text = buffer.subarray(end + 4, end + 4 + length).toString('utf8')
    buffer = buffer.subarray(end + 4 + length)
    return text
  }

  function deliver(answer: RpcAnswer | RpcAnswer[]): void {
    const asked = Array.isArray(answer) ? undefined : waiting.get(answer.id)
    if (asked && !Array.isArray(answer)) {
      waiting.delete(answer.id)
      asked(answer)
      return
    }
    const reader = readers.shift()
    if (reader) reader(answer)
    else others.push(answer)
  }

  const patient = <Value>(what: string, body: (resolve: (value: Value) => void) => void): Promise<Value> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${what} in ${PATIENCE_MS} ms: ${Buffer.concat(stderr).toString()}`)), PATIENCE_MS)
      body((value) => {
        clearTimeout(timer)
        resolve(value)
      })
    })

  let lastId = 0
  const client: RpcClient = {
    child,
    raw: (bytes) => void child.stdin.write(bytes),
    send(value) {
      const text = JSON.stringify(value)
      child.stdin.write(framing === 'lines' ? `${text}\n` : `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`)
    },
    request(method, params) {
      const id = ++lastId
      return patient(`answer to ${method}`, (resolve) => {
        waiting.set(id, resolve)
        client.send({ jsonrpc: '2.0', id, method, ...(params === undefined ? {} : { params }) })
      })
    },
    next() {
      const ready = others.shift()
      return ready ? Promise.resolve(ready) : patient('document', (resolve) => void readers.push(resolve))
    },
    async end() {
      child.stdin.end()
      return { ...(await closed), stderr: Buffer.concat(stderr).toString('utf8') }
    },
  }
  return client
}

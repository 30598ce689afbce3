/** One `git cat-file --batch`, started at the first question and ended when nobody asked for a while. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import type { Socket } from 'node:net'
import { VpError } from '../core/errors.ts'
import type { GitObject, ObjectType } from './objects.ts'

export interface ObjectBatch {
  /** Null where there is no such object. Throws `workspace.git` where git ends in the middle. */
  read(id: string): Promise<GitObject | null>
}

/** A process waits no longer than this for the next question. */
const IDLE_MS = 2000
const LF = 10

interface Waiting {
  resolve(found: GitObject | null): void
  reject(error: unknown): void
}

export function objectBatch(start: () => ChildProcessWithoutNullStreams): ObjectBatch {
  let running: { readonly child: ChildProcessWithoutNullStreams; readonly waiting: Waiting[] } | null = null
  let idle: NodeJS.Timeout | null = null
  const begin = () => {
    const child = start()
    const waiting: Waiting[] = []
    const mine = { child, waiting }
    const answers = answerReader((found) => waiting.shift()?.resolve(found))
    child.stdout.on('data', answers)
    const ended = (why: string) => {
      if (running === mine) running = null
      for (const one of waiting.splice(0)) one.reject(new VpError('workspace.git', `git cat-file: ${why}`, { next: ['git fsck'] }))
    }
    child.on('error', (error) => ended(error.message))
    child.on('close', (code, signal) => ended(`ended by ${signal ?? code}`))
    child.stdin.on('error', () => undefined) // its end is told by `close`
    child.stderr.resume()
    // Nothing waits for a process that only answers: not for it, nor for its pipes.
    child.unref()
    return (running = mine)
  }
  /** A question keeps this process alive, a process that waits for one does not. */
  const hold = (child: ChildProcessWithoutNullStreams, isHeld: boolean) => {
    for (const stream of [child.stdin, child.stdout, child.stderr] as unknown as Socket[]) if (!stream.destroyed) stream[isHeld ? 'ref' : 'unref']()
  }
  const rest = () => {
    if (running === null || running.waiting.length > 0) return
    const { child } = running
    hold(child, false)
    if (idle) clearTimeout(idle)
    idle = setTimeout(() => child.stdin.end(), IDLE_MS).unref()
  }
  return {
    read: (id) => {
      if (idle) clearTimeout(idle)
      if (running?.child.stdin.writableEnded) running = null
      const { child, waiting } = running ?? begin()
      if (waiting.length === 0) hold(child, true)
      return new Promise<GitObject | null>((resolve, reject) => {
        waiting.push({ resolve, reject })
        child.stdin.write(`${id}\n`)
      }).finally(rest)
    },
  }
}

/** `<id> <type> <size>\n<bytes>\n`, or `<id> missing\n`, in whatever pieces they come. */
export function answerReader(onAnswer: (found: GitObject | null) => void): (chunk: Buffer) => void {
  let parts: Buffer[] = []
  let size = 0
  let wanted = 0
  return (chunk) => {
    parts.push(chunk)
    size += chunk.length
    if (size < wanted) return
    let bytes = Buffer.concat(parts)
    for (;;) {
      const end = bytes.indexOf(LF)
      if (end < 0) break
      const [, type = '', length] = bytes.subarray(0, end).toString('latin1').split(' ')
      if (length === undefined) {
        onAnswer(null)
        bytes = bytes.subarray(end + 1)
        continue
      }
      wanted = end + 1 + Number(length) + 1
      if (bytes.length < wanted) break
      onAnswer({ type: type as ObjectType, body: bytes.subarray(end + 1, wanted - 1) })
      bytes = bytes.subarray(wanted)
      wanted = 0
    }
    parts = [bytes]
    size = bytes.length
  }
}

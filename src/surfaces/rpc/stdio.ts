/**
 * A JSON-RPC server on two streams. Answers go out whole, in the framing of their requests, as they are ready;
 * a reader that is slow slows the requests down, and memory stays bounded. Ends when the input does and all is
 * answered, or when it is told to stop: then what is under way is cancelled and answered so. What is followed is let go
 * of with the end of the input.
 */
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { createDecoder, encodeDocument, type Incoming } from './framing.ts'
import type { RpcServer } from './server.ts'

/** The longest line or frame, in bytes. */
const MAX_MESSAGE = 8 * 1024 * 1024
/** Requests and their bytes that may wait before no more is read. */
const MAX_WAITING = 1024
const MAX_WAITING_BYTES = 32 * 1024 * 1024
/** How long a request that was cancelled may take to end. */
const GRACE_MS = 10_000

export interface Streams {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
}

/** True: the input ended; false: it was stopped before. */
export async function serveStdio(server: RpcServer, { stdin, stdout }: Streams, stop: AbortSignal): Promise<boolean> {
  const decoder = createDecoder(MAX_MESSAGE)
  const write = writerTo(stdout, stop)
  const open = new Set<Promise<void>>()
  const followed = new Set<Promise<void>>()
  let waitingBytes = 0
  const answer = async (incoming: Incoming): Promise<void> => {
    const size = incoming.kind === 'document' ? incoming.text.length : 0
    waitingBytes += size
    const { response, followings } = await server.receive(incoming)
    waitingBytes -= size
    const send = (document: object) => write(encodeDocument(JSON.stringify(document), incoming.framing))
    if (response !== null) await send(response)
    for (const following of followings) {
      const done = following(send).finally(() => followed.delete(done))
      followed.add(done)
    }
  }
  const begin = (incoming: readonly Incoming[]) => {
    for (const one of incoming) {
      const done = answer(one).finally(() => open.delete(done))
      open.add(done)
    }
  }
  const isFull = () => open.size >= MAX_WAITING || waitingBytes >= MAX_WAITING_BYTES
  const halt = () => {
    server.cancelAll()
    stdin.destroy()
  }
  stop.addEventListener('abort', halt, { once: true })
  if (stop.aborted) halt()
  try {
    for await (const chunk of stdin) {
      begin(decoder.push(chunk as Buffer))
      while (isFull() && !stop.aborted) await Promise.race(open)
    }
    begin(decoder.end())
  } catch (error) {
    // Destroyed by us, or by a terminal that went away: either way nothing more comes.
    if (!stop.aborted && (error as NodeJS.ErrnoException).code !== 'EIO') throw error
  }
  const all = Promise.allSettled(open)
  if (!stop.aborted) await Promise.race([all, once(stop, 'abort')])
  stop.removeEventListener('abort', halt)
  if (!stop.aborted) {
    server.letGo()
    await Promise.race([Promise.allSettled(followed), once(stop, 'abort')])
  }
  if (!stop.aborted) return true
  const grace = new AbortController()
  await Promise.race([all, delay(GRACE_MS, undefined, { signal: grace.signal })])
  grace.abort()
  return false
}

/** Waits until the reader has room again. What nobody reads any more is dropped. */
function writerTo(stdout: NodeJS.WriteStream, stop: AbortSignal): (bytes: Buffer) => Promise<void> {
  let drained: Promise<unknown> | null = null
  return async (bytes) => {
    if (stdout.destroyed || stdout.write(bytes)) return
    drained ??= once(stdout, 'drain', { signal: stop })
      .catch(() => undefined) // stopped, or the reader is gone
      .finally(() => (drained = null))
    await drained
  }
}

/**
 * One large file from one address: resumed where it was cut, hashed as it comes, in its place only when it is whole and the
 * hash is the one that was named. What has come is kept beside it; nothing of a wrong file is. Sources: RFC 9110 sections
 * 13.1.5 and 14 (If-Range, Range).
 */
import { createHash, type Hash } from 'node:crypto'
import {
  closeSync,
  createReadStream,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { dirname } from 'node:path'
import { asVpError, isVpError, VpError } from '../../core/errors.ts'
import { endpointOf } from '../choose.ts'
import { errorWords, wholeBody } from '../providers/bodies.ts'
import { failureOf, statusFailure } from '../providers/failures.ts'
import { poster } from '../providers/http.ts'

export interface Progress {
  readonly what: string
  readonly done: number
  /** null: the server does not say. */
  readonly total: number | null
}

export interface DownloadPorts {
  sleep(ms: number, signal: AbortSignal): Promise<void>
  onProgress(progress: Progress): void
  /** Bytes that the disk has free; the file system's own word when absent. */
  readonly freeBytes?: (directory: string) => number
  /** No byte for so long is a broken connection. */
  readonly stallMs?: number
}

export interface DownloadOptions {
  readonly url: string
  /** Where the file is in the end; its beginning stays in `.part`. */
  readonly to: string
  /** In hex; null: nobody named one. */
  readonly sha256: string | null
  readonly signal: AbortSignal
}

export interface Downloaded {
  readonly sha256: string
  readonly bytes: number
  /** Bytes that were there from before. */
  readonly resumedFrom: number
}

/** Tries in a row that bring nothing. */
const TRIES = 4
const MAX_REDIRECTS = 5
const STALL_MS = 60_000
const HEADERS = { 'user-agent': 'vp', accept: 'application/octet-stream, */*', 'accept-encoding': 'identity' }

/** Throws `model.*`, `store.full`, `cancelled`; what has come stays and is gone on from. */
export async function download(ports: DownloadPorts, options: DownloadOptions): Promise<Downloaded> {
  const { to, signal } = options
  mkdirSync(dirname(to), { recursive: true })
  const part = `${to}.part`
  const resumedFrom = sizeOf(part)
  let fruitless = 0
  for (;;) {
    const before = sizeOf(part)
    try {
      const { hash, bytes } = await once(ports, options, part)
      return finish(options, part, { hash, bytes, resumedFrom })
    } catch (thrown) {
      const error = failure(thrown, options)
      if (signal.aborted)
        throw new VpError('cancelled', 'the download was cancelled; what came is kept', { cause: thrown, next: ['the same command goes on from there'] })
      fruitless = sizeOf(part) > before ? 1 : fruitless + 1
      if (!['model.cut', 'model.server', 'model.unreachable', 'model.stalled', 'model.rate_limited'].includes(error.code) || fruitless >= TRIES)
        throw kept(error, part)
      await ports.sleep(500 * 2 ** fruitless, signal).catch(() => undefined)
    }
  }
}

function kept(error: VpError, part: string): VpError {
  const size = sizeOf(part)
  if (size === 0 || (error.details.next ?? []).length > 0) return error
  return new VpError(error.code, error.message, {
    ...error.details,
    cause: error,
    next: ['the same command goes on from there'],
    changed: `${size} bytes are kept in ${part}`,
  })
}

function failure(thrown: unknown, { url, to }: DownloadOptions): VpError {
  if ((thrown as { code?: unknown } | null)?.code === 'ENOSPC')
    return new VpError('store.full', `no space left on the disk for ${to}`, {
      cause: thrown,
      next: [`df -h ${dirname(to)}`],
      changed: `what came is kept in ${to}.part`,
    })
  return isVpError(thrown) ? thrown : failureOf(thrown, sizeOf(`${to}.part`) > 0, endpointOf(url))
}

async function once(
  { onProgress, freeBytes, stallMs = STALL_MS }: DownloadPorts,
  options: DownloadOptions,
  part: string,
): Promise<{ hash: Hash; bytes: number }> {
  const { url, signal } = options
  const have = sizeOf(part)
  const etag = have > 0 ? readText(`${part}.etag`) : ''
  // Without a mark of the file that was begun, nobody knows whether the rest is of the same one: the hash says it in the end.
  const range = have > 0 ? { range: `bytes=${have}-`, ...(etag ? { 'if-range': etag } : {}) } : {}
  const silence = new AbortController()
  let timer = setTimeout(() => silence.abort(), stallMs)
  const heard = () => {
    clearTimeout(timer)
    timer = setTimeout(() => silence.abort(), stallMs)
  }
  try {
    return await received(await get(url, { ...HEADERS, ...range }, AbortSignal.any([signal, silence.signal])))
  } catch (error) {
    if (silence.signal.aborted) throw new VpError('model.stalled', `${endpointOf(url).host} sent nothing for ${Math.round(stallMs / 1000)}s`, { cause: error })
    throw error
  } finally {
    clearTimeout(timer)
  }

  async function received(response: IncomingMessage): Promise<{ hash: Hash; bytes: number }> {
    const status = response.statusCode ?? 0
    if (status === 416) {
      // Nothing is behind what is here: it is all there is, or another file.
      const total = Number(/\/(\d+)$/.exec(response.headers['content-range'] ?? '')?.[1] ?? -1)
      response.resume()
      if (total === have) return { hash: await hashed(part), bytes: have }
      drop(part)
      throw new VpError('model.cut', 'the file is another one than the one that was begun')
    }
    if (status >= 400) {
      const body = await wholeBody(response)
      throw statusFailure(endpointOf(url), status, errorWords(body), { headers: response.headers, body })
    }
    const isResumed = status === 206 && Number(/^bytes (\d+)-/.exec(response.headers['content-range'] ?? '')?.[1] ?? -1) === have
    if (status !== 200 && !isResumed) throw new VpError('model.protocol', `${endpointOf(url).host} answered ${status} to a download`)
    if (/text\/html/.test(response.headers['content-type'] ?? ''))
      throw new VpError('model.protocol', `${endpointOf(url).host} answered with a page, not a file`)
    if (!isResumed) drop(part)
    const from = isResumed ? have : 0
    const length = Number(response.headers['content-length'] ?? NaN)
    const total = Number.isSafeInteger(length) ? from + length : null
    const free = (freeBytes ?? freeOf)(dirname(part))
    if (total !== null && total - from > free)
      throw new VpError('store.full', `the file is ${total} bytes, ${total - from} of them still to come, and the disk has ${free} free`, {
        next: [`df -h ${dirname(part)}`],
      })
    const mark = response.headers.etag ?? ''
    if (!isResumed && mark !== '' && !mark.startsWith('W/')) writeFileSync(`${part}.etag`, mark)
    const hash = isResumed ? await hashed(part) : createHash('sha256')
    let bytes = from
    const fd = openSync(part, 'a')
    try {
      for await (const piece of response as AsyncIterable<Buffer>) {
        signal.throwIfAborted()
        heard()
        writeSync(fd, piece)
        hash.update(piece)
        bytes += piece.length
        onProgress({ what: 'downloading', done: bytes, total })
      }
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    if (total !== null && bytes < total) throw new VpError('model.cut', `the connection broke after ${bytes} of ${total} bytes`)
    return { hash, bytes }
  }
}

/** Redirects are followed to TLS, or within this machine: what comes is judged by its hash, what goes is only the path. */
async function get(url: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<IncomingMessage> {
  let at = url
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const response = await poster(at)({ url: at, headers, signal })
    const status = response.statusCode ?? 0
    const { location } = response.headers
    if (status < 300 || status >= 400 || location === undefined) return response
    response.resume()
    const next = new URL(location, at)
    if (next.protocol !== 'https:' && !(endpointOf(next.href).loopback && endpointOf(at).loopback))
      throw new VpError('model.protocol', `${endpointOf(at).host} sends on to ${next.protocol}//${next.host}, which is not followed`)
    at = next.href
  }
  throw new VpError('model.protocol', `${endpointOf(url).host} sends on more than ${MAX_REDIRECTS} times`)
}

function finish({ to, sha256 }: DownloadOptions, part: string, { hash, bytes, resumedFrom }: { hash: Hash; bytes: number; resumedFrom: number }): Downloaded {
  const found = hash.digest('hex')
  if (sha256 !== null && found !== sha256.toLowerCase()) {
    drop(part)
    throw new VpError('model.protocol', `the file has the sha256 ${found}, and ${sha256.toLowerCase()} was named`, {
      why: 'it is another file, or it was changed on its way',
      next: ['look where the hash was read', 'vp model pull URL --sha256 HEX'],
      data: { found, named: sha256.toLowerCase() },
    })
  }
  renameSync(part, to)
  rmSync(`${part}.etag`, { force: true })
  return { sha256: found, bytes, resumedFrom: Math.min(resumedFrom, bytes) }
}

/** Throws what reading throws. */
export async function hashed(file: string): Promise<Hash> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(file)) hash.update(piece as Buffer)
  return hash
}

function drop(part: string): void {
  rmSync(part, { force: true })
  rmSync(`${part}.etag`, { force: true })
}

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0

function freeOf(directory: string): number {
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (asVpError(error).code !== 'internal') throw error
    return '' // there was none
  }
}

/** A server of one file, with what goes wrong on the way: cut connections, no ranges, another file the next time. */
import { json, serve, type Came, type Served } from './serve.ts'

export interface FileServerOptions {
  readonly bytes: Buffer
  /** Requests that end after so many bytes of their own; after these, whole. */
  readonly cuts?: readonly number[]
  readonly hasNoRanges?: boolean
  /** The mark of the file as it is when asked for the nth time, from 1. */
  readonly etag?: (n: number) => string
  readonly status?: number
  /** What is said in its place. */
  readonly instead?: { readonly type: string; readonly body: string }
  readonly redirect?: string
  /** Sends so much and then nothing. */
  readonly stallsAfter?: number
}

export async function startFileServer(options: FileServerOptions): Promise<Served> {
  const cuts = [...(options.cuts ?? [])]
  let n = 0
  return serve((came, response) => {
    n++
    if (options.redirect !== undefined) return void response.writeHead(302, { location: options.redirect }).end()
    if (options.status !== undefined) return json(response, options.status, { error: `status ${options.status}` })
    if (options.instead) return void response.writeHead(200, { 'content-type': options.instead.type }).end(options.instead.body)
    const etag = options.etag?.(n) ?? '"one"'
    const from = rangeOf(came, options, etag)
    const size = options.bytes.length
    if (from >= size && from > 0) return void response.writeHead(416, { 'content-range': `bytes */${size}` }).end()
    const part = options.bytes.subarray(from)
    response.writeHead(from > 0 ? 206 : 200, {
      'content-type': 'application/octet-stream',
      'content-length': part.length,
      ...(etag === '' ? {} : { etag }),
      ...(options.hasNoRanges ? {} : { 'accept-ranges': 'bytes' }),
      ...(from > 0 ? { 'content-range': `bytes ${from}-${size - 1}/${size}` } : {}),
    })
    if (options.stallsAfter !== undefined) return void response.write(part.subarray(0, options.stallsAfter))
    const cut = cuts.shift()
    if (cut === undefined || cut >= part.length) return void response.end(part)
    response.write(part.subarray(0, cut), () => setTimeout(() => response.destroy(), 20))
  })
}

function rangeOf(came: Came, { hasNoRanges }: FileServerOptions, etag: string): number {
  const asked = /^bytes=(\d+)-$/.exec(came.headers.range ?? '')?.[1]
  const mark = came.headers['if-range']
  if (hasNoRanges || asked === undefined || (mark !== undefined && mark !== etag)) return 0
  return Number(asked)
}

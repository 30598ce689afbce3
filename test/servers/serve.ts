/** What the servers of this folder share: real HTTP on loopback, what came in, and counting as tokenizers do. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Came {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface Served {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  readonly came: Came[]
  close(): Promise<void>
}

export async function serve(handle: (came: Came, response: ServerResponse) => void): Promise<Served> {
  const came: Came[] = []
  const server = createServer((incoming, response) => {
    const parts: Buffer[] = []
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('end', () => {
      const one = { method: incoming.method ?? '', path: incoming.url ?? '', headers: incoming.headers, body: Buffer.concat(parts).toString('utf8') }
      came.push(one)
      handle(one, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    came,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export function json(response: ServerResponse, status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers }).end(JSON.stringify(value))
}

/** Pieces of up to four letters, single signs, single blanks: near what byte-pair encodings make of code. */
export function tokensOf(text: string): string[] {
  return text.match(/\w{1,4}| ?[^\w\s]|\s/g) ?? []
}

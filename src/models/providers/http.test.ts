/** What is told of a body that is sent: when it could leave, to whom, and not what stands in the address or the headers. */
import assert from 'node:assert/strict'
import { createServer as createPlain } from 'node:http'
import { createServer as createNet, type AddressInfo, type Server as NetServer } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { SentBody } from '../contract.ts'
import { poster } from './http.ts'

async function listening(t: TestContext, server: NetServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

async function toldBy(baseUrl: string, send: readonly (string | undefined)[], key = 'k-0123456789'): Promise<{ told: SentBody[]; failed: string[] }> {
  const told: SentBody[] = []
  const failed: string[] = []
  const post = poster(baseUrl)
  for (const body of send)
    await post({
      url: `${baseUrl}/v1/x?key=${key}`,
      headers: { authorization: `Bearer ${key}` },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(5000),
      onSent: (sent) => told.push(sent),
    }).then(
      async (response) => {
        for await (const _ of response);
      },
      (error: NodeJS.ErrnoException) => failed.push(error.code ?? error.message),
    )
  return { told, failed }
}

test('each body once, over a new connection and over one that is kept; a question without one is none', async (t) => {
  const came: string[] = []
  const server = createPlain((incoming, response) => {
    const parts: Buffer[] = []
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('end', () => {
      came.push(Buffer.concat(parts).toString('latin1'))
      response.end('{}')
    })
  })
  const port = await listening(t, server)
  t.after(() => server.closeAllConnections())
  const { told } = await toldBy(`http://127.0.0.1:${port}`, ['{"a":"ä ✓"}', undefined, '{"a":2}'])
  assert.deepEqual(
    told.map(({ host, path, body }) => [host, path, body.toString('latin1')]),
    [came[0], came[2]].map((body) => [`127.0.0.1:${port}`, '/v1/x', body]),
  )
  assert.ok(!JSON.stringify(told).includes('k-0123456789'))
})

test('what met no connection did not leave', async (t) => {
  const gone = createNet()
  const port = await listening(t, gone)
  await new Promise((resolve) => gone.close(resolve))
  assert.deepEqual(await toldBy(`http://127.0.0.1:${port}`, ['{}']), { told: [], failed: ['ECONNREFUSED'] })
})

test('nor did what met a connection without TLS', async (t) => {
  const plain = createNet((socket) => {
    socket.on('error', () => undefined)
    socket.end('no TLS here\n')
  })
  const port = await listening(t, plain)
  const { told, failed } = await toldBy(`https://127.0.0.1:${port}`, ['{}'])
  assert.deepEqual([told.length, failed.length], [0, 1])
})

test('what broke off on its way counts as gone', async (t) => {
  const port = await listening(
    t,
    createNet((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.resetAndDestroy())
    }),
  )
  const { told, failed } = await toldBy(`http://127.0.0.1:${port}`, ['{"a":1}'])
  assert.deepEqual([told.map(({ body }) => body.toString()), failed.length], [['{"a":1}'], 1])
})

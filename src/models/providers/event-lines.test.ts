import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventData } from './event-lines.ts'

async function* arrive(parts: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* parts
}
async function read(parts: readonly Buffer[]): Promise<string[]> {
  const all: string[] = []
  for await (const data of eventData(arrive(parts))) all.push(data)
  return all
}

const STREAM = ': a comment\n\ndata: {"a":"ä ✓"}\n\nevent: x\r\ndata:two\r\ndata: lines\r\n\r\ndata: three\r\rdata\n\ndata: \n\nid: 7\ndata: [DONE]\n\n'
const WANTED = ['{"a":"ä ✓"}', 'two\nlines', 'three', '', '[DONE]']

test('events are the same wherever the bytes are cut', async () => {
  const bytes = Buffer.from(STREAM)
  for (let at = 0; at <= bytes.length; at++) assert.deepEqual(await read([bytes.subarray(0, at), bytes.subarray(at)]), WANTED, `cut at ${at}`)
  assert.deepEqual(await read([...bytes].map((byte) => Buffer.from([byte]))), WANTED)
})

test('what has no end is no event', async () => {
  assert.deepEqual(await read([Buffer.from('data: one\n\ndata: half')]), ['one'])
})

test('an event without an end is an error before it fills the memory', async () => {
  const lots = Buffer.alloc(1 << 20, 'x')
  await assert.rejects(read([Buffer.from('data: '), ...Array.from({ length: 8 }, () => lots)]), { code: 'model.protocol' })
  await assert.rejects(read(Array.from({ length: 8 }, () => Buffer.concat([Buffer.from('data: '), lots, Buffer.from('\n')]))), { code: 'model.protocol' })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDecoder, encodeDocument, type Incoming } from './framing.ts'

const MAX = 64

function decode(bytes: Buffer, chunk: number): string[] {
  const decoder = createDecoder(MAX)
  const found: Incoming[] = []
  for (let at = 0; at < bytes.length; at += chunk) found.push(...decoder.push(bytes.subarray(at, at + chunk)))
  found.push(...decoder.end())
  return found.map((one) => `${one.framing} ${one.kind === 'document' ? one.text.trim() : one.why}`)
}

const frame = (text: string) => `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
const long = 'x'.repeat(MAX + 1)

const cases: [title: string, input: string | Buffer, want: string[]][] = [
  ['nothing', '', []],
  ['two lines', '{"a":1}\n[2]\n', ['lines {"a":1}', 'lines [2]']],
  ['a last line without a line feed', '{"a":1}\n{"b":2}', ['lines {"a":1}', 'lines {"b":2}']],
  ['empty lines and carriage returns', '\n\r\n{"a":1}\r\n\n', ['lines {"a":1}']],
  ['a byte-order mark', '\uFEFF{"a":1}\n', ['lines {"a":1}']],
  ['a frame', frame('{"a":"ä"}'), ['frames {"a":"ä"}']],
  ['frames with more headers and other cases', `content-type: x\r\ncontent-LENGTH:7\r\n\r\n{"a":1}${frame('[2]')}`, ['frames {"a":1}', 'frames [2]']],
  ['more headers after the first', `Content-Length: 7\r\nContent-Type: x\r\n\r\n{"a":1}`, ['frames {"a":1}']],
  ['headers that end in a bare line feed', 'Content-Length: 7\n\n{"a":1}', ['frames {"a":1}']],
  ['an empty frame', `${frame('')}${frame('[1]')}`, ['frames [1]']],
  ['garbage before lines', 'garbage\n{"a":1}\n', ['lines garbage', 'lines {"a":1}']],
  ['garbage between frames is answered once', `${frame('[1]')}junk\r\nmore junk\r\n\r\n${frame('[2]')}`, ['frames [1]', 'frames no header', 'frames [2]']],
  ['garbage that runs into a header', `${frame('[1]')}junk${frame('[2]')}`, ['frames [1]', 'frames [2]']],
  ['a body longer than its header says', `Content-Length: 3\r\n\r\n[1]]]${frame('[2]')}`, ['frames [1]', 'frames [2]']],
  ['a frame that is cut off', 'Content-Length: 20\r\n\r\n{"a":1}', ['frames cut off']],
  ['a header with no number', `${frame('[1]')}Content-Length: x\r\n\r\n${frame('[2]')}`, ['frames [1]', 'frames [2]']],
  ['a line that is too long is refused once', `{"${long}"}\n{"a":1}\n`, ['lines too long', 'lines {"a":1}']],
  ['a line of the longest length', `"${'x'.repeat(MAX - 2)}"\n`, [`lines "${'x'.repeat(MAX - 2)}"`]],
  ['a frame that is too long', `${frame('[1]')}${frame(long)}${frame('[2]')}`, ['frames [1]', 'frames too long', 'frames [2]']],
  ['a header in a line of JSON is text', '{"a":1}\n"Content-Length: 3"\n', ['lines {"a":1}', 'lines "Content-Length: 3"']],
  ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22, 0x0a, 0x5b, 0x5d, 0x0a]), ['lines not UTF-8', 'lines []']],
]
for (const [title, input, want] of cases)
  test(title, () => {
    const bytes = Buffer.from(input as string)
    for (const chunk of [1, 2, 3, 7, Math.max(1, bytes.length)]) assert.deepEqual(decode(bytes, chunk), want, `in chunks of ${chunk}`)
  })

test('what is too long is not kept', () => {
  const decoder = createDecoder(MAX)
  const before = process.memoryUsage().arrayBuffers
  const chunk = Buffer.alloc(1024 * 1024, 'x')
  const found: Incoming[] = []
  for (let sent = 0; sent < 512; sent++) found.push(...decoder.push(chunk))
  assert.deepEqual(
    found.map((one) => one.kind),
    ['unreadable'],
  )
  assert.ok(process.memoryUsage().arrayBuffers - before < 8 * 1024 * 1024)
})

test('an encoded document comes back', () => {
  for (const framing of ['lines', 'frames'] as const) {
    const text = JSON.stringify({ text: 'ä\n\u2028Content-Length: 3\r\n' })
    assert.deepEqual(decode(encodeDocument(text, framing), 5), [`${framing} ${text}`])
  }
})

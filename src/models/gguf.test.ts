/** The head of a model file: read where it is whole, refused in words wherever it is cut or lies. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { writeScriptedGguf } from '../../test/fixtures/gguf.ts'
import { isVpError } from '../core/errors.ts'
import { readGgufHead } from './gguf.ts'

const directory = mkdtempSync(join(tmpdir(), 'vp-gguf-head-'))
after(() => rmSync(directory, { recursive: true, force: true }))
const file = join(directory, 'a.gguf')
writeScriptedGguf(file, { 2: 'ok' }, { contextLength: 4096 })
const whole = readFileSync(file)

test('what a model is', () => {
  const { chatTemplate, ...head } = readGgufHead(file)
  assert.match(chatTemplate ?? '', /\{%/)
  assert.deepEqual(head, { architecture: 'llama', name: 'test', trainedTokens: 4096, tensors: 12, bytes: whole.length })
})

const damaged: [title: string, bytes: Buffer][] = [
  ['nothing', Buffer.alloc(0)],
  ['four letters', Buffer.from('GGUF')],
  ['words', Buffer.from('GGUF and nothing but words for a while')],
  ['another format', Buffer.from('<html>not found</html>')],
  ['an older version', Buffer.concat([Buffer.from('GGUF\x01\0\0\0'), whole.subarray(8)])],
  ['more entries than there can be', Buffer.concat([whole.subarray(0, 16), Buffer.alloc(8, 0xff), whole.subarray(24)])],
  ['the first half', whole.subarray(0, whole.length >> 1)],
]
for (const [title, bytes] of damaged)
  test(`${title} is no whole GGUF`, () => {
    const other = join(directory, 'b.gguf')
    writeFileSync(other, bytes)
    assert.throws(() => readGgufHead(other), { code: 'model.request', message: /is no whole GGUF/ })
  })

test('any byte of the head may be another: it reads or it is refused, and ends', () => {
  const other = join(directory, 'c.gguf')
  const head = whole.subarray(0, 12_000)
  for (let at = 0; at < head.length; at += 211) {
    const bytes = Buffer.from(whole)
    bytes[at] = (bytes[at] ?? 0) ^ 0xff
    writeFileSync(other, bytes)
    try {
      readGgufHead(other)
    } catch (error) {
      assert.ok(isVpError(error), String(error))
    }
  }
})

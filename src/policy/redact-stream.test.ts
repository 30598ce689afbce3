/** A text in pieces is masked as the whole is, wherever it is cut. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LOOK_ALIKES, POSITIONS, PRIVATE_KEYS, SECRET_KINDS } from '../../test/fixtures/secret-kinds.ts'
import { createRedactor } from './redact.ts'
import { maskStream } from './redact-stream.ts'

const known = [{ label: 'known', value: 'first line\nsecond line of a long value' }]
const filter = () => createRedactor({ known, numbered: true })

function streamed(text: string, sizes: () => number): string {
  const stream = maskStream(filter())
  let out = ''
  for (let at = 0; at < text.length;) {
    const size = sizes()
    out += stream.push(text.slice(at, at + size))
    at += size
  }
  return out + stream.end()
}

/** Numbers that look random and are the same each time. */
function sequence(seed: number, max: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return 1 + (state % max)
  }
}

const parts = [
  ...SECRET_KINDS.flatMap((kind) => Object.values(POSITIONS).map((write) => write(kind))),
  ...PRIVATE_KEYS.map(([, pem]) => pem),
  ...LOOK_ALIKES,
  'a first line\nsecond line of a long value b',
  '- name: DB_PASSWORD\n  value: hunter2hunter2',
  'client_secret: |\n    hunter2hunter2',
]

test('every text alone, a character at a time', () => {
  for (const text of parts)
    assert.equal(
      streamed(text, () => 1),
      filter()(text).text,
    )
})

test('all in a row, at five hundred sizes', () => {
  const text = parts.join('\n')
  const whole = filter()(text).text
  for (let seed = 1; seed <= 40; seed++) assert.equal(streamed(text, sequence(seed, 1 + seed * 13)), whole, `seed ${seed}`)
})

test('lines leave while more is to come', () => {
  const stream = maskStream(filter())
  assert.equal(stream.push('1\n2\n3\n4\n5\n6\n'), '1\n2\n')
  assert.equal(stream.push('7'), '')
  assert.equal(stream.end(), '3\n4\n5\n6\n7')
})

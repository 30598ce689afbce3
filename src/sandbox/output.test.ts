/** What is kept of an output that is too long: whole lines, and never half of a word at the cut. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { headAndTail } from './output.ts'

const kept = (text: string, cap: number, chunk = 7): string => {
  const output = headAndTail(cap)
  for (let at = 0; at < text.length; at += chunk) output.push(Buffer.from(text.slice(at, at + chunk)))
  return output.bytes().toString()
}

test('nothing is lost below the cap', () => assert.equal(kept('a\nb\n', 100), 'a\nb\n'))

test('cut between lines, and the count is of what is not there', () => {
  const lines = Array.from({ length: 100 }, (_, index) => `line-${String(index).padStart(3, '0')}`)
  const text = `${lines.join('\n')}\n`
  const out = kept(text, 200)
  const [head = '', left = '', tail = ''] = out.split(/\n\[(\d+) bytes left out\]\n/)
  for (const line of [...head.split('\n'), ...tail.trimEnd().split('\n')]) assert.ok(lines.includes(line), line)
  assert.equal(head.length + Number(left) + tail.length, text.length)
})

test('in one line, cut between words; a word without end is given up', () => {
  const out = kept(`${'word '.repeat(50)}${'x'.repeat(400)}${' word'.repeat(50)}`, 200)
  assert.match(out, /^(?:word )*word\n\[\d+ bytes left out\]\n(?:word ?)+$/)
  assert.match(kept('x'.repeat(1000), 200), /^\n\[1000 bytes left out\]\n$/)
})

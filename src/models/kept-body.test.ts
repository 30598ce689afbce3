/** What is kept of bodies gives back the very bytes, however they grew; what was altered gives back others, or none. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chanceFrom } from '../../test/fuzz/mutate.ts'
import { sha256 } from '../core/json.ts'
import { bodiesOf, bodyKeeper, joined, spliced, type KeptBody } from './kept-body.ts'

test('property: what two bodies share and what is new are the second, and no more is kept than has to be', () => {
  for (let seed = 1; seed <= 3000; seed++) {
    const chance = chanceFrom(seed)
    // Few letters, so that ends repeat what beginnings have.
    const some = () => Buffer.from(Array.from({ length: chance.below(40) }, () => chance.below(3)))
    const [begin, end] = [some(), some()]
    const [base, whole] = [Buffer.concat([begin, some(), end]), Buffer.concat([begin, some(), end])]
    const shorter = Math.min(base.length, whole.length)
    const parts = spliced(base, whole)
    assert.deepEqual(joined(base, parts), whole, `seed ${seed}`)
    assert.ok(parts.head >= begin.length && parts.head + parts.tail >= Math.min(shorter, begin.length + end.length), `seed ${seed}`)
    if (parts.head < shorter) assert.notEqual(base[parts.head], whole[parts.head], `seed ${seed}`)
    if (parts.head + parts.tail < shorter) assert.notEqual(base.at(-1 - parts.tail), whole.at(-1 - parts.tail), `seed ${seed}`)
  }
})

function keptOf(texts: readonly string[]): KeptBody[] {
  const keeper = bodyKeeper()
  const kept: KeptBody[] = []
  for (const text of texts) {
    const one = keeper.keep({ host: 'h', path: '/p', body: Buffer.from(text) })
    keeper.written([one])
    kept.push(one)
  }
  return kept
}

const conversation = (turns: number, from = 0): string =>
  JSON.stringify({ model: 'm', messages: Array.from({ length: turns }, (_, n) => ({ role: 'tool', text: `ä ✓ ${sha256(`${from + n}`)}` })), tools: ['x'] })

test('a conversation that grows, starts anew and repeats itself is given back whole, from little', () => {
  const texts = [...Array.from({ length: 40 }, (_, n) => conversation(n + 1)), conversation(3, 37), conversation(3, 37), '', 'no JSON', conversation(5, 36)]
  const kept = keptOf(texts)
  const bodies = bodiesOf(kept)
  for (const [index, text] of texts.entries()) assert.equal(bodies.get(kept[index]?.sha ?? '')?.toString(), text)
  assert.ok(kept.every((one, index) => one.sha === sha256(texts[index] ?? '')))
  const size = kept.reduce((sum, one) => sum + one.added.length, 0)
  assert.ok(size < texts.join('').length / 10, `${size} bytes`)
})

test('a body whose write failed is nobody’s base', () => {
  const keeper = bodyKeeper()
  const [first, second, third] = [conversation(1), conversation(2), conversation(3)].map((text) => ({ host: 'h', path: '/p', body: Buffer.from(text) }))
  assert.ok(first && second && third)
  const begun = keeper.keep(first)
  keeper.written([begun])
  keeper.keep(second)
  const last = keeper.keep(third)
  assert.equal(last.base, begun.sha)
  assert.deepEqual(bodiesOf([begun, last]).get(last.sha), third.body)
})

test('altered rows give other bytes or none, and so do those that build on them', () => {
  const [first, second] = keptOf([conversation(2), conversation(3)])
  assert.ok(first && second)
  const torn = { ...first, added: first.added.subarray(3) }
  assert.deepEqual([...bodiesOf([torn, second]).values()], [null, null])
  assert.equal(bodiesOf([second]).get(second.sha), null, 'its base is gone')
  assert.equal(bodiesOf([first, { ...second, head: 1e9 }]).get(second.sha), null)
  const shifted = bodiesOf([first, { ...second, tail: second.tail - 1 }]).get(second.sha)
  assert.notEqual(sha256(shifted ?? ''), second.sha)
})

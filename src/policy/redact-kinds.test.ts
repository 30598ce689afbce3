/**
 * The bar of the filter: of more than fifty kinds of secrets, in seven places each, at least 98 in a hundred are masked,
 * and of as many look-alikes none is.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { coreOf, LOOK_ALIKES, POSITIONS, PRIVATE_KEYS, SECRET_KINDS } from '../../test/fixtures/secret-kinds.ts'
import { createRedactor, maskedIn } from './redact.ts'

const redact = createRedactor()
const numbered = () => createRedactor({ numbered: true })

// oxlint-disable-next-line no-control-regex
const plain = (text: string): string => text.replace(/\x1b\[\d*m/g, '')

test(`${SECRET_KINDS.length} kinds in ${Object.keys(POSITIONS).length} places: at least 98 % masked`, () => {
  assert.ok(SECRET_KINDS.length >= 50)
  const missed: string[] = []
  let tried = 0
  for (const kind of SECRET_KINDS)
    for (const [place, write] of Object.entries(POSITIONS)) {
      tried++
      if (plain(redact(write(kind)).text).includes(coreOf(kind))) missed.push(`${kind.title} in ${place}`)
    }
  assert.ok(missed.length <= tried * 0.02, `${missed.length} of ${tried}: ${missed.join(', ')}`)
  assert.deepEqual(missed, [], 'and as it stands, all of them')
})

test('each kind by its own name', () => {
  for (const kind of SECRET_KINDS) {
    const { text } = redact(`${kind.name ?? 'value'} = "${kind.secret}"`)
    assert.ok(Object.keys(maskedIn(text)).includes(kind.label), `${kind.title}: ${text}`)
  }
})

test(`nothing masked in ${LOOK_ALIKES.length} look-alikes, alone or among each other`, () => {
  assert.ok(LOOK_ALIKES.length >= SECRET_KINDS.length)
  assert.deepEqual(
    LOOK_ALIKES.map((text) => redact(text).text).filter((text, at) => text !== LOOK_ALIKES[at]),
    [],
  )
  const all = LOOK_ALIKES.join('\n')
  assert.equal(redact(all).text, all)
})

for (const [title, pem] of PRIVATE_KEYS) {
  const body = pem.split('\n').slice(1, -1)
  const places: readonly (readonly [string, string])[] = [
    ['a file', `# keys\n${pem}\nport=1\n`],
    ['YAML', `key: |\n${pem.replace(/^/gm, '  ')}\nport: 1\n`],
    ['one line of JSON', JSON.stringify({ value: `${pem}\n`, port: 1 })],
    ['a diff', `@@ -1 +1,6 @@\n${pem.replace(/^/gm, '+')}\n+port=1\n`],
    ['code, a string a line', `const pem = [\n${pem.replace(/^(.*)$/gm, "  '$1',")}\n].join('x')\nport=1\n`],
    ['a file whose beginning is cut off', `${pem.split('\n').slice(2).join('\n')}\nport=1\n`],
    ['a file whose end is cut off', pem.split('\n').slice(0, 3).join('\n')],
  ]
  for (const [place, text] of places)
    test(`private key, ${title}, in ${place}`, () => {
      const once = redact(text).text
      for (const line of body) assert.ok(!once.includes(line.slice(0, 20)), once)
      assert.equal(once.split('\n').length, text.split('\n').length, 'lines keep their numbers')
      if (text.includes('port')) assert.match(once, /port/)
      assert.equal(redact(once).text, once)
    })
}

const samples = [...SECRET_KINDS.flatMap((kind) => Object.values(POSITIONS).map((write) => write(kind))), ...PRIVATE_KEYS.map(([, pem]) => pem), ...LOOK_ALIKES]

test('idempotent, and restored to what it was', () => {
  for (const text of [...samples, samples.join('\n'), '[REDACTED:ENV_SECRET:1] password: hunter2hunter2']) {
    const filter = numbered()
    const once = filter(text).text
    assert.equal(filter(once).text, once)
    assert.equal(redact(redact(text).text).text, redact(text).text)
    assert.equal(filter.restore(once), text)
  }
})

test('the same value has the same placeholder, another has another', () => {
  const filter = numbered()
  const text = filter('password: hunter2\nconst password = "hunter2"\npassword: hunter3').text
  assert.equal(text, 'password: [REDACTED:ENV_SECRET:1]\nconst password = "[REDACTED:ENV_SECRET:1]"\npassword: [REDACTED:ENV_SECRET:2]')
  assert.equal(numbered()('a [REDACTED:ENV_SECRET:1]\npassword: hunter2').text, 'a [REDACTED:ENV_SECRET:1]\npassword: [REDACTED:ENV_SECRET:2]')
})

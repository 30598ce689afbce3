/** What a dotenv-like file holds, and which of it is looked for everywhere. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dotenvEntries, environmentSecrets, secretEntries } from './dotenv.ts'

const FILE = `# comment
export A_TOKEN=abcdefgh12 # trailing
B="two words\\nand a line"
C='single $quoted'
D=
E: yaml-like-1
not a line
F="over
two lines 1"
`

test('entries', () => {
  assert.deepEqual(
    dotenvEntries(FILE).map(({ label, value }) => [label, value]),
    [
      ['A_TOKEN', 'abcdefgh12'],
      ['B', 'two words\nand a line'],
      ['C', 'single $quoted'],
      ['E', 'yaml-like-1'],
      ['F', 'over\ntwo lines 1'],
    ],
  )
})

const cases: readonly (readonly [name: string, value: string, isSecret: boolean])[] = [
  ['DB_PASSWORD', 'hunter2hunter2', true],
  ['DB_PASSWORD', 'postgres', false],
  ['API_KEY', '12345678', false],
  ['TOKEN_FILE', '/run/secrets/token', false],
  ['DATABASE_URL', 'postgres://localhost/app', false],
  ['NODE_ENV', 'development', false],
  ['ANYTHING', `gh${'p_'}${'aZ3kQ9xW7bR2mT5vY8cN1pL4sD6fG0hJaZ3k'}`, true],
  ['SENTRY_RELEASE', 'web-2024.10.1', false],
  ['API_KEY', 'short', false],
]
for (const [label, value, isSecret] of cases)
  test(`${label}=${value.slice(0, 12)}… is ${isSecret ? '' : 'not '}looked for everywhere`, () =>
    assert.equal(secretEntries([{ label, value }]).length, isSecret ? 1 : 0))

test('an environment', () => {
  const names = environmentSecrets({ MY_TOKEN: 'abcdefgh1', HOME: '/home/a', KEYBOARD: 'abcdefgh1', SHORT_KEY: 'abc', GONE_KEY: undefined }).map(
    ({ label }) => label,
  )
  assert.deepEqual(names, ['MY_TOKEN'])
})

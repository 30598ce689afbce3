/**
 * The secrets filter: the contract's vectors, kinds that must go, look-alikes that must stay, time.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { LINE_PIECES } from '../../test/fixtures/line-pieces.ts'
import { createRedactor, redactJson } from './redact.ts'

interface Vector {
  readonly id: string
  readonly function: string
  readonly input: unknown
  readonly expect: unknown
}
const { vectors } = JSON.parse(readFileSync(new URL('../../test/vectors/redaction.json', import.meta.url), 'utf8')) as {
  vectors: Vector[]
}
const redact = createRedactor()

for (const { id, function: name, input, expect } of vectors) {
  test(`vector ${id}`, () => {
    if (name === 'redact_json') return assert.deepEqual(redactJson(input), expect)
    const { absent, present } = expect as { absent: string[]; present: string[] }
    const { text } = redact(input as string)
    for (const part of absent) assert.ok(!text.includes(part), text)
    for (const part of present) assert.ok(text.includes(part), text)
    assert.equal(redact(text).text, text)
  })
}

// Joined here, so that no scanner takes this file for a leak.
const mix = (length: number): string => 'aZ3kQ9xW7bR2mT5vY8cN1pL4sD6fG0hJ'.repeat(8).slice(0, length)
const pem = (kind: string): string => `-----BEGIN ${kind}PRIVATE KEY-----\nMIIEvQ\n${mix(60)}\n-----END ${kind}PRIVATE KEY-----`
const secrets: readonly (readonly [title: string, text: string, secret: string])[] = [
  ['anthropic', `x sk-ant-api03-${mix(40)}`, mix(40)],
  ['openai', `sk-${mix(48)}`, mix(48)],
  ['openai project', `sk-proj-${mix(60)}`, mix(60)],
  ['github', `ghp_${mix(36)}`, mix(36)],
  ['github fine', `github_pat_${mix(40)}`, mix(40)],
  ['gitlab', `glpat-${mix(20)}`, mix(20)],
  ['aws id', `AKIA${mix(16).toUpperCase()}`, mix(16).toUpperCase()],
  ['aws secret', `aws_secret_access_key = ${mix(40)}`, mix(40)],
  ['slack', `xoxb-123456789012-${mix(24)}`, mix(24)],
  ['stripe', `sk_live_${mix(24)}`, mix(24)],
  ['google', `AIza${mix(35)}`, mix(35)],
  ['hugging face', `hf_${mix(34)}`, mix(34)],
  ['npm', `//registry/:_authToken=npm_${mix(36)}`, mix(36)],
  ['rsa', pem('RSA '), 'MIIEvQ'],
  ['pkcs8', pem(''), 'MIIEvQ'],
  ['openssh', pem('OPENSSH '), 'MIIEvQ'],
  ['open pem', '-----BEGIN PRIVATE KEY-----\nMIIEvQ\nrest', 'rest'],
  ['jwt', `a eyJ${mix(20)}.eyJ${mix(30)}.${mix(20)}`, mix(30)],
  ['bearer', `Authorization: Bearer ${mix(30)}`, mix(30)],
  ['basic', `Authorization: Basic ${mix(24)}=`, mix(24)],
  ['postgres', 'postgres://u:p4ss@w0rd@h/db', 'w0rd'],
  ['mongo', 'mongodb+srv://u:s3cretpw@h', 's3cretpw'],
  ['redis', 'redis://:hunter2@h:6379', 'hunter2'],
  ['https', 'https://u:s3cretpw@h/x', 's3cretpw'],
  ['azure', `AccountKey=${mix(86)}==`, mix(86)],
  ['env', 'DB_PASSWORD=hunter2', 'hunter2'],
  ['env quoted', `API_KEY="${mix(20)}"`, mix(20)],
  ['yaml', `client_secret: ${mix(16)}`, mix(16)],
  ['json', `{"accessToken": "${mix(16)}"}`, mix(16)],
  ['code', `const apiKey = '${mix(20)}'`, mix(20)],
  ['password with blanks', 'password: "correct horse"', 'horse'],
  ['diff added', `+SECRET_TOKEN=${mix(12)}`, mix(12)],
  ['diff context', ` SECRET_TOKEN=${mix(12)}`, mix(12)],
  ['python', `password='hunter2x'`, 'hunter2x'],
  ['template text', `token=$x sendgrid SG.${mix(22)}.${mix(43)}`, mix(43)],
  ['yaml word', 'password: hunter', 'hunter'],
  ['query', `https://x/?token=${mix(20)}`, mix(20)],
  ['vault', `hvs.${mix(24)}`, mix(24)],
  ['mysql', 'mysql -uroot -phunter22 app', 'hunter22'],
  ['bare key', `key: "${mix(32)}"`, mix(32)],
  ['ruby', `:secret_key => "${mix(20)}"`, mix(20)],
]
for (const [title, text, secret] of secrets) {
  test(`masked: ${title}`, () => {
    const once = redact(text)
    assert.ok(!once.text.includes(secret), once.text)
    assert.ok(once.hits.length > 0)
    assert.equal(redact(once.text).text, once.text)
  })
}

const harmless: readonly string[] = [
  'commit 0123456789abcdef0123456789abcdef01234567',
  'id: 123e4567-e89b-12d3-a456-426614174000',
  `"integrity": "sha512-${mix(86)}=="`,
  `"resolved": "https://registry.example/a/-/a-1.0.0.tgz"`,
  `url(data:image/png;base64,${mix(200)})`,
  'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  'const keyboard = "qwertyuiopasdf"',
  'tokens_in: 123456789012',
  'max_tokens = 4096',
  'risk-assessment-of-the-whole-system',
  'task-management-and-planning-tool',
  'password: string',
  'token: CancellationToken',
  'const token = await getToken(user)',
  'apiKey: process.env.API_KEY',
  'api_key=os.environ["API_KEY"]',
  'password = config.database.password',
  'key={item.identifier}',
  'key: "ArrowLeft"',
  '<li key="some-react-list-key">',
  'for (const key of Object.keys(x))',
  'token_url: https://example.com/oauth/token',
  'secret_name: my-long-secret-name',
  'PASSWORD=${DB_PASSWORD}',
  'password: <your-password>',
  'http://localhost:3000/a@b',
  'https://example.com/@scope/pkg',
  'git@github.com:owner/name.git',
  'bearer authentication is used',
  'a.b{color:#ffaabb;margin:0 auto}',
  'if (token === undefined) return',
  'token == other.token',
  'keyof typeof table',
  'monkey=bananabananabanana',
  'sk-button-primary-large-rounded',
  'version: 1.2.3-beta.4',
  'postgres://user:${PW}@h/db',
  'primaryKey: "identifier_column"',
  'type: api-gateway-resource',
  'sort_key = lambda item: item.name',
]
test(`nothing masked in look-alikes (${harmless.length})`, () => {
  const wrong = harmless.map((text) => redact(text).text).filter((text, at) => text !== harmless[at])
  assert.deepEqual(wrong, [])
})

test('where secrets overlap nothing of either stays', () => {
  const token = `ghp_${mix(36)}`
  const rows: [title: string, known: string, text: string][] = [
    ['one within the other', token.slice(4, 14), `a ${token} b`],
    ['one that begins in the other', `${token.slice(-10)} tail`, `a ${token} tail b`],
    ['one that ends in the other', `head ${token.slice(0, 10)}`, `a head ${token} b`],
  ]
  for (const [title, value, text] of rows) assert.match(createRedactor({ known: [{ label: 'KNOWN', value }] })(text).text, /^a \[REDACTED:\w+\] b$/, title)
})

test('known values, numbers and restoring', () => {
  const numbered = createRedactor({ known: [{ label: 'DEPLOY', value: 'plain words 1' }], numbered: true })
  const text = `a plain words 1\nb ghp_${mix(36)}\nc plain words 1\nd ghp_${mix(36)}x`
  const masked = numbered(text)
  assert.equal(masked.text, 'a [REDACTED:DEPLOY:1]\nb [REDACTED:GITHUB_TOKEN:1]\nc [REDACTED:DEPLOY:1]\nd [REDACTED:GITHUB_TOKEN:2]')
  assert.deepEqual(
    masked.hits.map((hit) => hit.line),
    [1, 2, 3, 4],
  )
  assert.equal(numbered.restore(masked.text), text)
  assert.equal(numbered.restore('[REDACTED:OTHER:1]'), '[REDACTED:OTHER:1]')
  assert.equal(numbered(masked.text).text, masked.text)
})

/** What is quadratic takes minutes here. How much it takes, and how that grows: `npm run bench -- redact`. */
test('a long line of any piece comes to its end', { timeout: 240_000 }, () => {
  for (const piece of LINE_PIECES) assert.ok(redact(piece.repeat(Math.ceil((1 << 18) / piece.length))).text.length > 0, piece)
})

test('what an application derives its keys from', () => {
  const value = mix(64)
  for (const text of [`  secret_key_base: ${value}`, `SECRET_KEY_BASE=${value}`, `secretKeyBase = "${value}"`])
    assert.ok(!redact(text).text.includes(value), text)
  for (const text of ['token_base: https://api.example.org/v1', 'api_base = "https://api.example.org/v1/things"']) assert.equal(redact(text).text, text)
})

test('a name of JSON that is a secret itself', () => {
  const filter = createRedactor({ known: [{ label: 'k', value: 'known value 1' }] })
  assert.deepEqual(redactJson({ 'known value 1': 1, [`ghp_${mix(36)}`]: ['a'] }, filter), { '[REDACTED:K]': 1, '[REDACTED:GITHUB_TOKEN]': ['a'] })
})

test('JSON', () => {
  const nested = JSON.parse('{"a":'.repeat(100) + '1' + '}'.repeat(100)) as unknown
  redactJson(nested)
  assert.deepEqual(
    redactJson({
      tokens_out: 3,
      authToken: 'x',
      list: [{ passwd: 'y', note: `ghp_${mix(36)}` }],
      key: 'v',
      monkey: 'b',
      ok: true,
    }),
    {
      tokens_out: 3,
      authToken: '[REDACTED]',
      list: [{ passwd: '[REDACTED]', note: '[REDACTED:GITHUB_TOKEN]' }],
      key: '[REDACTED]',
      monkey: 'b',
      ok: true,
    },
  )
})

test('a name that goes with the value before it still tells of the value after it', () => {
  const redact = createRedactor({ known: [{ label: 'MINE', value: `k-${'aZ3kQ9xW7bR2'}` }] })
  for (const [text, value] of [
    ['token=aZ3kQ9password ="hunter2xyz"', 'hunter2xyz'],
    [`token_k-${'aZ3kQ9xW7bR2'}="aZ3kQ9xsPPq1"`, 'aZ3kQ9xsPPq1'],
  ] as const) {
    const once = redact(text).text
    assert.ok(!once.includes(value), once)
    assert.equal(redact(once).text, once)
  }
})

test('all lines of a block of YAML are its value, and the next member is none of it', () => {
  const { text } = redact('a:\n  password: |\n    first-Secret1\n    second-Secret2\n  user: bob\n')
  assert.equal(text, 'a:\n  password: |\n    [REDACTED:ENV_SECRET]\n  user: bob\n')
  assert.equal(redact('api_key: |\n  aB3dE5gH7jK9mN1pQ3sT\n  5vX7zB9dF2hJ4kL6mN8p\nuser: bob\n').text, 'api_key: |\n  [REDACTED:ENV_SECRET]\nuser: bob\n')
})

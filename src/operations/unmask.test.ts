import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyPatch } from '../patch/apply.ts'
import { parsePatch } from '../patch/parse.ts'
import { createRedactor } from '../policy/redact.ts'
import { unmaskContent, unmaskPatch } from './unmask.ts'

const redactor = createRedactor()
const mask = (text: string) => redactor(text).text
const A = 'abcdefghijkl1111111'
const B = 'zyxwvutsrqpo2222222'
const FILE = ['# keys', `API_TOKEN=${A}`, `DB_PASSWORD=${B}`, 'port=1', `API_TOKEN=${B}`, 'end', '']
const SEEN = mask(FILE.join('\n')).split('\n')
const [TOKEN = '', PASSWORD = ''] = [SEEN[1], SEEN[2]]

/** The file after a patch that was written against what a reader saw; null when it does not fit. */
function patched(...body: string[]): string | null {
  const parsed = parsePatch(['--- a/conf', '+++ b/conf', ...body, ''].join('\n'))
  assert.ok(parsed.ok)
  const patch = unmaskPatch(parsed.files[0] as never, FILE, mask)
  const result = applyPatch(() => Buffer.from(FILE.join('\n')), [patch])
  return result.ok ? Buffer.from(result.changes[0]?.bytes ?? '').toString('utf8') : null
}
const with_ = (at: number, ...lines: string[]) => FILE.toSpliced(at, 1, ...lines).join('\n')

test('the reader saw no secret', () => {
  assert.doesNotMatch(SEEN.join('\n'), /1111111|2222222/)
  assert.equal(TOKEN, SEEN[4], 'two tokens look alike')
})

const cases: [title: string, body: string[], want: string | null][] = [
  ['in context', ['@@ -3,2 +3,2 @@', ` ${PASSWORD}`, '-port=1', '+port=2'], with_(3, 'port=2')],
  ['removed', ['@@ -2,2 +2,1 @@', `-${TOKEN}`, ` ${PASSWORD}`], FILE.toSpliced(1, 1).join('\n')],
  ['added again, changed around it', ['@@ -3,1 +3,1 @@', `-${PASSWORD}`, `+export ${PASSWORD} # old`], with_(2, `export DB_PASSWORD=${B} # old`)],
  ['the second of two that look alike, by its line', ['@@ -5,2 +5,2 @@', `-${TOKEN}`, `+${TOKEN} # b`, ' end'], with_(4, `API_TOKEN=${B} # b`)],
  ['the first of two that look alike, by its context', ['@@ -1,2 +1,2 @@', ' # keys', `-${TOKEN}`, `+${TOKEN} # a`], with_(1, `API_TOKEN=${A} # a`)],
  [
    'two of them, by their names',
    ['@@ -2,2 +2,2 @@', `-${TOKEN}`, `-${PASSWORD}`, `+${PASSWORD};`, `+${TOKEN};`],
    FILE.toSpliced(1, 2, `DB_PASSWORD=${B};`, `API_TOKEN=${A};`).join('\n'),
  ],
  ['none that was there', ['@@ -4,1 +4,1 @@', '-port=1', '+KEY=[REDACTED:GITHUB_TOKEN]'], with_(3, 'KEY=[REDACTED:GITHUB_TOKEN]')],
  ['one that could be either', ['@@ -4,1 +4,1 @@', '-port=1', `+${TOKEN}`], with_(3, TOKEN)],
  ['context that is not there', ['@@ -4,2 +4,2 @@', ' NEVER_PASSWORD=[REDACTED:ENV_SECRET]', '-port=1', '+port=2'], null],
]
for (const [title, body, want] of cases) test(`a placeholder in a patch: ${title}`, () => assert.equal(patched(...body), want))

test('a whole content keeps the secrets that it names', () => {
  const content = SEEN.map((line) => (line === 'port=1' ? 'port=3' : line)).filter((_, at) => at !== 4)
  assert.equal(unmaskContent(content.join('\n'), FILE.toSpliced(4, 1), mask), FILE.toSpliced(3, 2, 'port=3').join('\n'))
  assert.equal(unmaskContent('x=[REDACTED:JWT]', FILE, mask), 'x=[REDACTED:JWT]', 'nothing of the kind was there')
  assert.equal(unmaskContent('plain', FILE, mask), 'plain')
})

test('a secret over several lines does not shift the others', () => {
  const file = ['-----BEGIN RSA PRIVATE KEY-----', 'MIIEabc', '-----END RSA PRIVATE KEY-----', `API_TOKEN=${A}`]
  assert.equal(unmaskContent('API_TOKEN=[REDACTED:ENV_SECRET]', file, mask), `API_TOKEN=${A}`)
})

/** What is fuzzed, from which seeds, and the promises that each input is held to. */
import assert from 'node:assert/strict'
import { VpError } from '../../src/core/errors.ts'
import { applyPatch } from '../../src/patch/apply.ts'
import { parsePatch } from '../../src/patch/parse.ts'
import { decode } from '../../src/patch/text-file.ts'
import type { FilePatch } from '../../src/patch/types.ts'
import { decideCommand, matchesArgv, type Actor } from '../../src/policy/argv.ts'
import { globalDeny } from '../../src/policy/global-rules.ts'
import { parseLaneYaml } from '../../src/policy/lane-file.ts'
import { narrow, type Lane } from '../../src/policy/lane.ts'
import { createRedactor, redactJson } from '../../src/policy/redact.ts'
import { allShippedLanes, shippedLane } from '../../src/policy/shipped-lanes.ts'
import { createDecoder, type Incoming } from '../../src/surfaces/rpc/framing.ts'
import { ARGV_ROWS } from '../attacks/argv-cases.ts'
import { PATCH_SEEDS } from '../attacks/patch-cases.ts'
import type { Target } from './fuzz.ts'

const words = (text: string): string[] => text.trim().split(/\s+/)

// Patches: nothing but a parse error is thrown away, all or nothing, nothing outside of the hunks is another,
// and sent twice is sent once.
const TREE: Readonly<Record<string, Buffer>> = {
  'src/a.ts': Buffer.from('export const one = 1\nexport const two = 2\nexport const three = 3\n'),
  'src/b.py': Buffer.from('def f():\n    return 1\n\n\ndef g():\n    return 1\n'),
  'src/crlf.txt': Buffer.from('\ufeffone\r\ntwo\r\nthree\r\n'),
  'src/no-newline.txt': Buffer.from('one\ntwo'),
  'src/latin1.txt': Buffer.from('eins\nzw\xe4i\ndrei\n', 'latin1'),
  'src/gone.txt': Buffer.from('gone\n'),
}
const readTree = (path: string): Buffer | null => (Object.hasOwn(TREE, path) ? (TREE[path] ?? null) : null)

function checkPatch(text: string): void {
  const parsed = parsePatch(text)
  if (!parsed.ok) return assert.ok(parsed.message !== '' && parsed.line >= 0, 'a refusal says why and where')
  assert.ok(parsed.files.length > 0, 'no success is empty')
  const result = applyPatch(readTree, parsed.files)
  const named = new Set(parsed.files.flatMap(({ oldPath, newPath }) => [oldPath, newPath]))
  assert.ok(result.ok || result.changes.length === 0, 'all or nothing')
  for (const { path, before, bytes } of result.changes) {
    assert.ok(named.has(path), 'only what the patch names is changed')
    assert.deepEqual(before, readTree(path), 'the preimage is what was read')
    const patch = parsed.files.find(({ newPath, oldPath }) => (newPath ?? oldPath) === path)
    if (before !== null && bytes !== null && patch?.kind === 'modify') outsideStays(patch, Buffer.from(before), Buffer.from(bytes))
  }
  const again = applyPatch((path) => {
    const change = result.changes.find((one) => one.path === path)
    return change === undefined ? readTree(path) : change.bytes === null ? null : Buffer.from(change.bytes)
  }, parsed.files)
  assert.ok(again.ok || again.changes.length === 0, 'all or nothing, a second time')
  const isOnlyEdits = result.ok && parsed.files.every(({ kind }) => kind === 'modify')
  for (const { before, bytes } of isOnlyEdits ? again.changes : []) assert.deepEqual(bytes, before, 'a second time changes nothing')
}

/** Lines that no hunk names are there, in their order and with their ends: removed and added ones explain every difference. */
function outsideStays(patch: FilePatch, before: Buffer, after: Buffer): void {
  const added = patch.hunks.flatMap(({ lines }) => lines.filter(({ kind }) => kind !== '-').map(({ text }) => text))
  const removed = patch.hunks.flatMap(({ lines }) => lines.filter(({ kind }) => kind === '-')).length
  const [old, now] = [decode(before), decode(after)]
  const spare = [...old.lines]
  let unexplained = 0
  for (const line of now.lines) {
    const at = spare.indexOf(line)
    if (at >= 0) spare.splice(at, 1)
    else if (!added.some((one) => one.trim() === line.trim())) unexplained++
  }
  assert.equal(unexplained, 0, 'a line that nobody wrote')
  assert.ok(spare.length <= removed, 'a line is gone that no hunk removes')
  assert.deepEqual([now.encoding, before.subarray(0, 3).equals(after.subarray(0, 3)) || patch.hunks.length > 0], [old.encoding, true], 'encoding stays')
}

// Commands: an allowed one matches the rule that is told, nothing global speaks against it, narrowing never widens.
const NARROWED: readonly Lane[] = [
  parseLaneYaml("lane: Code-Impl\ncommands: { allow: [[node, '*'], [npm, run, '*'], [env, '*'], [python3, -c, '*']] }\n"),
  parseLaneYaml('lane: Code-Impl\ncommands: { allow: [[git, log, "-1"], [sed, -n, 1p]], deny: [[npm, run, deploy]] }\n'),
].map((lane) => narrow(shippedLane('Code-Impl'), lane))
const ACTORS: readonly Actor[] = ['human', 'agent', 'ci', 'remote']
const RANK = { deny: 0, ask: 1, allow: 2 } as const

function checkArgv(input: string): void {
  const argv = input === '' ? [] : input.split(' ')
  for (const lane of [...allShippedLanes(), ...NARROWED])
    for (const actor of ACTORS) {
      const decision = decideCommand(argv, lane, actor)
      assert.ok(decision.rule !== '' && decision.reason !== '', 'a decision names its rule and why')
      if (actor === 'agent') assert.ok(RANK[decision.effect] <= RANK[decideCommand(argv, lane, 'human').effect], 'an agent may no more than a person')
      if (lane.within) assert.ok(RANK[decision.effect] <= RANK[decideCommand(argv, lane.within, actor).effect], 'narrowing does not widen')
      if (decision.effect !== 'allow') continue
      assert.equal(globalDeny(argv), null, 'what is denied to all is not allowed')
      const rules = [lane, lane.within].flatMap((one) => one?.commands.allow ?? [])
      assert.ok(
        rules.some((rule) => rule.id === decision.rule && matchesArgv(rule.argv, argv)),
        'an allowed command fits the rule that is told',
      )
      assert.ok(!argv.some((argument) => /[\0\x1b\u202e]/.test(argument)), 'nothing that cannot be seen')
    }
}

// Secrets: what is known does not stay, a second time changes nothing, JSON stays JSON.
const KNOWN = `k-${'aZ3kQ9xW7bR2'}`
const redact = createRedactor({ known: [{ label: 'MINE', value: KNOWN }] })

function checkRedactor(input: string): void {
  const once = redact(input).text
  assert.ok(!once.includes(KNOWN), 'a known value stays')
  assert.equal(redact(once).text, once, 'a second time changes nothing')
  const value = parsedJson(input)
  if (value !== undefined) assert.doesNotThrow(() => JSON.stringify(redactJson(value, redact)), 'JSON stays JSON')
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined // most inputs are none
  }
}

// The reader: however the bytes are cut, the same documents come out, and none is made up.
const MAX_DOCUMENT = 4096

function checkReader(input: string): void {
  const bytes = Buffer.from(input, 'latin1')
  const whole = documents(bytes, [bytes.length])
  for (const cut of [1, 7, 64]) assert.deepEqual(documents(bytes, [cut]), whole, 'cut elsewhere, the same documents')
  for (const one of whole)
    if (one.kind === 'document') assert.ok(one.text.trim() !== '' && Buffer.byteLength(one.text) <= MAX_DOCUMENT, 'a document within its bound')
  // What was lost is told once, and a whole request behind it is read all the same.
  const request = '{"jsonrpc":"2.0","id":1,"method":"x"}'
  const behind = Buffer.concat([bytes, Buffer.from(`\n\n${request}\n`)])
  assert.ok(documents(behind, [behind.length]).length >= 1, 'silence')
}

function documents(bytes: Buffer, [size = 1]: readonly number[]): Incoming[] {
  const decoder = createDecoder(MAX_DOCUMENT)
  const found: Incoming[] = []
  for (let at = 0; at < bytes.length; at += size) found.push(...decoder.push(bytes.subarray(at, at + size)))
  return [...found, ...decoder.end()]
}

const frame = (text: string) => `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
const REQUEST = '{"jsonrpc":"2.0","id":1,"method":"fs.read","params":{"path":"a"}}'

export const TARGETS: readonly Target[] = [
  {
    name: 'patch',
    watched: ['patch/'],
    seeds: PATCH_SEEDS,
    words: [
      ...words(
        '--- +++ @@ *** diff index rename deleted new file mode 100644 100755 120000 a/ b/ /dev/null src/a.ts src/b.py src/crlf.txt src/latin1.txt src/gone.txt',
      ),
      '@@ -1 +1 @@\n',
      '@@ @@\n',
      '--- a/src/a.ts\n+++ b/src/a.ts\n',
      '<<<<<<< SEARCH\n',
      '=======\n',
      '>>>>>>> REPLACE\n',
      '*** Begin Patch\n',
      '*** Update File: src/a.ts\n',
      '*** Delete File: src/gone.txt\n',
      '*** Add File: x\n',
      '*** End Patch\n',
      '\\ No newline at end of file\n',
      '-export const one = 1\n',
      '+x\n',
      ' export const two = 2\n',
      '```diff\n',
      '```\n',
      'rename from src/gone.txt\n',
      'rename to x\n',
    ],
    check: checkPatch,
  },
  {
    name: 'argv',
    watched: ['policy/'],
    seeds: ARGV_ROWS.flatMap(({ argv }) => argv.map((one) => (typeof one === 'string' ? one : one.join(' ').slice(0, 2000)))),
    words: words(
      'node npm python3 pytest make go cargo git env uv yarn -e -c -p -m -- --eval=x -qp @x A=b run test .. / a.js a.py --prefix -C push --force sh -S * ? x.y',
    ),
    check: checkArgv,
  },
  {
    name: 'redactor',
    watched: ['policy/redact'],
    seeds: [
      'plain words and nothing else\n',
      `token = ${KNOWN}\n`,
      'API_KEY=abcdefghijklmnop1234\npassword: hunter2\n',
      '{"password":"x y z","tokens_in":12,"nested":{"api_key":"aZ3kQ9xW7bR2mT5v"}}',
      `-----BEGIN ${'PRIVATE KEY'}-----\nMIIB\n-----END PRIVATE KEY-----\n`,
      'postgres://me:pass%40word@db.example/x?sslmode=off\n',
      `Authorization: Bearer ${'aZ3kQ9xW7bR2mT5vY8cN1pL4'}\n`,
      `+const key = "${'sk-'}${'aZ3kQ9xW7bR2mT5vY8cN1pL4'}"\n`,
      '[REDACTED:MINE] [REDACTED:MINE:3] [REDACTED]\n',
    ],
    words: [
      ...words(
        'password secret token key api_key = : := => " \' { } [REDACTED: ] ghp_ AKIA Bearer Basic eyJ . -----BEGIN -----END PRIVATE KEY----- postgres:// @ \\n \\" %40 hunter2 null true 123',
      ),
      KNOWN,
      KNOWN.slice(0, 6),
      '\n',
    ],
    check: checkRedactor,
  },
  {
    name: 'rpc',
    watched: ['surfaces/rpc/framing'],
    seeds: [
      `${REQUEST}\n`,
      frame(REQUEST),
      `${REQUEST}\n${REQUEST}\n`,
      frame(REQUEST) + frame('[1]'),
      `Content-Type: x\r\n${frame(REQUEST)}`,
      '\n\n\n',
      'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
      `\xef\xbb\xbf${REQUEST}`,
      '\xff\xfe\n',
      `Content-Length: 9999\r\n\r\n${'x'.repeat(9999)}`,
    ],
    words: [
      'Content-Length: ',
      'content-length:5',
      'Content-Type: x',
      '\r\n',
      '\n',
      '\r\n\r\n',
      '{',
      '}',
      '[',
      ']',
      '"',
      REQUEST,
      '0',
      '5',
      '4097',
      '\xef\xbb\xbf',
      '\xff',
      'x'.repeat(5000),
    ],
    check: checkReader,
  },
]

/** Throws `usage.flag`. */
export function targetNamed(name: string): Target {
  const target = TARGETS.find((one) => one.name === name)
  if (!target) throw new VpError('usage.flag', `there is no target ${name}; there are ${TARGETS.map((one) => one.name).join(', ')}`)
  return target
}

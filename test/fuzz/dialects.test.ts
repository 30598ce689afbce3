/**
 * What holds for any text: what is written in a dialect is read back to the byte; prose, code and diffs are no calls, not
 * even those of this repository that write about calls; nothing breaks the reader, and nothing keeps it busy.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { AGENT_TOOLS } from '../../src/agent/tools.ts'
import { canonicalJson, type Json } from '../../src/core/json.ts'
import { callsInText } from '../../src/models/dialects/index.ts'

const ROOT = join(import.meta.dirname, '../..')
const callsOf = (text: string) => callsInText(text, AGENT_TOOLS).calls

/** Numbers in [0, 1) that are the same each time. Source: mulberry32. */
function chanceFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const FILES = ['src', 'test', 'docs', 'examples', 'scripts'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(?:ts|md|mjs|json|txt)$/.test(name) && !name.includes('node_modules'))
    .map((name) => ({ name: join(folder, name), text: readFileSync(join(ROOT, folder, name), 'utf8').slice(0, 60_000) })),
)

const PRESENTED: Readonly<Record<string, (text: string) => string>> = {
  'as it is': (text) => text,
  'in a block of code': (text) => `The file reads:\n\n\`\`\`\`ts\n${text}\n\`\`\`\`\n`,
  'as a diff that adds it': (text) => `--- a/x\n+++ b/x\n@@ -0,0 +1,9 @@\n${text.replace(/^/gm, '+')}`,
  'as a diff around it': (text) => `--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n${text.replace(/^/gm, ' ')}`,
  quoted: (text) => text.replace(/^/gm, '> '),
}
for (const [how, present] of Object.entries(PRESENTED))
  test(`no file of this repository is a call, ${how}`, () => {
    assert.ok(FILES.length > 400)
    for (const { name, text } of FILES) assert.deepEqual(callsOf(present(text)), [], name)
  })

const CALL = '{"name": "read", "arguments": {"path": "src/a.ts"}}'
const SHOWN: readonly string[] = [
  CALL,
  `<tool_call>${CALL}</tool_call>`,
  `<tool_call>\n${CALL}\n</tool_call>`,
  '<function=read>\n<parameter=path>\nsrc/a.ts\n</parameter>\n</function>',
  '[read(path="src/a.ts")]',
  '[TOOL_CALLS]read{"path": "src/a.ts"}',
]
const MENTIONS: readonly ((shown: string) => string)[] = [
  (shown) => `You could answer with \`${shown.replaceAll('\n', ' ')}\`, which reads it.`,
  (shown) => `You could answer with "${shown.replaceAll('\n', ' ')}" then.`,
  (shown) => shown.replace(/^/gm, '> '),
  (shown) => shown.replace(/^/gm, '    '),
  (shown) => `- ${shown.replaceAll('\n', ' ')}`,
  (shown) => `| ${shown.replaceAll('\n', ' ')} | a call |`,
  (shown) => `\`\`\`python\nexample = """\n${shown}\n"""\n\`\`\``,
  (shown) => `<think>\n${shown}\n</think>`,
  (shown) => `diff --git a/x b/x\n@@ -1 +1,2 @@\n${shown.replace(/^/gm, '+')}`,
  (shown) => JSON.stringify({ content: shown }, null, 2),
]
test('a call that is mentioned is none, whatever stands around it', () => {
  const chance = chanceFrom(11)
  const prose = FILES.filter(({ name }) => name.endsWith('.md')).flatMap(({ text }) => text.split(/\n{2,}/))
  const some = () => prose[Math.floor(chance() * prose.length)] ?? ''
  for (let n = 0; n < 4000; n++) {
    const shown = SHOWN[n % SHOWN.length] ?? ''
    const mention = MENTIONS[Math.floor(chance() * MENTIONS.length)]?.(shown) ?? ''
    const text = `Some words before.\n\n${some()}\n\n${mention}\n\n${some()}`
    assert.deepEqual(callsOf(text), [], text)
  }
})

const PARTS = [
  'a',
  'ä→✓',
  '\n',
  '\n\n',
  '"',
  "'",
  '\\',
  '\\n',
  '{',
  '}',
  '[',
  ']',
  ',',
  ': ',
  '<',
  '</',
  '<b>',
  '</tool_call>',
  '```\n',
  '`',
  '{"a": 1}',
  'def f():',
  '\t',
  '  ',
  '# ',
  '$',
  '(x)',
  '//',
  'None',
  'true',
  '0',
]
function anyText(chance: () => number): string {
  return Array.from({ length: Math.floor(chance() * 12) }, () => PARTS[Math.floor(chance() * PARTS.length)]).join('')
}

const python = (value: Json): string =>
  typeof value === 'string' ? JSON.stringify(value) : Array.isArray(value) ? `[${value.map(python).join(', ')}]` : value === null ? 'None' : String(value)
type Args = Readonly<Record<string, Json>>
const WRITERS: Readonly<Record<string, (name: string, args: Args) => string>> = {
  json: (name, args) => JSON.stringify({ name, arguments: args }),
  'json, over lines': (name, args) => JSON.stringify({ name, parameters: args }, null, 2),
  'json, twice': (name, args) => JSON.stringify({ name, arguments: JSON.stringify(args) }),
  hermes: (name, args) => `I see.\n<tool_call>\n${JSON.stringify({ name, arguments: args })}\n</tool_call>`,
  'hermes, unclosed': (name, args) => `<tool_call>\n${JSON.stringify({ name, arguments: args })}`,
  fenced: (name, args) => `Like so:\n\n\`\`\`json\n${JSON.stringify({ name, arguments: args }, null, 2)}\n\`\`\`\nDone.`,
  python: (name, args) =>
    `[${name}(${Object.entries(args)
      .map(([key, value]) => `${key}=${python(value)}`)
      .join(', ')})]`,
  mistral: (name, args) => `[TOOL_CALLS]${name}[ARGS]${JSON.stringify(args)}`,
  qwen_xml: (name, args) =>
    `<tool_call>\n<function=${name}>\n${Object.entries(args)
      .map(([key, value]) => `<parameter=${key}>\n${typeof value === 'string' ? value : JSON.stringify(value)}\n</parameter>\n`)
      .join('')}</function>\n</tool_call>`,
}
for (const [dialect, write] of Object.entries(WRITERS))
  test(`what is written as ${dialect} is read back to the byte`, () => {
    const chance = chanceFrom(5)
    for (let n = 0; n < 3000; n++) {
      const args =
        n % 3 === 0
          ? { path: 'src/a.ts', from: n, to: n + 1 }
          : n % 3 === 1
            ? { path: 'a', old: anyText(chance), new: anyText(chance) }
            : { argv: ['npm', anyText(chance)] }
      const name = n % 3 === 0 ? 'read' : n % 3 === 1 ? 'edit' : 'run'
      const text = write(name, args)
      assert.deepEqual(
        callsOf(text).map((call) => `${call.name} ${canonicalJson(call.arguments)}`),
        [`${name} ${canonicalJson(args)}`],
        text,
      )
    }
  })

test('whatever is done to a call, a call that is found is of an offered tool, with arguments that can be told', () => {
  const chance = chanceFrom(3)
  const names: readonly string[] = AGENT_TOOLS.map((tool) => tool.name)
  let found = 0
  for (let n = 0; n < 20_000; n++) {
    let text = Object.values(WRITERS)[n % Object.keys(WRITERS).length]?.('edit', { path: 'a.ts', old: anyText(chance), new: anyText(chance) }) ?? ''
    for (let change = 0; change < 1 + chance() * 3; change++) {
      const at = Math.floor(chance() * text.length)
      text = text.slice(0, at) + (chance() < 0.5 ? PARTS[Math.floor(chance() * PARTS.length)] : '') + text.slice(at + Math.floor(chance() * 4))
    }
    for (const call of callsOf(text)) {
      found++
      assert.ok(names.includes(call.name), text)
      assert.ok(typeof call.arguments === 'object' && call.arguments !== null && !Array.isArray(call.arguments), text)
    }
  }
  assert.ok(found > 5000, `${found}`)
})

test('no text keeps the reader busy', () => {
  const long = 100_000
  for (const part of [
    '{',
    '[',
    '\n',
    ' \n',
    '<tool_call>',
    '<tool_call>\n',
    '<function=read>\n',
    '<parameter=path>\n',
    '</parameter>',
    '"',
    '`',
    '```\n',
    '{"name": "read", "arguments": {"path": "',
    '[read(',
    'a. <tool_call>',
    '<think>',
  ]) {
    const text = `<function=read>\n<parameter=path>\n${part.repeat(long / part.length)}`
    for (const one of [text, part.repeat(long / part.length), `{"name": "read", "arguments": {"path": "${part.repeat(long / part.length)}`]) {
      const start = performance.now()
      callsOf(one)
      const ms = performance.now() - start
      assert.ok(ms < 4000, `${JSON.stringify(part)}: ${Math.round(ms)} ms`)
    }
  }
})

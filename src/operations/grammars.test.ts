import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mayBeMacro } from '../patch/grammar-syntax.ts'
import { brokenSyntax } from '../patch/syntax.ts'
import { readBudget, readerFor as readerWithin } from './grammars.ts'

const readerFor = (path: string) => readerWithin(path, readBudget(new AbortController().signal))

/** What a change adds at the end of a file that parses, and the line that is then named; null: it still parses. */
const cases: [path: string, before: string, added: string, line: number | null][] = [
  ['a.py', 'def f():\n    return 1\n', 'def g(:\n    return 2\n', 3],
  ['a.py', 'def f():\n    return 1\n', 'def g():\n    return f"{1}"\n', null],
  ['a.pyi', 'def f() -> int: ...\n', 'x: = 1\n', 2],
  ['a.go', 'package a\n\nfunc a() int { return 1 }\n', 'func b() int { return\n', 4],
  ['a.go', 'package a\n', 'func b[T any](x T) T { return x }\n', null],
  ['a.rs', 'fn a() -> u8 { 1 }\n', 'fn b( { 2 }\n', 2],
  ['A.java', 'class A { int a() { return 1; } }\n', 'class B { int b() { return 1 } }\n', 2],
  ['a.c', 'int a(void) { return 1; }\n', 'int b(void) { return 1;\n', 2],
  ['a.c', 'int a(void) { return 1; }\n', 'void b(long c) { printf("%" PRIu64 "\\n", c) }\n', null],
  ['a.cpp', '#ifdef __cplusplus\nextern "C" {\n#endif\nint a();\n#ifdef __cplusplus\n}\n#endif\n', 'int b( };\n', null],
  ['a.cpp', 'template <class T> T a(T t) { return t; }\n', 'class B { int b( };\n', 2],
  ['a.hpp', 'struct A { int a; };\n', 'struct B { auto b() -> int; };\n', null],
  ['A.cs', 'class A { int a() { return 1; } }\n', 'class B { int b() { return 1 } }\n', 2],
  ['a.rb', 'def a\n  1\nend\n', 'def b(\n  2\nend\n', 4],
  ['a.php', '<?php\nfunction a() { return 1; }\n', 'function b( { return 2; }\n', 3],
  ['a.sh', 'if true; then\n  echo a\nfi\n', 'if true; then\n  echo b\n', 5],
  ['a.bash', 'a=(1 2)\n', 'for x in "${a[@]}"; do echo "$x"; done\n', null],
  ['a.css', '.a { color: red; }\n', '.b { color: blue; }\n.c color: red; }\n', 3],
  ['a.tsx', 'export const A = () => <p>a</p>\n', 'export const B = () => <p>b\n', 2],
  ['a.tsx', 'export const A = () => <p>a</p>\n', 'export const B = (b: { c: string }) => <p>{b.c}</p>\n', null],
  ['a.jsx', 'export const A = () => <p>a</p>\n', 'export const B = () => <p>b\n', 2],
  ['a.yml', 'a: 1\nb:\n  - 2\n', 'c: [1, 2\n', 5],
  ['a.yaml', 'a: 1\n---\na: 2\n', 'b: c: d\n', 4],
  ['a.yaml', 'a: 1\n', 'a: 2\n', null],
  ['A.PY', 'a = 1\n', 'a = (\n', 2],
]
for (const [path, before, added, line] of cases)
  test(`${path}: ${JSON.stringify(added)} ${line === null ? 'parses' : 'does not parse'}`, async () => {
    const broken = await brokenSyntax(path, before, before + added, await readerFor(path))
    assert.equal(broken?.line ?? null, line, JSON.stringify(broken))
  })

test('what did not parse before says nothing', async () => {
  for (const [path, text] of [
    ['a.py', 'a = (\n'],
    ['chart.yaml', '{{ if a }}\nb: 1\n{{ end }}\n'],
    ['a.c', 'BEGIN_DECLS { int a(\n'],
  ] as const)
    assert.equal(await brokenSyntax(path, text, `${text}(\n`, await readerFor(path)), null, path)
})

test('what a parser of another hand does not read is in doubt', async () => {
  for (const [path, before] of [
    ['a.css', '.a { color: red; }\n'],
    ['a.py', 'a = 1\n'],
    ['a.c', 'int a;\n'],
    ['a.tsx', 'const a = <p>a</p>\n'],
    ['a.yaml', 'a: 1\n'],
  ] as const) {
    const broken = await brokenSyntax(path, before, `${before}}([\n`, await readerFor(path))
    assert.equal(broken?.doubt, 'the parser may be behind the language', path)
  }
  assert.equal((await brokenSyntax('a.json', '{}', '{', undefined))?.doubt, undefined)
})

test('what a macro can be is not said of C', () => {
  const lines = (near: string) => ['int a;', 'int b;', near, 'int c;', 'int d;', 'int e;']
  assert.equal(mayBeMacro(lines('FOO(x)'), 4, 4), true)
  assert.equal(mayBeMacro(lines('FOO(x)'), 5, 5), false)
  assert.equal(mayBeMacro(lines('Foo(x)'), 4, 4), false)
  assert.equal(mayBeMacro(lines('__THROW'), 0, 0), true)
  assert.equal(mayBeMacro(['# ifdef x', ...lines(''), ...lines('')], 9, 9), true)
})

test('the first place that does not parse is named, not the last', async () => {
  const before = 'def a():\n    return 1\n'.repeat(100)
  const after = before.replaceAll('return 1\n', (word, at: number) => (at > 1500 ? 'return (\n' : word))
  const broken = await brokenSyntax('a.py', before, after, await readerFor('a.py'))
  const first = after.slice(0, after.indexOf('return (')).split('\n').length
  assert.ok(broken?.line && broken.line >= first && broken.line <= first + 1, `${JSON.stringify(broken)}, ${first}`)
})

test('no parser for a language of which none is here', async () => {
  for (const path of ['a.txt', 'Makefile', 'a.hs', 'a.h', 'constructor']) assert.equal(await readerFor(path), undefined, path)
})

/** Found by trying; the first ran for minutes, the second broke the parser's memory. */
const hostile: [title: string, path: string, text: string][] = [
  ['a text that makes the parser look for repairs for ever', 'a.py', '-->'.repeat(66_000)],
  ['a text that breaks the memory of the parser', 'a.rs', '%w('.repeat(66_000)],
  ['a text that a scanner reads again and again', 'a.sh', '<'.repeat(200_000)],
  ['YAML that nests without end', 'a.yaml', '['.repeat(200_000)],
  ['dashes in a row', 'a.yaml', '- '.repeat(100_000)],
  ['more than is read', 'a.go', `package a\n${'var a = 1\n'.repeat(30_000)}`],
]
for (const [title, path, text] of hostile)
  test(`${title}: nothing is said, and the next text is read as ever`, async () => {
    const read = await readerFor(path)
    assert.equal(await read?.(text), 'unknown')
    assert.equal(await (await readerFor('a.py'))?.('a = 1\n'), 'reads')
  })

test('the files of one patch have one budget: what is over it says nothing', async () => {
  const budget = readBudget(new AbortController().signal)
  const read = async (path: string, text: string) => (await readerWithin(path, budget))?.(text)
  assert.equal(typeof (await read('a.py', 'a = (\n')), 'object')
  for (let n = 0; n < 2; n++) assert.equal(await read('a.rs', '%w('.repeat(60_000)), 'unknown')
  assert.ok(budget.leftMs <= 0, String(budget.leftMs))
  assert.equal(await read('a.py', 'a = (\n'), 'unknown')
  assert.equal(await read('a.yaml', 'a: [\n'), 'unknown')
  assert.equal(typeof (await (await readerFor('a.py'))?.('a = (\n')), 'object')
})

test('a signal ends the thread, and not its time', async () => {
  const stop = new AbortController()
  const budget = readBudget(stop.signal)
  const reading = (await readerWithin('a.rs', budget))?.('%w('.repeat(60_000))
  setTimeout(() => stop.abort(), 100)
  assert.equal(await reading, 'unknown')
  assert.equal(budget.leftMs, readBudget(stop.signal).leftMs)
  assert.equal(await (await readerFor('a.py'))?.('a = 1\n'), 'reads')
})

test('texts that are asked about at once have an answer each', async () => {
  const read = await readerFor('a.go')
  const readings = await Promise.all(['package a\n', 'package\n', 'package b\n'].map((text) => read?.(text)))
  assert.deepEqual(
    readings.map((one) => (typeof one === 'object' ? one.line : one)),
    ['reads', 1, 'reads'],
  )
})

test('brackets and nesting as files have them are read', async () => {
  const read = await readerFor('a.yaml')
  assert.equal(await read?.('a: [{b: [{c: [1, 2]}]}]\n'.repeat(2000).replaceAll(/^a/gm, '- a')), 'reads')
  const deep = Array.from({ length: 150 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join('')
  assert.equal(await read?.(deep), 'reads')
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokenSyntax } from './syntax.ts'

const cases: [title: string, path: string, before: string, after: string, line: number | null | undefined][] = [
  ['a module that lost its end', 'a.js', 'export const a = 1\n', 'export const a = 1\nexport const b = (\n', 2],
  ['a script that lost a brace', 'a.cjs', 'module.exports = {}\n', 'module.exports = {\n', undefined],
  ['TypeScript', 'src/a.ts', 'let a: number = 1\n', 'let a: number = 1\nlet b: = 2\n', 2],
  ['an enum parses, though Node does not run it', 'a.mts', 'enum A { B }\n', 'enum A { B, C }\n', null],
  ['JSON', 'package.json', '{"a":1}', '{"a":1,\n}', 2],
  ['what parsed neither before', 'a.js', 'const a = <div/>', 'const b = (', null],
  ['what still parses', 'a.js', 'import a from "a"\n', 'import b from "a"\nawait b\n', null],
  ['a return outside of a function, as before', 'a.cjs', 'return\n', 'return 1\n', null],
  ['a language without a parser', 'a.py', 'a = 1\n', 'a = (\n', null],
]
for (const [title, path, before, after, line] of cases)
  test(title, async () => {
    const broken = await brokenSyntax(path, before, after)
    assert.equal(broken === null, line === null, JSON.stringify(broken))
    if (broken && line !== undefined) assert.equal(broken.line, line)
  })

test('what was not there, or is gone, or is huge, says nothing', async () => {
  assert.equal(await brokenSyntax('a.json', null, '{'), null)
  assert.equal(await brokenSyntax('a.json', '{}', null), null)
  assert.equal(await brokenSyntax('a.json', '{}', ' '.repeat(1_000_001)), null)
})

/**
 * What models write, row by row: which form is taken, which refused, and that no doubt ever becomes a write.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyPatch } from './apply.ts'
import { explainPatch } from './explain.ts'
import { parsePatch } from './parse.ts'

const SOURCE = `import { a } from './a'

export function total(items: number[]): number {
  let sum = 0
  for (const item of items) {
    sum += item
  }
  return sum
}

export function count(items: number[]): number {
  return items.length
}
`
const WANT = SOURCE.replace('    sum += item\n', '    sum += item * 2\n')
const BODY = ' \tfor (const item of items) {\n-    sum += item\n+    sum += item * 2\n   }\n'
const EXACT = '   for (const item of items) {\n-    sum += item\n+    sum += item * 2\n   }\n'
const HEAD = '--- a/src/t.ts\n+++ b/src/t.ts\n'

type Row = readonly [title: string, patch: string, want: string | null, source?: string]

const rows: readonly Row[] = [
  ['a well-formed diff', `${HEAD}@@ -5,3 +5,3 @@\n${EXACT}`, WANT],
  ['wrong line numbers', `${HEAD}@@ -50,3 +50,3 @@\n${EXACT}`, WANT],
  ['wrong counts', `${HEAD}@@ -5,9 +5,1 @@\n${EXACT}`, WANT],
  ['no numbers', `${HEAD}@@\n${EXACT}`, WANT],
  ['dots for numbers', `${HEAD}@@ ... @@\n${EXACT}`, WANT],
  ['a scope for numbers', `${HEAD}@@ export function total @@\n${EXACT}`, WANT],
  ['no a/ and b/', `--- src/t.ts\n+++ src/t.ts\n@@ -5,3 +5,3 @@\n${EXACT}`, WANT],
  ['only the git line', `diff --git a/src/t.ts b/src/t.ts\n@@ -5,3 +5,3 @@\n${EXACT}`, WANT],
  ['only the new name', `+++ b/src/t.ts\n@@ -5,3 +5,3 @@\n${EXACT}`, WANT],
  ['fence and prose around', `Here it is:\n\n\`\`\`diff\n${HEAD}@@ -5,3 +5,3 @@\n${EXACT}\`\`\`\n\nThis changes:\n- the sum\n`, WANT],
  ['prose without a fence', `Sure!\n${HEAD}@@ -5,3 +5,3 @@\n${EXACT}\nDone.\n`, WANT],
  ['CRLF throughout the patch', `${HEAD}@@ -5,3 +5,3 @@\n${EXACT}`.replaceAll('\n', '\r\n'), WANT],
  ['CRLF file, LF patch', `${HEAD}@@ -5,3 +5,3 @@\n${EXACT}`, WANT.replaceAll('\n', '\r\n'), SOURCE.replaceAll('\n', '\r\n')],
  ['CR file, LF patch', `${HEAD}@@ -5,3 +5,3 @@\n${EXACT}`, WANT.replaceAll('\n', '\r'), SOURCE.replaceAll('\n', '\r')],
  ['other indentation in context', `${HEAD}@@ -5,3 +5,3 @@\n${BODY}`, WANT],
  ['a context line one token off', `${HEAD}@@ -5,3 +5,3 @@\n${EXACT.replace('item of', 'entry of')}`, WANT],
  ['two tokens off', `${HEAD}@@ -5,3 +5,3 @@\n${EXACT.replace('item of items', 'entry of entries')}`, null],
  ['a removed line off', `${HEAD}@@ -5,3 +5,3 @@\n${EXACT.replace('-    sum += item', '-    sum += items')}`, null],
  ['a removed line with other indentation', `${HEAD}@@ -5,3 +5,3 @@\n${EXACT.replace('-    sum', '-\tsum')}`, null],
  [
    'blank context without its blank',
    `${HEAD}@@ -8,5 +8,5 @@\n   return sum\n }\n\n-export function count(items: number[]): number {\n+export function size(items: number[]): number {\n   return items.length\n`,
    SOURCE.replace('count', 'size'),
  ],
  ['two places with enough to recognise, none stated', `${HEAD}@@ @@\n-const value = 1\n+const value = 2\n`, null, 'const value = 1\n\nconst value = 1\n'],
  ['two places, none stated', `${HEAD}@@ @@\n }\n+// end\n`, null],
  [
    'two places, a scope that holds one',
    `${HEAD}@@ @@ export function count\n   return items.length\n+  // end\n }\n`,
    SOURCE.replace('items.length\n', 'items.length\n  // end\n'),
  ],
  ['already applied', `${HEAD}@@ -5,3 +5,3 @@\n${EXACT}`, WANT, WANT],
  [
    'already applied, with only leading context',
    `${HEAD}@@ -1,1 +1,2 @@\n import { a } from './a'\n+import { b } from './b'\n`,
    `import { a } from './a'\nimport { b } from './b'\nx\n`,
    `import { a } from './a'\nimport { b } from './b'\nx\n`,
  ],
  [
    'already applied, numbers lost',
    `${HEAD}@@ @@\n import { a } from './a'\n+import { b } from './b'\n`,
    `import { a } from './a'\nimport { b } from './b'\nx\n`,
    `import { a } from './a'\nimport { b } from './b'\nx\n`,
  ],
  ['another file', `${HEAD}@@ -5,3 +5,3 @@\n${EXACT}`, null, 'x\ny\n}\n'],
  ['a brace alone is no place', `${HEAD}@@ -90,1 +90,2 @@\n }\n+// end\n`, null, 'a\n}\nb\n'],
  ['one good hunk and one bad write nothing', `${HEAD}@@ -5,3 +5,3 @@\n${EXACT}@@ -11 +11 @@\n-export function gone() {\n+export function here() {\n`, null],
  [
    'hunks out of order',
    `${HEAD}@@ -11 +11 @@\n-export function count(items: number[]): number {\n+export function size(items: number[]): number {\n@@ -5,3 +5,3 @@\n${EXACT}`,
    WANT.replace('count', 'size'),
  ],
  ['overlapping hunks', `${HEAD}@@ -6 +6 @@\n-    sum += item\n+    sum += 1\n@@ -6 +6 @@\n-    sum += item\n+    sum += 2\n`, null],
  ['two insertions at one place, whose order would be a guess', `${HEAD}@@ -5,0 +6 @@\n+    // a\n@@ -5,0 +6 @@\n+    // b\n`, null],
  ['search and replace', 'src/t.ts\n```ts\n<<<<<<< SEARCH\n    sum += item\n=======\n    sum += item * 2\n>>>>>>> REPLACE\n```\n', WANT],
  ['search that fits twice', 'src/t.ts\n<<<<<<< SEARCH\n}\n=======\n};\n>>>>>>> REPLACE\n', null],
  ['V4A', `*** Begin Patch\n*** Update File: src/t.ts\n@@ export function total\n-    sum += item\n+    sum += item * 2\n*** End Patch\n`, WANT],
  [
    'already applied but for the blanks that it takes away',
    `${HEAD}@@ -1,3 +1,3 @@\n alpha\n-beta gamma  \n+beta gamma\n delta epsilon\n`,
    'alpha \nbeta gamma\ndelta epsilon\n',
    'alpha \nbeta gamma  \ndelta epsilon\n',
  ],
  [
    'the final newline alone is a change',
    `${HEAD}@@ -1,2 +1,2 @@\n alpha beta\n-gamma delta\n\\ No newline at end of file\n+gamma delta\n`,
    'alpha beta\ngamma delta\n',
    'alpha beta\ngamma delta',
  ],
  [
    'the final newline is taken from a file with other line ends',
    `${HEAD}@@ -1,2 +1,2 @@\n alpha beta\n-gamma delta\n+gamma\n\\ No newline at end of file\n`,
    'alpha beta\r\ngamma',
    'alpha beta\r\ngamma delta\r\n',
  ],
  [
    'a tail that goes, its context indented otherwise, is not there already',
    `${HEAD}@@ -1,6 +1,3 @@\n function alpha() {\n     callBeta()\n-}\n-\n-function gamma() {\n }\n`,
    'function alpha() {\n\tcallBeta()\n}\n',
    'function alpha() {\n\tcallBeta()\n}\n\nfunction gamma() {\n}\n',
  ],
  [
    'a function that moved up is not taken away from where it now stands',
    `${HEAD}@@ -1,1 +1,5 @@\n const alpha = 1\n+\n+function parent() {\n+  return 1\n+}\n@@ -20,5 +24,1 @@\n-function parent() {\n-  return 1\n-}\n`,
    null,
    'const alpha = 1\n\nfunction parent() {\n  return 1\n}\nconst omega = 2\n',
  ],
  [
    'one token off, and the result stands elsewhere',
    `${HEAD}@@ @@\n use std::io;\n+use std::io::Read;\n uses std::fs::File;\n \n fn read() {\n`,
    null,
    'use std::io;\nuse std::fs::File;\n\nfn read() {\n}\n\nuse std::io;\nuse std::io::Read;\nuse std::fs::File;\n\nfn read() {\n',
  ],
  [
    'line ends alone are a change',
    `${HEAD}@@ -1,2 +1,2 @@\n-alpha beta\r\n-gamma delta\r\n+alpha beta\n+gamma delta\n`,
    'alpha beta\ngamma delta\n',
    'alpha beta\r\ngamma delta\r\n',
  ],
  [
    'line ends alone, changed already',
    `${HEAD}@@ -1,2 +1,2 @@\n-alpha beta\r\n-gamma delta\r\n+alpha beta\n+gamma delta\n`,
    'alpha beta\ngamma delta\n',
    'alpha beta\ngamma delta\n',
  ],
  [
    'line ends alone, of a file that has yet others',
    `${HEAD}@@ -1,3 +1,3 @@\n-alpha beta\r\n-gamma delta\r\n-epsilon\r\n+alpha beta\n+gamma delta\n+epsilon\n`,
    null,
    'alpha beta\r\ngamma delta\nepsilon\n',
  ],
  [
    'line ends change with the text, and the file lacks its final newline',
    `${HEAD}@@ -1,2 +1,3 @@\n-alpha beta\n-gamma delta\n+alpha beta\r\n+new\r\n+gamma delta\r\n`,
    'alpha beta\r\nnew\r\ngamma delta',
    'alpha beta\ngamma delta',
  ],
  ['no final newline stays so', `${HEAD}@@ -1,2 +1,3 @@\n a\n b\n+c\n`, 'a\nb\nc', 'a\nb'],
]

for (const [title, patch, want, source = SOURCE] of rows) {
  test(title, () => {
    const parsed = parsePatch(patch)
    assert.ok(parsed.ok, JSON.stringify(parsed))
    const result = applyPatch((path) => (path === 'src/t.ts' ? Buffer.from(source) : null), parsed.files)
    const words = explainPatch(result)
    assert.equal(result.ok, want !== null, words)
    assert.ok(words.length < 4100)
    if (want === null) return assert.deepEqual(result.changes, [])
    const [change] = result.changes
    assert.equal(change === undefined ? source : Buffer.from(change.bytes ?? '').toString(), want)
  })
}

const refused: readonly (readonly [title: string, patch: string, reason: string])[] = [
  ['nothing', '  \n', 'empty'],
  ['prose only', 'I have changed the file.\n', 'no_hunks'],
  ['headers without a hunk', HEAD, 'no_hunks'],
  ['a hunk that changes nothing', `${HEAD}@@ -1 +1 @@\n import { a } from './a'\n`, 'no_hunks'],
  ['no name anywhere', `@@ -5,3 +5,3 @@\n${EXACT}`, 'no_path'],
  ['binary', 'diff --git a/x.png b/x.png\nindex 1234567..89abcde 100644\nGIT binary patch\nliteral 3\n', 'binary'],
  ['binary, told only', 'diff --git a/x b/x\nBinary files a/x and b/x differ\n', 'binary'],
  ['a symbolic link', 'diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc/passwd\n', 'symlink'],
  ['a submodule', 'diff --git a/m b/m\nnew file mode 160000\n', 'gitlink'],
  ['set-uid', 'diff --git a/m b/m\nold mode 100644\nnew mode 104755\n', 'mode'],
  ['a copy', 'diff --git a/x b/y\ncopy from x\ncopy to y\n', 'copy'],
  ['a merge', 'diff --cc x\n@@@ -1,1 -1,1 +1,1 @@@\n', 'malformed'],
  ['a line without its blank', `${HEAD}@@ @@\n for x\nlost\n-a\n+b\n`, 'malformed'],
  ['a change after the fence', `\`\`\`\n${HEAD}@@ @@\n for x\n-a\n\`\`\`\n+b\n`, 'malformed'],
  ['a new file with context', '--- /dev/null\n+++ b/x\n@@ -0,0 +1,2 @@\n a\n+b\n', 'malformed'],
  ['an open block', 'x\n<<<<<<< SEARCH\na\n=======\nb\n', 'malformed'],
]
for (const [title, patch, reason] of refused) {
  test(`refused: ${title}`, () => {
    const parsed = parsePatch(patch)
    assert.equal(parsed.ok ? 'ok' : parsed.reason, reason)
  })
}

test('rename, with and without hunks, and never over a file', () => {
  const rename = 'diff --git a/x b/y\nsimilarity index 90%\nrename from x\nrename to y\n'
  const withHunk = `${rename}--- a/x\n+++ b/y\n@@ -1 +1 @@\n-one\n+two\n`
  const parsed = parsePatch(withHunk)
  assert.ok(parsed.ok)
  const store = new Map([['x', 'one\n']])
  const read = (path: string): Buffer | null => (store.has(path) ? Buffer.from(store.get(path) ?? '') : null)
  const result = applyPatch(read, parsed.files)
  assert.deepEqual(
    result.changes.map((change) => [change.path, change.bytes && Buffer.from(change.bytes).toString()]),
    [
      ['x', null],
      ['y', 'two\n'],
    ],
  )
  store.set('y', 'mine\n')
  assert.equal(applyPatch(read, parsed.files).ok, false)
})

test('a create never overwrites, and knows itself', () => {
  const parsed = parsePatch('--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+hello\n')
  assert.ok(parsed.ok)
  assert.equal(applyPatch(() => Buffer.from('other\n'), parsed.files).ok, false)
  const again = applyPatch(() => Buffer.from('hello\n'), parsed.files)
  assert.ok(again.ok && again.changes.length === 0)
})

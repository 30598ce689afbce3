/**
 * What models write, row by row: which form is taken, which refused, and that no doubt ever becomes a write.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyPatch, blobId } from './apply.ts'
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

const SETEXT = 'Title\n=======\nbody\n'
const CONFLICT = 'one two\n<<<<<<< HEAD\nfoo bar\n=======\nbaz qux\n>>>>>>> other\n'
const DEFS = 'def a():\n    x = 1\n    return one\n\ndef b():\n    x = 1\n    return two\n'
const block = (search: string, replace: string): string => `src/t.ts\n<<<<<<< SEARCH\n${search}=======\n${replace}>>>>>>> REPLACE\n`
const v4a = (body: string): string => `*** Begin Patch\n*** Update File: src/t.ts\n${body}*** End Patch\n`
/** git's names of two and of one line `foo();`. */
const INDEX = `diff --git a/src/t.ts b/src/t.ts\nindex ${blobId(Buffer.from('foo();\nfoo();\n')).slice(0, 7)}..${blobId(Buffer.from('foo();\n')).slice(0, 7)} 100644\n`
const ONE = '-    return one\n+    return 1\n'

/** Dividers within a block, anchors, and what would be applied to its own result. */
const DIVIDED: readonly Row[] = [
  ['a heading underlined like a divider: two readings fit', block(SETEXT, 'New\n=======\nbody\n'), null, SETEXT],
  ['a conflict in a block: two readings fit', block(CONFLICT.slice(8), 'foo baz\n'), null, CONFLICT],
  ['a divider within, and one reading fits', block('gone text\n', 'New\n=======\nbody\n'), 'New\n=======\nbody\n', 'gone text\n'],
  [
    'a divider within, and the longer reading fits',
    block('body\n=======\nlast line\n', 'end\n'),
    'body\nend\nbody\n',
    'body\nbody\n=======\nlast line\nbody\n',
  ],
  ['a divider within, and a second sending would be another reading', block('body\n=======\nlast line\n', 'end\n'), null, 'body\nbody\n=======\nlast line\n'],
  ['a divider within, and none fits', block(SETEXT, 'New\n'), null, 'Other\n=======\nbody\n'],
  [
    'two envelopes',
    v4a('@@\n-    return one\n+    return 1\n') + v4a('@@\n-    return two\n+    return 2\n'),
    DEFS.replace('one', '1').replace('two', '2'),
    DEFS,
  ],
  ['an anchor that is nowhere', v4a(`@@ def c():\n${ONE}`), null, DEFS],
  ['an anchor that ends otherwise', v4a(`@@ def\n@@ x =\n@@ retur\n${ONE}`), null, DEFS],
  ['an anchor below the text', v4a(`@@ def b():\n${ONE}`), null, DEFS],
  ['an anchor above the text', v4a(`@@ def a():\n${ONE}`), DEFS.replace('one', '1'), DEFS],
  ['an anchor that tells two places apart', v4a('@@ def b():\n-    x = 1\n+    x = 2\n'), DEFS.replace(/x = 1(?=\n.*two)/, 'x = 2'), DEFS],
  ['an anchor that is changed itself', v4a('@@ def b():\n-def b():\n+def c():\n'), DEFS.replace('b()', 'c()'), DEFS],
  ['applied already, above the anchor', v4a(`@@ def b():\n     x = 1\n-    return one\n+    return first\n`), null, DEFS.replace('one', 'first')],
  [
    'applied already, below the anchor',
    v4a(`@@ def a():\n     x = 1\n-    return one\n+    return first\n`),
    DEFS.replace('one', 'first'),
    DEFS.replace('one', 'first'),
  ],
  [
    'anchors within one another',
    v4a('@@ class B:\n@@     def f(self):\n-        return 0\n+        return 1\n'),
    'class A:\n    def f(self):\n        return 0\n\nclass B:\n    def f(self):\n        return 1\n',
    'class A:\n    def f(self):\n        return 0\n\nclass B:\n    def f(self):\n        return 0\n',
  ],
  ['anchors in the other order', v4a(`@@ def b():\n@@ def a():\n${ONE}`), null, DEFS],
  ['a unified header among anchors is a hint', v4a(`@@ -1,2 +1,2 @@ def b():\n${ONE}`), DEFS.replace('one', '1'), DEFS],
  ['a removal that would fit its own result', `${HEAD}@@ -2 +1,0 @@\n-foo();\n`, null, 'foo();\nfoo();\nfoo();\n'],
  ['a removal that would fit farther up in its own result', `${HEAD}@@ -3 +2,0 @@\n-remove();\n`, null, 'remove();\nbar();\nremove();\n'],
  ['a short line that its own result would not be believed to hold', `${HEAD}@@ -3 +2,0 @@\n-foo();\n`, 'foo();\nbar();\n', 'foo();\nbar();\nfoo();\n'],
  ['a removal with context above that would fit its own result', `${HEAD}@@ -1,2 +1 @@\n top\n-foo();\n`, null, 'top\nfoo();\nfoo();\n'],
  ['a removal held by context on both sides', `${HEAD}@@ -1,4 +1,3 @@\n top\n-foo();\n foo();\n end\n`, 'top\nfoo();\nend\n', 'top\nfoo();\nfoo();\nend\n'],
  ['a removal of the only line of its kind', `${HEAD}@@ -2 +1,0 @@\n-foo();\n`, 'top\nend\n', 'top\nfoo();\nend\n'],
  ['fewer lines that read like those that go', `${HEAD}@@ -1,2 +1 @@\n-foo();\n-foo();\n+foo();\n`, null, 'foo();\nfoo();\nfoo();\nfoo();\n'],
  [
    'insertions without context that move one another',
    `${HEAD}@@ -1,0 +2,2 @@\n+one\n+two\n@@ -3,0 +6 @@\n+foo\n`,
    'a\none\ntwo\nb\nc\nfoo\nd\n',
    'a\nb\nc\nd\n',
  ],
  ['the same, sent again', `${HEAD}@@ -1,0 +2,2 @@\n+one\n+two\n@@ -3,0 +6 @@\n+foo\n`, null, 'a\none\ntwo\nb\nc\nfoo\nd\n'],
  ['the file before, by its blob', `${INDEX}${HEAD}@@ -2 +1,0 @@\n-foo();\n`, 'foo();\n', 'foo();\nfoo();\n'],
  ['the file after, by its blob', `${INDEX}${HEAD}@@ -2 +1,0 @@\n-foo();\n`, 'foo();\n', 'foo();\n'],
]

const STEPS = 'steps:\n  - run: one\n-\nafter: this line\nend\n'
const SQL = '1\nalpha\n-- f\nbeta\n5\n6\n7\n8\nxxxxx\n'
const BULLETS = '\n- it mends the cause\n- it keeps the rest\n  of it\n'

/** Lines that look like another part of a diff, and parts of it that look like lines. */
const LOOKALIKES: readonly Row[] = [
  ['a removed dash is no signature', `${HEAD}@@ ... @@\n steps:\n-  - run: one\n--\n after: this line\n`, STEPS.replace('  - run: one\n-\n', ''), STEPS],
  [
    'a removed dash and a blank, with wrong counts',
    `${HEAD}@@ -1,9 +1,9 @@\n steps:\n-  - run: one\n-- \n after: this line\n`,
    STEPS.replace('  - run: one\n-\n', ''),
    STEPS,
  ],
  [
    'counts that are right for what stands above a removed dash',
    `${HEAD}@@ -1,2 +1,1 @@\n steps:\n-  - run: one\n--\n after: this line\n`,
    STEPS.replace('  - run: one\n-\n', ''),
    STEPS,
  ],
  ['counts that are right for what stands above a dash, the last line', `${HEAD}@@ -1,2 +1,1 @@\n steps:\n-  - run: one\n--\n`, null, STEPS],
  ['a signature, and a file with a dash', `${HEAD}@@ -1,2 +1,1 @@\n steps:\n-  - run: one\n-- \n2.43.0\n\n`, STEPS.replace('  - run: one\n', ''), STEPS],
  ['a signature below a hunk without counts', `${HEAD}@@\n steps:\n-  - run: one\n-- \n2.39.5 (Apple Git-154)\n`, STEPS.replace('  - run: one\n', ''), STEPS],
  [
    'names of a file that the counts say are none',
    `${HEAD}@@ -3 +3 @@\n--- f\n+++ f\n@@ -9 +9 @@\n-xxxxx\n+y\n`,
    SQL.replace('-- f', '++ f').replace('xxxxx', 'y'),
    SQL,
  ],
  ['names of a file or lines, and no counts', `${HEAD}@@\n 1\n alpha\n-three\n--- f\n+++ f\n@@\n-xxxxx\n+y\n`, null, SQL],
  ['names of a file or lines, and the file has one', `${HEAD}@@\n-alpha line\n--- f\n+++ f\n@@\n-xxxxx\n+y\n`, null, `alpha line\n${SQL}`],
  ['lines like names of a file, without a hunk below', `${HEAD}@@\n alpha\n--- f\n+++ f\n beta\n`, SQL.replace('-- f', '++ f'), SQL],
  ['bullets below a hunk without numbers', `${HEAD}@@\n${EXACT}${BULLETS}`, WANT],
  ['bullets below a hunk with wrong counts, and talk below them', `${HEAD}@@ -5,9 +5,1 @@\n${EXACT}${BULLETS}Done.\n`, WANT],
  ['bullets that are removed lines', `${HEAD}@@\n top\n\n- one word\n- two words\n end\n`, 'top\n\nend\n', 'top\n\n one word\n two words\nend\n'],
  ['bullets at the end that are removed lines', `${HEAD}@@\n-top line\n\n- one word\n`, '\nend\n', 'top line\n\n one word\nend\n'],
  ['bullets of which the file has one, elsewhere', `${HEAD}@@\n-top line\n\n- one word\n- gone\n`, null, 'top line\n\nend\n one word\n'],
  ['bullets below right counts of which the file has one', `${HEAD}@@ -1 +0,0 @@\n-top line\n\n- one word\n`, null, 'top line\n\n one word\nend\n'],
  ['a line that stays, its blank lost, and would be added', `${HEAD}@@\n top line\n+ plus\n-gone line\n`, null, 'top line\n+ plus\ngone line\n'],
  ['an insertion whose old line was lost', `${HEAD}@@ -1,1 +1,9 @@\n+new\n\n`, null, '\nend\n'],
  ['an insertion whose numbers disagree', `${HEAD}@@ -1,0 +9,1 @@\n+new\n`, null, 'top\nend\n'],
  [
    'a line added below its like, beside a change that is new',
    `${HEAD}@@ -1,2 +1,2 @@\n-top line\n+new line\n mid line\n@@ -4,2 +4,3 @@\n -\n+-\n end line\n`,
    null,
    'top line\nmid line\n-\n-\nend line\n',
  ],
]

const NESTED = 'class A {\n    run() {\n        if (ready) {\n            if (isOpen) {\n                first()\n            }\n        }\n    }\n}\n'
const DEEPER = NESTED.replace('first()\n', 'first()\n                q()\n')
const SEARCHED = '  if (ready) {\n    if (isOpen) {\n      first()\n    }\n  }\n'

/** Context with another indentation than the file's, and what that says of the added lines. */
const INDENTED: readonly Row[] = [
  [
    'added lines of a block follow its context to the indentation of the file',
    block(SEARCHED, SEARCHED.replace('first()\n', 'first()\n      q()\n')),
    DEEPER,
    NESTED,
  ],
  ['an added line deeper than any that the block shows', block(SEARCHED, SEARCHED.replace('first()\n', 'first()\n        q()\n')), null, NESTED],
  ['an indentation that stands for two of the file', block('  if (isOpen) {\n  first()\n', '  if (isOpen) {\n  first()\n  q()\n'), null, NESTED],
  ['one that the file has as well, for another', block('    run() {\n    if (ready) {\n', '    run() {\n    q()\n    if (ready) {\n'), null, NESTED],
  [
    'an indented line that goes shows how the others are meant',
    `${HEAD}@@\n     if (ready) {\n       if (isOpen) {\n-                first()\n+                q()\n       }\n`,
    NESTED.replace('first', 'q'),
    NESTED,
  ],
  ['tabs in the context, blanks in what is added', `${HEAD}@@\n \tif (isOpen) {\n \t\tfirst()\n+                q()\n \t}\n`, DEEPER, NESTED],
  ['tabs throughout a diff, for blanks: the added line may be meant as it is', `${HEAD}@@\n \tif (isOpen) {\n \t\tfirst()\n+\t\tq()\n \t}\n`, null, NESTED],
  ['tabs throughout a block, for blanks', block('\tif (isOpen) {\n\t\tfirst()\n', '\tif (isOpen) {\n\t\tfirst()\n\t\tq()\n'), DEEPER, NESTED],
  [
    'a comment of one blank below context of half its blanks',
    `${HEAD}@@\n  manifest: 1\n }\n+/*\n+ * What it is.\n+ */\n class B {\n`,
    null,
    'type A = {\n  manifest: 1\n}\nclass B {\n}\n',
  ],
  ['sent again after it was indented', block('    if (isOpen) {\n      first()\n', '    if (isOpen) {\n      first()\n      q()\n'), DEEPER, DEEPER],
]

const TWICE = `export function a(items) {
  const total = compute(items)
  console.log(total)  
  return total
}
export function b(items) {
  const total = compute(items)
  return total
}
`
const GOES = (line: string) => `${HEAD}@@\n   const total = compute(items)\n-${line}\n   return total\n`

const LOGS = 'top line\nlog(x)\nmid line\nlog(x)\nend line\n'
const ONE_LOG = `${HEAD}@@\n top line\n-log(x)\n mid line\n`

/** A removal whose context also stands side by side elsewhere. */
const REMOVALS: readonly Row[] = [
  ['its line has lost blanks at its end', GOES('  console.log(total)'), TWICE.replace('  console.log(total)  \n', ''), TWICE],
  ['its line is another', GOES('  console.log(totals)'), null, TWICE],
  [
    'its line is another, in a block',
    block('  const total = compute(items)\n  log(total)\n  return total\n', '  const total = compute(items)\n  return total\n'),
    null,
    TWICE,
  ],
  ['its line stands as it is, and its numbers point at the other place', GOES('  console.log(total)  ').replace('@@', '@@ -7,3 +7,2 @@'), null, TWICE],
  [
    'its line is another, and a line that stays is written twice',
    GOES('  log(total)').replace('   return total', '-  return total\n+  return total'),
    null,
    TWICE,
  ],
  ['sent again, and its line stands elsewhere', ONE_LOG, null, LOGS.replace('log(x)\n', '')],
  [
    'sent again, and its line stands elsewhere, by its blob',
    `diff --git a/src/t.ts b/src/t.ts\nindex ${blobId(Buffer.from(LOGS)).slice(0, 7)}..${blobId(Buffer.from(LOGS.replace('log(x)\n', ''))).slice(0, 7)} 100644\n${ONE_LOG}`,
    LOGS.replace('log(x)\n', ''),
    LOGS.replace('log(x)\n', ''),
  ],
  ['its line is another, beside a change that fits', `${GOES('  log(totals)')}@@\n-export function b(items) {\n+export function c(items) {\n`, null, TWICE],
  ['sent again, without numbers', GOES('  console.log(total)'), null, TWICE.replace('  console.log(total)  \n', '')],
  [
    'sent again, with its numbers',
    GOES('  console.log(total)').replace('@@', '@@ -2,3 +2,2 @@'),
    TWICE.replace('  console.log(total)  \n', ''),
    TWICE.replace('  console.log(total)  \n', ''),
  ],
]

test('a V4A patch that was cut off is none', () => {
  const whole = v4a(`@@ def b():\n${ONE}`)
  for (const text of [whole.replace(/\*\*\* End Patch\n?$/, ''), whole.slice(0, -20), '*** Begin Patch\n*** Add File: z.js\n+one\n+tw']) {
    const parsed = parsePatch(text)
    assert.ok(!parsed.ok, text)
  }
})

/** Little to recognise a place by. */
const SHORT: readonly Row[] = [
  ['one short line goes, and stands once', `${HEAD}@@\n-one\n+11\n`, '11\ntwo\nthree\n', 'one\ntwo\nthree\n'],
  ['one short line in a block', block('two\n', '2\n'), 'one\n2\nthree\n', 'one\ntwo\nthree\n'],
  ['one short line that stands twice', `${HEAD}@@\n-one\n+11\n`, null, 'one\ntwo\none\n'],
  ['one short line, and a stated one that is not it', `${HEAD}@@ -9 +9 @@\n-two\n+2\n`, null, 'one\ntwo\nthree\n'],
  ['a brace goes, and stands once', `${HEAD}@@\n-}\n+};\n`, null, 'one\n}\nthree\n'],
]

const TOTALS = 'one\nalpha beta\nreturn totals\ntwo\n'
const STAYS = ' one\n-alpha beta\n+alpha gamma\n return tot'

const rows: readonly Row[] = [
  ...SHORT,
  ...LOOKALIKES,
  ...INDENTED,
  ...REMOVALS,
  ['a well-formed diff', `${HEAD}@@ -5,3 +5,3 @@\n${EXACT}`, WANT],
  ['wrong line numbers', `${HEAD}@@ -50,3 +50,3 @@\n${EXACT}`, WANT],
  ['wrong counts', `${HEAD}@@ -5,9 +5,1 @@\n${EXACT}`, WANT],
  ['wrong counts, one of them too small, and no line break at the end', `${HEAD}@@ -5,9 +5,1 @@\n${EXACT}`.trimEnd(), WANT],
  ['counts that are too large', `${HEAD}@@ -5,9 +5,9 @@\n${EXACT}`, WANT],
  ['right counts, and no line break at the end', `${HEAD}@@ -5,3 +5,3 @@\n${EXACT}`.trimEnd(), WANT],
  [
    'counts that are too large, and a line that says that it ends the file',
    `${HEAD}@@ -2,9 +2,9 @@\n }\n-end\n+END\n\\ No newline at end of file`,
    'x\n}\nEND',
    'x\n}\nend\n',
  ],
  ['half a line that stays, and counts that go on', `${HEAD}@@ -1,3 +1,9 @@\n${STAYS}`, null, TOTALS],
  ['the same with its line break', `${HEAD}@@ -1,3 +1,9 @@\n${STAYS}\n`, TOTALS.replace('beta', 'gamma'), TOTALS],
  ['the same with counts that end there', `${HEAD}@@ -1,3 +1,3 @@\n${STAYS}`, TOTALS.replace('beta', 'gamma'), TOTALS],
  ['the last line break lost with its CR', `${HEAD}@@ -1 +1,2 @@\n alpha beta\r\n+gamma`, 'alpha beta\r\ngamma\r\n', 'alpha beta\r\n'],
  ['the last line break lost of a line that has no CR', `${HEAD}@@ -1 +1 @@\n-alpha beta\r\n+gamma`, 'gamma\n', 'alpha beta\r\n'],
  [
    'the last line break lost of a CRLF patch, behind the mark of the end',
    `${HEAD}@@ -1 +1 @@\n-alpha beta\n\\ No newline at end of file\n+gamma\n\\ No newline at end of file`.replaceAll('\n', '\r\n'),
    'gamma',
    'alpha beta',
  ],
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
  ['two places whose result would be known, none stated', `${HEAD}@@ @@\n const value = 1\n+const other = 2\n`, null, 'const value = 1\n\nconst value = 1\n'],
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
  ['two insertions at one place, whose order would be a guess', `${HEAD}@@ -5,0 +6 @@\n+    // a\n@@ -5,0 +7 @@\n+    // b\n`, null],
  [
    'two insertions at one place of the file before, by its blob',
    `diff --git a/src/t.ts b/src/t.ts\nindex ${blobId(Buffer.from(SOURCE)).slice(0, 7)}..1234567 100644\n${HEAD}@@ -5,0 +6 @@\n+    // a\n@@ -5,0 +7 @@\n+    // b\n`,
    null,
  ],
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
  ...DIVIDED,
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
  ['a line that stays, its blank lost below an empty line', `${HEAD}@@\n for x\n-a\n\nlost\n   b\n-  c\n`, 'malformed'],
  ['the same with its counts', `${HEAD}@@ -1,6 +1,4 @@\n for x\n-a\n\nlost\n   b\n-  c\n`, 'malformed'],
  ['the same with counts that end there', `${HEAD}@@ -1,3 +1,2 @@\n for x\n-a\n\nlost\n-  c\n`, 'malformed'],
  ['a fence that stays, its blank lost', `${HEAD}@@\n-Text here one\n\n\`\`\`\n-  code\n\`\`\`\n end of it\n`, 'malformed'],
  ['a comment that goes, below a line whose blank is lost', `${HEAD}@@\n-a\n\nlost\n- * comment\n`, 'malformed'],
  ['a bullet that goes, below a line whose blank is lost', `${HEAD}@@\n-a\n\nlost\n-- item\n`, 'malformed'],
  ['an empty line that goes, below a line whose blank is lost', `${HEAD}@@\n-a\n\nlost\n-\n`, 'malformed'],
  ['a change above the first hunk', `${HEAD}-a\n+b\n@@\n-c\n+d\n`, 'malformed'],
  ['an added line or the name of the next file', `${HEAD}@@\n-a\n+b\n+++ b/y\n@@\n-c\n+d\n`, 'malformed'],
  ['a change after the fence', `\`\`\`\n${HEAD}@@ @@\n for x\n-a\n\`\`\`\n+b\n`, 'malformed'],
  ['a new file with context', '--- /dev/null\n+++ b/x\n@@ -0,0 +1,2 @@\n a\n+b\n', 'malformed'],
  ['a marker within a block', 'x\n<<<<<<< SEARCH\na\n<<<<<<< SEARCH\n=======\nb\n>>>>>>> REPLACE\n', 'malformed'],
  ['an end within a block', 'x\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\nc\n>>>>>>> REPLACE\n', 'malformed'],
  ['more dividers than can be tried', `x\n<<<<<<< SEARCH\na\n${'=======\nb\n'.repeat(40)}>>>>>>> REPLACE\n`, 'malformed'],
  ['a divided block of which one reading changes nothing', block('a\n=======\nb\n', 'a\n=======\nb\n'), 'malformed'],
  ['an envelope below a block', `${block('a\n', 'b\n')}${v4a('@@\n-a\n+b\n')}`, 'malformed'],
  ['a diff below an envelope', `${v4a('@@\n-a\n+b\n')}${HEAD}@@ -1 +1 @@\n-a\n+b\n`, 'malformed'],
  ['a block below a diff', `${HEAD}@@ -1 +1 @@\n-a\n+b\n${block('a\n', 'b\n')}`, 'malformed'],
  ['an envelope without its end', v4a('@@\n-a\n+b\n').replace('*** End Patch\n', ''), 'malformed'],
  ['a second envelope without its end', `${v4a('@@\n-a\n+b\n')}*** Begin Patch\n*** Add File: x\n+one\n+tw`, 'malformed'],
  ['half a line, and a header that counts on', `${HEAD}@@ -1 +1 @@\n-a\n+b\n@@ -9,2 +9,4 @@\n   c\n-d\n+e\n+hal`, 'malformed'],
  ['a hunk cut off above its first change', `${HEAD}@@ -1 +1 @@\n-a\n+b\n@@ -9,2 +9,4 @@\n   c\n`, 'malformed'],
  ['a hunk of which there is the header alone', `${HEAD}@@ -1 +1 @@\n-a\n+b\n@@ -9,2 +9`, 'malformed'],
  ['a new file that ends in half a line', '--- /dev/null\n+++ b/x\n@@ -0,0 +1,40 @@\n+one\n+tw', 'malformed'],
  ['a new file without its lines', 'diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1,40 @@\n', 'malformed'],
  ['half a line behind which the CR stands', `${HEAD}@@ -1,2 +1,4 @@\n a\r\n+b\r`, 'malformed'],
  ['a line goes, and what takes its place is cut off', `${HEAD}@@ -1,3 +1,3 @@\n a\n-b`, 'malformed'],
  ['the same behind the mark of the end', `${HEAD}@@ -1,2 +1,2 @@\n a\n-b\n\\ No newl`, 'malformed'],
  ...['@', 'diff', 'diff --gi', 'diff --git a/y b/y', 'diff --git a/y b/y\nindex 1234567..89abcde 100644\n--- a/y\n+++ b/y\n'].map(
    (cut): readonly [string, string, string] => [`a second file of which there is ${JSON.stringify(cut)}`, `${HEAD}@@ -1 +1 @@\n-a\n+b\n${cut}`, 'malformed'],
  ),
  ['a new file by its blob id, without its lines', 'diff --git a/x b/x\nnew file mode 100644\nindex 0000000..89abcde\n', 'malformed'],
  ['a mode and other lines by their blob ids, without them', 'diff --git a/x b/x\nold mode 100644\nnew mode 100755\nindex 1234567..89abcde\n', 'malformed'],
  ['another name and other lines by their share, without them', 'diff --git a/x b/y\nsimilarity index 90%\nrename from x\nrename to y\n', 'malformed'],
  ['files without an envelope', '*** Update File: x\n@@\n-a\n+b\n', 'malformed'],
  ['an open block', 'x\n<<<<<<< SEARCH\na\n=======\nb\n', 'malformed'],
]
for (const [title, patch, reason] of refused) {
  test(`refused: ${title}`, () => {
    const parsed = parsePatch(patch)
    assert.equal(parsed.ok ? 'ok' : parsed.reason, reason)
  })
}

test('a file may have a header alone that tells of no lines', () => {
  for (const header of [
    'diff --git a/x b/x\nnew file mode 100644\nindex 0000000..e69de29\n',
    'diff --git a/x b/x\ndeleted file mode 100644\nindex e69de29..0000000\n',
    'diff --git a/x b/x\nold mode 100644\nnew mode 100755\n',
    'diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n',
  ]) {
    const parsed = parsePatch(`--- a/z\n+++ b/z\n@@ -1 +1 @@\n-a\n+b\n${header}`)
    assert.equal(parsed.ok && parsed.files.length, 2, header)
  }
})

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

const told: readonly (readonly [title: string, patch: string, source: string | Buffer | null, words: RegExp])[] = [
  ['made where a file is', '--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+new\n', 'old\n', /there is a file already/],
  ['removed although it changed', '--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-old line\n', 'old line\nmore\n', /it has other lines than the patch takes away/],
  ['no such file', '--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n', null, /There is no such file/],
  [
    'an insertion that names no place',
    '*** Begin Patch\n*** Update File: x\n@@\n+tail\n*** End of File\n*** End Patch\n',
    'a\n',
    /names no place: put an unchanged line/,
  ],
  ['UTF-16', '--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n', Buffer.from('\ufeffa\n', 'utf16le'), /UTF-16, and only UTF-8 and Latin-1 text/],
  ['bytes', '--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n', 'a\0\n', /is binary, and only/],
  ['an anchor that is nowhere', v4a(`@@ def c():\n${ONE}`).replace('src/t.ts', 'x'), DEFS, /No line of the file reads like the anchor "def c\(\):"/],
  ['an anchor below the text', v4a(`@@ def b():\n${ONE}`).replace('src/t.ts', 'x'), DEFS, /does not stand below the anchor "def b\(\):" \(line 5\)/],
  ['several dividers', block(SETEXT, 'New\n').replace('src/t.ts', 'x'), SETEXT, /divided at 2 of its ======= lines. Send this change as a unified diff/],
  [
    'a bullet that may go',
    '--- a/x\n+++ b/x\n@@\n-top line\n\n- one word\n- gone\n',
    'top line\n\nend\n one word\n',
    /Line 4 of the file, " one word", reads like a line that the patch may take away/,
  ],
  [
    'another indentation, and an added line that it does not place',
    block(SEARCHED, SEARCHED.replace('first()\n', 'first()\n        q()\n')).replace('src/t.ts', 'x'),
    NESTED,
    /another indentation, and how far the added lines are to be indented there is in doubt[^]* {2}5\| {17}first\(\)/,
  ],
  [
    'too short',
    '--- a/x\n+++ b/x\n@@\n-}\n+};\n',
    'one\n}\nthree\n',
    /stands at line 2 only, but it is too short to tell that place from another. Add unchanged lines/,
  ],
  ['its own result', '--- a/x\n+++ b/x\n@@ -2 +1,0 @@\n-foo();\n', 'foo();\nfoo();\n', /Once applied it would fit again/],
]
for (const [title, patch, source, words] of told)
  test(`told: ${title}`, () => {
    const parsed = parsePatch(patch)
    assert.ok(parsed.ok, JSON.stringify(parsed))
    const result = applyPatch(() => (source === null ? null : Buffer.from(source)), parsed.files)
    assert.equal(result.ok, false)
    assert.match(explainPatch(result), words)
  })

const fits: readonly (readonly [title: string, patch: string, source: string, words: RegExp])[] = [
  ['exactly', `${HEAD}@@ -5,3 +5,3 @@\n${EXACT}`, SOURCE, /:5 fits, exact$/],
  ['farther down', `${HEAD}@@ -3,3 +3,3 @@\n${EXACT}`, SOURCE, /:5 fits, 2 lines below where the patch says$/],
  ['but for the indentation of the context', `${HEAD}@@ -5,3 +5,3 @@\n${BODY}`, SOURCE, /:5 fits, indentation of unchanged lines aside$/],
  ['but for blanks at the end', `${HEAD}@@\n${EXACT}`, SOURCE.replace('items) {\n    sum', 'items) { \n    sum'), /:5 fits, blanks at the end of lines aside$/],
  [
    'but for a word',
    `${HEAD}@@ -4,3 +4,3 @@\n${EXACT.replace('item of', 'entry of')}`,
    SOURCE,
    /:5 fits, 1 line below where the patch says, a word of an unchanged line aside$/,
  ],
  ['once indented', block(SEARCHED, SEARCHED.replace('first()\n', 'first()\n      q()\n')), NESTED, /:3 fits, the added lines indented as the file is$/],
]
for (const [title, patch, source, words] of fits)
  test(`said to fit: ${title}`, () => {
    const parsed = parsePatch(patch)
    assert.ok(parsed.ok, JSON.stringify(parsed))
    assert.match(explainPatch(applyPatch(() => Buffer.from(source), parsed.files)), words)
  })

test('the path of a block may stand in a sentence', () => {
  for (const above of ['In `src/t.ts`:', 'Now **`src/t.ts`**, which sums:', '`src/t.ts`:', 'File: `src/t.ts`\n```ts']) {
    const parsed = parsePatch(block('a\n', 'b\n').replace('src/t.ts', above))
    assert.equal(parsed.ok ? parsed.files[0]?.newPath : parsed.message, 'src/t.ts')
  }
})

test('a text that ends within a header is cut off; one whose last name is whole is not', () => {
  const added = 'diff --git a/src/handler.ts b/src/handler.ts\nnew file mode 100644\n'
  const renamed = 'diff --git a/test/sum.test.js b/test/total.test.js\nsimilarity index 100%\nrename from test/sum.test.js\nrename to test/total.t'
  for (const text of [`${added}index 0000000..4c`, `${added}--- /dev/null\n+++ b/src/han`, renamed]) assert.ok(!parsePatch(text).ok, text)
  for (const text of [added.trimEnd(), `${renamed}est.js`]) assert.ok(parsePatch(text).ok, text)
})

test('a rename with an edit, of names with blanks, as git writes it', () => {
  const diff =
    'diff --git a/my notes.md b/our notes.md\nsimilarity index 60%\nrename from my notes.md\nrename to our notes.md\nindex 0fdf397..1c59427 100644\n--- a/my notes.md\t\n+++ b/our notes.md\t\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n'
  const parsed = parsePatch(diff)
  assert.ok(parsed.ok, JSON.stringify(parsed))
  const { ok, changes } = applyPatch((path) => (path === 'my notes.md' ? Buffer.from('one\ntwo\n') : null), parsed.files)
  assert.deepEqual(
    [ok, changes.map(({ path, bytes }) => [path, bytes && Buffer.from(bytes).toString()])],
    [
      true,
      [
        ['my notes.md', null],
        ['our notes.md', 'one\n2\n'],
      ],
    ],
  )
})

test('what is not there cannot be deleted: it may never have been', () => {
  for (const hunk of [
    '--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-hello\n',
    'diff --git a/x b/x\ndeleted file mode 100644\nindex e69de29..0000000\n',
    '*** Begin Patch\n*** Delete File: x\n*** End Patch\n',
  ]) {
    const parsed = parsePatch(hunk)
    assert.ok(parsed.ok, hunk)
    const { ok, files } = applyPatch(() => null, parsed.files)
    assert.deepEqual([ok, files[0]?.hunks], [false, [{ kind: 'rejected', reason: 'not_found', found: 'no_file' }]], hunk)
  }
})

test('of a rename that is sent again only its hunks tell that it was made', () => {
  const rename = 'diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n'
  for (const [patch, outcome] of [
    [rename, { kind: 'rejected', reason: 'not_found', found: 'no_file' }],
    [`${rename}@@ -1 +1 @@\n-one line\n+two lines\n`, { kind: 'already_applied', line: 1 }],
  ] as const) {
    const parsed = parsePatch(patch)
    assert.ok(parsed.ok, patch)
    const { files, changes } = applyPatch((path) => (path === 'y' ? Buffer.from('two lines\n') : null), parsed.files)
    assert.deepEqual([files[0]?.hunks, changes], [[outcome], []], patch)
  }
})

test('a create never overwrites, and knows itself', () => {
  const parsed = parsePatch('--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+hello\n')
  assert.ok(parsed.ok)
  assert.equal(applyPatch(() => Buffer.from('other\n'), parsed.files).ok, false)
  const again = applyPatch(() => Buffer.from('hello\n'), parsed.files)
  assert.ok(again.ok && again.changes.length === 0)
})

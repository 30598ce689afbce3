import assert from 'node:assert/strict'
import { test } from 'node:test'
import { autonomyOf, countHunks, hunksOf, type Span } from './autonomy.ts'

const DIFF = `diff --git a/src/a.ts b/src/a.ts
index 1..2 100644
--- a/src/a.ts
+++ b/src/a.ts
@@ -3 +3,2 @@ export function a() {
-old
+@@ -1 +1 @@
+++ b/not-a-header
@@ -9,2 +10,0 @@
-x
-y
\\ No newline at end of file
diff --git a/logo.png b/logo.png
index 1..2 100644
Binary files a/logo.png and b/logo.png differ
diff --git a/.vp/runs/r/artifact_manifest.json b/.vp/runs/r/artifact_manifest.json
new file mode 100644
--- /dev/null
+++ b/.vp/runs/r/artifact_manifest.json
@@ -0,0 +1 @@
+{}
`

test('hunks are read by their own lengths; .vp is none of it', () => {
  assert.deepEqual(
    hunksOf(DIFF).map(({ file, now }) => [file.split(' b/')[1], now.at, now.lines]),
    [
      ['src/a.ts', 3, 2],
      ['src/a.ts', 10, 0],
      ['logo.png', 0, Number.MAX_SAFE_INTEGER],
    ],
  )
})

const cases: [title: string, run: Span, person: Span, changed: number][] = [
  ['a line of it is rewritten', { at: 3, lines: 2 }, { at: 4, lines: 1 }, 1],
  ['the line above it is', { at: 3, lines: 2 }, { at: 2, lines: 1 }, 0],
  ['the line below it is', { at: 3, lines: 2 }, { at: 5, lines: 1 }, 0],
  ['something is written into it', { at: 3, lines: 2 }, { at: 3, lines: 0 }, 1],
  ['something is written above it', { at: 3, lines: 2 }, { at: 2, lines: 0 }, 0],
  ['something is written below it', { at: 3, lines: 2 }, { at: 4, lines: 0 }, 0],
  ['what it deleted comes back', { at: 10, lines: 0 }, { at: 10, lines: 0 }, 1],
  ['the lines around a deletion are rewritten as one', { at: 10, lines: 0 }, { at: 10, lines: 2 }, 1],
  ['the line before a deletion is rewritten', { at: 10, lines: 0 }, { at: 10, lines: 1 }, 0],
]
for (const [title, now, old, changed] of cases)
  test(`a hunk of the run and a person: ${title}`, () => {
    const file = 'diff --git a/a b/a'
    assert.deepEqual(countHunks([{ file, old: now, now }], [{ file, old, now: old }]), { applied: 1, changed })
    assert.equal(countHunks([{ file, old: now, now }], [{ file: 'diff --git a/b b/b', old, now: old }]).changed, 0)
  })

test('one hunk that is changed twice counts once; runs are added up, and nothing of nothing is null', () => {
  const file = 'diff --git a/a b/a'
  const whole = { file, old: { at: 0, lines: 0 }, now: { at: 1, lines: 9 } }
  const edit = (at: number) => ({ file, old: { at, lines: 1 }, now: { at, lines: 1 } })
  assert.deepEqual(countHunks([whole], [edit(2), edit(5)]), { applied: 1, changed: 1 })
  assert.equal(
    autonomyOf([
      { applied: 3, changed: 1 },
      { applied: 1, changed: 0 },
    ]),
    0.75,
  )
  assert.equal(autonomyOf([{ applied: 0, changed: 0 }]), null)
  assert.equal(autonomyOf([]), null)
})

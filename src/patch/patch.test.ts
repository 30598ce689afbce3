/**
 * Properties of the engine: apply(diff(a, b), a) = b and reverse ∘ apply = id over line ends and encodings, agreement
 * with git apply, and no write where a place is in doubt. Seeded: a failure names its case.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { applyPatch, applyToText } from './apply.ts'
import { makeFileDiff, makeUnifiedDiff, reverse, rewrite } from './make.ts'
import { parsePatch } from './parse.ts'
import { decode, decodePatch, encode, joinLines, splitLines, type TextFile } from './text-file.ts'
import type { FilePatch, LineEnd } from './types.ts'

function generator(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 0x1_0000_0000) * below)
  }
}

const WORDS = ['a', 'b', '', '  }', '\treturn x', 'const é = 1', 'x = 2 ', '-- sql', '++ c', '@@', 'diff --git', '\\ no', '--- x', '+++ y']

function randomLines(next: (below: number) => number, size: number): string[] {
  return Array.from({ length: next(size) }, () => {
    const word = WORDS[next(WORDS.length)] ?? ''
    return next(3) === 0 ? `${word}${next(20)}` : word
  })
}

function mutate(next: (below: number) => number, lines: readonly string[]): string[] {
  const out = [...lines]
  for (let edits = 1 + next(4); edits > 0; edits--) {
    const at = next(out.length + 1)
    const kind = next(3)
    if (kind === 0) out.splice(at, next(3))
    else if (kind === 1) out.splice(at, 0, ...randomLines(next, 4))
    else out.splice(at, 1, `new ${next(9)}`)
  }
  return out
}

type Flavour = { readonly title: string; readonly end: LineEnd; readonly bom?: boolean; readonly latin1?: boolean }
const FLAVOURS: readonly Flavour[] = [
  { title: 'LF', end: '\n' },
  { title: 'CRLF', end: '\r\n' },
  { title: 'CR', end: '\r' },
  { title: 'BOM', end: '\n', bom: true },
  { title: 'BOM and CRLF', end: '\r\n', bom: true },
  { title: 'Latin-1', end: '\n', latin1: true },
]

function file(flavour: Flavour, lines: readonly string[], hasFinalEnd: boolean): TextFile {
  const text = lines.map((line, at) => line + (at < lines.length - 1 || hasFinalEnd ? flavour.end : '')).join('')
  return { encoding: flavour.latin1 ? 'latin-1' : 'utf-8', bom: flavour.bom === true, ...splitLines(text) }
}

/** As the bytes would be read: a Latin-1 file without a byte above ASCII is UTF-8. */
function pair(flavour: Flavour, seed: number): [TextFile, TextFile] {
  const next = generator(seed)
  const head = flavour.latin1 ? ['é head'] : []
  const before = [...head, ...randomLines(next, 40)]
  const after = [...head, ...mutate(next, before.slice(head.length))]
  return [decode(encode(file(flavour, before, next(4) > 0))), decode(encode(file(flavour, after, next(4) > 0)))]
}

function parsed(diff: string): FilePatch {
  const result = parsePatch(diff)
  assert.ok(result.ok, JSON.stringify(result))
  const [patch] = result.files
  assert.ok(patch)
  return patch
}

for (const flavour of FLAVOURS) {
  test(`apply(diff(a, b), a) = b and back: ${flavour.title}`, () => {
    for (let seed = 1; seed <= 100; seed++) {
      const [before, after] = pair(flavour, seed)
      const diff = makeFileDiff('f', before, after)
      if (diff === '') continue
      const patch = parsed(diff)
      const there = applyToText(before, patch)
      assert.ok(there.ok && there.text !== null, `seed ${seed}\n${diff}${JSON.stringify(there.hunks)}`)
      assert.deepEqual(encode(there.text), encode(after), `seed ${seed}\n${diff}`)
      const back = applyToText(after, reverse(patch))
      assert.ok(back.ok && back.text !== null, `seed ${seed} back\n${diff}${JSON.stringify(back.hunks)}`)
      assert.deepEqual(encode(back.text), encode(before), `seed ${seed} back\n${diff}`)
      const again = applyToText(after, patch)
      assert.ok(!again.ok || encode(again.text ?? after).equals(encode(after)), `seed ${seed} twice\n${diff}`)
    }
  })
}

test('a whole new content keeps the line ends, encoding and mark of the file, however it was sent', () => {
  for (const flavour of FLAVOURS)
    for (let seed = 1; seed <= 100; seed++) {
      const [before, wanted] = pair(flavour, seed)
      // What has no line end has none to keep.
      if (before.ends.every((end) => end === '') || wanted.ends.every((end) => end === '')) continue
      const text = joinLines(wanted)
      for (const sent of [text, text.replaceAll(/\r\n|\r/g, '\n'), text.replaceAll(/\r\n|[\r\n]/g, '\r\n')])
        assert.deepEqual(encode(rewrite(before, sent)), encode({ ...wanted, encoding: before.encoding }), `${flavour.title}, seed ${seed}`)
    }
})

const rewritten: [title: string, before: string, sent: string, after: string][] = [
  ['mixed ends: lines that stay keep theirs', 'a\r\nb\nc\r\n', 'a\nb\nx\nc\n', 'a\r\nb\nx\r\nc\r\n'],
  ['a final end that comes', 'a\r\nb', 'a\nb\n', 'a\r\nb\r\n'],
  ['a final end that goes', 'a\r\nb\r\n', 'a\nb', 'a\r\nb'],
  ['nothing is left', 'a\r\n', '', ''],
  ['a file without line ends', 'a', 'b\r\nc\r\n', 'b\r\nc\r\n'],
  ['a lone CR is content', 'a\n', 'a\rb\n', 'a\rb\n'],
  ['the byte-order mark is sent too', '\uFEFFa\n', '\uFEFFb\n', '\uFEFFb\n'],
  ['the byte-order mark is not sent', '\uFEFFa\n', 'b\n', '\uFEFFb\n'],
]
for (const [title, before, sent, after] of rewritten)
  test(`a whole new content: ${title}`, () => assert.equal(encode(rewrite(decode(Buffer.from(before)), sent)).toString(), after))

/** Lines that look like parts of a diff, of a mail and of a Markdown page. */
const TREACHEROUS =
  'alpha one two|    return x|}||-|- item|--|-- f|---|*** x|```|  if (a) {|+ plus|++ f|@@ x|====================|<<<<<<< SEARCH|\tfoo bar|    two = 2|# Head|  nested| * note|Index: x|diff --git a/f b/f|2.43.0'.split(
    '|',
  )

type Spoil = (diff: string, next: (below: number) => number) => string
const eachLine = (diff: string, change: (line: string) => string): string => diff.split('\n').map(change).join('\n')
const SPOILS: readonly (readonly [title: string, spoil: Spoil])[] = [
  ['as it is', (diff) => diff],
  ['no numbers', (diff) => diff.replaceAll(/^@@ -.*$/gm, '@@')],
  ['wrong counts', (diff, next) => diff.replaceAll(/^@@ -(\d+)\S* \+(\d+)\S* @@/gm, (_all, a, b) => `@@ -${a},${1 + next(12)} +${b},${1 + next(12)} @@`)],
  ['empty lines without their blank', (diff) => eachLine(diff, (line) => (line === ' ' ? '' : line))],
  ['some lines without their blank', (diff, next) => eachLine(diff, (line) => (line.startsWith(' ') && next(3) === 0 ? line.slice(1) : line))],
  [
    'no numbers, some lines without their blank',
    (diff, next) => eachLine(SPOILS[1]?.[1](diff, next) ?? '', (line) => (line.startsWith(' ') && next(6) === 0 ? line.slice(1) : line)),
  ],
  ['bullets below it', (diff) => `${diff}\n- what it does\n- and why\n`],
  ['no numbers, bullets below it', (diff, next) => `${SPOILS[1]?.[1](diff, next) ?? ''}\n- what it does\n- and why\n`],
  ['a signature below it', (diff) => `${diff}-- \n2.43.0\n\n`],
]

for (const [title, spoil] of SPOILS)
  test(`lines like parts of a diff become the wanted file or nothing: ${title}`, () => {
    let exact = 0
    for (let seed = 1; seed <= 1500; seed++) {
      const next = generator(seed * 7919)
      const line = (): string => TREACHEROUS[next(TREACHEROUS.length)] ?? ''
      const before = Array.from({ length: 4 + next(25) }, line)
      const after = [...before]
      for (let edits = 1 + next(3); edits > 0; edits--) after.splice(next(after.length + 1), next(3), ...(next(2) === 0 ? [line()] : []))
      const text = (lines: readonly string[]): string => lines.map((one) => `${one}\n`).join('')
      // Without the blobs, which would settle a doubt.
      const diff = makeUnifiedDiff('f', text(before), text(after), { context: next(4) }).replace(/^diff --git.*\nindex .*\n/, '')
      if (diff === '' || after.length === 0) continue
      const spoiled = spoil(diff, next)
      const parsed = parsePatch(spoiled)
      const result = parsed.ok ? applyPatch((path) => (path === 'f' ? Buffer.from(text(before)) : null), parsed.files) : null
      if (!result?.ok) continue
      const got = result.changes.map((change) => [change.path, Buffer.from(change.bytes ?? '').toString()])
      assert.ok(got.length === 0 || got.length === 1, spoiled)
      if (got.length === 0) continue
      assert.deepEqual(got, [['f', text(after)]], `seed ${seed}\n${text(before)}\n${spoiled}`)
      exact++
    }
    assert.ok(exact > 100, `${exact} exact`)
  })

test('a block indented otherwise throughout becomes the wanted file or nothing', () => {
  let exact = 0
  for (let seed = 1; seed <= 600; seed++) {
    const next = generator(seed * 104729)
    const depths = [1]
    while (depths.length < 6 + next(10)) depths.push(Math.max(0, (depths.at(-1) ?? 0) + next(4) - (next(2) + 1)))
    const [unit, patchUnit] =
      [
        ['    ', '  '],
        ['  ', '    '],
        ['    ', '\t'],
        ['\t', '  '],
      ][seed % 4] ?? []
    const shift = seed % 8 < 4 ? 0 : 1
    const line = (name: string, depth: number, by = unit): string => `${by?.repeat(depth)}${name}();`
    const at = 1 + next(depths.length - 2)
    const added = Math.max(0, (depths[at] ?? 0) + next(3) - 1)
    const inPatch = (name: string, depth: number): string => line(name, Math.max(0, depth - shift), patchUnit)
    const lines = depths.map((depth, index) => line(`call${index}`, depth))
    const [from, to] = [Math.max(0, at - 1 - next(2)), at + next(3)]
    const search = depths.slice(from, to + 1).map((depth, index) => inPatch(`call${index + from}`, depth))
    // Then nothing shows that the block is indented otherwise.
    if (search.every((text, index) => text === lines[from + index])) continue
    if (shift > 0 && Math.min(added, ...depths.slice(from, to + 1)) < shift) continue
    const replace = search.toSpliced(at - from + 1, 0, inPatch('added', added))
    const parsed = parsePatch(['f', '<<<<<<< SEARCH', ...search, '=======', ...replace, '>>>>>>> REPLACE', ''].join('\n'))
    assert.ok(parsed.ok)
    const result = applyPatch(() => Buffer.from(`${lines.join('\n')}\n`), parsed.files)
    if (!result.ok) continue
    const want = lines.toSpliced(at + 1, 0, line('added', added))
    assert.equal(Buffer.from(result.changes[0]?.bytes ?? '').toString(), `${want.join('\n')}\n`, `seed ${seed}\n${search.join('\n')}`)
    exact++
  }
  assert.ok(exact > 100, `${exact} exact`)
})

test('no patch changes its own result, however little context it has', () => {
  const plain: Flavour = { title: 'LF', end: '\n' }
  let applied = 0
  for (let seed = 1; seed <= 600; seed++) {
    const next = generator(seed)
    // Few different lines, so that nearly every hunk fits in several places.
    const before = Array.from({ length: 2 + next(12) }, () => ['remove();', 'keep();', '}'][next(3)] ?? '')
    const after = before.toSpliced(next(before.length), 1 + next(2), ...['remove();', '}'].slice(next(4)))
    const [from, to] = [file(plain, before, true), file(plain, after, true)]
    // Without the blobs, which would tell a second sending.
    const diff = makeFileDiff('f', from, to, { context: seed % 3 }).replace(/^index .*\n/m, '')
    if (diff === '') continue
    const patch = parsed(seed % 2 === 0 ? diff : diff.replaceAll(/^@@ .*$/gm, '@@'))
    const once = applyToText(from, patch)
    if (!once.ok || once.text === null) continue
    applied++
    const twice = applyToText(once.text, patch)
    assert.ok(!twice.ok || (twice.text !== null && encode(twice.text).equals(encode(once.text))), `seed ${seed}\n${diff}`)
  }
  assert.ok(applied > 100, `${applied} applied`)
})

test('git apply takes our diffs and gives the same bytes', () => {
  const dir = mkdtempSync(join(tmpdir(), 'vp-patch-'))
  try {
    const diffs: string[] = []
    const wanted: [string, Buffer][] = []
    for (const [index, flavour] of FLAVOURS.entries()) {
      for (let seed = 500; seed < 520; seed++) {
        const [before, after] = pair(flavour, seed)
        const name = `f ${index}-é${seed}`
        const diff = makeFileDiff(name, before, after)
        if (diff === '' || flavour.latin1) continue
        writeFileSync(join(dir, name), encode(before))
        diffs.push(diff)
        wanted.push([name, encode(after)])
      }
    }
    writeFileSync(join(dir, 'all.diff'), diffs.join(''))
    execFileSync('git', ['apply', '--whitespace=nowarn', 'all.diff'], {
      cwd: dir,
      env: { PATH: process.env['PATH'] ?? '', GIT_CEILING_DIRECTORIES: dir },
    })
    for (const [name, bytes] of wanted) assert.deepEqual(readFileSync(join(dir, name)), bytes, name)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})

const ENCODED: readonly (readonly [title: string, before: Buffer | null, after: Buffer])[] = [
  ['a Latin-1 file', Buffer.from('caf\u00e9 one\ntwo\nna\u00efve\n', 'latin1'), Buffer.from('caf\u00e9 one\nd\u00fc\nna\u00efve\n', 'latin1')],
  ['a file that becomes Latin-1', Buffer.from('alpha\nbeta\n'), Buffer.from('alpha\nb\u00eata\n', 'latin1')],
  ['a new Latin-1 file', null, Buffer.from('caf\u00e9\n', 'latin1')],
  ['a UTF-8 file beside them', Buffer.from('stra\u00dfe\nzwei\n'), Buffer.from('stra\u00dfe\nzw\u00f6lf\n')],
  [
    'a Latin-1 file that reads like UTF-8 in what changes',
    Buffer.from('\u00e9\n\u00c3\u00a9 one\n', 'latin1'),
    Buffer.from('\u00e9\n\u00c3\u00a8 one\n', 'latin1'),
  ],
]

test('a diff by git of files in several encodings gives the same bytes', () => {
  const dir = mkdtempSync(join(tmpdir(), 'vp-patch-'))
  const git = (...args: string[]): Buffer =>
    execFileSync('git', ['-c', 'core.autocrlf=false', ...args], { cwd: dir, env: { PATH: process.env['PATH'] ?? '', GIT_CEILING_DIRECTORIES: dir } })
  try {
    git('init', '-q')
    const name = (at: number): string => `f${at}`
    for (const [at, [, before]] of ENCODED.entries()) if (before !== null) writeFileSync(join(dir, name(at)), before)
    git('add', '.')
    for (const [at, [, , after]] of ENCODED.entries()) writeFileSync(join(dir, name(at)), after)
    git('add', '-N', '.')
    const { text, encoding } = decodePatch(git('diff', '-a'))
    assert.equal(encoding, 'latin-1')
    const parsed = parsePatch(text, { encoding })
    assert.ok(parsed.ok)
    const result = applyPatch((path) => ENCODED[Number(path.slice(1))]?.[1] ?? null, parsed.files)
    assert.ok(result.ok, JSON.stringify(result.files.map((one) => one.hunks)))
    const got = new Map(result.changes.map((change) => [change.path, change.bytes]))
    for (const [at, [title, , after]] of ENCODED.entries()) assert.deepEqual(Buffer.from(got.get(name(at)) ?? ''), after, title)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})

test('bytes that the file cannot hold are refused, and no text is half a character', () => {
  const parsed = parsePatch('--- a/f\n+++ b/f\n@@ -2 +2 @@\n-zwei\n+zw\u00f6lf\n', { encoding: 'latin-1' })
  assert.ok(parsed.ok)
  const result = applyPatch(() => Buffer.from('stra\u00dfe\nzwei\n'), parsed.files)
  assert.deepEqual([result.files[0]?.hunks, result.changes], [[{ kind: 'rejected', reason: 'encoding' }], []])
  assert.throws(() => encode({ encoding: 'utf-8', bom: false, lines: ['\ud83d'], ends: ['\n'] }), /half a character/)
})

test('git apply takes created, deleted and mode-only files', () => {
  const dir = mkdtempSync(join(tmpdir(), 'vp-patch-'))
  try {
    writeFileSync(join(dir, 'gone'), 'x\ny')
    writeFileSync(join(dir, 'tool'), 'run\n', { mode: 0o644 })
    const diff = [
      makeUnifiedDiff('made', null, 'hello\nworld'),
      makeUnifiedDiff('empty', null, ''),
      makeUnifiedDiff('gone', 'x\ny', null),
      makeUnifiedDiff('tool', 'run\n', 'run\n', { oldMode: '100644', newMode: '100755' }),
    ].join('')
    writeFileSync(join(dir, 'd.diff'), diff)
    execFileSync('git', ['apply', 'd.diff'], {
      cwd: dir,
      env: { PATH: process.env['PATH'] ?? '', GIT_CEILING_DIRECTORIES: dir },
    })
    assert.equal(readFileSync(join(dir, 'made'), 'utf8'), 'hello\nworld')
    assert.equal(readFileSync(join(dir, 'empty'), 'utf8'), '')
    const result = parsePatch(diff)
    assert.ok(result.ok)
    const store = new Map([
      ['gone', Buffer.from('x\ny')],
      ['tool', Buffer.from('run\n')],
    ])
    const applied = applyPatch((path) => store.get(path) ?? null, result.files)
    assert.ok(applied.ok)
    assert.deepEqual(
      applied.changes.map((change) => [change.path, change.bytes === null ? null : Buffer.from(change.bytes).toString(), change.mode]),
      [
        ['made', 'hello\nworld', '100644'],
        ['empty', '', '100644'],
        ['gone', null, undefined],
        ['tool', 'run\n', '100755'],
      ],
    )
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})

test('a patch of two files, one of which does not fit, changes neither', () => {
  const parsed = parsePatch('--- a/good\n+++ b/good\n@@ -1 +1 @@\n-old\n+new\n--- a/bad\n+++ b/bad\n@@ -1 +1 @@\n-not there\n+new\n')
  assert.ok(parsed.ok)
  const { ok, files, changes } = applyPatch(() => Buffer.from('old\n'), parsed.files)
  assert.deepEqual([ok, files.map((file) => file.hunks[0]?.kind), changes], [false, ['applied', 'rejected'], []])
})

test('any bytes survive decode and encode', () => {
  const next = generator(7)
  for (let round = 0; round < 300; round++) {
    const alphabet = round % 2 === 0 ? [10, 13, 97, 0xe9, 0xef, 0xbb, 0xbf] : [10, 13, 65, 0xc3, 0xa9, 0]
    const bytes = Buffer.from(Array.from({ length: next(30) }, () => alphabet[next(alphabet.length)] ?? 0))
    assert.deepEqual(encode(decode(bytes)), bytes)
  }
})

test('work is bounded on hostile patches', () => {
  const before = process.threadCpuUsage()
  const source = decode(Buffer.from('a\n'.repeat(100_000)))
  const hunk = `@@ -9,2 +9,3 @@\n a\n a\n+b\n`
  const many = parsePatch(`--- a/f\n+++ b/f\n${hunk.repeat(100_000)}`)
  assert.ok(many.ok)
  assert.equal(applyToText(source, many.files[0] as FilePatch).ok, false)
  const far = parsePatch(`--- a/f\n+++ b/f\n${'@@ @@\n a\n a\n-x\n'.repeat(50_000)}`)
  assert.ok(far.ok)
  assert.equal(applyToText(source, far.files[0] as FilePatch).ok, false)
  const some = Array.from({ length: 60_000 }, (_, at) => `line number ${at}`)
  const blocks = parsePatch(some.map((line) => `f\n<<<<<<< SEARCH\n${line}\n=======\n${line}y\n>>>>>>> REPLACE\n`).join(''))
  assert.ok(blocks.ok)
  assert.equal(applyToText(decode(Buffer.from(some.join('\n'))), blocks.files[0] as FilePatch).ok, true)
  const tooMany: [string, string][] = [
    ['blocks', 'f\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n'.repeat(200_001)],
    ['V4A', `*** Begin Patch\n*** Update File: f\n${'@@\n-a\n+b\n'.repeat(200_001)}*** End Patch\n`],
  ]
  for (const [form, patch] of tooMany) assert.partialDeepStrictEqual(parsePatch(patch), { ok: false, reason: 'too_large' }, form)
  const wide = 'y'.repeat(10_000_000)
  const long = parsePatch(`--- a/f\n+++ b/f\n@@ -1 +1 @@\n-${wide}\n+${wide}z\n`)
  assert.ok(long.ok)
  assert.equal(applyToText(decode(Buffer.from(`${wide} \n`)), long.files[0] as FilePatch).ok, true)
  assert.ok(process.threadCpuUsage(before).user < 10_000_000, 'ten seconds of processor time')
})

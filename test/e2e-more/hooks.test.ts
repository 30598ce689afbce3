/**
 * The repository's own pre-commit hook as a gate: it runs in the sandbox on what a task changed, and what it says counts;
 * what it cannot do there is told and gates nothing; and it never runs outside.
 */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { call, git, makePlace, turnOf, vpJson, writeFiles, type Cleanup, type Files, type Place } from '../e2e/kit.ts'

const FILES: Files = {
  'a.txt': 'one\n',
  'package.json': '{"name":"x","type":"module","scripts":{"test":"node --test"}}\n',
  'a.test.js': "import { test } from 'node:test'\ntest('a', () => {})\n",
}
const NO_TODO =
  '#!/bin/sh\ntouch ../trapped /tmp/trapped-by-a-hook 2>/dev/null || true\nfor file in $(git diff --cached --name-only); do\n  if git show ":$file" | grep -q TO[D]O; then echo "$file: it is not done"; exit 1; fi\ndone\n'

interface Told {
  readonly place: Place
  readonly feedback: (string | null)[]
}

/** A model that leaves a TODO at first, and mends what it is told of. */
async function told(t: Cleanup, files: Files, prepare: (place: Place) => void, env: Readonly<Record<string, string>> = {}, also: Files = {}): Promise<Told> {
  const feedback: (string | null)[] = []
  const writes: [string, string][] = Object.entries(also)
  const server = await startScriptedServer((request) => {
    const turn = turnOf(request)
    if (turn.turn === 1) feedback.push(turn.feedback)
    const extra = writes[turn.turn - 2]
    if (turn.turn === 1) return call('write', { path: 'b.txt', content: turn.feedback === null ? 'TODO\n' : 'done\n' })
    if (extra) return call('write', { path: extra[0], content: extra[1] })
    return call('submit', { title: 'feat: add b', summary: 'Adds b.' })
  })
  t.after(() => server.close())
  const place = makePlace(t, files, server, env)
  prepare(place)
  return { place, feedback }
}

function hook(place: Place, text: string, path = '.git/hooks/pre-commit'): void {
  mkdirSync(join(place.repository, path, '..'), { recursive: true })
  writeFileSync(join(place.repository, path), text, { mode: 0o755 })
}

const BACKENDS = process.env['VP_SANDBOX'] ? [process.env['VP_SANDBOX']] : ['bwrap', 'box', 'landlock']
for (const backend of BACKENDS)
  test(`a hook of .git/hooks in ${backend}: it fails the first attempt in its own words, and lets the second through`, async (t) => {
    const { place, feedback } = await told(t, FILES, (at) => hook(at, NO_TODO), { VP_SANDBOX: backend })
    const { code, doc } = await vpJson(place, ['do', 'add b'])
    if (doc.error?.code === 'sandbox.unavailable') return t.skip(`${backend} cannot be had here`)
    assert.equal(code, 0, JSON.stringify(doc))
    assert.equal(feedback.length, 2)
    assert.match(feedback[1] ?? '', /pre_commit is no, the gate is = yes\n[^]*b\.txt: it is not done/)
    assert.equal(readFileSync(join(place.repository, 'b.txt'), 'utf8'), 'done\n')
    assert.deepEqual([existsSync(join(place.root, 'trapped')), existsSync('/tmp/trapped-by-a-hook')], [false, false], 'it never ran outside')
    assert.equal(git(place, 'status', '--porcelain'), '')
  })

test('vp new shows the hook and keeps it as a fact', async (t) => {
  const { place } = await told(
    t,
    { ...FILES, '.husky/pre-commit': '. "$(dirname -- "$0")/_/husky.sh"\ngit diff --cached --quiet && exit 0\n' },
    () => undefined,
  )
  const { doc } = await vpJson(place, ['new', '--name', 'x'])
  const hooks = { pre_commit: { kind: 'husky', argv: ['sh', '-e', '.husky/pre-commit'] } }
  assert.deepEqual(doc.result?.['hooks'], hooks)
  assert.deepEqual((JSON.parse(readFileSync(join(place.repository, '.vp', 'project.json'), 'utf8')) as { hooks: unknown }).hooks, hooks)
})

test('a hook that a task rewrites is the one of before', async (t) => {
  const { place, feedback } = await told(t, { ...FILES, '.husky/pre-commit': NO_TODO }, () => undefined, {}, { '.husky/pre-commit': 'exit 0\n' })
  const { code, doc } = await vpJson(place, ['do', 'add b'])
  assert.equal(code, 0, JSON.stringify(doc))
  assert.equal(feedback.length, 2, 'the first attempt did not go through')
})

/** What cannot run in the sandbox: not measured, said, and never a failed gate. */
const CANNOT: [title: string, files: Files, prepare: (place: Place) => void][] = [
  ['a tool that is missing', {}, (place) => hook(place, '#!/bin/sh\nsome-linter --staged\n')],
  ['an interpreter that is missing', {}, (place) => hook(place, '#!/usr/bin/env nosuchlanguage\nx\n')],
  ['the network', {}, (place) => hook(place, '#!/usr/bin/env python3\nimport urllib.request\nurllib.request.urlopen("https://example.org/rules")\n')],
  [
    'pre-commit, whose environments are not there',
    { '.pre-commit-config.yaml': 'repos:\n  - repo: https://example.org/x\n    rev: v1\n    hooks: [{ id: x }]\n' },
    () => undefined,
  ],
  ['a husky hook whose packages are not there', { '.husky/pre-commit': 'lint-staged\n' }, () => undefined],
]
for (const [title, files, prepare] of CANNOT)
  test(`not measured: ${title}`, async (t) => {
    const { place, feedback } = await told(t, { ...FILES, ...files }, prepare)
    const { code, doc } = await vpJson(place, ['do', 'add b'])
    assert.equal(code, 0, JSON.stringify(doc))
    assert.equal(feedback.length, 1)
    const validated = await vpJson(place, ['validate', String(doc.result?.['run_id'])])
    assert.equal(validated.code, 0, JSON.stringify(validated.doc))
    const gates = validated.doc.result?.['gates'] as unknown as { kpi_name: string; measured: boolean; first_failure: string | null; why: string | null }[]
    const own = gates.filter((gate) => gate.kpi_name === 'pre_commit')
    assert.ok(own.length > 0 && own.every((gate) => !gate.measured), JSON.stringify(own))
    assert.ok(
      own.every((gate) => (gate.why ?? '') !== ''),
      'it is said why',
    )
  })

test('a hook that is red before the change gates nothing', async (t) => {
  const { place, feedback } = await told(t, { ...FILES, 'old.txt': 'TODO since long\n' }, (at) => hook(at, NO_TODO))
  assert.equal((await vpJson(place, ['do', 'add b'])).code, 0)
  assert.equal(feedback.length, 1)
})

/** What is no hook: nothing is read through it, and no gate comes of it. */
const NO_HOOK: [title: string, prepare: (place: Place) => void][] = [
  [
    'a link to a file of the person',
    (place) => {
      writeFileSync(join(place.root, 'key'), '#!/bin/sh\necho hunter2hunter2\nexit 1\n', { mode: 0o755 })
      mkdirSync(join(place.repository, '.git', 'hooks'), { recursive: true })
      symlinkSync(join(place.root, 'key'), join(place.repository, '.git', 'hooks', 'pre-commit'))
    },
  ],
  [
    'core.hooksPath outside',
    (place) => {
      mkdirSync(join(place.root, 'hooks'))
      writeFileSync(join(place.root, 'hooks', 'pre-commit'), '#!/bin/sh\necho hunter2hunter2\nexit 1\n', { mode: 0o755 })
      git(place, 'config', 'core.hooksPath', join(place.root, 'hooks'))
    },
  ],
  [
    'core.hooksPath that climbs',
    (place) => {
      mkdirSync(join(place.root, 'hooks'))
      writeFileSync(join(place.root, 'hooks', 'pre-commit'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
      git(place, 'config', 'core.hooksPath', '../hooks')
    },
  ],
  [
    'a link to a secret of the tree',
    (place) => {
      writeFiles(place.repository, { '.env': 'PASSWORD=hunter2hunter2\n' })
      writeFileSync(join(place.repository, '.env'), 'PASSWORD=hunter2hunter2\n', { mode: 0o755 })
      mkdirSync(join(place.repository, '.git', 'hooks'), { recursive: true })
      symlinkSync('../../.env', join(place.repository, '.git', 'hooks', 'pre-commit'))
    },
  ],
  [
    'a file that git would not start',
    (place) => {
      hook(place, NO_TODO)
      writeFileSync(join(place.repository, '.git', 'hooks', 'pre-commit.sample'), NO_TODO)
      git(place, 'config', 'core.fileMode', 'true')
      writeFileSync(join(place.repository, '.git', 'hooks', 'pre-commit'), NO_TODO)
      chmodSync(join(place.repository, '.git', 'hooks', 'pre-commit'), 0o644)
    },
  ],
]
for (const [title, prepare] of NO_HOOK)
  test(`no hook: ${title}`, async (t) => {
    const { place } = await told(t, FILES, prepare)
    const { doc } = await vpJson(place, ['new', '--name', 'x'])
    assert.equal(doc.result?.['hooks'], null, JSON.stringify(doc))
  })

/**
 * git inside the sandbox, on a checkout that means harm: it works, and starts nothing of the repository, on each backend
 * that this machine has. The traps write into the tree, which a command may do, so that one that runs is seen.
 */
import assert from 'node:assert/strict'
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { git, makePlace, vpJson, writeFiles, type Cleanup, type Place } from '../e2e/kit.ts'
import { HOOKS } from '../e2e/traps.ts'

const BACKENDS = process.env['VP_SANDBOX'] ? [process.env['VP_SANDBOX']] : ['bwrap', 'box', 'landlock']

function hostile(t: Cleanup, backend: string): Place {
  const place = makePlace(
    t,
    {
      'a.txt': 'one\n',
      'x.bin': 'x\n',
      '.gitattributes': '*.txt diff=evil\n*.bin filter=evil diff=evil\n',
      'trap.sh': '#!/bin/sh\necho ran >> trapped\ncat\n',
    },
    undefined,
    { VP_SANDBOX: backend },
  )
  chmodSync(join(place.repository, 'trap.sh'), 0o755)
  const dotGit = join(place.repository, '.git')
  const trap = './trap.sh'
  appendFileSync(
    join(dotGit, 'config'),
    `\n[core]\n\tfsmonitor = ${trap}\n\tpager = ${trap}\n\thooksPath = .git/hooks\n[diff]\n\texternal = ${trap}\n[diff "evil"]\n\ttextconv = ${trap}\n\tcommand = ${trap}\n[filter "evil"]\n\tclean = ${trap}\n\tsmudge = ${trap}\n[alias]\n\tst = !${trap}\n[log]\n\tshowSignature = true\n[gpg]\n\tprogram = ${trap}\n`,
  )
  mkdirSync(join(dotGit, 'info'), { recursive: true })
  writeFileSync(join(dotGit, 'info', 'attributes'), '* filter=evil diff=evil\n')
  mkdirSync(join(dotGit, 'hooks'), { recursive: true })
  for (const hook of HOOKS) writeFileSync(join(dotGit, 'hooks', hook), '#!/bin/sh\necho hook >> trapped\n', { mode: 0o755 })
  writeFiles(place.repository, { 'a.txt': 'two\n', 'x.bin': 'y\n' })
  return place
}

const COMMANDS: [argv: string[], says: RegExp | null][] = [
  [['git', 'status', '--porcelain'], /M a\.txt/],
  [['git', 'diff'], /^\+two$/m],
  [['git', 'log', '--oneline'], /start/],
  [['git', 'show', 'HEAD:a.txt'], /one/],
  [['git', 'blame', 'a.txt'], /two/],
  [['git', 'ls-files'], /x\.bin/],
  [['git', 'st'], null],
]
for (const backend of BACKENDS)
  test(`git of a hostile checkout in ${backend}: it answers, and nothing of the repository runs`, async (t) => {
    const place = hostile(t, backend)
    const before = readFileSync(join(place.repository, '.git', 'config'), 'utf8')
    for (const [argv, says] of COMMANDS) {
      const { doc } = await vpJson(place, ['run', 'exec', '--', ...argv])
      if (doc.error?.code === 'sandbox.unavailable') return t.skip(`${backend} cannot be had here`)
      if (says) assert.match(String(doc.result?.['output']), says, `${argv.join(' ')}: ${JSON.stringify(doc)}`)
      else assert.notEqual(doc.result?.['exit_code'] ?? 1, 0)
      assert.equal(existsSync(join(place.repository, 'trapped')), false, argv.join(' '))
    }
    assert.equal(readFileSync(join(place.repository, '.git', 'config'), 'utf8'), before)
    git(place, 'diff')
    assert.ok(existsSync(join(place.repository, 'trapped')), 'the traps are real: plain git falls into them')
  })

for (const backend of BACKENDS)
  test(`git of a checkout with a submodule in ${backend}: the submodule's own configuration has no say`, async (t) => {
    const place = makePlace(t, { 'a.txt': 'one\n' }, undefined, { VP_SANDBOX: backend })
    const other = makePlace(t, { 'b.txt': 'b\n' })
    git(place, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', other.repository, 'sub')
    git(place, 'commit', '-q', '-m', 'sub')
    writeFileSync(join(place.repository, 'trap.sh'), '#!/bin/sh\necho ran >> trapped ../trapped\n', { mode: 0o755 })
    appendFileSync(join(place.repository, '.git', 'modules', 'sub', 'config'), '\n[core]\n\tfsmonitor = ../trap.sh\n')
    writeFiles(place.repository, { 'a.txt': 'two\n', 'sub/b.txt': 'changed\n' })
    const { doc } = await vpJson(place, ['run', 'exec', '--', 'git', 'status', '--porcelain'])
    if (doc.error?.code === 'sandbox.unavailable') return t.skip(`${backend} cannot be had here`)
    assert.match(String(doc.result?.['output']), /^ M a\.txt$/m, JSON.stringify(doc))
    assert.equal(existsSync(join(place.repository, 'trapped')), false)
  })

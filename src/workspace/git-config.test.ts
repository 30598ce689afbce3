import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { chanceFrom } from '../../test/fuzz/mutate.ts'
import { plainConfig, readGitConfig } from './git-config.ts'
import { gitRunner } from './git.ts'

const root = mkdtempSync(join(tmpdir(), 'vp-config-'))
after(() => rmSync(root, { recursive: true, force: true }))

/** What git itself lists; null where it cannot read the file. */
function byGit(text: string): (readonly [string, string])[] | null {
  const file = join(root, 'config')
  writeFileSync(file, text, 'latin1')
  try {
    const out = execFileSync('git', ['config', '--file', file, '--no-includes', '--list', '-z'], { encoding: 'latin1', stdio: ['ignore', 'pipe', 'ignore'] })
    const entries = out.split('\0').filter((entry) => entry !== '')
    return entries.map((entry) => (entry.includes('\n') ? [entry.slice(0, entry.indexOf('\n')), entry.slice(entry.indexOf('\n') + 1)] : [entry, 'true']))
  } catch {
    return null
  }
}

const ORDINARY = `# written by git clone
[core]
	repositoryformatversion = 0
	filemode = true
	bare = false
[remote "origin"]
	url = https://example.org/a b.git
	fetch = +refs/heads/*:refs/remotes/origin/*
[branch "Main.x"]
	remote = origin
	merge = refs/heads/Main.x
[user]
	name = A. Person  
	useConfigOnly
	email =
`

test('an ordinary file is read here, as git reads it', () => {
  const read = plainConfig(Buffer.from(ORDINARY))
  assert.equal(read?.length, 10)
  assert.deepEqual(read, byGit(ORDINARY))
})

test('what has quotes, escapes, old sections or other letters is left to git, and read all the same', async () => {
  const file = join(root, 'foreign')
  const values = ['"a b"', 'a # b', 'a ; b', 'a\\\n b', 'ä', 'a\tb', 'a\r']
  for (const value of values) {
    const text = `[user]\n\tname = ${value}\n`
    assert.equal(plainConfig(Buffer.from(text)), null, JSON.stringify(value))
    writeFileSync(file, text)
    assert.equal((await readGitConfig(gitRunner('git'), file))[0]?.[0], 'user.name')
  }
  for (const text of ['[a.B]\n c = d\n', '[a] c = d\n', 'c = d\n', '[a\nc = d\n', '\ufeff[a]\nc = d\n', '[a]\n\0c = d\n']) {
    assert.equal(plainConfig(Buffer.from(text)), null, JSON.stringify(text))
  }
})

const PARTS = [
  '[a]',
  '[core]',
  '[A-b "C d"]',
  '[x "y]"]',
  '[x ""]',
  '[a.b]',
  'k',
  'Key-1',
  ' = ',
  '=',
  ' ',
  '\t',
  '\n',
  '\n',
  '\n',
  '#',
  ';',
  '"',
  '\\',
  'v',
  ']',
  '[',
  '1',
  '\r',
  '\f',
  'é',
]

test('whatever is read here git reads the same', () => {
  const chance = chanceFrom(7)
  let read = 0
  for (let round = 0; round < 20_000 && read < 200; round++) {
    const text = `[s]\n${Array.from({ length: chance.below(14) }, () => chance.of(PARTS)).join('')}`
    const here = plainConfig(Buffer.from(text, 'latin1'))
    if (here === null) continue
    read++
    assert.deepEqual(here, byGit(text), JSON.stringify(text))
  }
  assert.equal(read, 200)
})

/** What of a machine a passport keeps, and what is named where it is another one. */
import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openRealKit } from '../../../test/real-kit.ts'
import type { Passport } from '../../ledger/passport.ts'
import type { ProjectFile } from '../../plms/contract/types.ts'
import { inputsHere, unequalInputs } from './inputs.ts'

test('what differs between two machines is named in words, and nothing else', async (t) => {
  const { kit, tree } = openRealKit(t, { 'a.txt': 'a' })
  const at = (name: string) => join(tree.root, name)
  const installed = 'lib/python3.11/site-packages/pytest-8.3.dist-info'
  mkdirSync(at(`.venv/${installed}`), { recursive: true })
  writeFileSync(at('.venv/pyvenv.cfg'), 'home = /usr/bin\nversion = 3.11.2\n')
  mkdirSync(at('node_modules'))
  writeFileSync(at('node_modules/.package-lock.json'), '{}')
  const environment = { reuse: ['.venv', 'node_modules', 'vendor'], setup: [], lock_files: [] }
  const project = { test: null, lint: null, environment } as unknown as ProjectFile
  const look = () => inputsHere(kit, project, tree.root)

  const { runtime_version, os, ...env_snapshot } = await look()
  const passport = { env: { git_commit: '', runtime_version, os }, env_snapshot, sandbox: { backend: 'bwrap' } } as never as Passport
  assert.deepEqual(env_snapshot.packages['vendor'], null)
  assert.match(env_snapshot.packages['.venv'] ?? '', /^python 3\.11\.2 with 1 packages, [0-9a-f]{12}$/)
  assert.deepEqual(unequalInputs(passport, { ...(await look()), backend: 'bwrap' }), [])

  mkdirSync(at('.venv/lib/python3.11/site-packages/extra-1.dist-info'))
  rmSync(at('node_modules'), { recursive: true })
  const now = { ...(await look()), runtime_version: 'node 24.3.0', backend: 'box' }
  const words = unequalInputs(passport, now)
  assert.equal(words.length, 4)
  assert.equal(words[0], `node was ${process.versions.node}, is 24.3.0`)
  assert.equal(words[1], 'the sandbox was bwrap, is box')
  assert.match(words[2] ?? '', /^\.venv was python 3\.11\.2 with 1 packages, \w+, is python 3\.11\.2 with 2 packages, \w+$/)
  assert.match(words[3] ?? '', /^node_modules was \w{12}, is missing$/)
})

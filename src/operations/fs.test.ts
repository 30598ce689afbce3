/** What fs.write and fs.edit keep of a file that is there, and what they refuse. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openRealKit } from '../../test/real-kit.ts'
import { scopesOf } from '../policy/scopes.ts'
import { fsEdit, fsWrite } from './fs.ts'
import { invoke } from './invoke.ts'
import type { Operation } from './operation.ts'

const real = openRealKit({ after }, { 'seed.txt': 'x' })
const at = join(real.tree.root, 'f')

async function call(operation: Operation, params: object): Promise<string | undefined> {
  const answer = await invoke(real.kit, operation, { path: 'f', ...params }, { actor: 'human', surface: 'cli', scopes: scopesOf('human') }, real.tree)
  return answer.ok ? undefined : answer.error.code
}

const kept: [title: string, before: Buffer, content: string, after: Buffer][] = [
  ['CRLF', Buffer.from('a\r\nb\r\n'), 'a\nc\n', Buffer.from('a\r\nc\r\n')],
  ['a byte-order mark', Buffer.from('\uFEFFa\n'), 'b\n', Buffer.from('\uFEFFb\n')],
  ['Latin-1', Buffer.from('é\n', 'latin1'), 'éà\n', Buffer.from('éà\n', 'latin1')],
]
for (const [title, before, content, wanted] of kept)
  test(`a file that is written anew keeps ${title}`, async () => {
    writeFileSync(at, before)
    assert.equal(await call(fsWrite, { content }), undefined)
    assert.deepEqual(readFileSync(at), wanted)
  })

const refused: [title: string, before: Buffer, operation: Operation, params: object][] = [
  ['binary, written', Buffer.from('a\0b'), fsWrite, { content: 'b\n' }],
  ['binary, edited', Buffer.from('a\0b'), fsEdit, { old: 'a', new: 'c' }],
  ['UTF-16, edited', Buffer.from('\uFEFFab', 'utf16le'), fsEdit, { old: 'a', new: 'c' }],
  ['Latin-1, with what that lacks', Buffer.from('é\n', 'latin1'), fsWrite, { content: '→\n' }],
  ['text, with a NUL', Buffer.from('a\n'), fsWrite, { content: 'a\0\n' }],
]
for (const [title, before, operation, params] of refused)
  test(`refused, and nothing is written: ${title}`, async () => {
    writeFileSync(at, before)
    assert.equal(await call(operation, params), 'patch.unsupported')
    assert.deepEqual(readFileSync(at), before)
  })

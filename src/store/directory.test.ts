/** A directory is made or refused, and never tried for ever; a refusal is said of the state directory. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { isVpError } from '../core/errors.ts'
import { inDirectory } from './directory.ts'
import { makeDirectory } from './make-directory.ts'

const root = mkdtempSync(join(tmpdir(), 'vp-directory-'))
after(() => rmSync(root, { recursive: true, force: true }))

test('directory: with what is missing above it, twice, and with its mode', () => {
  for (let round = 0; round < 2; round++) makeDirectory(join(root, 'a', 'b', 'c'), 0o700)
  assert.equal(statSync(join(root, 'a', 'b', 'c')).mode & 0o777, 0o700)
})

writeFileSync(join(root, 'file'), '')
symlinkSync('nowhere', join(root, 'dangling'))
const refused: [path: string, why: RegExp][] = [
  [join(root, 'file'), /a file is in its place/],
  [join(root, 'file', 'below'), /a file is in its place/],
  [join(root, 'dangling'), /a file is in its place/],
  [join(root, 'x'.repeat(300)), /too long/],
  ...(process.platform === 'linux' ? ([['/proc/x/y', /nothing can be made there/]] as const).map(([path, why]): [string, RegExp] => [path, why]) : []),
]
for (const [path, why] of refused)
  test(`directory: ${path.slice(-12)} is refused`, () =>
    assert.throws(
      () => inDirectory(path, () => makeDirectory(path)),
      (error) => isVpError(error) && error.code === 'store.unusable' && why.test(error.message),
    ))

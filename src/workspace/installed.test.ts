import assert from 'node:assert/strict'
import { test } from 'node:test'
import { npmInstalledFits } from './installed.ts'

const of = (packages: object) => JSON.stringify({ packages })
const LOCK = of({
  '': {},
  'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
  'node_modules/@shop/price': { resolved: 'packages/price', link: true },
  'node_modules/fsevents': { version: '2.0.0', optional: true },
  'packages/price': { name: '@shop/price' },
})
const INSTALLED = { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' }, 'node_modules/@shop/price': { link: true } }

const cases: [title: string, lock: string, installed: string, fits: boolean][] = [
  ['equal but for what this machine leaves out', LOCK, of(INSTALLED), true],
  ['one more than the lock file says', LOCK, of({ ...INSTALLED, 'node_modules/b': { version: '1.0.0' } }), true],
  ['one is missing', LOCK, of({ 'node_modules/a': INSTALLED['node_modules/a'] }), false],
  ['another version', LOCK, of({ ...INSTALLED, 'node_modules/a': { version: '1.0.1', integrity: 'sha512-a' } }), false],
  ['the same version with other bytes', LOCK, of({ ...INSTALLED, 'node_modules/a': { version: '1.0.0', integrity: 'sha512-b' } }), false],
  ['an account that is no JSON', LOCK, '{', true],
  ['a lock file of before npm 7', '{"dependencies":{}}', of({}), true],
]
for (const [title, lock, installed, fits] of cases) test(`packages and lock file: ${title}`, () => assert.equal(npmInstalledFits(lock, installed), fits))

/** Tokens: who may give what, how long it holds, that only a digest is kept, and that every refusal is on record. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openRealKit } from '../../test/real-kit.ts'
import { makePlace } from '../../test/e2e/kit.ts'
import { openRpc } from '../../test/e2e/rpc-client.ts'
import { spawnSync } from 'node:child_process'
import { isVpError } from '../core/errors.ts'
import { scopesOf } from '../policy/scopes.ts'
import { invoke } from './invoke.ts'
import type { Kit } from './kit.ts'
import type { Caller, Operation } from './operation.ts'
import { acceptToken, newToken, tokenCreate, tokenList, tokenRevoke, tokenSha, type TokenView } from './tokens.ts'

const cleanups: (() => void)[] = []
const real = openRealKit({ after: (fn) => void cleanups.push(fn) }, { 'a.txt': 'a\n' })
after(() => cleanups.toReversed().forEach((fn) => fn()))

let now = Date.now()
const kit: Kit = { ...real.kit, clock: { ...real.kit.clock, now: () => now } }
const HUMAN: Caller = { actor: 'human', surface: 'cli', scopes: scopesOf('human') }
const AT_A_TERMINAL: Caller = { ...HUMAN, confirm: async () => 'later' }

async function call(operation: Operation, params: unknown, caller: Caller = HUMAN): Promise<unknown> {
  const answer = await invoke(kit, operation, params, caller, real.tree)
  if (!answer.ok) throw answer.error
  return answer.result
}

let made = 0
async function create(scopes: readonly string[], caller: Caller = HUMAN, lifetimeMs = 3_600_000, actor = 'ci'): Promise<{ token: string; view: TokenView }> {
  const token = newToken(kit.random.bytes(32))
  const id = `tk_${String(++made).padStart(6, '0')}`
  return { token, view: (await call(tokenCreate, { id, sha: tokenSha(token), actor, scopes, lifetime_ms: lifetimeMs }, caller)) as TokenView }
}

async function codeOf(run: Promise<unknown>): Promise<string> {
  try {
    await run
    return 'ok'
  } catch (error) {
    if (isVpError(error)) return error.code
    throw error
  }
}

test('a token has exactly its scopes, upstream names among them, each once', async () => {
  const { token, view } = await create(['fs.read', 'kpi.override', 'fs.read', 'pas.pause'])
  assert.deepEqual([view.actor, view.scopes, view.state], ['ci', ['fs.read', 'quality.override', 'run.control'], 'valid'])
  const accepted = await acceptToken(kit, token, 'rpc')
  assert.deepEqual([accepted.id, accepted.actor, [...accepted.scopes]], [view.id, 'ci', view.scopes])
})

test('a token is 32 random bytes, and another each time', () => {
  assert.match(newToken(kit.random.bytes(32)), /^vp_[\w-]{43}$/)
  assert.notEqual(newToken(kit.random.bytes(32)), newToken(kit.random.bytes(32)))
})

const givers: [title: string, caller: Caller, scopes: readonly string[], code: string][] = [
  ['a person gives what they hold', HUMAN, ['git.push', 'run.exec', 'policy.set'], 'ok'],
  ['a word that is no scope', HUMAN, ['fs.red'], 'usage.flag'],
  ['a word that every object has', HUMAN, ['constructor'], 'usage.flag'],
  ['all of them at once', HUMAN, ['*'], 'usage.flag'],
  ['approving, where nobody is asked', HUMAN, ['projects.approve'], 'policy.scope'],
  ['budgets under the upstream name, where nobody is asked', HUMAN, ['projects.budget'], 'policy.scope'],
  ['secrets, where nobody is asked', HUMAN, ['fs.read', 'secrets.read'], 'policy.scope'],
  ['approving, by a person at a terminal', AT_A_TERMINAL, ['projects.approve', 'secrets.read'], 'ok'],
  ['a build server gives what it holds', { ...HUMAN, actor: 'ci', scopes: scopesOf('ci') }, ['fs.read'], 'ok'],
  ['a build server gives more than it holds', { ...HUMAN, actor: 'ci', scopes: scopesOf('ci') }, ['git.push'], 'policy.scope'],
  ['a build server at a terminal gives what is personal', { ...AT_A_TERMINAL, actor: 'ci' }, ['secrets.read'], 'policy.scope'],
  ['an agent gives nothing', { ...HUMAN, actor: 'agent', scopes: scopesOf('agent') }, ['fs.read'], 'policy.scope'],
  ['somebody at a distance gives nothing', { ...HUMAN, actor: 'remote', scopes: scopesOf('remote') }, ['fs.read'], 'policy.scope'],
  ['whoever holds less than policy.set', { ...HUMAN, scopes: new Set(['fs.read']) }, ['fs.read'], 'policy.scope'],
]
for (const [title, caller, scopes, code] of givers) test(`${code}: ${title}`, async () => assert.equal(await codeOf(create(scopes, caller)), code))

test('nobody makes a token for an agent', async () => assert.equal(await codeOf(create(['fs.read'], HUMAN, 1000, 'agent')), 'usage.params'))

test('refused: unknown, expired, revoked, cut, longer; each is on record, and the holder is not told which', async () => {
  const { token, view } = await create(['fs.read'], HUMAN, 60_000)
  const other = await create(['fs.read'])
  await call(tokenRevoke, { id: other.view.id })
  const messages = new Set<string>()
  const refused = async (value: string) =>
    acceptToken(kit, value, 'rpc').then(
      () => assert.fail('it was taken'),
      (error) => {
        assert.equal(error.code, 'token.refused')
        messages.add(error.message)
      },
    )
  for (const value of ['', 'x', `${token}x`, token.slice(0, -1), token.toUpperCase(), newToken(kit.random.bytes(32)), other.token]) await refused(value)
  now += 59_999
  await acceptToken(kit, token, 'rpc')
  now += 1
  await refused(token)
  assert.equal(messages.size, 1)
  const uses = (await real.receipts()).filter(({ op }) => op === 'token.use').map(({ detail }) => detail as { token: string | null; why: string })
  assert.equal(uses.length, 8)
  assert.deepEqual(uses.slice(-2), [
    { token: other.view.id, why: 'revoked' },
    { token: view.id, why: 'expired' },
  ])
})

test('what is revoked stays in the list, and is revoked once', async () => {
  const { view } = await create(['search'])
  await call(tokenRevoke, { id: view.id })
  await call(tokenRevoke, { id: view.id })
  const { tokens } = (await call(tokenList, {})) as { tokens: readonly TokenView[] }
  assert.equal(tokens.find(({ id }) => id === view.id)?.state, 'revoked')
  assert.equal(await codeOf(call(tokenRevoke, { id: 'tk_nobody' })), 'token.not_found')
})

test('of a token nothing but its digest is kept, and each giving and taking is a receipt', async () => {
  const { token, view } = await create(['fs.read', 'search'])
  await call(tokenRevoke, { id: view.id })
  const files = readdirSync(kit.paths.state, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
  for (const file of files) {
    const bytes = readFileSync(join(file.parentPath, file.name))
    assert.ok(!bytes.includes(token) && !bytes.includes(token.slice(3, 30)), file.name)
  }
  const mine = (await real.receipts()).filter(({ detail }) => (detail as { token?: string } | undefined)?.token === view.id)
  assert.deepEqual(
    mine.map(({ op, outcome }) => [op, outcome]),
    [
      ['token.create', 'ok'],
      ['token.revoke', 'ok'],
    ],
  )
  assert.deepEqual(mine[0]?.detail, { token: view.id, scopes: ['fs.read', 'search'] })
})

const VP = join(import.meta.dirname, '..', '..', 'bin', 'vp')

test('vp rpc has the rights of VP_TOKEN and no others; a bad one is refused', async (t) => {
  const place = makePlace(t, { 'a.txt': 'a\n' })
  const vp = (...args: string[]) => spawnSync(VP, args, { cwd: place.repository, env: place.env, encoding: 'utf8' })
  const created = JSON.parse(vp('token', 'create', '--scope', 'fs.read', '--scope', 'search', '--expires', '1h', '--json').stdout) as {
    result: { token: string; id: string }
  }
  const { token, id } = created.result
  assert.match(token, /^vp_[\w-]{43}$/)
  const rpc = openRpc(t, place, { env: { VP_TOKEN: token } })
  assert.equal((await rpc.request('fs.read', { path: 'a.txt' })).result?.['content'], 'a\n')
  const refused = await rpc.request('fs.write', { path: 'a.txt', content: 'b\n' })
  assert.deepEqual([refused.error?.code, refused.error?.data.code], [-32001, 'policy.scope'])
  await rpc.end()
  const narrower = openRpc(t, place, { env: { VP_TOKEN: token }, args: ['--scope', 'search', '--scope', 'fs.write'] })
  assert.equal((await narrower.request('fs.read', { path: 'a.txt' })).error?.data.code, 'policy.scope')
  assert.equal((await narrower.request('fs.write', { path: 'a.txt', content: 'b\n' })).error?.data.code, 'policy.scope')
  await narrower.end()
  assert.equal(vp('token', 'revoke', id).status, 0)
  const { code, stderr } = await openRpc(t, place, { env: { VP_TOKEN: token } }).end()
  assert.equal(code, 4)
  assert.match(stderr, /token\.refused/)
  assert.ok(!stderr.includes(token))
  const logs = vp('logs', '--json')
  assert.ok(!`${logs.stdout}${logs.stderr}`.includes(token))
})

test('a token that is revoked while vp rpc is open writes nothing more there; the session stays open', async (t) => {
  const place = makePlace(t, { 'a.txt': 'a\n' })
  const vp = (...args: string[]) => spawnSync(VP, args, { cwd: place.repository, env: place.env, encoding: 'utf8' })
  const { result } = JSON.parse(vp('token', 'create', '--scope', 'fs.write', '--expires', '1h', '--json').stdout) as { result: { token: string; id: string } }
  const rpc = openRpc(t, place, { env: { VP_TOKEN: result.token } })
  assert.equal((await rpc.request('fs.write', { path: 'a.txt', content: 'b\n' })).error, undefined)
  assert.equal(vp('token', 'revoke', result.id).status, 0)
  for (const content of ['c\n', 'd\n']) {
    const refused = await rpc.request('fs.write', { path: 'a.txt', content })
    assert.deepEqual([refused.error?.data.code, refused.error?.data.receipt], ['token.refused', null])
  }
  assert.equal(readFileSync(join(place.repository, 'a.txt'), 'utf8'), 'b\n')
  assert.equal((await rpc.end()).code, 0)
})

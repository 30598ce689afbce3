/** What the tests of `vp rpc` share: a repository with commands, and calls whose answers are checked against the schemas that it shows. */
import assert from 'node:assert/strict'

import { OPERATIONS } from '../../src/operations/table.ts'
import { SCOPES } from '../../src/policy/scopes.ts'
import { type Place, vp } from './kit.ts'
import { type RpcAnswer, type RpcClient, type RpcFraming } from './rpc-client.ts'

export const FILES = {
  'package.json': `${JSON.stringify({ name: 'small', version: '1.0.0', type: 'module', scripts: { test: 'node --test', lint: 'node tools/ok.js', build: 'node tools/build.js' } })}\n`,
  'src/a.js': 'export const a = 1\n',
  'src/conf.js': "export const API_TOKEN = 'abcdefghijkl1234567'\n",
  'test/a.test.js': "import { test } from 'node:test'\ntest('a', () => {})\n",
  'tools/ok.js': 'console.log("clean")\n',
  'tools/build.js': "import { writeFileSync } from 'node:fs'\nwriteFileSync('built.txt', 'built')\n",
  'tools/sleep.js': "import { writeFileSync } from 'node:fs'\nwriteFileSync(`began-${process.argv[2]}`, '')\nsetTimeout(() => {}, 60_000)\n",
}
export const EVERY_SCOPE = SCOPES.flatMap((scope) => ['--scope', scope])
export const FRAMINGS: readonly RpcFraming[] = ['lines', 'frames']
export const byName = new Map(OPERATIONS.map((operation) => [operation.name, operation]))

/** The result, checked against the schema that `rpc.discover` shows. */
export async function ok(client: RpcClient, method: string, params: unknown = {}): Promise<Record<string, never> & Record<string, unknown>> {
  return resultOf(method, await client.request(method, params))
}

export function resultOf(method: string, { result, error }: RpcAnswer): Record<string, never> & Record<string, unknown> {
  assert.ok(result, `${method}: ${JSON.stringify(error)}`)
  const schema = byName.get(method)?.result()
  assert.ok(schema, method)
  const parsed = schema.safeParse(result)
  assert.ok(parsed.success, `${method} answers what its schema says: ${JSON.stringify(parsed.error?.issues)} in ${JSON.stringify(result)}`)
  assert.match(String(result['receipt']), /^r_/)
  return result
}

export async function failed(client: RpcClient, method: string, params: unknown): Promise<NonNullable<RpcAnswer['error']>> {
  const { error } = await client.request(method, params)
  assert.ok(error, `${method} ${JSON.stringify(params)} is refused`)
  return error
}

/** A call that is asked for: the question goes to the terminal, and the same call goes through after the yes. */
export async function approved(place: Place, client: RpcClient, method: string, params: unknown): Promise<Record<string, never> & Record<string, unknown>> {
  const error = await failed(client, method, params)
  assert.deepEqual([error.code, error.data.code, error.data['approval'] === undefined], [-32002, 'approval.needed', false], JSON.stringify(error))
  assert.equal((await vp(place, ['approve', String(error.data['approval']), '--for', 'call'])).code, 0)
  return ok(client, method, params)
}

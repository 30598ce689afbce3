/**
 * `vp do "fix the failing test"` against a live OpenAI-compatible server: a green commit or a typed end. Faults of the server are in
 * `test/e2e-more/do-faults.test.ts`.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { call, makePlace, turnOf, vp } from './kit.ts'

import { after, EDIT, FILES, GOAL, runTrials, SUBMIT, type Trial } from './do-trials.ts'

const TRIALS: Readonly<Record<string, Trial>> = {
  'streaming, no fault': { answers: after(), exit: 0 },
  'a claim that the tests pass when they do not': {
    answers: (_request, n) => [call('edit', { path: 'src/other.js', old: '1', new: '2' }), SUBMIT, EDIT, SUBMIT][n - 1] ?? SUBMIT,
    exit: 0,
    receipts: [['task.failed', 'failed']],
  },
}

runTrials(TRIALS)

describe('what every request looks like', () => {
  test('system prompt and tools are at most 4,000 characters, the prompt only grows, and no path or clock of this machine is in it', async (t) => {
    const server = await startScriptedServer(after())
    t.after(() => server.close())
    const place = makePlace(t, FILES, server)
    assert.equal((await vp(place, ['do', GOAL])).code, 0)
    const [first] = server.requests
    assert.ok(first)
    const system = first.messages.find((message) => message.role === 'system')?.content ?? ''
    const tools = JSON.stringify(first.tools?.map((tool) => tool.function))
    assert.ok(system.length + tools.length <= 4000, `${system.length} + ${tools.length}`)
    for (const [index, request] of server.requests.entries()) {
      const earlier = server.requests[index - 1]
      if (earlier) assert.deepEqual(request.messages.slice(0, earlier.messages.length), earlier.messages)
      assert.ok(!JSON.stringify(request).includes(place.root))
      assert.doesNotMatch(JSON.stringify(request.messages), /\d{4}-\d\d-\d\d|duration_ms/)
    }
    assert.equal(turnOf(first).task, 'T1')
  })
})

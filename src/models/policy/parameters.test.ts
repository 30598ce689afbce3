/** Whose word on temperature and answer length holds: the lane's, the default provider's, then vp's own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_POLICY } from './default.ts'
import { laneParameters, parametersOf } from './parameters.ts'
import { LANES, type PolicyFile } from './schema.ts'

const policy = (defaults: object, override: object): PolicyFile => ({
  version: '2026-11-30-001',
  default_provider: { provider: 'ollama', model: 'a', ...defaults },
  lane_overrides: { Narrative: { provider: 'ollama', model: 'b', ...override } },
})

const cases: [title: string, policy: PolicyFile, lane: string | null, want: [number, number]][] = [
  ['nobody says anything', policy({}, {}), 'Code-Impl', [0, 4096]],
  ['the default provider says it for every lane', policy({ temperature: 0.7, max_tokens: 1000 }, {}), 'Code-Impl', [0.7, 1000]],
  ['and for planning', policy({ temperature: 0.7, max_tokens: 1000 }, { temperature: 1 }), null, [0.7, 1000]],
  ['a lane says it for itself', policy({ temperature: 0.7 }, { temperature: 1.5, max_tokens: 9 }), 'Narrative', [1.5, 9]],
  ['field by field', policy({ temperature: 0.7, max_tokens: 1000 }, { temperature: 0 }), 'Narrative', [0, 1000]],
]
for (const [title, given, lane, [temperature, max_tokens]] of cases) test(title, () => assert.deepEqual(parametersOf(given, lane), { temperature, max_tokens }))

test('a run is told only of lanes that differ from the default', () => {
  assert.equal(laneParameters(DEFAULT_POLICY), null)
  assert.deepEqual(laneParameters(policy({}, { max_tokens: 100 })), { Narrative: { temperature: 0, max_tokens: 100 } })
  assert.deepEqual(
    Object.keys(laneParameters(policy({ temperature: 1 }, { temperature: 0 })) ?? {}),
    LANES.filter((lane) => lane !== 'Narrative'),
  )
})

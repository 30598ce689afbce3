/** Energy and carbon: the contract's vectors, and a range whose method is said. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { carbonOf, energyOf, GRID_G_PER_KWH, powerOf, type Drawn } from './energy.ts'

interface Vector {
  readonly id: string
  readonly function: string
  readonly input: {
    device?: 'cpu' | 'gpu'
    profile?: 'upstream' | 'measured'
    model?: string
    tokens?: number
    gpu_kw?: number
    cpu_kw?: number
    active_s?: number
    energy_kwh?: number
  }
  readonly expect: number
}
const { vectors } = JSON.parse(readFileSync(new URL('../../test/vectors/policy.json', import.meta.url), 'utf8')) as { vectors: Vector[] }
const used = (tokens: number) => ({ tokens_in: tokens, tokens_out: 0, tokens_think: 0, tokens_cached: 0, tokens_tool_use: 0 })
const local: Drawn = { tier: 'Local-Small', local: true, model: 'm' }

for (const { id, function: name, input, expect } of vectors)
  if (name === 'energy_kwh')
    test(`vector ${id}`, () => {
      const { device, profile, model = 'm', tokens = 0, active_s = 0, cpu_kw, gpu_kw } = input
      if (profile === 'upstream') {
        const { lo, hi } = energyOf({ tier: 'T', local: true, model, device, settings: { profile } }, 0, used(tokens))
        for (const end of [lo, hi]) assert.ok(Math.abs(end - expect) < 1e-9, `${lo}..${hi}`)
      } else {
        // Both devices at work: their sum, which a policy says as one figure.
        const both = (cpu_kw ?? 0) + (gpu_kw ?? 0)
        const { lo, hi } = energyOf({ ...local, settings: { devices: { 'Local-Small': { cpu_kw: both, gpu_kw: both } } } }, active_s * 1000, used(0))
        for (const end of [lo, hi]) assert.ok(Math.abs(end - expect) < 1e-9, `${lo}..${hi}`)
      }
    })
  else if (name === 'carbon_kg') test(`vector ${id}`, () => assert.ok(Math.abs(carbonOf({ lo: 0, hi: input.energy_kwh ?? 0 }).hi - expect) < 1e-9))

test('estimates say so; a meter bounds them from above and never makes the low end higher', () => {
  const estimated = energyOf(local, 3_600_000, used(10))
  assert.deepEqual(estimated, { lo: 0.06, hi: 0.12, source: 'estimate', profile: 'measured', method: 'power_x_time' })
  assert.deepEqual(energyOf(local, 3_600_000, used(10), { kwh: 0.5, method: 'rapl' }), {
    lo: 0.06,
    hi: 0.5,
    source: 'meter',
    profile: 'measured',
    method: 'rapl',
  })
  assert.deepEqual(energyOf(local, 3_600_000, used(10), { kwh: 0.01, method: 'nvml' }), {
    lo: 0.01,
    hi: 0.01,
    source: 'meter',
    profile: 'measured',
    method: 'nvml',
  })
  const far = energyOf({ tier: 'API-Premium', local: false, model: 'm' }, 1e9, used(1000), { kwh: 9, method: 'rapl' })
  assert.deepEqual([far.lo, far.hi, far.source, far.method], [0.0002, 0.0008, 'estimate', 'per_token'], 'this machine’s meter says nothing of another')
})

test('a tier of one’s own that is local draws as a machine does, not as a service', () => {
  assert.deepEqual(powerOf('Local-Huge'), powerOf('Local-Medium'))
  assert.equal(energyOf({ tier: 'Local-Huge', local: true, model: 'm' }, 1000, used(1)).method, 'power_x_time')
})

test('carbon: the policy’s figure, then its country, then 200 g', () => {
  assert.deepEqual(carbonOf({ lo: 1, hi: 2 }), { lo: 0.2, hi: 0.4, kg_per_kwh: 0.2, grid: 'default' })
  assert.equal(carbonOf({ lo: 1, hi: 2 }, { grid: 'FRA' }).kg_per_kwh, 0.044)
  assert.deepEqual(carbonOf({ lo: 1, hi: 2 }, { grid: 'FRA', grid_kg_per_kwh: 0.5 }), { lo: 0.5, hi: 1, kg_per_kwh: 0.5, grid: 'policy' })
  for (const [country, grams] of Object.entries(GRID_G_PER_KWH)) assert.ok(grams > 10 && grams < 1200, country)
})

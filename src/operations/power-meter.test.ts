/** The power meter over a powercap folder as Linux has it, and a program that speaks as nvidia-smi does. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { drawn, openPowerMeter } from './power-meter.ts'

function machine(t: TestContext, packages: readonly [name: string, uj: number][], nvidia?: string) {
  const root = mkdtempSync(join(tmpdir(), 'vp-power-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  const at = (n: number) => join(root, `intel-rapl:${n}`)
  for (const [n, [name, uj]] of packages.entries()) {
    mkdirSync(at(n))
    writeFileSync(join(at(n), 'name'), `${name}\n`)
    writeFileSync(join(at(n), 'energy_uj'), `${uj}\n`)
    writeFileSync(join(at(n), 'max_energy_range_uj'), '1000000000\n')
  }
  if (nvidia !== undefined) {
    writeFileSync(join(root, 'nvidia-smi'), `#!/bin/sh\n${nvidia}\n`)
    chmodSync(join(root, 'nvidia-smi'), 0o755)
  }
  let now = 0
  const meter = openPowerMeter({ powercap: root, path: root, monotonic: () => now })
  const set = (n: number, uj: number) => writeFileSync(join(at(n), 'energy_uj'), `${uj}\n`)
  return { meter, set, pass: (ms: number) => (now += ms) }
}

test('RAPL: the packages alone, also over the end of a counter', async (t) => {
  const { meter, set } = machine(t, [
    ['package-0', 999_000_000],
    ['package-1', 5],
    ['psys', 0],
  ])
  const end = meter?.begin()
  set(0, 6_200_000)
  set(1, 5)
  set(2, 900_000_000)
  assert.deepEqual(await end?.(), { kwh: 7_200_000 / 3.6e12, method: 'rapl' })
})

test('NVML: the cards’ draw times the time; both together are summed', async (t) => {
  const gpu = machine(t, [], 'echo 100.0; echo 50.0')
  const end = gpu.meter?.begin()
  gpu.pass(3_600_000)
  assert.deepEqual(await end?.(), { kwh: 0.15, method: 'nvml' })
  const both = machine(t, [['package-0', 0]], 'echo 1000')
  const stop = both.meter?.begin()
  both.set(0, 900_000_000)
  both.pass(3600)
  assert.deepEqual(await stop?.(), { kwh: 0.001 + 0.9e9 / 3.6e12, method: 'rapl+nvml' })
})

test('two calls at once share what was drawn', async (t) => {
  const { meter, set } = machine(t, [['package-0', 0]])
  const ends = [meter?.begin(), meter?.begin()]
  set(0, 7_200_000)
  assert.equal((await ends[0]?.())?.kwh, 3_600_000 / 3.6e12)
})

test('what cannot be read is no meter', async (t) => {
  assert.equal(machine(t, []).meter, null)
  assert.equal(machine(t, [['core', 5]]).meter, null)
  assert.equal(openPowerMeter({ powercap: '/nonexistent', path: '', monotonic: () => 0 }), null)
  assert.equal(await machine(t, [], 'echo "No devices were found"; exit 6').meter?.begin()(), null)
  assert.equal(await machine(t, [], 'echo "[N/A]"').meter?.begin()(), null)
  assert.equal(drawn([{ file: '', range: 10 }], [1], [null]), null)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measured, threshold } from '../../core/gate-words.ts'
import * as f from './format.ts'

const rows: [got: string, want: string][] = [
  [f.money(2_310_000), '$2.31'],
  [f.money(4_000_000), '$4.00'],
  [f.money(9_999), '<$0.01'],
  [f.money(10_000), '$0.01'],
  [f.money(0), '$0'],
  [f.money(null), 'price unknown'],
  [f.money(1_204_500_000), '$1,204.50'],
  [f.money(-30_000), '-$0.03'],
  [f.tokens(842), '842'],
  [f.tokens(8_412), '8.4k'],
  [f.tokens(9_960), '10k'],
  [f.tokens(128_000), '128k'],
  [f.tokens(999_499), '999k'],
  [f.tokens(999_500), '1M'],
  [f.tokens(1_240_000), '1.2M'],
  [f.tokens(null), 'not measured'],
  [f.tokenBand(96_000, 184_400), '96–184k'],
  [f.tokenBand(9_000, 21_000), '9–21k'],
  [f.tokenBand(400, 8_400), '0.4–8.4k'],
  [f.tokenBand(0, 5_000), '0–5.0k'],
  [f.tokenBand(400, 12_000), '0.4–12k'],
  [f.tokenBand(200, 900), '200–900'],
  [f.usdBand(1.8, 3.1), '$1.80–3.10'],
  [f.usdBand(0, 0), '$0'],
  [f.usdBand(0, 0.2), '$0–0.20'],
  [f.usdBand(0.001, 0.2), '<$0.01–$0.20'],
  [f.usdBand(null, 1), 'price unknown'],
  [f.duration(400), '0.4s'],
  [f.duration(20), '<0.1s'],
  [f.duration(949), '0.9s'],
  [f.duration(950), '1s'],
  [f.duration(38_000), '38s'],
  [f.duration(252_000), '4m12s'],
  [f.duration(62_000), '1m02s'],
  [f.duration(26 * 60_000), '26m'],
  [f.duration(65 * 60_000), '1h05m'],
  [f.duration(3 * 86_400_000 + 5), '3d'],
  [f.duration(null), 'not measured'],
  [f.durationBand(18 * 60_000, 31 * 60_000), '18–31m'],
  [f.durationBand(45_000, 120_000), '45s–2m'],
  [f.durationBand(50 * 60_000, 80 * 60_000), '50–80m'],
  [f.energy({ lo: 0.04, hi: 0.11, source: 'estimate' }), '40–110 Wh est.'],
  [f.energy({ lo: 0.0004, hi: 0.0011, source: 'meter' }), '0.4–1.1 Wh measured'],
  [f.energy({ lo: 4, hi: 12, source: 'estimate' }), '4–12 kWh est.'],
  [f.energy(null), 'energy not measured'],
  [f.clock(Date.UTC(2026, 10, 22, 14, 31, 2), 'UTC'), '14:31:02'],
  [f.clock(Date.UTC(2026, 10, 22, 14, 31, 2), 'Asia/Kolkata'), '20:01:02'],
  [f.clock(Date.UTC(2026, 10, 22, 0, 0, 0), 'UTC'), '00:00:00'],
  [f.isoSeconds(Date.UTC(2026, 10, 22, 13, 44, 10, 999)), '2026-11-22T13:44:10Z'],
  [f.bytes(38_000_000), '38 MB'],
  [f.bytes(61e9), '61 GB'],
  [f.bytes(1_500), '1.5 kB'],
  [measured(0.83), '0.83'],
  [measured(12.6), '12.6'],
  [measured(null), 'not measured'],
  [threshold({ min: 0.9 }), '>= 0.90'],
  [threshold({ max: 12 }), '<= 12'],
  [threshold({ lt: 3 }), '< 3'],
  [threshold({ expected: true }), '= yes'],
  [f.count(1, 'task'), '1 task'],
  [f.count(1204, 'line'), '1,204 lines'],
  [f.ago(3 * 3_600_000 + 5), '3h ago'],
]
for (const [got, want] of rows) test(`format ${want}`, () => assert.equal(got, want))

test('every token count has at most three digits, and every band grows', () => {
  for (let count = 0; count < 2e9; count = count * 1.37 + 1) {
    const shown = f.tokens(count)
    assert.match(shown, /^\d{1,3}[kMG]?$|^\d\.\d[kMG]$/, `${count}`)
  }
})

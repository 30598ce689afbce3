/**
 * What a call draws and what that emits: always a range, with the method by which it is known and the profile. Pure; what a
 * meter read comes as an argument. Source: contracts/policy.md section 7.
 */
import type { CarbonRange, EnergyRange } from '../core/usage.ts'
import type { ModelUsage } from './contract.ts'
import type { EnergySettings } from './policy/schema.ts'

/** kW of the devices: CPU as the low end, GPU as the high one. */
const POWER_KW: Readonly<Record<string, readonly [number, number]>> = {
  'Local-Small': [0.06, 0.12],
  'Local-Medium': [0.08, 0.25],
}
const REMOTE_KWH_PER_1000_TOKENS = 0.0004

/** The compatibility profile: kWh per 1000 tokens on CPU and GPU, some hundred times too high. */
const UPSTREAM: Readonly<Record<string, readonly [number, number]>> = { 'llama3.1:8b': [0.05, 0.15], 'gpt-4': [0, 0.2] }
const UPSTREAM_OTHER = [0.1, 0.1] as const

/** CPU and GPU of a tier on this machine, in kW: the policy's own figures before the contract's. */
export function powerOf(tier: string, settings: EnergySettings = {}): readonly [number, number] {
  const [cpu, gpu] = POWER_KW[tier] ?? POWER_KW['Local-Medium'] ?? [0, 0]
  const own = settings.devices?.[tier]
  return [own?.cpu_kw ?? cpu, own?.gpu_kw ?? gpu]
}

/** What a meter of this machine saw while the call went on: all that ran there, not the model alone. */
export interface Metered {
  readonly kwh: number
  readonly method: 'rapl' | 'nvml' | 'rapl+nvml'
}

export interface Drawn {
  readonly tier: string
  /** On this machine. */
  readonly local: boolean
  readonly model: string
  readonly device?: 'cpu' | 'gpu' | 'remote' | undefined
  readonly settings?: EnergySettings | undefined
}

export function energyOf(
  { tier, local, model, device, settings = {} }: Drawn,
  durationMs: number,
  usage: ModelUsage,
  metered: Metered | null = null,
): EnergyRange {
  const tokens = usage.tokens_in + usage.tokens_out + usage.tokens_think
  if (settings.profile === 'upstream') {
    const [cpu, gpu] = UPSTREAM[model] ?? UPSTREAM_OTHER
    const k = device === 'cpu' ? [cpu, cpu] : device === 'gpu' ? [gpu, gpu] : [Math.min(cpu, gpu), Math.max(cpu, gpu)]
    return { lo: (tokens / 1000) * (k[0] ?? 0), hi: (tokens / 1000) * (k[1] ?? 0), source: 'estimate', profile: 'upstream', method: 'per_token' }
  }
  if (local) {
    const [cpu, gpu] = powerOf(tier, settings)
    const hours = durationMs / 3_600_000
    const [low, high] = [Math.min(cpu, gpu) * hours, Math.max(cpu, gpu) * hours]
    // The meter knows the machine: no more than it saw was drawn, and of that perhaps as little as was estimated.
    if (metered) return { lo: Math.min(low, metered.kwh), hi: metered.kwh, source: 'meter', profile: 'measured', method: metered.method }
    return { lo: low, hi: high, source: 'estimate', profile: 'measured', method: 'power_x_time' }
  }
  const kwh = (tokens / 1000) * (settings.remote_kwh_per_1k_tokens ?? REMOTE_KWH_PER_1000_TOKENS)
  return { lo: kwh / 2, hi: kwh * 2, source: 'estimate', profile: 'measured', method: 'per_token' }
}

const DEFAULT_KG_PER_KWH = 0.2

/** g of CO2 equivalent a kWh: Ember's yearly averages as co2.js 0.19 (2026) publishes them, rounded. */
const GRID = `
  ARE 468, ARG 345, AUS 554, AUT 103, BEL 118, BGR 264, BRA 106, CAN 185, CHE 37, CHL 266, CHN 558, COL 286, CZE 414, DEU 342,
  DNK 143, EGY 575, ESP 146, EST 341, EU 213, FIN 72, FRA 44, GBR 216, GRC 320, HKG 682, HRV 174, HUN 183, IDN 682, IND 709, IRL 280,
  ISL 28, ISR 567, ITA 288, JPN 484, KOR 416, LTU 139, LUX 135, LVA 136, MEX 483, MYS 604, NLD 253, NOR 31, NZL 120, PHL 613,
  POL 615, PRT 112, ROU 246, SAU 692, SGP 499, SRB 671, SVK 96, SVN 227, SWE 36, THA 555, TUR 470, TWN 635, UKR 250, USA 384,
  VNM 486, ZAF 714, WORLD 473`
export const GRID_G_PER_KWH: Readonly<Record<string, number>> = Object.fromEntries(
  [...GRID.matchAll(/([A-Z]+) (\d+)/g)].map(([, country = '', grams]) => [country, Number(grams)]),
)

export function carbonOf({ lo, hi }: Pick<EnergyRange, 'lo' | 'hi'>, settings: EnergySettings = {}): CarbonRange {
  const ofGrid = settings.grid === undefined ? undefined : GRID_G_PER_KWH[settings.grid]
  const own = settings.grid_kg_per_kwh
  const perKwh = own ?? (ofGrid === undefined ? DEFAULT_KG_PER_KWH : ofGrid / 1000)
  return {
    lo: lo * perKwh,
    hi: hi * perKwh,
    kg_per_kwh: perKwh,
    grid: own !== undefined ? 'policy' : ofGrid === undefined ? 'default' : (settings.grid ?? 'default'),
  }
}

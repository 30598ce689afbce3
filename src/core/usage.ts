/**
 * What model work uses, in the ledger's units: tokens, micro-USD, kWh as a range. Used by receipts and meters.
 */
export interface EnergyRange {
  readonly lo: number
  readonly hi: number
  readonly source: 'estimate' | 'meter'
  readonly profile: string
  /** How it is known: `rapl`, `nvml`, `rapl+nvml`, `power_x_time`, `per_token`. Absent in receipts of before. */
  readonly method?: string
}

/** kg of CO2 equivalent. */
export interface CarbonRange {
  readonly lo: number
  readonly hi: number
  readonly kg_per_kwh: number
  /** Whose figure that is: a country of the grid table, `policy` or `default`. */
  readonly grid: string
}

export interface Usage {
  readonly tokens_in: number
  readonly tokens_out: number
  readonly tokens_think: number
  readonly tokens_cached: number
  /** Absent: none. */
  readonly tokens_cache_write?: number
  readonly tokens_tool_use: number
  /** null: the price is unknown, which is not zero. */
  readonly cost_micro_usd: number | null
  readonly energy_kwh: EnergyRange
  readonly carbon_kg?: CarbonRange
}

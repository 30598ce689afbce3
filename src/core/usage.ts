/**
 * What model work uses, in the ledger's units: tokens, micro-USD, kWh as a range. Used by receipts and meters.
 */
export interface EnergyRange {
  readonly lo: number
  readonly hi: number
  readonly source: 'estimate' | 'meter'
  readonly profile: string
}

export interface Usage {
  readonly tokens_in: number
  readonly tokens_out: number
  readonly tokens_think: number
  readonly tokens_cached: number
  readonly tokens_tool_use: number
  /** null: the price is unknown, which is not zero. */
  readonly cost_micro_usd: number | null
  readonly energy_kwh: EnergyRange
}

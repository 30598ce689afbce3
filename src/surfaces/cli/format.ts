/**
 * Quantities in words, by the table of design/cli.md section 2. Never the locale: only the zone of the local clock
 * is taken from outside. What was not measured is said, never shown as zero.
 */
import { NOT_MEASURED } from '../../core/gate-words.ts'

export interface EnergyBand {
  readonly lo: number
  readonly hi: number
  /** `estimate`, `meter`. */
  readonly source: string
}

/** `$2.31`, `<$0.01`, `$0`, `price unknown`; micro-USD. */
export function money(microUsd: number | null): string {
  if (microUsd === null || !Number.isFinite(microUsd)) return 'price unknown'
  if (microUsd === 0) return '$0'
  if (microUsd < 0) return `-${money(-microUsd)}`
  return microUsd < 10_000 ? '<$0.01' : `$${dollars(microUsd)}`
}

/** The same for dollars, as `--json` carries them. */
export function usd(value: number | null): string {
  return money(value === null ? null : Math.round(value * 1e6))
}

function dollars(microUsd: number): string {
  const cents = Math.round(microUsd / 10_000)
  return `${grouped(Math.floor(cents / 100))}.${String(cents % 100).padStart(2, '0')}`
}

/** `1,204`. */
export function grouped(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+(?!\d))/g, ',')
}

/** `842`, `8.4k`, `128k`, `1.2M`: at most three digits. */
export function tokens(count: number | null): string {
  if (count === null) return NOT_MEASURED
  const [factor, suffix] = tokenUnit(count)
  return scaled(count, factor) + suffix
}

function tokenUnit(count: number): [factor: number, suffix: string] {
  if (count >= 999_500_000) return [1e9, 'G']
  if (count >= 999_500) return [1e6, 'M']
  return count >= 1000 ? [1e3, 'k'] : [1, '']
}

function scaled(count: number, factor: number): string {
  if (factor === 1) return String(Math.round(count))
  const value = count / factor
  return value >= 9.95 ? String(Math.round(value)) : value.toFixed(1).replace(/\.0$/, '')
}

/** `18.2k`: with one digit more, where a single call is weighed. */
export function tokensFine(count: number): string {
  return count >= 9_950 && count < 99_950 ? `${(count / 1000).toFixed(1).replace(/\.0$/, '')}k` : tokens(count)
}

/** `9–21k`: both ends in the upper one's unit and precision. */
export function tokenBand(low: number, high: number): string {
  const [factor, suffix] = tokenUnit(high)
  const fine = factor !== 1 && high / factor < 9.95
  const end = (count: number) => {
    const value = count / factor
    const shown = fine || (value > 0 && value < 0.95) ? value.toFixed(1) : String(Math.round(value))
    return Number(shown) === 0 ? '0' : shown
  }
  return range(end(low), end(high)) + suffix
}

/** `$1.80–3.10`; a band within a cent is one number. */
export function usdBand(low: number | null, high: number | null): string {
  if (low === null || high === null) return 'price unknown'
  const [from, to] = [money(Math.round(low * 1e6)), money(Math.round(high * 1e6))]
  if (from === to) return to
  return from.startsWith('$') && to.startsWith('$') ? range(from, to.slice(1)) : range(from, to)
}

function range(low: string, high: string): string {
  return low === high ? high : `${low}–${high}`
}

/** `0.4s` `38s` `4m12s` `1h05m` `3d`. */
export function duration(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return NOT_MEASURED
  if (ms < 0) return '0s'
  if (ms < 50) return '<0.1s'
  if (ms < 950) return `${(ms / 1000).toFixed(1)}s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return pair(Math.floor(seconds / 60), 'm', seconds % 60, 's')
  const minutes = Math.floor(seconds / 60)
  if (minutes < 24 * 60) return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'm')
  return `${Math.floor(minutes / (24 * 60))}d`
}

function pair(big: number, bigUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${big}${bigUnit}` : `${big}${bigUnit}${String(small).padStart(2, '0')}${smallUnit}`
}

/** A length known only roughly: `38s`, `41m`, `1h05m`. */
export function roughly(ms: number): string {
  return ms < 59_500 ? duration(Math.max(1000, Math.round(ms / 1000) * 1000)) : duration(Math.round(ms / 60_000) * 60_000)
}

/** `18–31m`; ends of different units carry their own. */
export function durationBand(lowMs: number, highMs: number): string {
  if (lowMs >= 59_500 && highMs < 100 * 60_000) return `${range(String(Math.round(lowMs / 60_000)), String(Math.round(highMs / 60_000)))}m`
  const [low, high] = [roughly(lowMs), roughly(highMs)]
  const unit = /^\d+([smd])$/
  const [lowUnit, highUnit] = [unit.exec(low)?.[1], unit.exec(high)?.[1]]
  return lowUnit !== undefined && lowUnit === highUnit ? range(low.slice(0, -1), high.slice(0, -1)) + highUnit : range(low, high)
}

/** How long ago, in one unit: `3h ago`. */
export function ago(ms: number): string {
  if (ms < 60_000) return `${Math.max(0, Math.floor(ms / 1000))}s ago`
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)}m ago`
  return ms < 86_400_000 ? `${Math.floor(ms / 3_600_000)}h ago` : `${Math.floor(ms / 86_400_000)}d ago`
}

/** `40–110 Wh est.`, `1.2–3.1 kWh measured`; kWh in. */
export function energy(range_: EnergyBand | null): string {
  if (range_ === null) return `energy ${NOT_MEASURED}`
  const kilo = range_.hi >= 10
  const factor = kilo ? 1 : 1000
  const fine = range_.hi * factor < 10
  const end = (kwh: number) => (fine ? (kwh * factor).toFixed(1) : String(Math.round(kwh * factor)))
  const word = range_.source === 'meter' || range_.source === 'measured' ? 'measured' : 'est.'
  return `${range(end(range_.lo), end(range_.hi))} ${kilo ? 'kWh' : 'Wh'} ${word}`
}

/** `14:31:02` in `zone`; the machine's when absent. */
export function clock(epochMs: number, zone?: string): string {
  const parts = new Intl.DateTimeFormat('en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    numberingSystem: 'latn',
    calendar: 'gregory',
    ...(zone === undefined ? {} : { timeZone: zone }),
  })
  return parts.format(epochMs)
}

/** `14:31`. */
export function clockMinute(epochMs: number, zone?: string): string {
  return clock(epochMs, zone).slice(0, 5)
}

/** `2026-11-22T13:44:10Z`, for piped lines. */
export function isoSeconds(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19)}Z`
}

/** `38 MB`, `61 GB`. */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = count
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1).replace(/\.0$/, '') : Math.round(value)} ${units[unit]}`
}

/** `1 task`, `24 tasks`. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${grouped(number)} ${number === 1 ? noun : plural}`
}

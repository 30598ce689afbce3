/** Values and thresholds of gates as people and models read them: `0.86`, `>= 0.90`, `yes`. Pure. */

export const NOT_MEASURED = 'not measured'

/** `0.83` and `1.00` for shares, `true` as `yes`. */
export function measured(value: number | boolean | string | null): string {
  if (value === null) return NOT_MEASURED
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value === 'string') return value
  return value >= 0 && value <= 1 ? value.toFixed(2) : String(Math.round(value * 10) / 10)
}

/** `>= 0.90`, `<= 12`, `< 3`, `= yes`. */
export function threshold(value: unknown): string {
  if (typeof value !== 'object' || value === null) return typeof value === 'number' ? `>= ${bound(value)}` : String(value)
  const entry = Object.entries(value)[0]
  if (!entry) return ''
  const sign = { min: '>=', max: '<=', lt: '<', expected: '=' }[entry[0]] ?? entry[0]
  return `${sign} ${typeof entry[1] === 'number' ? bound(entry[1]) : measured(entry[1] as boolean | string | null)}`
}

function bound(value: number): string {
  return Number.isInteger(value) && value !== 1 && value !== 0 ? String(value) : value >= 0 && value <= 1 ? value.toFixed(2) : String(value)
}

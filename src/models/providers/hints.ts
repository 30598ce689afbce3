/**
 * When a server wants to be asked again, in its own words. Reads headers and body only, no clock: a date counts from
 * the server's own `date`. Sources: RFC 9110 section 10.2.3; OpenAI's rate limit guide (`x-ratelimit-*`) and both SDKs
 * (`retry-after-ms`, `x-should-retry`); google.rpc.RetryInfo.
 */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

export interface RetryHint extends Readonly<Record<string, unknown>> {
  /** null without a hint. */
  readonly retry_after_ms: number | null
  /** false: the server says that asking again is of no use. */
  readonly retry?: false
}

export function retryHint(headers: Headers | undefined, body: string): RetryHint {
  const header = (name: string) => headers?.[name]?.toString() ?? ''
  const found = [Number.parseFloat(header('retry-after-ms')), afterMs(header('retry-after'), header('date')), bodyDelay(body), spentWindow(header)]
  return {
    retry_after_ms: found.find((ms) => ms !== null && Number.isFinite(ms) && ms >= 0) ?? null,
    ...(header('x-should-retry') === 'false' ? { retry: false } : {}),
  }
}

function afterMs(value: string, date: string): number | null {
  if (/^\s*\d+(\.\d+)?\s*$/.test(value)) return Number(value) * 1000
  const [until, now] = [Date.parse(value), Date.parse(date)]
  return Number.isNaN(until) || Number.isNaN(now) ? null : Math.max(0, until - now)
}

/** `"retryDelay": "34.07s"` in the details of a Google error. */
function bodyDelay(body: string): number | null {
  const seconds = /"retryDelay"\s*:\s*"(\d+(?:\.\d+)?)s"/.exec(body)?.[1]
  return seconds === undefined ? null : Math.ceil(Number(seconds) * 1000)
}

/** The longest window of those that have nothing left. */
function spentWindow(header: (name: string) => string): number | null {
  const waits = ['requests', 'tokens']
    .filter((what) => header(`x-ratelimit-remaining-${what}`) === '0')
    .map((what) => goMs(header(`x-ratelimit-reset-${what}`)))
  return waits.reduce<number | null>((most, ms) => (ms === null ? most : Math.max(most ?? 0, ms)), null)
}

/** `6m0s`, `1.5s`, `20ms`. */
function goMs(text: string): number | null {
  const units: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 }
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)]
  return parts.length === 0 ? null : parts.reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ''] ?? 0), 0)
}

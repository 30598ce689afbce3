/**
 * Recordings: what was asked and answered, one exchange a line, and a provider that answers from them. It
 * refuses a request that is not in the recording and names the first difference; it never guesses.
 */
import { VpError } from '../core/errors.ts'
import { canonicalJson, sha256 } from '../core/json.ts'
import type { CallPlace, ModelAnswer, ModelRequest, Provider } from './contract.ts'

export interface Exchange extends CallPlace {
  readonly request_sha: string
  readonly request: ModelRequest
  readonly answer: ModelAnswer
}

export function requestSha(request: ModelRequest): string {
  return sha256(canonicalJson(request))
}

/** With `requestSha` what the receipt of a call names: neither side of the recording can change without it. */
export function answerSha(answer: ModelAnswer): string {
  return sha256(canonicalJson(answer))
}

export function printRecording(exchanges: readonly Exchange[]): string {
  return exchanges.map((exchange) => canonicalJson(exchange) + '\n').join('')
}

/** Throws `bundle.invalid` with the line that is not an exchange. */
export function parseRecording(text: string): Exchange[] {
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return []
    try {
      const exchange = JSON.parse(line) as Exchange
      const sound =
        typeof exchange.task === 'string' &&
        Number.isInteger(exchange.attempt) &&
        Number.isInteger(exchange.turn) &&
        Array.isArray(exchange.request.messages) &&
        typeof exchange.answer.text === 'string' &&
        Array.isArray(exchange.answer.calls)
      if (!sound || requestSha(exchange.request) !== exchange.request_sha) throw new TypeError('not an exchange')
      return [exchange]
    } catch (cause) {
      throw new VpError('bundle.invalid', `line ${index + 1} of the recording is not an exchange`, { cause })
    }
  })
}

const placeOf = (place: CallPlace): string => `${place.task}#${place.attempt}#${place.turn}`

/** `model` is what the recording was made with; answering takes no time and no network. */
export function recordedProvider(exchanges: readonly Exchange[], model: string): Provider {
  // A rehearsal and a run may stand at the same place with other words, so the request belongs to the key.
  const byPlace = Map.groupBy(exchanges, placeOf)
  return {
    name: 'recorded',
    model,
    endpoint: { host: 'recording', loopback: true },
    async answer(request, place, signal) {
      signal.throwIfAborted()
      const recorded = byPlace.get(placeOf(place)) ?? []
      const sha = requestSha(request)
      const same = recorded.find((exchange) => exchange.request_sha === sha)
      if (same) return same.answer
      const where = `${place.task}, attempt ${place.attempt}, turn ${place.turn}`
      const [exchange] = recorded
      if (!exchange)
        throw new VpError('model.recording_differs', `the recording has no answer for ${where}`, {
          data: { ...place, field: 'turn' },
        })
      const difference = firstDifference(exchange.request, request)
      throw new VpError('model.recording_differs', `${where}: ${difference.field} is not what was recorded`, {
        why: `was ${difference.was}, is ${difference.is}`,
        data: { ...place, ...difference },
      })
    },
  }
}

const LEAD = 8

/** The first place, in canonical order, where two values part. */
export function firstDifference(was: unknown, is: unknown, field = 'request'): { field: string; was: string; is: string } {
  if (typeof was === 'string' && typeof is === 'string') {
    let at = 0
    while (at < was.length && was[at] === is[at]) at++
    // What differs comes first, so that two texts cut at one width are never the same.
    const around = (text: string) => JSON.stringify((at > LEAD ? '…' : '') + text.slice(Math.max(0, at - LEAD), at + 60))
    return { field: `${field}, character ${at + 1}`, was: around(was), is: around(is) }
  }
  if (was !== null && is !== null && typeof was === 'object' && typeof is === 'object') {
    const left = was as Record<string, unknown>
    const right = is as Record<string, unknown>
    for (const key of [...new Set([...Object.keys(left), ...Object.keys(right)])].toSorted())
      if (canonicalJson(left[key] ?? null) !== canonicalJson(right[key] ?? null))
        return firstDifference(left[key] ?? null, right[key] ?? null, Array.isArray(was) ? `${field}[${key}]` : `${field}.${key}`)
  }
  return { field, was: canonicalJson(was).slice(0, 100), is: canonicalJson(is).slice(0, 100) }
}

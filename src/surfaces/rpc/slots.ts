/** At most so many at once; the others wait in order. Whoever is cancelled while it waits leaves the line. */
import { VpError } from '../../core/errors.ts'

export type Slots = <Result>(signal: AbortSignal, work: () => Promise<Result>) => Promise<Result>

/** The returned function throws `cancelled` when the signal comes before the turn. */
export function createSlots(count: number): Slots {
  const waiting = new Set<() => void>()
  let free = count
  const turn = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const leave = () => {
        waiting.delete(enter)
        reject(new VpError('cancelled', 'cancelled before it began'))
      }
      const enter = () => {
        waiting.delete(enter)
        signal.removeEventListener('abort', leave)
        resolve()
      }
      if (signal.aborted) return leave()
      signal.addEventListener('abort', leave, { once: true })
      if (free === 0) return void waiting.add(enter)
      free--
      enter()
    })
  return async (signal, work) => {
    await turn(signal)
    try {
      return await work()
    } finally {
      const [next] = waiting
      if (next) next()
      else free++
    }
  }
}

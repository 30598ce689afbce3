/**
 * `npm run bench -- redact`: the filter of secrets over long lines. The yardstick is a walk over the same text, one letter after the
 * other; a line of eight times the length may take sixteen times as long, of whatever it is made.
 */
import { LINE_PIECES } from '../test/fixtures/line-pieces.ts'
import { createRedactor } from '../src/policy/redact.ts'
import { printRows } from './rows.ts'

const ROUNDS = Number(process.env['VP_BENCH_ROUNDS'] ?? 5)
const [SMALL, LARGE] = [1 << 17, 1 << 20]

export function benchRedact(): void {
  const redact = createRedactor()
  const time = (work: () => unknown): number => {
    const times: number[] = []
    for (let round = -1; round < ROUNDS; round++) {
      const { user, system } = process.cpuUsage()
      work()
      const end = process.cpuUsage()
      if (round >= 0) times.push((end.user + end.system - user - system) / 1000)
    }
    return Math.min(...times) // of processor time the least: what is above it is the collector's moment, not the filter's
  }
  const letters = 'a'.repeat(1 << 20)
  const walk = time(() => walked(letters))
  const letter = time(() => redact(letters))
  const grows = LINE_PIECES.map((piece) => {
    const [small, large] = [SMALL, LARGE].map((size) => piece.repeat(Math.ceil(size / piece.length))).map((text) => time(() => redact(text))) as [
      number,
      number,
    ]
    return { piece, small, large, ratio: large / Math.max(small, 2) }
  })
  const worst = grows.reduce((most, one) => (one.ratio > most.ratio ? one : most))
  const dearest = grows.reduce((most, one) => (one.large > most.large ? one : most))
  printRows(
    [
      { what: 'ten walks over a mebibyte', value: `${walk.toFixed(1)} ms`, limit: '', holds: true },
      { what: 'a mebibyte of one letter', value: `${(letter / walk).toFixed(2)} ×  ${letter.toFixed(1)} ms`, limit: '50 ms', holds: letter < 50 },
      { what: `eight times the length, of ${JSON.stringify(worst.piece)}`, value: `${worst.ratio.toFixed(1)} ×`, limit: '16 ×', holds: worst.ratio <= 16 },
      { what: `the dearest mebibyte, of ${JSON.stringify(dearest.piece)}`, value: `${dearest.large.toFixed(0)} ms`, limit: '', holds: true },
    ],
    `best of ${ROUNDS}`,
  )
}

function walked(text: string): number {
  let sum = 0
  for (let round = 0; round < 10; round++) for (let at = 0; at < text.length; at++) sum += text.charCodeAt(at) & 7
  return sum
}

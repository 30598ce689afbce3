/**
 * Bands drawn on one scale, so that an estimate and its rehearsal can be compared by eye: `├──●───┤`, and under
 * three cells only `●`. Left out of plain and narrow output: every number stands beside it.
 */
import type { Look } from '../style.ts'

export interface Scale {
  /** Dollars a mark. */
  readonly step: number
  readonly cells: number
}

const CELLS_A_STEP = 8

/** A scale of 1, 2 or 5 times a power of ten on which `highest` fits into `room` cells; null where nothing would. */
export function scaleFor(highest: number, room: number): Scale | null {
  if (room < CELLS_A_STEP * 2 || highest <= 0 || !Number.isFinite(highest)) return null
  const steps = (room - 1) / CELLS_A_STEP
  let magnitude = 10 ** Math.floor(Math.log10(highest / steps))
  for (;;) {
    for (const factor of [1, 2, 5]) {
      if (highest <= magnitude * factor * steps) return { step: Math.max(0.01, magnitude * factor), cells: room }
    }
    magnitude *= 10
  }
}

/** `$0      $1      $2      $3`. */
export function axis(scale: Scale): string {
  let line = ''
  for (let mark = 0; mark * CELLS_A_STEP < scale.cells; mark++) {
    const label = dollarMark(mark * scale.step, scale.step)
    if (mark * CELLS_A_STEP + label.length > scale.cells) break
    line = line.padEnd(mark * CELLS_A_STEP) + label
  }
  return line
}

function dollarMark(value: number, step: number): string {
  return `$${step >= 1 || value === 0 ? String(Math.round(value)) : value.toFixed(step >= 0.095 ? 1 : 2)}`
}

/** The band in place, without trailing spaces. */
export function bandPicture(scale: Scale, band: { readonly low: number; readonly mean: number; readonly high: number }): string {
  const at = (value: number) => Math.max(0, Math.min(scale.cells - 1, Math.round((value / scale.step) * CELLS_A_STEP)))
  const [low, mean, high] = [at(band.low), at(band.mean), at(band.high)]
  if (high - low + 1 < 3) return `${' '.repeat(mean)}●`
  const middle = Math.min(high - 1, Math.max(low + 1, mean))
  return `${' '.repeat(low)}├${'─'.repeat(middle - low - 1)}●${'─'.repeat(high - middle - 1)}┤`
}

/** Whether pictures are drawn at all. */
export function drawsPictures(look: Look, room: number): boolean {
  return !look.plain && room >= CELLS_A_STEP * 2
}

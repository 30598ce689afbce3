/**
 * A few lines at the bottom of a terminal that are written over in place: never the alternate screen, never a cleared
 * one. What is finished goes above and stays in the scrollback. Each change is one write between the marks of
 * synchronized output.
 */
import { cells } from './cells.ts'

export interface Region {
  /** Shows `lines`; writes only rows that changed, and nothing when none did. */
  draw(lines: readonly string[]): void
  /** Puts finished text above the region. */
  above(text: string): void
  /** Takes the region away; what is above stays. */
  erase(): void
}

const BEGIN = '\x1b[?2026h'
const END = '\x1b[?2026l'
const UP = (rows: number) => (rows > 0 ? `\x1b[${rows}A` : '')
const TO_LINE_END = '\x1b[K'
const TO_SCREEN_END = '\x1b[J'

/** The cursor rests at the first column below the last row. `columns` is asked anew, as windows are resized. */
export function openRegion(write: (text: string) => void, columns: () => number): Region {
  let shown: readonly string[] = []
  let drawnAt = columns()
  /** Rows that the last frame takes now: a narrower window has wrapped its lines. */
  const height = () => shown.reduce((sum, line) => sum + Math.max(1, Math.ceil(cells(withoutEscapes(line)) / Math.max(1, columns()))), 0)
  const whole = (lines: readonly string[]) => lines.map((line) => `${line}${TO_LINE_END}\n`).join('')
  const replace = (before: string, lines: readonly string[]) => {
    const gone = `${UP(height())}\r${TO_SCREEN_END}`
    write(`${BEGIN}${shown.length > 0 ? gone : ''}${before}${whole(lines)}${END}`)
    shown = [...lines]
    drawnAt = columns()
  }
  return {
    draw(lines) {
      if (lines.length === shown.length && lines.every((line, index) => line === shown[index]) && drawnAt === columns()) return
      if (lines.length !== shown.length || drawnAt !== columns()) return replace('', lines)
      const rows = lines.map((line, index) => (line === shown[index] ? '\x1b[1B' : `\r${line}${TO_LINE_END}\x1b[1B`))
      write(`${BEGIN}${UP(shown.length)}${rows.join('')}\r${END}`)
      shown = [...lines]
    },
    above: (text) => replace(text, shown),
    erase: () => {
      if (shown.length > 0) replace('', [])
    },
  }
}

function withoutEscapes(line: string): string {
  // oxlint-disable-next-line no-control-regex
  return line.replace(/\x1b\[[\d;?]*[A-Za-z]/g, '')
}

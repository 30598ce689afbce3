/**
 * Frames to one SVG that plays by itself: text stays text, a row that many frames share is there once, and whoever
 * prefers no motion sees the last frame. No script, no font of its own.
 */
import { COLUMNS, ROWS, type Frame, type Piece } from './terminal.ts'

const CELL = { width: 8.4, height: 17 }
const PAD = 12
const COLORS = { good: '#39c5cf', bad: '#ff7b72', attention: '#e3b341' } as const

export interface Film {
  readonly frames: readonly Frame[]
  readonly lengthMs: number
  /** The story in words, for who does not see it. */
  readonly title: string
  readonly description: string
}

export function printFilm({ frames, lengthMs, title, description }: Film): string {
  const rows = new Map<string, string>()
  const idOf = (row: readonly Piece[]): string => {
    const drawn = row.map(printPiece).join('')
    const known = rows.get(drawn)
    if (known) return known
    const id = `r${rows.size.toString(36)}`
    rows.set(drawn, id)
    return id
  }
  const [width, height] = [COLUMNS * CELL.width + 2 * PAD, ROWS * CELL.height + 2 * PAD]
  const drawn = frames.map(({ screen }, index) => {
    const uses = screen.flatMap((row, y) => (row.length === 0 ? [] : `<use href="#${idOf(row)}" y="${y * CELL.height}"/>`))
    return `<g id="f${index}" class="f">${uses.join('')}</g>`
  })
  const percent = (ms: number) => `${((100 * ms) / lengthMs).toFixed(3)}%`
  const shown = frames.map(({ atMs }, index) => {
    const until = frames[index + 1]?.atMs ?? lengthMs
    const before = atMs > 0 ? `0%{visibility:hidden}${percent(Math.max(0, atMs - 0.5))}{visibility:hidden}` : ''
    const after = until < lengthMs ? `${percent(until)}{visibility:hidden}100%{visibility:hidden}` : ''
    return `@keyframes k${index}{${before}${percent(atMs)}{visibility:visible}${after}}#f${index}{animation-name:k${index}}`
  })
  const seconds = (lengthMs / 1000).toFixed(2)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="t d">`,
    `<title id="t">${escaped(title)}</title><desc id="d">${escaped(description)}</desc>`,
    `<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#d0d7de;white-space:pre}.b{font-weight:700}${Object.entries(COLORS)
      .map(([role, color]) => `.${role}{fill:${color}}`)
      .join('')}.f{visibility:hidden;animation:${seconds}s step-end infinite}`,
    `${shown.join('')}@media (prefers-reduced-motion:reduce){.f{animation:none}#f${frames.length - 1}{visibility:visible}}</style>`,
    `<rect width="100%" height="100%" rx="8" fill="#0d1117"/><defs>`,
    ...[...rows].map(([text, id]) => `<text id="${id}" y="${(CELL.height * 0.8).toFixed(1)}">${text}</text>`),
    `</defs><g transform="translate(${PAD} ${PAD})">`,
    ...drawn,
    `</g></svg>\n`,
  ].join('\n')
}

function printPiece({ text, color, isBold }: Piece): string {
  const classes = [isBold ? 'b' : '', color ?? ''].filter(Boolean).join(' ')
  return classes ? `<tspan class="${classes}">${escaped(text)}</tspan>` : `<tspan>${escaped(text)}</tspan>`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

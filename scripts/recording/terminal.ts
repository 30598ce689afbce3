/**
 * A program in a terminal of 80 × 24, and what the screen showed when. The terminal is real (util-linux `script`), the
 * emulator is xterm's; only the person's keys are made up.
 */
import { spawn } from 'node:child_process'
import xterm from '@xterm/headless'

export const COLUMNS = 80
export const ROWS = 24

export interface Style {
  readonly color: 'good' | 'bad' | 'attention' | null
  readonly isBold: boolean
}
export interface Piece extends Style {
  readonly text: string
}
/** Rows of the screen from the top, without what is blank at the end. */
export type Screen = readonly (readonly Piece[])[]

export interface Frame {
  readonly atMs: number
  readonly screen: Screen
}

export interface Terminal {
  /** What a shell would show: the prompt and what is typed so far. */
  type(text: string): Promise<Screen>
  /** Runs to its end; `answers` are typed, each once its question is on the screen. */
  run(argv: readonly string[], options: RunOptions): Promise<readonly Frame[]>
  screen(): Screen
}

export interface RunOptions {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly answers?: readonly { readonly question: RegExp; readonly keys: string }[]
}

export function openTerminal(): Terminal {
  const emulator = new xterm.Terminal({ cols: COLUMNS, rows: ROWS, allowProposedApi: true, scrollback: 200, convertEol: false })
  const write = (bytes: string | Uint8Array) => new Promise<void>((resolve) => emulator.write(bytes, resolve))
  const screen = () => screenOf(emulator)
  return {
    screen,
    async type(text) {
      await write(text)
      return screen()
    },
    async run(argv, { cwd, env, answers = [] }) {
      const quoted = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
      const child = spawn('script', ['-qefc', `stty cols ${COLUMNS} rows ${ROWS}; exec ${quoted}`, '/dev/null'], {
        cwd,
        env,
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      const began = performance.now()
      const frames: Frame[] = []
      const left = [...answers]
      for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
        await write(chunk)
        frames.push({ atMs: performance.now() - began, screen: screen() })
        const [next] = left
        const text =
          frames
            .at(-1)
            ?.screen.map((row) => row.map((piece) => piece.text).join(''))
            .join('\n') ?? ''
        if (!next || !next.question.test(text)) continue
        left.shift()
        // Keys count only after a moment of quiet.
        setTimeout(() => child.stdin.write(next.keys), 1500)
      }
      return frames
    },
  }
}

/** Colours of the terminal's own sixteen, as the roles that vp gives them. Source: design of the terminal, section 2. */
const ROLES: Readonly<Record<number, Style['color']>> = { 1: 'bad', 9: 'bad', 3: 'attention', 11: 'attention', 6: 'good', 14: 'good' }

function screenOf(emulator: InstanceType<typeof xterm.Terminal>): Screen {
  const buffer = emulator.buffer.active
  const rows: Piece[][] = []
  for (let y = 0; y < ROWS; y++) {
    const line = buffer.getLine(buffer.viewportY + y)
    const pieces: Piece[] = []
    rows.push(pieces)
    if (!line) continue
    for (let x = 0; x < COLUMNS; x++) {
      const cell = line.getCell(x)
      const style = { color: cell?.isFgPalette() ? (ROLES[cell.getFgColor()] ?? null) : null, isBold: Boolean(cell?.isBold()) }
      const last = pieces.at(-1)
      const text = cell?.getChars() || ' '
      if (last && last.color === style.color && last.isBold === style.isBold) pieces[pieces.length - 1] = { ...last, text: last.text + text }
      else pieces.push({ ...style, text })
    }
    rows[y] = trimmed(pieces)
  }
  return rows
}

function trimmed(pieces: readonly Piece[]): Piece[] {
  const kept = [...pieces]
  for (let last = kept.at(-1); last; last = kept.at(-1)) {
    const text = last.text.trimEnd()
    if (text !== '') {
      kept[kept.length - 1] = { ...last, text }
      break
    }
    kept.pop()
  }
  return kept
}

/** `vp model probe`: what others get of a window, what vp gets, and how the model's calls come. */
import { duration, grouped } from '../format.ts'
import { renderer } from '../finish.ts'
import { dots } from '../layout.ts'
import { attention, hang } from '../style.ts'
import { driftLines, type DriftView } from './drift.ts'

export interface ProbeView extends DriftView {
  readonly window: {
    readonly stock: number | null
    readonly effective: number
    readonly is_at_least: boolean
    readonly set: number | null
    readonly stock_look: { readonly sent: number; readonly seen: number | null } | null
    readonly whole: { readonly sent: number; readonly seen: number | null }
    readonly markers: { readonly of: number; readonly back: readonly number[] }
  }
  readonly dialect: string | null
  readonly calls: { readonly asked: number; readonly right: number }
  readonly repairs: number
  readonly tok_per_s: number | null
  readonly first_token_ms: number | null
}

export const modelProbeScreen = renderer<ProbeView>((view) => {
  const { window, dialect, calls, repairs, tok_per_s, first_token_ms } = view
  const { stock, stock_look, effective, is_at_least, set, markers, whole } = window
  const isCut = stock_look !== null && (stock === null || stock < effective)
  const row = (sign: string, label: string, text: string) => hang(`${sign} ${label}`, 9) + text
  const plain = stock_look
    ? [
        row(
          isCut ? attention('!') : ' ',
          'stock',
          stock_look.seen === null
            ? `${grouped(stock_look.sent)} tokens are refused, which is no cut`
            : `window ${grouped(stock ?? 0)}: of ${grouped(stock_look.sent)} tokens sent the server counted ${grouped(stock_look.seen)}`,
        ),
      ]
    : []
  const how = set === null ? `${grouped(whole.sent)} tokens sent, ${grouped(whole.seen ?? 0)} counted` : 'vp sends num_ctx'
  const speed = dots(tok_per_s !== null && `${Math.round(tok_per_s)} tok/s`, first_token_ms !== null && `first token ${duration(first_token_ms)}`)
  return {
    stdout: [
      ...plain,
      row(' ', 'now', `window ${is_at_least ? 'at least ' : ''}${grouped(effective)}: ${how}, ${markersBack(markers)}`),
      ...(is_at_least ? [row(' ', '', 'cut by --window, so it is not kept: without it all of the window is tried')] : []),
      row(' ', 'calls', dots(callsText(dialect, calls, repairs), speed.replace(' · ', ', '))),
    ],
    stderr: driftLines(view),
  }
})

function markersBack({ of, back }: ProbeView['window']['markers']): string {
  if (back.length === of) return `markers 1 to ${of} came back`
  return back.length === 0 ? 'no marker came back, so only the count speaks for it' : `${back.length} of ${of} markers came back`
}

function callsText(dialect: string | null, { asked, right }: ProbeView['calls'], repairs: number): string {
  if (dialect === null) return `none of ${asked} came in any dialect`
  const words = `dialect ${dialect}, ${repairs} of ${asked} repaired`
  return right === asked ? words : `${words}, ${asked - right} not as asked`
}

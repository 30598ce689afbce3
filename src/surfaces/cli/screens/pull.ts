/** `vp model pull`: how far it is, and what there is now. */
import { bytes as bytesText, duration, grouped } from '../format.ts'
import { cleanText, renderer } from '../finish.ts'
import { dots, nextLines } from '../layout.ts'
import { good, hang } from '../style.ts'

export interface PullView {
  readonly model: string
  /** null: it is in the Ollama that pulled it, and that verified it. */
  readonly file: string | null
  readonly bytes: number | null
  readonly sha256: string | null
  readonly verified: boolean
  readonly resumed_from: number
  readonly window_trained: number | null
}

export const modelPullScreen = renderer<PullView>(({ model, file, bytes, sha256, verified, resumed_from, window_trained }) => ({
  stdout: [
    hang(good('✓'), 2) +
      dots(
        model,
        bytes !== null && bytesText(bytes),
        resumed_from > 0 && `${bytesText(resumed_from)} of it from before`,
        sha256 !== null &&
          (file === null ? `digest ${sha256.slice(0, 12)}` : `sha256 ${sha256.slice(0, 12)}${verified ? ' as named' : ', which nobody named'}`),
        window_trained !== null && `trained for ${grouped(window_trained)} tokens`,
      ),
  ],
  stderr: nextLines([`vp model set ${model}`, `vp model probe ${model}`]),
}))

export interface PullProgress {
  readonly what: string
  readonly done: number
  readonly total: number | null
}

const BAR = 24

/** One line: a bar where there is room for one (`columns` of a terminal), words elsewhere. */
export function pullLine({ what, done, total }: PullProgress, elapsedMs: number, columns: number | null): string {
  const words = cleanText(what)
  if (total === null || total === 0) return done > 0 ? `${words} · ${bytesText(done)}` : words
  const share = Math.min(1, done / total)
  const numbers = `${Math.floor(share * 100)} % · ${bytesText(done)} of ${bytesText(total)}`
  const left = done > 0 && done < total ? ` · ${duration((elapsedMs / done) * (total - done))} left` : ''
  if (columns === null) return `${words} · ${numbers}${left}`
  if (columns < BAR + numbers.length + left.length + 4) return numbers.slice(0, columns)
  const filled = Math.round(share * BAR)
  return `[${'#'.repeat(filled)}${'-'.repeat(BAR - filled)}] ${numbers}${left}`
}

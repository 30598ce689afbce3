/** `vp doctor`: details only where something is wrong, the verdict last. */
import type { ErrorCode } from '../../../core/errors.ts'
import { renderer } from '../finish.ts'
import { nextLines, type Hint } from '../layout.ts'
import { attention, bad, good, hang } from '../style.ts'

export interface DoctorCheck {
  readonly name: string
  readonly status: 'ok' | 'weak' | 'missing'
  /** Of the error that this is, in the table of `core/errors.ts`. */
  readonly code?: ErrorCode
  readonly detail: string
  /** Commands that mend it. */
  readonly fix: readonly string[]
}

export interface DoctorView {
  readonly ready: boolean
  readonly checks: readonly DoctorCheck[]
  readonly sandbox?: {
    readonly backend: string | null
    readonly refused: readonly string[]
    readonly not_refused: readonly string[]
  }
  /** What does not work, after `not ready`: `: plan, start and do need a model`, ` for 3 of 24 tasks; …`. */
  readonly verdict?: string
  readonly next?: readonly (string | Hint)[]
}

export const doctorScreen = renderer<DoctorView>((view) => ({
  stdout: [...view.checks.map(checkLine), verdictLine(view)],
  stderr: nextLines(view.next ?? []),
}))

function checkLine(check: DoctorCheck): string {
  const sign = check.status === 'ok' ? good('✓') : check.status === 'weak' ? attention('!') : bad('✗')
  return hang(`${sign} ${check.name}`, 11) + check.detail
}

function verdictLine(view: DoctorView): string {
  if (!view.ready) return `not ready${view.verdict ?? ''}`
  const weak = view.checks.filter((check) => check.status === 'weak')
  if (weak.length === 0) return 'ready'
  const fixes = weak.flatMap((check) => check.fix)
  const things = weak.length === 1 ? '1 thing' : `${weak.length} things`
  return `ready, ${things} weaker than it could be${fixes.length === 0 ? '' : ` (${fixes.join('; ')})`}`
}

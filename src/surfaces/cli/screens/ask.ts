/** The approval a task waits for, as it is put to a person; and the stop before a call that no budget covers. */
import { duration, tokensFine, grouped, usd, usdBand } from '../format.ts'
import { renderer } from '../finish.ts'
import { dots, labelled, taskNames } from '../layout.ts'
import { attention, hang, isNarrow, strong, toCopy, type Look } from '../style.ts'

export interface AskView {
  readonly approval: string
  /** 1-based, and how many wait. */
  readonly index: number
  readonly of: number
  readonly task: { readonly n: number; readonly name: string } | null
  readonly run: string | null
  readonly waits_ms: number
  /** The command or change, word for word. */
  readonly wants: string
  readonly rule: string
  readonly where?: { readonly file: string; readonly line?: number }
  readonly reason: string
  readonly reaches: string
  readonly undo: string
  /** The widest answer that may be given. */
  readonly max_extent: 'call' | 'run' | 'project'
  /** Why `p` is not offered. */
  readonly not_offered?: string
}

const LABEL = 9

export const askScreen = renderer<AskView>((view, look) => ({
  stderr: [
    dots(`approval ${view.index} of ${view.of}`, strong(view.approval), view.task && `T${view.task.n} “${view.task.name}”`, `waits ${duration(view.waits_ms)}`),
    ...view.wants.split('\n').map((line, index) => labelled(index === 0 ? 'wants' : '', strong(line), LABEL)),
    labelled('rule', `${view.rule}${placeText(view.where)}: ${view.reason}`, LABEL),
    labelled('reaches', view.reaches, LABEL),
    labelled('undo', view.undo, LABEL),
    ...answerLines(view, look),
  ],
}))

function placeText(where: AskView['where']): string {
  return where === undefined ? '' : ` (${where.file}${where.line === undefined ? '' : `:${where.line}`})`
}

/** Letters mean the same everywhere; what is not offered is said. */
function answerLines(view: AskView, look: Look): string[] {
  const narrow = isNarrow(look)
  const two = (left: string, right: string) => (narrow ? `  ${left}\n  ${right}` : `  ${left.padEnd(19)}${right}`)
  const until = view.run === null ? 'until this ends' : `until run ${view.run} ends`
  const lines = [
    two('a  this call', view.max_extent === 'call' ? '' : `r  these exact arguments, ${until}`),
    two('d  deny, say why', 'l  later, the other tasks go on'),
  ]
  if (view.max_extent === 'project') lines.push(two('p  this project', ''))
  else if (view.not_offered !== undefined)
    lines.push(narrow ? `  p  this project is not offered: ${view.not_offered}` : two('p  this project', `not offered: ${view.not_offered}`))
  return lines
    .flatMap((line) => (narrow ? line.split('\n') : [line.trimEnd()]))
    .filter((line) => line.trim() !== '')
    .map((line) => (narrow ? hang(line.slice(0, 5), 5) + line.slice(5) : line))
}

export const ASK_QUESTION = 'answer, then Enter [l] '

/** The letters an answer may have. */
export function askLetters(view: Pick<AskView, 'max_extent'>): readonly string[] {
  const wide = view.max_extent === 'call' ? [] : view.max_extent === 'run' ? ['r'] : ['r', 'p']
  return ['a', ...wide, 'd', 'l']
}

export interface BudgetStopView {
  readonly could_cost_usd: number | null
  readonly free_usd: number
  readonly budget_usd: number
  readonly tokens_in: number
  readonly tokens_out_max: number
  readonly cache: 'cold' | 'warm' | null
  readonly spent_usd: number
  readonly most?: { readonly lane: string; readonly usd: number }
  readonly left_tasks: readonly number[]
  readonly left_band: { readonly lo: number; readonly hi: number } | null
  readonly next: readonly { readonly command: string; readonly note?: string }[]
}

export const budgetStopScreen = renderer<BudgetStopView>((view) => {
  const line = (label: string, text: string) => hang(label === '' ? '' : `       ${label}`, 14) + text
  return {
    stderr: [
      `${attention('paused')} budget.cap: the next call could cost ${usd(view.could_cost_usd)}, ${usd(view.free_usd)} of ${usd(view.budget_usd)} is free`,
      line(
        'why:',
        `${tokensFine(view.tokens_in)} in, at most ${grouped(view.tokens_out_max)} out${view.cache === null ? '' : `, cache ${view.cache}`}: refused, not made`.replace(
          ' in,',
          ' tokens in,',
        ),
      ),
      line(
        'spent:',
        dots(
          `${usd(view.spent_usd)}${view.most === undefined ? '' : `, most by ${view.most.lane}, ${usd(view.most.usd)}`}`,
          view.left_tasks.length > 0 &&
            `left: ${leftTasks(view.left_tasks)}${view.left_band === null ? '' : `, ${usdBand(view.left_band.lo, view.left_band.hi)} est.`}`,
        ),
      ),
      ...view.next.map((hint, index) => line(index === 0 ? 'next:' : '', toCopy(hint.command) + (hint.note === undefined ? '' : `    (${hint.note})`))),
    ],
  }
})

function leftTasks(numbers: readonly number[]): string {
  return numbers.length > 6 ? `${taskNames(numbers.slice(0, 5))}, ${numbers.length - 5} more` : taskNames(numbers)
}

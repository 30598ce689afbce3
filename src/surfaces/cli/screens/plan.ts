/** `vp new` and `vp plan`: the questions, the complete tree, the sum last. */
import { cells, cutEnd } from '../cells.ts'
import { grouped, count as counted, tokens, usd } from '../format.ts'
import { renderer } from '../finish.ts'
import { dots, nextLines } from '../layout.ts'
import { hang, isNarrow, strong, type Look } from '../style.ts'

export interface NewView {
  readonly project_id: number
  readonly name: string
  readonly index: { readonly files: number; readonly symbols?: number | null }
  readonly files_written?: number
  /** How this project is tested and linted, as found: a command line, or null. */
  readonly test?: string | null
  readonly lint?: string | null
  /** The repository's own pre-commit hook. */
  readonly hook?: string | null
  readonly next?: readonly string[]
}

export const newScreen = renderer<NewView>((view) => ({
  stdout: [
    dots(
      `project ${strong(view.name)} (${view.project_id})`,
      `index ${counted(view.index.files, 'file')}${view.index.symbols === undefined || view.index.symbols === null ? '' : `, ${counted(view.index.symbols, 'symbol')}`}`,
      `${counted(view.files_written ?? 1, 'file')} in .vp/`,
    ),
    ...(view.test === undefined
      ? []
      : [
          dots(
            view.test === null ? 'no test command found' : `tests with ${view.test}`,
            view.lint === undefined ? null : view.lint === null ? 'no linter found' : `linted with ${view.lint}`,
            view.hook ? `hook ${view.hook}, as a gate` : null,
          ),
        ]),
  ],
  stderr: nextLines(view.next ?? ['vp plan --from-prd docs/PRD.md']),
}))

export interface QuestionView {
  readonly id: string
  readonly text: string
  readonly default: string
  /** Where the default comes from: `PRD section 4`. */
  readonly source: string
  readonly answer: string | null
}

/** The line above the questions. */
export function questionsHead(count: number): string {
  return `${counted(count, 'question')}, Enter takes the [default]`
}

/** One question, as a prompt without its line end. */
export function questionLine(question: Pick<QuestionView, 'text' | 'default' | 'source'>, index: number, of: number): string {
  return `${hang(`${index + 1}/${of}`, 4)}${question.text} [${question.default}: ${question.source}] `
}

export interface PlanTaskView {
  readonly n: number
  readonly name: string
  readonly parent_task_id?: string | null
  /** Headings: a parent is no task of its own. */
  readonly is_parent?: boolean
  readonly depth?: number
  readonly lane: string
  readonly complexity: string
  readonly deps: readonly number[]
  readonly files?: readonly string[]
  readonly tests?: readonly string[]
  /** Attributes that were inferred rather than written. */
  readonly inferred?: readonly string[]
}

export interface PlanView {
  readonly prd_path: string | null
  readonly prd_version: number
  readonly plan_version: number
  readonly questions: readonly QuestionView[]
  readonly tasks: readonly PlanTaskView[]
  readonly longest_chain?: number
  readonly parallel?: number
  /** What planning used; null: no model was asked. */
  readonly use?: { readonly tokens: number; readonly cost_usd: number | null } | null
  readonly next?: readonly string[]
}

export const planScreen = renderer<PlanView>((view, look) => ({
  stdout: [prdLine(view), ...taskLines(view.tasks, look), sumLine(view)],
  stderr: nextLines(view.next ?? ['vp estimate']),
}))

function prdLine(view: PlanView): string {
  const answered = view.questions.length > 0
  const defaults = view.questions.length > 0 && view.questions.every((question) => question.answer === null)
  const where = view.prd_path === null ? 'no PRD' : `PRD v${view.prd_version} in ${view.prd_path}`
  return dots(
    `${where}${answered ? (defaults ? ', defaults taken' : ', your answers quoted') : ''}`,
    view.use ? `${tokens(view.use.tokens)} tokens, ${usd(view.use.cost_usd)}` : 'no model was asked',
  )
}

const NAME_AT = 5

function taskLines(tasks: readonly PlanTaskView[], look: Look): string[] {
  if (isNarrow(look)) return tasks.flatMap((task) => narrowTask(task, look))
  const lane = Math.max(11, ...tasks.map((task) => cells(task.lane)))
  const complexity = Math.max(8, ...tasks.map((task) => cells(task.complexity)))
  const fixed = NAME_AT + 2 + lane + 2 + complexity
  const longestDeps = Math.max(0, ...tasks.map((task) => afterText(task).length))
  // Names have the room that the rest leaves; piped lines are never cut, only their columns move.
  const room = Math.max(20, Math.min(38, look.width - fixed - 2 - longestDeps))
  return tasks.map((task) => {
    const name = `${'  '.repeat(depthOf(task))}${task.name}`
    if (task.is_parent) return hang('', NAME_AT) + name
    const shown = look.tty ? cutEnd(look, name, room) : name
    const rest = [task.lane.padEnd(lane), task.complexity.padEnd(complexity), afterText(task)].join('  ').trimEnd()
    return hang(`T${task.n}`, NAME_AT) + shown + ' '.repeat(Math.max(2, room + 2 - cells(shown))) + rest
  })
}

function depthOf(task: PlanTaskView): number {
  return task.depth ?? (task.parent_task_id !== undefined && task.parent_task_id !== null ? 1 : 0)
}

function afterText(task: PlanTaskView): string {
  return task.deps.length === 0 ? '' : `after ${task.deps.join(' ')}`
}

function narrowTask(task: PlanTaskView, look: Look): string[] {
  if (task.is_parent) return [hang('', NAME_AT) + task.name]
  const rest = dots(`lane: ${task.lane}`, task.complexity, afterText(task))
  if (look.plain) return [`${hang(`T${task.n}`, NAME_AT)}${task.name}. ${rest}`]
  return [hang(`T${task.n}`, NAME_AT) + task.name, hang('', NAME_AT) + rest]
}

function sumLine(view: PlanView): string {
  const leaves = view.tasks.filter((task) => !task.is_parent)
  const lanes = new Set(leaves.map((task) => task.lane)).size
  const chain = view.longest_chain ?? longestChain(leaves)
  return [
    `plan v${view.plan_version}: ${counted(leaves.length, 'task')} in ${counted(lanes, 'lane')}`,
    `longest chain ${grouped(chain)}`,
    ...(view.parallel === undefined ? [] : [`up to ${view.parallel} at once`]),
  ].join(', ')
}

function longestChain(tasks: readonly PlanTaskView[]): number {
  const depth = new Map<number, number>()
  let longest = 0
  for (const task of tasks) {
    const own = 1 + Math.max(0, ...task.deps.map((dep) => depth.get(dep) ?? 0))
    depth.set(task.n, own)
    longest = Math.max(longest, own)
  }
  return longest
}

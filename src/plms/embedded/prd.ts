/**
 * Reading a PRD: refused when it is not text, and taken as it stands when it lists its tasks under `## Tasks`,
 * `## Work` or `## Plan`. Source: contracts/vp.md, “Details that other programs rely on”. Pure, linear.
 */
import { VpError } from '../../core/errors.ts'
import { nearestName } from '../../core/nearest-name.ts'
import { COMPLEXITIES, type Complexity } from '../../pas/contract/types.ts'
import type { PlanTask } from '../contract/types.ts'
import { laneByName } from './lanes.ts'
import { planTask } from './plan.ts'

export const MAX_PRD_BYTES = 1024 * 1024

/** Throws `prd.invalid`: empty, binary, or over 1 MiB (the caller reads one byte more than that at most). */
export function readPrdBytes(bytes: Uint8Array, file: string): string {
  const refuse = (what: string, next: string) => new VpError('prd.invalid', `${file} ${what}`, { where: { file }, next: [next] })
  if (bytes.length > MAX_PRD_BYTES) throw refuse('is larger than 1 MiB', 'keep the requirements, move the attachments elsewhere')
  if (bytes.includes(0)) throw refuse('is not a text', 'vp plan --from-prd docs/PRD.md')
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw refuse('is not UTF-8 text', `iconv -f latin1 -t utf-8 ${file}`)
  }
  if (text.trim() === '') throw refuse('is empty', 'write down what you want, in any form')
  return text.replaceAll('\r\n', '\n')
}

export type PrdTasks =
  | { readonly kind: 'listed'; readonly tasks: PlanTask[]; /** Ticked, so left out. */ readonly done: number; readonly context: string }
  | { readonly kind: 'prose'; readonly context: string }

const SECTION = /^##\s+(tasks|work|plan)\s*$/i
const ITEM = /^(\s*)(?:(\d{1,6})[.)]|[-*]\s+\[([ xX])\])\s+(.{1,2000})$/

/** Throws `plan.unknown_lane`, `plan.invalid` with the line. */
export function tasksFromPrd(text: string, file = 'PRD'): PrdTasks {
  const lines = text.split('\n')
  const start = lines.findIndex((line) => SECTION.test(line))
  if (start < 0) return { kind: 'prose', context: text.trim() }
  const after = lines.findIndex((line, index) => index > start && /^#{1,2}\s/.test(line))
  const end = after < 0 ? lines.length : after
  const context = [...lines.slice(0, start), ...lines.slice(end)].join('\n').trim()
  const items = itemsIn(lines, start + 1, end)
  const taken = new Set(items.flatMap((item) => item.number ?? []))
  const tasks: PlanTask[] = []
  const open: { indent: number; n: number }[] = []
  for (const { indent, number, body, line } of items.filter((item) => !item.done)) {
    while ((open.at(-1)?.indent ?? -1) >= indent) open.pop()
    // An item without a number of its own has its place for one, or the next that nobody else has.
    let n = number ?? tasks.length + 1
    if (number === null) for (; taken.has(n); n++);
    taken.add(n)
    tasks.push(taskFrom(body, { n, parent_n: open.at(-1)?.n ?? null, line, file }))
    open.push({ indent, n })
  }
  const done = items.length - tasks.length
  if (tasks.length === 0 && done > 0)
    throw new VpError('prd.invalid', `every task that ${file} lists is ticked as done`, { where: { file }, next: ['add a task, plan again'] })
  return tasks.length === 0 ? { kind: 'prose', context: text.trim() } : { kind: 'listed', tasks, done, context }
}

interface Item {
  readonly indent: number
  /** Its own, or null for a box. */
  readonly number: number | null
  readonly done: boolean
  readonly body: string
  readonly line: number
}

/** Numbered items of the outermost list, and boxes of any depth. What stands in a fence is an example, a nested number a step of its task. */
function itemsIn(lines: readonly string[], from: number, to: number): Item[] {
  const items: Item[] = []
  let fence: string | null = null
  for (let index = from; index < to; index++) {
    const text = lines[index] ?? ''
    const mark = /^\s*(```|~~~)/.exec(text)?.[1]
    if (mark && (fence === null || fence === mark)) fence = fence === null ? mark : null
    const item = fence === null && !mark ? ITEM.exec(text) : null
    if (!item) continue
    const [, blank = '', number, box, body = ''] = item
    const indent = blank.replaceAll('\t', '    ').length
    const outermost = items[0]?.indent ?? indent
    if (number !== undefined && indent > outermost) continue
    items.push({ indent, number: number === undefined ? null : Number(number), done: box?.toLowerCase() === 'x', body: body.trim(), line: index + 1 })
  }
  return items
}

function taskFrom(body: string, place: { n: number; parent_n: number | null; line: number; file: string }): PlanTask {
  const { title, attributes } = splitAttributes(body, place)
  const where = { where: { file: place.file, line: place.line } }
  const get = (name: string) => attributes.get(name)
  const laneText = get('lane')
  const lane = laneText === undefined ? null : laneByName(laneText)
  if (laneText !== undefined && !lane)
    throw new VpError('plan.unknown_lane', `T${place.n}: there is no lane ${JSON.stringify(laneText.slice(0, 40))}`, {
      ...where,
      why: 'lanes: Code-Impl, Code-API-Design, Data-Schema, Data-Loader, Narrative, Graph-Ops, Vector-Ops',
      next: ['correct the lane, plan again'],
    })
  const complexityText = get('complexity')?.toLowerCase().replace(/[ -]/g, '_')
  const complexity = COMPLEXITIES.find((one) => one === complexityText) ?? null
  if (complexityText !== undefined && !complexity)
    throw new VpError('plan.invalid', `T${place.n}: complexity is one of ${COMPLEXITIES.join(', ')}`, {
      ...where,
      next: ['correct the complexity, plan again'],
    })
  const numbers = (get('depends on') ?? get('after') ?? get('deps') ?? '')
    .split(/[,\s]+/)
    .filter(Boolean)
    .map((part) => Number(part.replace(/^T/i, '')))
  if (numbers.some((one) => !Number.isInteger(one)))
    throw new VpError('plan.invalid', `T${place.n}: “depends on” takes task numbers`, {
      ...where,
      next: ['correct the numbers, plan again'],
    })
  const files = list(get('files'))
  const outside = files.find((file) => file.startsWith('/') || file.split('/').includes('..'))
  if (outside !== undefined)
    throw new VpError('plan.invalid', `T${place.n}: ${outside.slice(0, 80)} lies outside the repository`, {
      ...where,
      next: ['name files from the repository’s root, plan again'],
    })
  return planTask({
    n: place.n,
    title,
    parent_n: place.parent_n,
    lane,
    complexity: complexity as Complexity | null,
    deps: numbers,
    line: place.line,
    files,
    tests: (get('tests') ?? '').split(/\s+/).filter(Boolean),
  })
}

function list(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim().replace(/^`|`$/g, ''))
    .filter(Boolean)
}

const NAMES = ['lane', 'complexity', 'files', 'tests', 'depends on', 'after', 'deps']
const PAIR = /^\s*(\p{L}+(?:[ _-]\p{L}+)?)\s*:(.*)$/u

/** The last parenthesis, if it is one of attributes; else the whole is the title. Throws `plan.invalid` for what is no attribute in one. */
function splitAttributes(body: string, place: { n: number; line: number; file: string }): { title: string; attributes: Map<string, string> } {
  const at = body.endsWith(')') ? openingOf(body) : -1
  const parts = body
    .slice(at + 1, -1)
    .split(';')
    .filter((part) => part.trim() !== '')
    .map((text) => ({ text: text.trim(), pair: PAIR.exec(text) }))
    .map(({ text, pair }) => ({ text, name: pair?.[1]?.toLowerCase() ?? null, value: pair?.[2]?.trim() ?? '' }))
  if (at < 0 || !isAboutAttributes(parts)) return { title: body, attributes: new Map() }
  const strange = parts.find(({ name }) => name === null || !NAMES.includes(name))
  if (strange) throw noAttribute(strange.name ?? strange.text, place)
  return { title: body.slice(0, at).trim(), attributes: new Map(parts.map(({ name, value }) => [name ?? '', value])) }
}

/** One known name, several pairs, or a pair whose name is nearly known: a misspelt one would cost a task all it was given. */
function isAboutAttributes(parts: readonly { readonly name: string | null }[]): boolean {
  if (parts.some(({ name }) => name !== null && NAMES.includes(name))) return true
  return parts.length > 0 && parts.every(({ name }) => name !== null && (parts.length > 1 || nearestName(name, NAMES) !== null))
}

function noAttribute(text: string, place: { n: number; line: number; file: string }): VpError {
  const nearest = nearestName(text, NAMES)
  const said = `T${place.n}: ${JSON.stringify(text.slice(0, 40))} is no attribute of a task`
  return new VpError('plan.invalid', nearest === null ? said : `${said}; the nearest is “${nearest}”`, {
    where: { file: place.file, line: place.line },
    why: `attributes: ${NAMES.slice(0, 5).join(', ')}; in parentheses at the end, as (lane: Narrative; depends on: 2)`,
    next: ['correct the attribute, plan again'],
  })
}

/** Where the parenthesis that ends the line begins; -1 when it is not balanced. */
function openingOf(body: string): number {
  let depth = 0
  for (let index = body.length - 1; index >= 0; index--) {
    if (body[index] === ')') depth++
    else if (body[index] === '(' && --depth === 0) return index
  }
  return -1
}

/**
 * Reading a PRD: refused when it is not text, and taken as it stands when it lists its tasks under `## Tasks`,
 * `## Work` or `## Plan`, underlined headings too; what a code fence or a comment holds is no list.
 * Source: contracts/vp.md, “Details that other programs rely on”. Pure, linear.
 */
import { VpError } from '../../core/errors.ts'
import { nearestName } from '../../core/nearest-name.ts'
import { COMPLEXITIES, type Complexity } from '../../pas/contract/types.ts'
import type { PlanTask } from '../contract/types.ts'
import { laneByName } from './lanes.ts'
import { indentOf, sectionsOf, shownLines } from './markdown.ts'
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

const SECTIONS = ['tasks', 'work', 'plan']
/** Up to the title. */
const ITEM = /^\s*(?:(\d{1,6})[.)]|[-*](?=\s+\[[ xX]\]))\s+(?:\[([ xX])\](?:\s+|$))?/
const MAX_ITEM = 2000

/**
 * Every item of the list, ticked or not, has a number: its own, or its place in the list (or the next that nobody else
 * has). “depends on” means these numbers, and a task keeps its own as `n`: ticking a box renames no other task, and the
 * numbers of a plan may have gaps. What is done is left out, and waiting for it is over: a ticked item, and a heading all
 * of whose parts are done. A ticked heading with an open part is a heading still.
 * Throws `plan.unknown_lane`, `plan.invalid` with the line, `prd.invalid` where nothing is left to do.
 */
export function tasksFromPrd(text: string, file = 'PRD'): PrdTasks {
  const shown = shownLines(text)
  const list = listIn(shown)
  if (list === null) return { kind: 'prose', context: text.trim() }
  const lines = text.split('\n')
  const context = [...lines.slice(0, list.start), ...lines.slice(list.end)].join('\n').trim()
  const places = placesOf(list.items)
  const open = openPlaces(places)
  const done = new Set(places.filter((place) => !open.has(place)).map(({ n }) => n))
  const tasks = [...open].map((place) => taskFrom(place.item.body, { n: place.n, parent_n: place.parent?.n ?? null, line: place.item.line, file, done }))
  if (tasks.length === 0)
    throw new VpError('prd.invalid', `every task that ${file} lists is ticked as done`, { where: { file }, next: ['add a task, plan again'] })
  return { kind: 'listed', tasks, done: places.length - tasks.length, context }
}

/** The list of `## Tasks`; without items there, of the first such section that has some. Null: there is none. */
function listIn(lines: readonly string[]): { start: number; end: number; items: Item[] } | null {
  const lists = sectionsOf(lines)
    .filter(({ title }) => SECTIONS.includes(title.toLowerCase()))
    .map((section) => ({ ...section, items: itemsIn(lines, section.body, section.end) }))
    .filter(({ items }) => items.length > 0)
  return lists.find(({ title }) => title.toLowerCase() === 'tasks') ?? lists[0] ?? null
}

interface Item {
  readonly indent: number
  /** Its own, or null for a box. */
  readonly number: number | null
  readonly isTicked: boolean
  readonly body: string
  readonly line: number
}

/** Numbered items of the outermost list, and boxes of any depth. A nested number is a step of its task. */
function itemsIn(lines: readonly string[], from: number, to: number): Item[] {
  const items: Item[] = []
  for (let index = from; index < to; index++) {
    const text = lines[index] ?? ''
    const [begin, number, box] = ITEM.exec(text) ?? []
    const words = begin === undefined ? '' : text.slice(begin.length).trim()
    const body = words.length > MAX_ITEM ? '' : withoutComments(words)
    if (body === '') continue
    const indent = indentOf(text)
    const outermost = items[0]?.indent ?? indent
    if (number !== undefined && indent > outermost) continue
    items.push({ indent, number: number === undefined ? null : Number(number), isTicked: box?.toLowerCase() === 'x', body, line: index + 1 })
  }
  return items
}

/** Without HTML comments at its end, which would hide the attributes; one that stands alone leaves nothing. */
function withoutComments(body: string): string {
  let text = body
  for (let at = 0; text.endsWith('-->'); text = text.slice(0, at).trim()) {
    at = ` ${text}`.lastIndexOf(' <!--')
    if (at < 0) break
  }
  return text
}

/** An item with its number and the item that it is a part of. */
interface Place {
  readonly n: number
  readonly parent: Place | null
  readonly item: Item
}

function placesOf(items: readonly Item[]): Place[] {
  const taken = new Set(items.flatMap((item) => item.number ?? []))
  const around: Place[] = []
  let next = 0
  return items.map((item, index) => {
    while ((around.at(-1)?.item.indent ?? -1) >= item.indent) around.pop()
    if (item.number === null) for (next = Math.max(next, index) + 1; taken.has(next); next++);
    const place: Place = { n: item.number ?? next, parent: around.at(-1) ?? null, item }
    around.push(place)
    return place
  })
}

/** Those that are to be planned, in the list's order: open ones that have no parts, and what these are parts of. */
function openPlaces(places: readonly Place[]): Set<Place> {
  const headings = new Set(places.map(({ parent }) => parent))
  const open = new Set<Place>()
  for (const place of places.toReversed())
    if (headings.has(place) ? open.has(place) : !place.item.isTicked) for (const up of [place, place.parent]) if (up) open.add(up)
  return new Set(places.filter((place) => open.has(place)))
}

interface TaskPlace {
  readonly n: number
  readonly parent_n: number | null
  readonly line: number
  readonly file: string
  /** Numbers of what is done. */
  readonly done: ReadonlySet<number>
}

function taskFrom(body: string, place: TaskPlace): PlanTask {
  const { title, attributes } = splitAttributes(body, place)
  const where = { where: { file: place.file, line: place.line } }
  if (place.done.has(place.n))
    throw new VpError('plan.invalid', `two tasks are numbered ${place.n}, one of them done`, { ...where, next: ['correct the task list, plan again'] })
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
    deps: numbers.filter((one) => !place.done.has(one)),
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

/** What a task does just now, in a literal verb and its object; and the event lines of one small change. Pure. */
import type { AgentActivity } from '../../agent/loop.ts'
import type { Json } from '../../core/json.ts'
import type { Retry } from '../../models/retry.ts'

export type Activity = AgentActivity | { readonly kind: 'gate'; readonly name: string }

export interface Doing {
  readonly words: string
  readonly note: string
  /** Monotonic ms of the last news; after ten quiet seconds the row says so. */
  readonly newsAt: number
}

const QUIET_MS = 10_000

/** `before` is what the row said until now. */
export function doingAfter(before: Doing | undefined, activity: Activity, now: number, testCommand: string): Doing {
  switch (activity.kind) {
    case 'gate':
      return { words: `gate ${testCommand}`, note: '', newsAt: now }
    case 'model':
      return { words: `model ${activity.model}`, note: activity.tokens > 0 ? `${activity.tokens} tok` : '', newsAt: now }
    case 'tool':
      return { words: toolWords(activity.name, activity.args, testCommand), note: '', newsAt: now }
    case 'told':
      return { words: before?.words ?? toolWords(activity.name, activity.args, testCommand), note: toldWords(activity.name, activity.text), newsAt: now }
  }
}

/** `rate limited by api.example.org, next try in 30 s (2 of 3)`. */
export function retryWords({ code, host, wait_ms, next, of }: Retry): string {
  const what = code === 'model.rate_limited' ? `rate limited by ${host}` : `${code} at ${host}`
  return `${what}, next try in ${Math.ceil(wait_ms / 1000)} s (${next} of ${of})`
}

export function noteNow(doing: Doing, now: number): string {
  const quiet = now - doing.newsAt
  return quiet >= QUIET_MS && doing.words.startsWith('model ') ? `no reply ${Math.floor(quiet / 1000)}s` : doing.note
}

function field(args: Json, name: string): string {
  const value = args !== null && typeof args === 'object' && !Array.isArray(args) ? (args as { readonly [key: string]: Json })[name] : undefined
  return typeof value === 'string' ? value : Array.isArray(value) ? value.filter((one) => typeof one === 'string').join(' ') : ''
}

function toolWords(name: string, args: Json, testCommand: string): string {
  if (name === 'test') return `test ${testCommand} ${field(args, 'args')}`.trimEnd()
  if (name === 'search') return `search “${field(args, 'query')}”`
  if (name === 'run') return `run ${field(args, 'argv')}`
  if (name === 'submit') return `submit ${field(args, 'title')}`
  if (name === 'patch') return `patch ${/^\+\+\+ (?:b\/)?(\S+)/m.exec(field(args, 'diff'))?.[1] ?? ''}`
  return `${name} ${field(args, 'path') || field(args, 'args')}`.trim()
}

function toldWords(name: string, text: string): string {
  const line = text.split('\n')[0] ?? ''
  if (name === 'test') return line.replace(/, 0 failed$/, '')
  if (name === 'search') return line.startsWith('No match') ? 'no match' : countOf(text.split('\n').length, 'match', 'matches')
  if (name === 'run') return line
  return ''
}

function countOf(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}

export interface Told {
  readonly verb: string
  readonly text: string
  readonly detail: readonly string[]
}

const DETAIL = 8

/** What `vp do` shows of a finished step: tests and changes; the rest is in `vp logs`. */
export function toldEvent(activity: Extract<Activity, { kind: 'told' }>, testCommand: string): Told | null {
  const { name, args, text } = activity
  if (name === 'test') return { verb: 'test', text: `${testCommand} · ${testLine(text)}`, detail: [] }
  if (!['edit', 'write', 'patch'].includes(name)) return null
  const place = text.split('\n')[0] ?? ''
  const [, path = place, line] = /^(.*?): changed(?: at line (\d+))?/.exec(place) ?? []
  if (place.startsWith('Nothing') || !/: changed/.test(place)) return null
  return { verb: 'edit', text: line === undefined ? path : `${path}:${line}`, detail: name === 'edit' ? changedLines(args) : [] }
}

/** `11 passed, 1 failed: “adds two carts”`. */
function testLine(text: string): string {
  const [sum = '', ...rest] = text.split('\n')
  const first = rest.find((line) => line.startsWith('FAILED '))
  const name = first
    ?.slice('FAILED '.length)
    .replace(/ \([^()]*\)$/, '')
    .split(' > ')
    .at(-1)
  return name === undefined ? sum : `${sum}: “${name}”`
}

function changedLines(args: Json): string[] {
  const lines = (name: string, sign: string) =>
    field(args, name)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => `${sign}${line}`)
  const all = [...lines('old', '-'), ...lines('new', '+')]
  return all.length > DETAIL ? [...all.slice(0, DETAIL), `… ${all.length - DETAIL} more lines`] : all
}

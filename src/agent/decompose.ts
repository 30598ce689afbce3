/**
 * Asking a model for questions and for a plan, and reading its answers leniently. What comes back is data to be
 * checked by the plan's own rules; nothing here decides.
 */
import { VpError } from '../core/errors.ts'
import type { Message, ModelRequest } from '../models/contract.ts'

export interface DraftQuestion {
  readonly text: string
  readonly default: string
  readonly source: string
}

export interface DraftTask {
  readonly title: string
  readonly lane: string | null
  readonly complexity: string | null
  readonly deps: readonly number[]
  readonly files: readonly string[]
  readonly parent: number | null
}

const PLANNER = `You plan work in a software repository. You answer with one JSON document and nothing else.`

const QUESTIONS = `Which questions must be answered before the work below can be planned? At most 5, fewer is better, none is good. Each has a default that a sensible engineer would take and the source of that default (a section of the text or a file).
Answer: {"questions":[{"text":"…","default":"…","source":"…"}]}`

const TASKS = `Split the work below into the fewest tasks that can each be finished, tested and committed alone; at most 24. Give each task its lane (Code-Impl, Code-API-Design, Data-Schema, Data-Loader, Narrative), its complexity (trivial, simple, moderate, complex, very_complex), the numbers of the tasks it must wait for, and the files it will change.
Answer: {"tasks":[{"title":"…","lane":"Code-Impl","complexity":"simple","deps":[],"files":["…"]}]}`

export function questionsRequest(prd: string, tree: readonly string[]): ModelRequest {
  return request(QUESTIONS, prd, tree)
}

/** `answers` are the person's own words and go in verbatim. */
export function tasksRequest(prd: string, tree: readonly string[], answers: readonly { text: string; answer: string }[]): ModelRequest {
  const decided = answers.map(({ text, answer }) => `Q: ${text}\nA: ${answer}`).join('\n')
  return request(TASKS, decided === '' ? prd : `${prd}\n\nDecided:\n${decided}`, tree)
}

function request(question: string, work: string, tree: readonly string[]): ModelRequest {
  const messages: Message[] = [
    { role: 'system', text: PLANNER },
    {
      role: 'user',
      text: `${question}\n\nFiles of the repository:\n${tree.slice(0, 200).join('\n')}\n\nThe work:\n${work.slice(0, 40_000)}`,
    },
  ]
  return { messages, tools: [], max_tokens: 4096, temperature: 0 }
}

/** At most five; a malformed one is dropped rather than asked. */
export function parseQuestions(text: string): DraftQuestion[] {
  const list = (parseJsonAnswer(text) as { questions?: unknown }).questions
  return (Array.isArray(list) ? list : []).slice(0, 5).flatMap((item: unknown) => {
    const { text: asked, default: fallback, source } = (item ?? {}) as Record<string, unknown>
    return typeof asked === 'string' && asked.trim() !== ''
      ? [
          {
            text: asked.slice(0, 300),
            default: String(fallback ?? '').slice(0, 200),
            source: String(source ?? '').slice(0, 100),
          },
        ]
      : []
  })
}

/** Throws `plan.model_output` when there is no list of tasks with titles in it. */
export function parseTasks(text: string): DraftTask[] {
  const list = (parseJsonAnswer(text) as { tasks?: unknown }).tasks
  if (!Array.isArray(list) || list.length === 0) throw unreadable('it holds no tasks')
  if (list.length > 200) throw unreadable(`it holds ${list.length} tasks`)
  return list.map((item: unknown, index) => {
    const task = (item ?? {}) as Record<string, unknown>
    if (typeof task['title'] !== 'string' || task['title'].trim() === '') throw unreadable(`task ${index + 1} has no title`)
    const strings = (value: unknown) => (Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string').slice(0, 50) : [])
    const numbers = (value: unknown) => (Array.isArray(value) ? value.map(Number).filter((one) => Number.isInteger(one)) : [])
    return {
      title: task['title'].trim().slice(0, 200),
      lane: typeof task['lane'] === 'string' ? task['lane'] : null,
      complexity: typeof task['complexity'] === 'string' ? task['complexity'] : null,
      deps: numbers(task['deps']),
      files: strings(task['files']),
      parent: Number.isInteger(task['parent']) ? Number(task['parent']) : null,
    }
  })
}

/** The JSON object in an answer: bare, fenced, or between prose. */
export function parseJsonAnswer(text: string): object {
  const fenced = /```(?:json)?\s*\n([\s\S]*?)\n\s*```/.exec(text)?.[1]
  const first = text.indexOf('{')
  const last = text.lastIndexOf('}')
  for (const candidate of [text, fenced, first >= 0 && last > first ? text.slice(first, last + 1) : undefined]) {
    if (candidate === undefined) continue
    try {
      const value: unknown = JSON.parse(candidate)
      if (value !== null && typeof value === 'object') return value
    } catch {
      continue // the next reading may be the right one; none at all is the error below
    }
  }
  throw unreadable('it is not JSON')
}

function unreadable(why: string): VpError {
  return new VpError('plan.model_output', 'the model did not answer with a plan', {
    why,
    next: ['vp plan', 'list the tasks yourself under "## Tasks" in the PRD'],
  })
}

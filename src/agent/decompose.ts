/**
 * Asking a model for questions and for a plan, and reading its answers leniently. What comes back is data to be
 * checked by the plan's own rules; nothing here decides.
 */
import { VpError } from '../core/errors.ts'
import type { CallParameters, Message, ModelRequest } from '../models/contract.ts'
import { PROMPTS } from './prompts.ts'

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

/** How it is asked is said by whoever asks. */
type Question = Omit<ModelRequest, keyof CallParameters>

export function questionsRequest(prd: string, tree: readonly string[]): Question {
  return request(PROMPTS.questions, prd, tree)
}

/** `answers` are the person's own words and go in verbatim. */
export function tasksRequest(prd: string, tree: readonly string[], answers: readonly { text: string; answer: string }[]): Question {
  const decided = answers.map(({ text, answer }) => `Q: ${text}\nA: ${answer}`).join('\n')
  return request(PROMPTS.tasks, decided === '' ? prd : `${prd}\n\nDecided:\n${decided}`, tree)
}

function request(question: string, work: string, tree: readonly string[]): Question {
  const messages: Message[] = [
    { role: 'system', text: PROMPTS.planner },
    {
      role: 'user',
      text: `${question}\n\nFiles of the repository:\n${tree.slice(0, 200).join('\n')}\n\nThe work:\n${work.slice(0, 40_000)}`,
    },
  ]
  return { messages, tools: [] }
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

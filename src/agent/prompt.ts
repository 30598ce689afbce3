/**
 * The goal of a task in words. A pure function of repository, plan and outcomes: no path, clock, id or number of this
 * machine, so that equal work asks equal bytes everywhere and a recording made here answers there.
 */

import { PROMPTS } from './prompts.ts'

export interface GoalInput {
  /** `T3` */
  readonly task: string
  readonly goal: string
  readonly lane: string
  /** Files that the plan names; may not exist yet. */
  readonly files: readonly string[]
  /** The test command in words, or null when the project has none. */
  readonly test: string | null
  /** How commits are titled in this repository, in words; null where nobody can tell. */
  readonly titles: string | null
  /** Every tracked path, in code-unit order. */
  readonly tree: readonly string[]
  /** Lines of the person's own requirements that belong to the task. */
  readonly context: string | null
  /** Files of the repository's own words to whoever changes it, nearest first; `shown` '' for one that is only named. */
  readonly instructions?: readonly { readonly path: string; readonly shown: string }[]
  /** Of a task that merges: the person's branch, and what git says of each place without an answer. */
  readonly conflict: { readonly branch: string; readonly words: readonly string[] } | null
  readonly last: LastAttempt | null
}

/** How the attempt before this one ended, and what it left undone. */
export interface LastAttempt {
  readonly why: keyof typeof AGAIN
  readonly feedback: string
}

const AGAIN = {
  gate: (feedback: string) => `Your last attempt is in the files already. It was measured and did not pass:\n${feedback}\nMend that, then submit again.`,
  unfinished: (feedback: string) => `Your last attempt is in the files already. ${feedback}\nFinish the task, then submit.`,
  conflict: (feedback: string) =>
    `Your last attempt passed, but it could not be merged, and nothing of it is in the files. ${feedback}\nDo the task again on top of their work, then submit.`,
} as const

const MAX_TREE = 60

export function goalMessage(input: GoalInput): string {
  const parts = [`Task ${input.task} (${input.lane}): ${input.goal}`]
  if (input.context) parts.push(`From the requirements:\n${input.context}`)
  if (input.files.length > 0) parts.push(`The plan expects changes in: ${input.files.join(', ')}`)
  if (input.conflict) parts.push(conflictWords(input.conflict))
  parts.push(input.test ? `Tests: ${input.test}` : 'There is no test command.')
  if (input.titles) parts.push(`Commit titles here: ${input.titles}`)
  if (input.instructions && input.instructions.length > 0) parts.push(instructionWords(input.instructions))
  parts.push(`Files:\n${treeListing(input.tree)}`)
  if (input.last) parts.push(AGAIN[input.last.why](input.last.feedback))
  return parts.join('\n\n')
}

function conflictWords({ branch, words }: NonNullable<GoalInput['conflict']>): string {
  return [
    `While this run went on, a person changed the same places on the branch ${branch}. The files are the merge of both, with git's markers where they disagree: from <<<<<<< run to ======= is what the run did, from there to >>>>>>> person what the person did.`,
    ...words.map((one) => `- ${one}`),
    `Read both sides and write what keeps the intent of both; where only one can stay, the person's does. No marker may be left in any file, and nothing else is to be changed.`,
  ].join('\n')
}

/** Data, under one heading that says so. */
export function instructionWords(files: NonNullable<GoalInput['instructions']>): string {
  const shown = files.filter((one) => one.shown !== '').map(({ path, shown: text }) => `--- ${path}\n${text}`)
  const named = files.filter((one) => one.shown === '').map(({ path }) => path)
  return [PROMPTS.instructions, ...shown, ...(named.length === 0 ? [] : [`--- Read before you change files beside it: ${named.join(', ')}`])].join('\n')
}

/** All paths when they are few, else the folders with their counts. */
function treeListing(paths: readonly string[]): string {
  if (paths.length <= MAX_TREE) return paths.join('\n')
  const folders = new Map<string, number>()
  for (const path of paths) {
    const folder = path.includes('/')
      ? path
          .split('/')
          .slice(0, path.split('/').length > 2 ? 2 : 1)
          .join('/') + '/'
      : path
    folders.set(folder, (folders.get(folder) ?? 0) + 1)
  }
  const lines = [...folders].map(([folder, count]) => (folder.endsWith('/') ? `${folder} ${count} files` : folder))
  return [...lines.slice(0, MAX_TREE), ...(lines.length > MAX_TREE ? [`… ${lines.length - MAX_TREE} more`] : [])].join('\n')
}

/** Head and tail of a long text, with the number of characters left out. */
export function bounded(text: string, limit: number): string {
  if (text.length <= limit) return text
  const half = Math.floor((limit - 60) / 2)
  return `${text.slice(0, half)}\n… ${text.length - 2 * half} characters left out …\n${text.slice(-half)}`
}

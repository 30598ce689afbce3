/** What a task asks of its model: its kind by lane, files and complexity, and how much it will read and write. Pure. */
import type { Requirement } from '../policy/schema.ts'

export interface TaskShape {
  /** null: planning, which is of none. */
  readonly lane: string | null
  /** How many files the plan names. */
  readonly files: number
  readonly complexity: string
}

/** A kind of `task_requirements`. */
export function taskKindOf({ lane, files, complexity }: TaskShape): string {
  if (lane === null) return 'planning'
  if (lane === 'Narrative') return 'narrative'
  if (lane === 'Data-Schema' || lane === 'Data-Loader') return 'schema_change'
  return files > 1 || complexity === 'complex' || complexity === 'very_complex' ? 'multi_file_refactor' : 'single_edit'
}

/** Tokens of one request, and of a whole task of some ten turns: what runs on this machine came to. Answers are at most 4,096. */
const SIZES: Readonly<Record<string, { readonly request: number; readonly task: { readonly in: number; readonly out: number } }>> = {
  narrative: { request: 4000, task: { in: 20_000, out: 3000 } },
  single_edit: { request: 4000, task: { in: 24_000, out: 3000 } },
  schema_change: { request: 5000, task: { in: 30_000, out: 4000 } },
  multi_file_refactor: { request: 8000, task: { in: 80_000, out: 9000 } },
  // Questions, then tasks: at most 40,000 characters of a PRD, and names of files.
  planning: { request: 8000, task: { in: 16_000, out: 4000 } },
  long_review: { request: 60_000, task: { in: 120_000, out: 6000 } },
}
const USUAL = { request: 4000, task: { in: 24_000, out: 3000 } }

export function sizeOf(kind: string): typeof USUAL {
  return SIZES[kind] ?? USUAL
}

/** One that the policy does not name asks for nothing. */
export function requirementOf(requirements: Readonly<Record<string, Requirement>>, kind: string): Requirement {
  return requirements[kind] ?? { tools: [], capability_tests: [] }
}

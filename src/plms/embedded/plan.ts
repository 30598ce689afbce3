/**
 * What makes a plan sound: known numbers, no cycle, at least one task that can run. Groups are headings: their
 * leaves run, and waiting for a group means waiting for all of its leaves. Pure.
 */
import type { DraftTask } from '../../agent/decompose.ts'
import { VpError } from '../../core/errors.ts'
import { COMPLEXITIES, type Complexity } from '../../pas/contract/types.ts'
import type { PlanTask } from '../contract/types.ts'
import { inferComplexity, inferLane, laneByName } from './lanes.ts'

/** Throws `plan.none`, `plan.invalid`, `plan.cycle`, naming the tasks and where the PRD says so. */
export function checkPlan(tasks: readonly PlanTask[]): void {
  if (tasks.length === 0) throw new VpError('plan.none', 'the plan has no tasks', { next: ['vp plan --from-prd docs/PRD.md'] })
  const numbers = new Set<number>()
  for (const task of tasks) {
    if (numbers.has(task.n)) throw new VpError('plan.invalid', `two tasks are numbered ${task.n}`, at(task))
    numbers.add(task.n)
  }
  for (const task of tasks)
    for (const dep of [...task.deps, ...(task.parent_n === null ? [] : [task.parent_n])])
      if (!numbers.has(dep)) throw new VpError('plan.invalid', `T${task.n} names T${dep}, which is not in the plan`, at(task))
  const cycle = findCycle(tasks)
  if (cycle.length > 0) {
    const lines = cycle.flatMap((task) => (task.line === null ? [] : [task.line]))
    throw new VpError('plan.cycle', cycle.map((task, index) => `T${task.n} waits for T${(cycle[(index + 1) % cycle.length] ?? task).n}`).join(', '), {
      ...(lines[0] === undefined ? {} : { where: { file: 'PRD', line: lines[0] } }),
      next: ['drop one “after”, plan again'],
      data: { tasks: cycle.map((task) => task.n), lines },
    })
  }
}

function at(task: PlanTask): { where?: { file: string; line: number }; next: string[] } {
  return {
    ...(task.line === null ? {} : { where: { file: 'PRD', line: task.line } }),
    next: ['correct the task list, plan again'],
  }
}

/** Tasks that run: those that are nobody's parent, with dependencies on groups spelled out. */
export function leafTasks(tasks: readonly PlanTask[]): PlanTask[] {
  const parents = new Set(tasks.flatMap((task) => (task.parent_n === null ? [] : [task.parent_n])))
  const leavesOf = (n: number): number[] => (parents.has(n) ? tasks.filter((task) => task.parent_n === n).flatMap((task) => leavesOf(task.n)) : [n])
  const inherited = (task: PlanTask): number[] => {
    const parent = tasks.find((one) => one.n === task.parent_n)
    return parent ? [...parent.deps, ...inherited(parent)] : []
  }
  return tasks
    .filter((task) => !parents.has(task.n))
    .map((task) => ({
      ...task,
      deps: [...new Set([...task.deps, ...inherited(task)].flatMap(leavesOf))]
        .filter((dep) => dep !== task.n || task.deps.includes(dep))
        .toSorted((a, b) => a - b),
    }))
}

/** A shortest way round a cycle, in waiting order; empty when there is none. */
function findCycle(tasks: readonly PlanTask[]): PlanTask[] {
  const leaves = leafTasksUnchecked(tasks)
  const byNumber = new Map(leaves.map((task) => [task.n, task]))
  const done = new Set<number>()
  for (let grown = true; grown;) {
    grown = false
    for (const task of leaves)
      if (!done.has(task.n) && task.deps.every((dep) => done.has(dep))) {
        done.add(task.n)
        grown = true
      }
  }
  const stuck = leaves.find((task) => !done.has(task.n))
  if (!stuck) return []
  const way: PlanTask[] = []
  for (let task: PlanTask | undefined = stuck; task && !way.includes(task); task = byNumber.get(task.deps.find((dep) => !done.has(dep)) ?? -1)) way.push(task)
  const last = way.at(-1)
  const into = way.findIndex((task) => last?.deps.includes(task.n))
  return way.slice(Math.max(0, into))
}

/** The same without following parents in circles: a group inside itself is a cycle too. */
function leafTasksUnchecked(tasks: readonly PlanTask[]): PlanTask[] {
  const loops = tasks.some((task) => {
    const seen = new Set<number>()
    for (let up: PlanTask | undefined = task; up; up = tasks.find((one) => one.n === up?.parent_n)) {
      if (seen.has(up.n)) return true
      seen.add(up.n)
    }
    return false
  })
  return loops ? tasks.map((task) => ({ ...task, deps: task.parent_n === null ? task.deps : [...task.deps, task.parent_n] })) : leafTasks(tasks)
}

export interface PlanShape {
  readonly tasks: number
  readonly lanes: number
  /** Tasks on the longest chain of dependencies. */
  readonly longest_chain: number
  /** Most tasks that could run at once. */
  readonly width: number
}

export function planShape(tasks: readonly PlanTask[]): PlanShape {
  const leaves = leafTasks(tasks)
  const depth = new Map<number, number>()
  for (let grown = true; grown;) {
    grown = false
    for (const task of leaves)
      if (!depth.has(task.n) && task.deps.every((dep) => depth.has(dep))) {
        depth.set(task.n, 1 + Math.max(0, ...task.deps.map((dep) => depth.get(dep) ?? 0)))
        grown = true
      }
  }
  const levels = new Map<number, number>()
  for (const level of depth.values()) levels.set(level, (levels.get(level) ?? 0) + 1)
  return {
    tasks: leaves.length,
    lanes: new Set(leaves.map((task) => task.pas_lane)).size,
    longest_chain: Math.max(0, ...depth.values()),
    width: Math.max(0, ...levels.values()),
  }
}

/** A model's draft as plan tasks: its lane when we know it, else inferred and said so. */
export function planFromDrafts(drafts: readonly DraftTask[]): PlanTask[] {
  return drafts.map((draft, index) => {
    const lane = draft.lane === null ? null : laneByName(draft.lane)
    const complexity = COMPLEXITIES.find((one) => one === draft.complexity?.trim().toLowerCase().replace(' ', '_'))
    return planTask({
      n: index + 1,
      title: draft.title,
      parent_n: draft.parent,
      lane,
      complexity: complexity ?? null,
      deps: draft.deps.filter((dep) => dep !== index + 1),
      files: draft.files,
      tests: [],
      line: null,
    })
  })
}

export interface TaskFields {
  readonly n: number
  readonly title: string
  readonly parent_n: number | null
  readonly lane: ReturnType<typeof laneByName>
  readonly complexity: Complexity | null
  readonly deps: readonly number[]
  readonly files: readonly string[]
  readonly tests: readonly string[]
  readonly line: number | null
}

/** Fills what was not written by inference, and notes that it was. */
export function planTask(fields: TaskFields): PlanTask {
  const { lane, complexity, ...rest } = fields
  const chosen = lane ?? inferLane(fields.title, fields.files)
  const inferred = [...(lane ? [] : ['lane' as const]), ...(complexity ? [] : ['complexity' as const])]
  return {
    ...rest,
    ...chosen,
    complexity: complexity ?? inferComplexity(fields.title, fields.files),
    store_hint: chosen.pas_lane === 'Narrative' ? 'text' : 'vec',
    inferred,
  }
}

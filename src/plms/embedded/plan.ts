/**
 * What makes a plan sound: known numbers, no cycle, at least one task that can run. Groups are headings: their
 * leaves run, and waiting for a group means waiting for all of its leaves. Pure.
 */
import type { DraftTask } from '../../agent/decompose.ts'
import { VpError } from '../../core/errors.ts'
import { COMPLEXITIES, type Complexity } from '../../pas/contract/types.ts'
import type { PlanTask } from '../contract/types.ts'
import { inferComplexity, inferLane, laneByName } from './lanes.ts'

/** Of a long circle, so many lines are shown. */
const MAX_PLACES = 8

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
      ...(lines[0] === undefined ? {} : { where: { file: 'PRD', line: lines[0], also: lines.slice(1, MAX_PLACES) } }),
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
  const byNumber = new Map(tasks.map((task) => [task.n, task]))
  const children = Map.groupBy(tasks, (task) => task.parent_n)
  const leavesOf = remembered((n: number): readonly number[] => children.get(n)?.flatMap((task) => leavesOf(task.n)) ?? [n])
  const inherited = remembered((n: number): readonly number[] => {
    const parent = byNumber.get(byNumber.get(n)?.parent_n ?? -1)
    return parent ? [...parent.deps, ...inherited(parent.n)] : []
  })
  return tasks
    .filter((task) => !children.has(task.n))
    .map((task) => ({
      ...task,
      deps: [...new Set([...task.deps, ...inherited(task.n)].flatMap(leavesOf))]
        .filter((dep) => dep !== task.n || task.deps.includes(dep))
        .toSorted((a, b) => a - b),
    }))
}

function remembered<Value>(of: (n: number) => Value): (n: number) => Value {
  const known = new Map<number, Value>()
  return (n) => {
    const value = known.get(n) ?? of(n)
    known.set(n, value)
    return value
  }
}

/** How many tasks the longest chain to each one holds, itself included; what waits in a circle has no depth. */
function depths(leaves: readonly PlanTask[]): Map<number, number> {
  const waiting = new Map(leaves.map((task) => [task.n, new Set(task.deps).size]))
  const followers = new Map<number, number[]>()
  for (const { n, deps } of leaves)
    for (const dep of new Set(deps)) {
      const known = followers.get(dep)
      if (known) known.push(n)
      else followers.set(dep, [n])
    }
  const depth = new Map(leaves.filter((task) => task.deps.length === 0).map((task) => [task.n, 1]))
  // A map is walked in the order in which it grows, which is by depth: the last one that a task waits for is its deepest.
  for (const [n, own] of depth)
    for (const follower of followers.get(n) ?? []) {
      const left = (waiting.get(follower) ?? 0) - 1
      waiting.set(follower, left)
      if (left === 0) depth.set(follower, own + 1)
    }
  return depth
}

/** A way round a cycle, in waiting order; empty when there is none. */
function findCycle(tasks: readonly PlanTask[]): PlanTask[] {
  const leaves = leafTasksUnchecked(tasks)
  const done = depths(leaves)
  const stuck = leaves.find((task) => !done.has(task.n))
  if (!stuck) return []
  const byNumber = new Map(leaves.map((task) => [task.n, task]))
  const way = new Set<PlanTask>()
  let task: PlanTask | undefined = stuck
  for (; task && !way.has(task); task = byNumber.get(task.deps.find((dep) => !done.has(dep)) ?? -1)) way.add(task)
  const walked = [...way]
  return walked.slice(
    Math.max(
      0,
      walked.findIndex((one) => one === task),
    ),
  )
}

/** The same without following parents in circles: a group inside itself is a cycle too. */
function leafTasksUnchecked(tasks: readonly PlanTask[]): PlanTask[] {
  const byNumber = new Map(tasks.map((task) => [task.n, task]))
  const sound = new Set<number>()
  const loops = tasks.some((task) => {
    const seen = new Set<number>()
    for (let up: PlanTask | undefined = task; up && !sound.has(up.n); up = byNumber.get(up.parent_n ?? -1)) {
      if (seen.has(up.n)) return true
      seen.add(up.n)
    }
    for (const n of seen) sound.add(n)
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
  const depth = depths(leaves)
  const levels = new Map<number, number>()
  for (const level of depth.values()) levels.set(level, (levels.get(level) ?? 0) + 1)
  return {
    tasks: leaves.length,
    lanes: new Set(leaves.map((task) => task.pas_lane)).size,
    // Levels have no gaps.
    longest_chain: levels.size,
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

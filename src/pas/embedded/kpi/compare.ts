/**
 * What a change did to the tests themselves: none may vanish, be skipped or break. Compares two reports of the
 * same command, by test ids. Pure.
 */
import type { TaskId } from '../../../core/ids.ts'
import type { Violation } from '../../contract/types.ts'
import type { TestCase, TestReport } from './reports/report.ts'

export function compareReports(base: TestReport, now: TestReport, taskId: TaskId | null): Violation[] {
  if (base.crashed !== null && base.tests.length === 0) return []
  const after = byId(now)
  const gone: TestCase[] = []
  const violations: Violation[] = []
  for (const [id, tests] of byId(base)) {
    const left = after.get(id) ?? []
    const was = tests.filter((test) => !test.whole_file)
    gone.push(...was.slice(left.length))
    for (const [index, test] of was.slice(0, left.length).entries()) {
      const is = left[index]
      if (test.status === 'passed' && is?.status === 'skipped') violations.push(violation('test skipped', test, taskId, is))
      if (test.status === 'passed' && is?.status === 'failed') violations.push(violation('test broken', test, taskId, is))
      if (test.status === 'failed' && is?.status === 'skipped') violations.push(violation('test skipped', test, taskId, is))
    }
  }
  const unloadable = now.tests.some((test) => test.whole_file) || now.crashed !== null
  const renamed = unloadable ? 0 : countNew(base, now)
  // A renamed test is one gone and one new: as many green ones may go as came. A red one has no excuse to go.
  const red = gone.filter((test) => test.status !== 'passed')
  const green = gone.filter((test) => test.status === 'passed')
  const missing = [...red, ...green.slice(0, Math.max(0, green.length - renamed))]
  return [...missing.map((test) => violation(unloadable ? 'test did not run' : 'test deleted', test, taskId, null)), ...violations]
}

function byId(report: TestReport): Map<string, TestCase[]> {
  const map = new Map<string, TestCase[]>()
  for (const test of report.tests) map.set(test.id, [...(map.get(test.id) ?? []), test])
  return map
}

/** New tests that share their parent path with a vanished one's: what a rename looks like. */
function countNew(base: TestReport, now: TestReport): number {
  const before = byId(base)
  const parents = new Set<string>()
  const after = byId(now)
  for (const [id, tests] of before) if ((after.get(id)?.length ?? 0) < tests.length) parents.add(parentOf(id))
  let fresh = 0
  for (const [id, tests] of after) if (!before.has(id) && parents.has(parentOf(id)) && tests.every((test) => test.status !== 'skipped')) fresh += tests.length
  return fresh
}

function parentOf(id: string): string {
  const at = id.lastIndexOf(' > ')
  return at < 0 ? '' : id.slice(0, at)
}

function violation(kind: Violation['kind'], was: TestCase, taskId: TaskId | null, is: TestCase | null): Violation {
  const place = is?.file ? is : was
  return {
    kind,
    name: was.name,
    task_id: taskId,
    ...(place.file ? { file: place.file, ...(place.line === null ? {} : { line: place.line }) } : {}),
  }
}

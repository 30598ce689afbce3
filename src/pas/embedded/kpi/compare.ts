/**
 * What a change did to the tests themselves: none may vanish, be skipped or break. Compares two reports of the
 * same command, by test ids. Pure.
 */
import type { TaskId } from '../../../core/ids.ts'
import type { Violation } from '../../contract/types.ts'
import type { TestCase, TestReport } from './reports/report.ts'

/** What became of a test that is in no report any more, where the tree shows it; by id. */
export type Fates = ReadonlyMap<string, 'test deleted' | 'test did not run'>

export function compareReports(base: TestReport, now: TestReport, taskId: TaskId | null, fates: Fates = new Map()): Violation[] {
  if (base.crashed !== null && base.tests.length === 0) return []
  const after = byId(now)
  const violations: Violation[] = []
  for (const [id, tests] of byId(base)) {
    const left = after.get(id) ?? []
    for (const [index, test] of ofBase(tests).slice(0, left.length).entries()) {
      const is = left[index]
      if (test.status === 'passed' && is?.status === 'skipped') violations.push(violation('test skipped', test, taskId, is))
      if (test.status === 'passed' && is?.status === 'failed') violations.push(violation('test broken', test, taskId, is))
      if (test.status === 'failed' && is?.status === 'skipped') violations.push(violation('test skipped', test, taskId, is))
    }
  }
  const otherwise = isUnloadable(now) ? 'test did not run' : 'test deleted'
  return [...vanishedTests(base, now).map((test) => violation(fates.get(test.id) ?? otherwise, test, taskId, null)), ...violations]
}

/** Tests of the base that are in the report no more, as far as no rename explains it. */
export function vanishedTests(base: TestReport, now: TestReport): TestCase[] {
  const after = byId(now)
  const gone = [...byId(base)].flatMap(([id, tests]) => ofBase(tests).slice(after.get(id)?.length ?? 0))
  // A renamed test is one gone and one new: as many green ones may go as came. A red one has no excuse to go, and a
  // file without a test in it excuses only another such file: where a test file ends early, its tests are gone.
  const fresh = isUnloadable(now) ? [] : newTests(base, now)
  const green = (isFile: boolean) => gone.filter((test) => test.status === 'passed' && (test.whole_file ?? false) === isFile)
  const came = (isFile: boolean) => fresh.filter((test) => (test.whole_file ?? false) === isFile).length
  const spare = Math.max(0, came(false) - green(false).length)
  return [
    ...gone.filter((test) => test.status !== 'passed'),
    ...green(false).slice(0, Math.max(0, green(false).length - came(false))),
    ...green(true).slice(0, Math.max(0, green(true).length - came(true) - spare)),
  ]
}

/** A file that did not load is no test that could go. */
function ofBase(tests: readonly TestCase[]): TestCase[] {
  return tests.filter((test) => !(test.whole_file && test.status === 'failed'))
}

function isUnloadable(now: TestReport): boolean {
  return now.tests.some((test) => test.whole_file && test.status === 'failed') || now.crashed !== null
}

function byId(report: TestReport): Map<string, TestCase[]> {
  const map = new Map<string, TestCase[]>()
  for (const test of report.tests) map.set(test.id, [...(map.get(test.id) ?? []), test])
  return map
}

/** New tests that share their parent path with a vanished one's: what a rename looks like. */
function newTests(base: TestReport, now: TestReport): TestCase[] {
  const before = byId(base)
  const after = byId(now)
  const parents = new Set([...before].flatMap(([id, tests]) => ((after.get(id)?.length ?? 0) < tests.length ? [parentOf(id)] : [])))
  return [...after].flatMap(([id, tests]) => (!before.has(id) && parents.has(parentOf(id)) && tests.every((test) => test.status !== 'skipped') ? tests : []))
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

/**
 * What two sides of a merge prove together, to hold their merge against: the tests that the person's branch has, and
 * those that the run added to what both grew from. So what the person deleted may stay away, and nothing else may. Pure.
 */
import type { Evidence } from './judge.ts'

export function joinEvidence(base: Evidence, run: Evidence, person: Evidence): Evidence {
  if (!person.tests || !run.tests) return { ...person, tests: person.tests ?? run.tests }
  const known = new Set([...(base.tests?.report.tests ?? []), ...person.tests.report.tests].map(({ id }) => id))
  const added = run.tests.report.tests.filter(({ id }) => !known.has(id))
  return { ...person, tests: { ...person.tests, report: { ...person.tests.report, tests: [...person.tests.report.tests, ...added] } } }
}

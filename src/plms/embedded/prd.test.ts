import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isVpError } from '../../core/errors.ts'
import { checkPlan, leafTasks, planFromDrafts, planShape } from './plan.ts'
import { MAX_PRD_BYTES, readPrdBytes, tasksFromPrd } from './prd.ts'

const code = (wanted: string) => (error: unknown) => isVpError(error) && error.code === wanted

const PRD = `# Carts
Add carts.

## Tasks
1. Describe carts in openapi.yaml (lane: Code-API-Design; complexity: simple; files: openapi.yaml)
2. Carts
   - [ ] Create and read (files: src/a.ts, src/b.ts; tests: npm test -- carts)
   - [ ] Totals with tax (after: 3)
5. Update the README (depends on: T2)

## Notes
Keep it small (really).
`

test('a listed plan is taken as it stands; what was not written is inferred and said', () => {
  const read = tasksFromPrd(PRD)
  assert.ok(read.kind === 'listed')
  assert.deepEqual(
    read.tasks.map((task) => [task.n, task.title, task.pas_lane, task.parent_n, task.deps, task.line]),
    [
      [1, 'Describe carts in openapi.yaml', 'Code-API-Design', null, [], 5],
      [2, 'Carts', 'Code-Impl', null, [], 6],
      [3, 'Create and read', 'Code-Impl', 2, [], 7],
      [4, 'Totals with tax', 'Code-Impl', 2, [3], 8],
      [5, 'Update the README', 'Narrative', null, [2], 9],
    ],
  )
  assert.deepEqual(read.tasks[0]?.inferred, [])
  assert.deepEqual(read.tasks[2]?.tests, ['npm', 'test', '--', 'carts'])
  assert.match(read.context, /Keep it small \(really\)/)
  assert.doesNotMatch(read.context, /Totals/)
  checkPlan(read.tasks)
  assert.deepEqual(
    leafTasks(read.tasks).map((task) => [task.n, task.deps]),
    [
      [1, []],
      [3, []],
      [4, [3]],
      [5, [3, 4]],
    ],
  )
  assert.deepEqual(planShape(read.tasks), { tasks: 4, lanes: 3, longest_chain: 3, width: 2 })
})

test('what is ticked, fenced or a step of a task is no task', () => {
  const read = tasksFromPrd('## Tasks\n\n- [x] Already done\n1. First\n   1. a step\n   2. another\n```\n1. an example\n```\n   - [ ] Part\n2. Second\n')
  assert.ok(read.kind === 'listed')
  assert.deepEqual(
    read.tasks.map(({ n, title, parent_n }) => [n, title, parent_n]),
    [
      [1, 'First', null],
      [3, 'Part', 1],
      [2, 'Second', null],
    ],
  )
  assert.equal(read.done, 1)
  assert.throws(() => tasksFromPrd('## Tasks\n- [x] A\n'), code('prd.invalid'))
})

test('prose is prose', () => {
  for (const text of ['Make it fast.', '# A\n## Tasks\nnothing listed', '- [ ] outside of a section']) assert.equal(tasksFromPrd(text).kind, 'prose')
})

const bytes = (text: string) => Buffer.from(text)
const refused: [title: string, input: Uint8Array][] = [
  ['empty', bytes('')],
  ['blank', bytes(' \n\t')],
  ['binary', Buffer.from([0x89, 0x50, 0, 1])],
  ['not UTF-8', Buffer.from([0xff, 0xfe, 0x41])],
  ['too large', Buffer.alloc(MAX_PRD_BYTES + 1, 0x61)],
]
for (const [title, input] of refused)
  test(`refused: a PRD that is ${title}`, () => assert.throws(() => readPrdBytes(input, 'docs/PRD.md'), code('prd.invalid')))

const bad: [title: string, items: string, want: string][] = [
  ['an unknown lane', '1. A (lane: Magic)', 'plan.unknown_lane'],
  ['an unknown complexity', '1. A (complexity: huge)', 'plan.invalid'],
  ['a misspelt attribute beside a known one', '1. A (lane: Narrative; depend on: 2)\n2. B', 'plan.invalid'],
  ['an attribute that is none beside a known one', '1. A (complexity: simple; frobs: 2)', 'plan.invalid'],
  ['a value without a name beside a known one', '1. A (lane: Narrative; simple)', 'plan.invalid'],
  ['pairs of which no name is known', '1. A (prio: high; owner: me)', 'plan.invalid'],
  ['a single pair that is nearly known', '1. A (depend on: 2)\n2. B', 'plan.invalid'],
  ['a dependency that is no number', '1. A (depends on: B)', 'plan.invalid'],
  ['a dependency that is not there', '1. A (depends on: 9)', 'plan.invalid'],
  ['a number twice', '1. A\n1. B', 'plan.invalid'],
  ['a cycle', '1. A (after: 2)\n2. B (after: 3)\n3. C (after: 2)', 'plan.cycle'],
  ['a task that waits for itself', '1. A (after: 1)', 'plan.cycle'],
]
for (const [title, items, want] of bad)
  test(`refused: ${title}`, () =>
    assert.throws(() => {
      const read = tasksFromPrd(`## Tasks\n${items}`)
      checkPlan(read.kind === 'listed' ? read.tasks : [])
    }, code(want)))

test('a misspelt attribute is told with its place and the nearest known one', () =>
  assert.throws(
    () => tasksFromPrd('## Tasks\n1. B\n2. A (Lane: Narrative; Depend on: 1)', 'docs/PRD.md'),
    (error) =>
      isVpError(error) &&
      error.message === 'T2: "depend on" is no attribute of a task; the nearest is “depends on”' &&
      error.details.where?.file === 'docs/PRD.md' &&
      error.details.where?.line === 3,
  ))

const titles = [
  'Keep it small (really)',
  'Call f(a; b)',
  'Read (see: below)',
  'Serve it (http://localhost:80; twice)',
  'Empty ()',
  'Blank (;)',
  'A ratio (1: 2; 3: 4)',
  'Unclosed lane: x)',
]
for (const title of titles)
  test(`a plain parenthesis stays in the title: ${title}`, () => {
    const read = tasksFromPrd(`## Tasks\n1. ${title}`)
    assert.equal(read.kind === 'listed' && read.tasks[0]?.title, title)
  })

test('a semicolon after the last attribute is no attribute', () => {
  const read = tasksFromPrd('## Tasks\n1. A (lane: Narrative;)')
  assert.deepEqual(read.kind === 'listed' && [read.tasks[0]?.title, read.tasks[0]?.pas_lane], ['A', 'Narrative'])
})

test('a cycle names its tasks and lines', () => {
  const read = tasksFromPrd('## Tasks\n1. A\n2. B (after: 3)\n3. C (after: 2)')
  assert.throws(
    () => checkPlan(read.kind === 'listed' ? read.tasks : []),
    (error) => isVpError(error) && error.message === 'T2 waits for T3, T3 waits for T2' && error.details.where?.line === 3,
  )
})

test('hostile PRDs are linear', () => {
  for (const text of [
    `## Tasks\n${'1. ('.repeat(100_000)}`,
    `## Tasks\n${'- [ ] a (lane: '.repeat(50_000)}`,
    '## Tasks\n'.repeat(100_000),
    `## Plan\n${'  '.repeat(200_000)}- [ ] x`,
  ])
    tasksFromPrd(text)
})

test('a draft of a model becomes tasks with known lanes', () => {
  const tasks = planFromDrafts([
    { title: 'Write docs', lane: 'nonsense', complexity: 'Very Complex', deps: [], files: [], parent: null },
    { title: 'B', lane: 'impl', complexity: null, deps: [1, 2], files: [], parent: null },
  ])
  assert.deepEqual(
    tasks.map((task) => [task.pas_lane, task.complexity, task.deps]),
    [
      ['Narrative', 'very_complex', []],
      ['Code-Impl', 'simple', [1]],
    ],
  )
})

test('what a group waits for, its tasks wait for; what waits for a group waits for all of it', () => {
  const read = tasksFromPrd('## Tasks\n1. Base\n2. Group (depends on: 1)\n   - [ ] One\n   - [ ] Two\n5. Last (depends on: 2)\n')
  assert.ok(read.kind === 'listed')
  assert.deepEqual(
    leafTasks(read.tasks).map((task) => [task.n, task.deps]),
    [
      [1, []],
      [3, [1]],
      [4, [1]],
      [5, [3, 4]],
    ],
  )
})

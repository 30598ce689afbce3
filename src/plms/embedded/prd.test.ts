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
      [4, 'Part', 1],
      [2, 'Second', null],
    ],
  )
  assert.equal(read.done, 1)
})

/** As `T2 B after 1 in 1`, one a line. */
function planned(text: string): string[] {
  const read = tasksFromPrd(text)
  if (read.kind === 'prose') return ['prose']
  checkPlan(read.tasks)
  return read.tasks.map(
    ({ n, title, deps, parent_n }) => `T${n} ${title}${deps.map((dep) => ` after ${dep}`).join('')}${parent_n === null ? '' : ` in ${parent_n}`}`,
  )
}

const ticked: [title: string, items: string, want: string[]][] = [
  ['boxes behind numbers', '1. [x] A\n2. [ ] B\n3. [ ] C (depends on: 1)\n4) [X] D\n5) [ ] E (depends on: 2, 4)', ['T2 B', 'T3 C', 'T5 E after 2']],
  ['boxes before the first is ticked', '- [ ] A\n- [ ] B\n- [ ] C\n- [ ] D (depends on: 2)', ['T1 A', 'T2 B', 'T3 C', 'T4 D after 2']],
  ['a ticked box keeps its place', '- [x] A\n- [ ] B\n- [ ] C\n- [ ] D (depends on: 2)', ['T2 B', 'T3 C', 'T4 D after 2']],
  ['what is done is not waited for', '- [x] A\n- [ ] B (depends on: 1)', ['T2 B']],
  ['what is done waits for nothing', '- [x] A (depends on: 2)\n- [ ] B (depends on: 1)', ['T2 B']],
  ['places between numbers', '- [x] A\n1. B\n- [ ] C (depends on: 1, 2)', ['T1 B', 'T3 C after 1']],
  ['some parts of a heading are done', '1. A\n   - [x] A1\n   - [ ] A2\n4. B (depends on: 1)', ['T1 A', 'T3 A2 in 1', 'T4 B after 1']],
  ['a heading is done when all of its parts are', '1. A\n   - [x] A1\n   - [x] A2\n4. B (depends on: 1)', ['T4 B']],
  ['a ticked heading is not done before its parts are', '- [x] A\n  - [ ] A1\n- [ ] B (depends on: 1)', ['T1 A', 'T2 A1 in 1', 'T3 B after 1']],
  ['a ticked part with an open one below it', '- [ ] A\n  - [x] A1\n    - [ ] A1a\n  - [ ] A2', ['T1 A', 'T2 A1 in 1', 'T3 A1a in 2', 'T4 A2 in 1']],
  ['a box without words is no task', '1. [ ]\n2. [ ] B\n- [ ]\n- [ ] C', ['T2 B', 'T3 C']],
  ['a title in brackets', '1. [y] A\n2. [x](https://a.example) B', ['T1 [y] A', 'T2 [x](https://a.example) B']],
]
for (const [title, items, want] of ticked) test(`ticked: ${title}`, () => assert.deepEqual(planned(`## Tasks\n${items}\n`), want))

test('ticking a box renames no other task, whichever is ticked', () => {
  const all = ['A', 'B (depends on: 1)', 'C (depends on: 1, 2)', 'D', 'E (depends on: 3, 4)']
  for (let ticks = 0; ticks < 2 ** all.length - 1; ticks++) {
    const done = (n: number) => ((ticks >> (n - 1)) & 1) === 1
    const want = planned(`## Tasks\n${all.map((words) => `- [ ] ${words}`).join('\n')}`)
      .filter((_, index) => !done(index + 1))
      .map((line) => line.replace(/ after (\d)/g, (after, n: string) => (done(Number(n)) ? '' : after)))
    for (const mark of ['-', '#.'])
      assert.deepEqual(
        planned(`## Tasks\n${all.map((words, at) => `${mark.replace('#', String(at + 1))} [${done(at + 1) ? 'x' : ' '}] ${words}`).join('\n')}`),
        want,
      )
  }
})

test('a list in which all is ticked is said to be done, and sent to no model', () => {
  for (const items of ['- [x] A', '1. [x] A\n2. [X] B', '- [x] A\n  - [x] A1', '1. A\n   - [x] A1'])
    assert.throws(
      () => tasksFromPrd(`# Carts\n\n## Tasks\n${items}\n`, 'docs/PRD.md'),
      (error) => code('prd.invalid')(error) && isVpError(error) && error.message === 'every task that docs/PRD.md lists is ticked as done',
    )
})

const A = '## Tasks\n1. A\n'
const hidden: [title: string, text: string, want: string[]][] = [
  ['a fence', `\`\`\`md\n${A}\`\`\`\n`, ['prose']],
  ['a fence of tildes, indented', `   ~~~\n${A}\`\`\`\n   ~~~\n`, ['prose']],
  ['a fence around a fence', `\`\`\`\`\n\`\`\`\n${A}\`\`\`\n## Work\n1. B\n\`\`\`\`\`\n`, ['prose']],
  ['a fence that a line with words does not end', `~~~\n~~~ md\n${A}~~~\n`, ['prose']],
  ['a fence that nothing ends', `\`\`\`\n${A}`, ['prose']],
  ['a fence before the list', `~~~\n## Tasks\n1. No\n~~~\n${A}`, ['T1 A']],
  ['code within a line is no fence', `\`\`\`x\`\`\`\n${A}`, ['T1 A']],
  ['a comment', `<!-- ${A}-->\n`, ['prose']],
  ['a comment of several lines', `Text\n<!--\n${A}-->\n## Work\n1. B\n`, ['T1 B']],
  ['a comment of one line', `<!-- a -->\n${A}`, ['T1 A']],
  ['a comment that is closed and opened again', `<!-- a --> <!--\n${A}-->\n`, ['prose']],
  ['a comment that nothing ends', `<!--\n${A}`, ['prose']],
  ['a comment in a fence', `\`\`\`\n<!--\n\`\`\`\n${A}`, ['T1 A']],
  ['a fence in a comment', `<!--\n\`\`\`\n-->\n${A}`, ['T1 A']],
  ['a comment within the list', `${A}<!--\n2. B\n-->\n3. C\n`, ['T1 A', 'T3 C']],
  ['a comment behind an item', '## Tasks\n1. A (depends on: 2) <!-- why -->\n2. B <!-- a --> <!-- b -->\n3. <!-- C -->\n', ['T1 A after 2', 'T2 B']],
  ['a fence within the list holds no heading', `${A}~~~sh\n# install\n2. B\n~~~\n3. C\n`, ['T1 A', 'T3 C']],
  ['a fence of an item ends with it', `${A}     \`\`\`\n     2. B\n3. C\n`, ['T1 A', 'T3 C']],
]
for (const [title, text, want] of hidden) test(`hidden: ${title}`, () => assert.deepEqual(planned(text), want))

const sections: [title: string, text: string, want: string[]][] = [
  ['underlined once', 'Tasks\n-----\n1. A\n', ['T1 A']],
  ['underlined twice', '# Carts\nText.\n\nTASKS\n=====\n\n- [ ] A\n', ['T1 A']],
  ['the next underlined heading ends it', `${A}\nNotes\n-----\n2. B\n`, ['T1 A']],
  ['a rule does not', `${A}\n---\n\n2. B\n- [ ] C\n---\n4. D\n`, ['T1 A', 'T2 B', 'T3 C', 'T4 D']],
  ['a last line of a paragraph is no heading', 'These are\nTasks\n---\n1. A\n', ['prose']],
  ['tasks before a plan', `## Plan\n1. Think\n\n${A}`, ['T1 A']],
  ['tasks after work', `${A}## Work\n1. B\n`, ['T1 A']],
  ['tasks without items', '## Tasks\nSee below.\n## Plan\n1. B\n## Work\n1. C\n', ['T1 B']],
  ['the first of two', `${A}## Tasks\n1. B\n`, ['T1 A']],
]
for (const [title, text, want] of sections) test(`section: ${title}`, () => assert.deepEqual(planned(text), want))

test('what is not the list is the context, as it was written', () => {
  assert.equal(
    tasksFromPrd('Carts\n=====\n~~~\nx\n~~~\n## Plan\n1. Think\n\nTasks\n-----\n1. A\n\n# End\n').context,
    'Carts\n=====\n~~~\nx\n~~~\n## Plan\n1. Think\n\n# End',
  )
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
  ['a number twice, once ticked', '1. [x] A\n1. [ ] B', 'plan.invalid'],
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
    `## Tasks\n1. ${' '.repeat(400_000)}x${'y'.repeat(3000)}`,
    `## Tasks\n${'- [x] a\n'.repeat(50_000)}${Array.from({ length: 50_000 }, (_, at) => `${at + 1}. b\n`).join('')}`,
    `${'<!--'.repeat(100_000)}\n${'~~~\n'.repeat(100_000)}`,
    'a\n\n-\n'.repeat(100_000),
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

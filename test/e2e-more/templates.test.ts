/** `vp new --template`: its questions and tasks instead of a model's, from this program or the person's own file, never a repository's. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { makePlace, vp, vpJson, writeFiles, type Cleanup, type Files } from '../e2e/kit.ts'

const OWN = {
  template_name: 'tidy',
  description: 'Tidies one folder',
  default_questions: ['Which folder?', { text: 'Which tool?', default: 'the linter' }],
  task_tree_template: [
    { name: 'Tidy the folder', tmd_lane: 4200, complexity: 'simple' },
    { name: 'Say so in the changelog', tmd_lane: 'Narrative', complexity: 'trivial' },
  ],
  default_slo: { min_echo_cos: 0.82 },
}

/** A place whose model would answer everything, and who counts what it is asked. */
async function placeOf(t: Cleanup, files: Files) {
  const server = await startScriptedServer(() => ({ text: '{"questions":[],"tasks":[{"title":"by a model"}]}' }))
  t.after(() => void server.close())
  const place = makePlace(t, files, server)
  const config = join(place.env['HOME'] as string, '.config/vp/templates')
  return { place, server, config }
}

test('the tasks and questions of a template make a plan without a model', async (t) => {
  const { place, server } = await placeOf(t, { 'PRD.md': '# Cart\n\nTotals are wrong with tax.\n' })
  const made = await vpJson(place, ['new', '--name', 'cart', '--template', 'feature'])
  assert.deepEqual([made.code, made.doc.result?.['template_used']], [0, 'feature'])
  writeFiles(place.root, { 'answers.json': '{"q1":"See the tax"}' })
  const { code, doc } = await vpJson(place, ['plan', '--answers', join(place.root, 'answers.json')])
  assert.equal(code, 0, JSON.stringify(doc))
  const { tasks, questions, template_used, decomposed_by_model } = doc.result as unknown as {
    tasks: { lane: string; deps: number[] }[]
    questions: { answer: string | null; source: string }[]
    template_used: string
    decomposed_by_model: boolean
  }
  assert.deepEqual([template_used, decomposed_by_model, server.requests.length], ['feature', false, 0])
  assert.deepEqual(
    tasks.map(({ lane, deps }) => [lane, deps]),
    [
      ['Code-Impl', []],
      ['Code-Impl', [1]],
      ['Narrative', [2]],
    ],
  )
  assert.deepEqual(
    questions.map(({ answer, source }) => [answer, source]),
    [
      ['See the tax', 'template feature'],
      [null, 'template feature'],
    ],
  )
  assert.match(readFileSync(join(place.repository, '.vp/prd.md'), 'utf8'), /Totals are wrong[^]*> See the tax/)
})

test('tasks that a PRD lists stand before those of the template', async (t) => {
  const { place } = await placeOf(t, { 'PRD.md': '# Cart\n\n## Tasks\n\n1. Mend add\n' })
  assert.equal((await vp(place, ['new', '--name', 'cart', '--template', 'bugfix'])).code, 0)
  const { doc } = await vpJson(place, ['plan'])
  assert.deepEqual([doc.result?.['template_used'], ((doc.result?.['tasks'] ?? []) as unknown as unknown[]).length], [null, 1])
})

test('without a PRD the answers are the requirements, and without either there is no plan', async (t) => {
  const { place } = await placeOf(t, { 'a.txt': 'a\n' })
  assert.match((await vp(place, ['new', '--name', 'cart', '--template', 'bugfix'])).stdout, /cart/)
  const none = await vpJson(place, ['plan'])
  assert.deepEqual([none.code, none.doc.error?.code], [2, 'prd.invalid'])
  writeFiles(place.root, { 'answers.json': '{"q1":"2 + 2 is 5"}' })
  assert.equal((await vp(place, ['plan', '--answers', join(place.root, 'answers.json')])).code, 0)
  assert.match(readFileSync(join(place.repository, '.vp/prd.md'), 'utf8'), /^# cart\n[^]*> 2 \+ 2 is 5/)
})

test('a template of the person’s own is read at vp new and kept; one of the repository is not', async (t) => {
  const { place, config } = await placeOf(t, { 'PRD.md': 'Tidy it.\n', '.vp/templates/theirs.json': JSON.stringify({ ...OWN, template_name: 'theirs' }) })
  const theirs = await vpJson(place, ['new', '--name', 'cart', '--template', 'theirs'])
  assert.deepEqual([theirs.code, theirs.doc.error?.code], [2, 'usage.project'])
  writeFiles(config, { 'tidy.json': JSON.stringify(OWN) })
  assert.equal((await vp(place, ['new', '--name', 'cart', '--template', 'tidy'])).code, 0)
  writeFiles(config, { 'tidy.json': 'gone' })
  const { doc } = await vpJson(place, ['plan'])
  assert.deepEqual(
    ((doc.result?.['tasks'] ?? []) as unknown as { name: string }[]).map(({ name }) => name),
    ['Tidy the folder', 'Say so in the changelog'],
  )
})

const WRONG: readonly (readonly [what: string, file: string, says: RegExp])[] = [
  ['no JSON', '{', /is not JSON/],
  ['no tasks', JSON.stringify({ ...OWN, task_tree_template: [] }), /task_tree_template: must be at least 1 entry/],
  ['a lane that is none', JSON.stringify({ ...OWN, task_tree_template: [{ name: 'x', tmd_lane: 1, complexity: 'simple' }] }), /tmd_lane/],
  ['a field of nobody', JSON.stringify({ ...OWN, run: 'rm -rf /' }), /run: no such field/],
  ['another name', JSON.stringify({ ...OWN, template_name: 'other' }), /template_name is other/],
]
test('a template that does not hold is refused, and no project is made', async (t) => {
  const { place, config } = await placeOf(t, { 'a.txt': 'a\n' })
  for (const [what, file, says] of WRONG) {
    writeFiles(config, { 'tidy.json': file })
    const { code, doc } = await vpJson(place, ['new', '--name', 'cart', '--template', 'tidy'])
    assert.deepEqual([code, doc.error?.code], [2, 'config.invalid'], what)
    assert.match(doc.error?.message ?? '', says)
  }
  for (const id of ['../tidy', '', 'no/such', '.'.repeat(80)]) {
    const { code, doc } = await vpJson(place, ['new', '--name', 'cart', '--template', id])
    assert.deepEqual([code, doc.error?.code, doc.error?.next[0]?.slice(-2)], [2, 'usage.project', ['--template', 'bugfix']], id)
  }
  assert.equal((await vpJson(place, ['status'])).doc.error?.code, 'run.none')
})

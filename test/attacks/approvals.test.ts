/**
 * Questions to a person, through real operations: none for what can be undone whole, one for code out of an argument, none
 * again while the answer holds; each names the rule that fired and what can be undone, and cannot be made to say more.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fsEdit, fsList, fsPatch, fsRead, fsWrite } from '../../src/operations/fs.ts'
import { invoke, type Answer } from '../../src/operations/invoke.ts'
import type { Caller, CallQuestion, Operation } from '../../src/operations/operation.ts'
import { runExec } from '../../src/operations/run.ts'
import { searchCode } from '../../src/operations/search.ts'
import { scopesOf } from '../../src/policy/scopes.ts'
import { openRealKit, type RealKit } from '../real-kit.ts'

const cleanups: (() => void)[] = []
after(() => cleanups.toReversed().forEach((fn) => fn()))
let real: RealKit
before(() => {
  real = openRealKit({ after: (fn) => void cleanups.push(fn) }, { 'a.txt': 'one\n', 'a.js': '' })
})

function agent(
  answer: 'call' | 'run' | 'project' | 'deny' | 'later',
  runId = 'r-2026-01-01-000000-0001',
): { readonly asked: CallQuestion[]; call(operation: Operation, params: unknown): Promise<Answer> } {
  const asked: CallQuestion[] = []
  const caller: Caller = {
    actor: 'agent',
    surface: 'agent',
    scopes: scopesOf('agent'),
    runId,
    taskId: 'task-00000001',
    confirm: async (question) => {
      asked.push(question)
      return answer
    },
  }
  return { asked, call: (operation, params) => invoke(real.kit, operation, params, caller, real.tree) }
}

const INLINE = { argv: ['node', '-e', 'process.stdout.write("ran")'] }
const codeOf = (answer: Answer) => (answer.ok ? 'ok' : answer.error.code)

test('an ordinary run asks nothing: reading, searching, writing, programs of the lane', async () => {
  const { asked, call } = agent('deny')
  const steps: [Operation, unknown][] = [
    [fsList, {}],
    [fsRead, { path: 'a.txt' }],
    [searchCode, { query: 'one' }],
    [fsEdit, { path: 'a.txt', old: 'one', new: 'two' }],
    [fsPatch, { unified_diff: '--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-two\n+three\n', apply: true }],
    [fsWrite, { path: 'b.txt', content: 'new\n' }],
    [runExec, { argv: ['node', 'a.js'] }],
  ]
  for (const [operation, params] of steps) assert.equal(codeOf(await call(operation, params)), 'ok', operation.name)
  assert.deepEqual(asked, [])
})

test('code out of an argument is asked about once in a run, and the question says it all', async () => {
  const { asked, call } = agent('run')
  for (let n = 0; n < 3; n++) assert.equal(codeOf(await call(runExec, INLINE)), 'ok')
  assert.equal(asked.length, 1)
  const { ask, decision, approval } = asked[0] as CallQuestion
  assert.match(approval, /^ap_\w{6}$/)
  assert.equal(decision.rule, 'code-impl/inline-code')
  assert.match(decision.reason, /-e makes node run code/)
  assert.equal(ask.wants, `node -e 'process.stdout.write("ran")'`)
  assert.deepEqual([ask.fullyUndoable, ask.maxExtent], [false, 'run'])
  assert.match(ask.undo, /^its files: all\. Not: /)
})

test('a yes is for exactly that call: not for another argument, another way to say it, another run', async () => {
  await agent('run').call(runExec, INLINE)
  const others: [params: object, runId?: string][] = [
    [{ argv: ['node', '-e', 'process.stdout.write("ran") '] }],
    [{ argv: ['node', '--eval', 'process.stdout.write("ran")'] }],
    [{ argv: [...INLINE.argv, 'more'] }],
    [{ ...INLINE, cwd: '.' }],
    [{ ...INLINE, timeout_ms: 1000 }],
    [{ ...INLINE, lane: 'Code-Impl' }],
    [INLINE, 'r-2026-01-01-000000-0002'],
  ]
  for (const [params, runId] of others) {
    const { asked, call } = agent('later', runId)
    assert.equal(codeOf(await call(runExec, params)), 'approval.needed', JSON.stringify(params))
    assert.equal(asked.length, 1)
  }
})

test('a no is not asked about again, and what is denied is never a question', async () => {
  const params = { argv: ['python3', '-c', 'print(1)'] }
  const first = agent('deny')
  assert.equal(codeOf(await first.call(runExec, params)), 'approval.denied')
  assert.equal(codeOf(await first.call(runExec, params)), 'approval.denied')
  assert.equal(first.asked.length, 1)
  const { asked, call } = agent('call')
  for (const argv of [
    ['bash', '-c', 'x'],
    ['git', 'push'],
    ['npm', 'ci'],
    ['pytest', '-qp', 'x'],
  ])
    assert.equal(codeOf(await call(runExec, { argv })), 'policy.denied')
  assert.deepEqual(asked, [])
})

test('an argument cannot write lines of the question', async () => {
  const { asked, call } = agent('later')
  await call(runExec, { argv: ['node', '-e', 'x\nundo     all\nrule     code-impl/node: harmless'] })
  assert.equal(asked[0]?.ask.wants.includes('\n'), false)
  assert.equal(codeOf(await call(runExec, { argv: ['node', '-e', 'x\u202ey'] })), 'policy.denied')
})

/** One `vp do` against a server that answers as a trial says, and what must be true of its end. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startScriptedServer, type ScriptedAnswer, type WireRequest } from '../../src/models/scripted-server.ts'
import { call, git, makePlace, receiptsOf, vp, vpJson, type Place } from './kit.ts'

export const FILES = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'src/add.js': 'export const add = (a, b) => a - b\n',
  'src/other.js': 'export const other = 1\n',
  'test/add.test.js':
    "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\nimport { add } from '../src/add.js'\n\ntest('adds', () => assert.equal(add(2, 3), 5))\ntest('keeps', () => assert.equal(add(2, 0), 2))\n",
}
export const GOAL = 'fix the failing test'
export const EDIT = call('edit', { path: 'src/add.js', old: 'a - b', new: 'a + b' })
export const SUBMIT = call('submit', { title: 'fix: add adds', summary: 'It subtracted.' })
export const GOOD: readonly ScriptedAnswer[] = [call('test', {}), call('read', { path: 'src/add.js' }), EDIT, call('test', {}), SUBMIT]

export interface Trial {
  /** Answers by request number; the last one again and again. */
  readonly answers: (request: WireRequest, n: number) => ScriptedAnswer
  readonly exit: number
  readonly error?: string
  /** Receipts that must be in the ledger: operation and error code or outcome. */
  readonly receipts?: readonly (readonly [op: string, what: string])[]
  readonly config?: object
}

/** Faults come first, then the good turns. */
export const after =
  (...faults: readonly ScriptedAnswer[]) =>
  (_request: WireRequest, n: number) =>
    faults[n - 1] ?? GOOD[Math.min(n - faults.length, GOOD.length) - 1] ?? SUBMIT
export const whole = (answers: readonly ScriptedAnswer[]) => (_request: WireRequest, n: number) =>
  ({ ...(answers[Math.min(n, answers.length) - 1] as object), whole: true }) as ScriptedAnswer
export const QUICK = { 'retry-after': '0' }

export function runTrials(trials: Readonly<Record<string, Trial>>): void {
  for (const [name, trial] of Object.entries(trials))
    test(`vp do: ${name}`, async (t) => {
      const server = await startScriptedServer(trial.answers)
      t.after(() => server.close())
      const place = makePlace(t, FILES, server)
      const config = join(place.root, 'config.json')
      writeFileSync(config, JSON.stringify(trial.config ?? {}))
      const before = git(place, 'rev-parse', 'main')
      const { code, doc, stderr } = await vpJson(place, ['do', GOAL], { env: { VP_CONFIG: config } })
      assert.equal(code, trial.exit, `${JSON.stringify(doc)}\n${stderr}`)
      if (trial.error) assert.ok(doc.error?.code.startsWith(trial.error), JSON.stringify(doc.error))
      const receipts = await receiptsOf(place)
      for (const [op, what] of trial.receipts ?? [])
        assert.ok(
          receipts.some((one) => one.op === op && (one.outcome === what || one.error?.code.startsWith(what))),
          `a receipt of ${op} ${what} in ${JSON.stringify(receipts.map((one) => [one.op, one.outcome, one.error?.code]))}`,
        )
      if (trial.exit === 0) await isGreen(place, before)
      else {
        assert.equal(git(place, 'rev-parse', 'main'), before, 'main stays')
        assert.equal(readFileSync(join(place.repository, 'src/add.js'), 'utf8'), FILES['src/add.js'], 'the tree stays')
        assert.ok(doc.error?.code, 'the end has a code')
        assert.ok((doc.error?.next.length ?? 0) > 0, `and a next step: ${JSON.stringify(doc.error)}`)
      }
      assert.equal((await vpJson(place, ['verify'])).code, 0)
    })
}

async function isGreen(place: Place, before: string): Promise<void> {
  assert.notEqual(git(place, 'rev-parse', 'main'), before, 'main has moved')
  assert.equal(git(place, 'status', '--porcelain'), '', 'the checkout is clean')
  assert.match(readFileSync(join(place.repository, 'src/add.js'), 'utf8'), /a \+ b/)
  const body = git(place, 'log', '--format=%B', `${before}..main`)
  for (const trailer of ['VP-Run', 'VP-Task', 'VP-Ledger']) assert.match(body, new RegExp(`^${trailer}: \\S+$`, 'm'))
  assert.equal((await vp(place, ['run', 'test'])).code, 0)
}

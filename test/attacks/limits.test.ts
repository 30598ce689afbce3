/** A command that a limit ends, on each sandbox: the result says which. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { invoke } from '../../src/operations/invoke.ts'
import type { Caller } from '../../src/operations/operation.ts'
import { runExec } from '../../src/operations/run.ts'
import { scopesOf } from '../../src/policy/scopes.ts'
import { openRealKit } from '../real-kit.ts'

const HUMAN: Caller = { actor: 'human', surface: 'cli', scopes: scopesOf('human') }

const LIMITED = {
  '.vp/lanes/code-impl.yaml': 'lane: Code-Impl\ncommands: { allow: [[node, "*"]] }\nlimits: { max_mem_mb: 512 }\n',
  // Slowly near the limit, as programs do that are not made to be measured: a busy machine looks late.
  'grow.js':
    'const all = [Buffer.alloc(3e8, 1)]; for (;;) { all.push(Buffer.alloc(4e6, 1)); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 40) }',
  'big.js':
    "const fs = require('node:fs'); const fd = fs.openSync('big', 'w'); fs.ftruncateSync(fd, 2 ** 30 - 1); fs.writeSync(fd, 'xx', 2 ** 30 - 1); fs.writeSync(fd, 'x', 2 ** 30)",
  'fail.js': "require('node:fs').writeFileSync('small', 'x'); process.exit(1)",
}
for (const backend of ['bwrap', 'box', 'landlock'])
  test(`run.exec says which limit ended a command: ${backend}`, async (t) => {
    if (backend === 'bwrap' && !['/usr/bin/bwrap', '/bin/bwrap', '/usr/local/bin/bwrap'].some((path) => existsSync(path)))
      return t.skip('bubblewrap is not installed')
    const real = openRealKit(t, LIMITED, { VP_SANDBOX: backend })
    for (const [script, want] of [
      ['grow.js', 'memory'],
      ['big.js', 'file_size'],
      ['fail.js', 'exit'],
    ] as const) {
      const answer = await invoke(real.kit, runExec, { argv: ['node', script], lane: 'Code-Impl' }, HUMAN, real.tree)
      assert.ok(answer.ok, `${script}: ${JSON.stringify(answer)}`)
      const result = answer.result as Record<string, unknown>
      assert.equal(result['ended_by'], want, `${script}: ${result['output']}`)
    }
  })

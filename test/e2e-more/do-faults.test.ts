/** `vp do "fix the failing test"` against a server with every fault that real ones show: a green commit or a typed end, and a receipt for each. */
import { call } from '../e2e/kit.ts'
import { after, GOOD, QUICK, runTrials, SUBMIT, whole, type Trial } from '../e2e/do-trials.ts'

const TRIALS: Readonly<Record<string, Trial>> = {
  'not streaming, no fault': { answers: whole(GOOD), exit: 0 },
  'two 429 in a row': {
    answers: after({ fault: 'status', status: 429, headers: QUICK }, { fault: 'status', status: 429, headers: QUICK }),
    exit: 0,
    receipts: [['model.call', 'model.rate_limited']],
  },
  'one 500': { answers: after({ fault: 'status', status: 500, headers: QUICK }), exit: 0, receipts: [['model.call', 'model.server']] },
  'a stream that is cut': { answers: after({ fault: 'cut' }), exit: 0, receipts: [['model.call', 'model.cut']] },
  'a stall': { answers: after({ fault: 'stall' }), exit: 0, receipts: [['model.call', 'model.stalled']], config: { stall_seconds: 1 } },
  '401': { answers: () => ({ fault: 'status', status: 401 }), exit: 8, error: 'model.auth', receipts: [['model.call', 'model.auth']] },
  '500 for ever': {
    answers: () => ({ fault: 'status', status: 500, headers: QUICK }),
    exit: 8,
    error: 'model.server',
    receipts: [['model.call', 'model.server']],
  },
  'a page instead of an answer': { answers: () => ({ fault: 'html' }), exit: 8, error: 'model.', receipts: [['model.call', 'model.']] },
  'malformed tool calls': {
    answers: after(
      { calls: [{ name: 'read', arguments: '{"path": "src/add' }] },
      { calls: [{ name: 'raed', arguments: { path: 'x' } }] },
      { calls: [{ name: 'read', arguments: { path: 7 } }] },
    ),
    exit: 0,
    receipts: [
      ['tool.call', 'usage.params'],
      ['fs.read', 'usage.params'],
    ],
  },
  'an answer with no tool call': { answers: after({ text: 'I fixed it.' }), exit: 0, receipts: [['tool.call', 'usage.params']] },
  'no tool call, three times': { answers: () => ({ text: 'It is fixed, all tests pass.' }), exit: 3, receipts: [['task.failed', 'failed']] },
  'an edit of the wrong file': {
    answers: after(
      call('edit', { path: 'src/nowhere.js', old: 'a', new: 'b' }),
      call('edit', { path: '../../outside.js', old: 'a', new: 'b' }),
      call('write', { path: '.git/hooks/pre-commit', content: 'x' }),
    ),
    exit: 0,
    receipts: [
      ['fs.edit', 'path.'],
      ['fs.write', 'path.denied'],
    ],
  },
  'the same call for ever': { answers: () => call('read', { path: 'src/add.js' }), exit: 3, receipts: [['task.failed', 'failed']] },
  'the failing test deleted': {
    answers: (_request, n) =>
      n % 2 === 1 ? call('write', { path: 'test/add.test.js', content: `import { test } from 'node:test'\ntest('keeps', () => {}) // ${n}\n` }) : SUBMIT,
    exit: 3,
    receipts: [['task.failed', 'failed']],
  },
}

runTrials(TRIALS)

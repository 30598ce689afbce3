import assert from 'node:assert/strict'
import { test } from 'node:test'
import { missedLoopback } from './loopback.ts'

const cases: [backend: string, output: string, want: boolean][] = [
  ['landlock', 'Error: listen EAFNOSUPPORT: address family not supported 127.0.0.1', true],
  ['landlock', 'Error: listen EADDRINUSE: address already in use 127.0.0.1:80', false],
  ['seatbelt', 'Error: listen EPERM: operation not permitted 127.0.0.1', true],
  ['seatbelt', 'Error: connect EPERM 127.0.0.1:5432 - Local (0.0.0.0:0)', true],
  ['seatbelt', 'listen tcp 127.0.0.1:0: bind: operation not permitted', true],
  ['seatbelt', "Error: EPERM: operation not permitted, open '.git/config'", false],
  ['seatbelt', 'Error: listen EAFNOSUPPORT', false],
  ['bwrap', 'Error: listen EAFNOSUPPORT', false],
]
for (const [backend, output, want] of cases) test(`${backend}: ${output}`, () => assert.equal(missedLoopback(backend, output), want))

/** How a stream wants to be written to: no colour that nobody asked for, no width that is not there. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lookFrom, type LookEnvironment, type LookFlags, type Looks } from './style.ts'

const UTF8 = { LANG: 'C.UTF-8', TERM: 'xterm' }
const tty = { isTTY: true, columns: 90 }
const looks = (env: LookEnvironment, flags: LookFlags = {}, stream: object = tty) => lookFrom(env, { stdout: stream, stderr: stream }, flags)

const cases: [title: string, made: Looks, colour: boolean, ascii: boolean, plainBy: string | null, lines: boolean, width: number][] = [
  ['a terminal', looks(UTF8), true, false, null, false, 90],
  ['a pipe', looks(UTF8, {}, {}), false, false, null, true, 80],
  ['a pipe, whatever it says of columns', looks(UTF8, {}, { columns: 20 }), false, false, null, true, 80],
  ['NO_COLOR', looks({ ...UTF8, NO_COLOR: '1' }), false, false, null, false, 90],
  ['an empty NO_COLOR is none', looks({ ...UTF8, NO_COLOR: '' }), true, false, null, false, 90],
  ['a dumb terminal', looks({ ...UTF8, TERM: 'dumb' }), false, false, null, true, 90],
  ['--json', looks(UTF8, { json: true }), false, false, null, false, 90],
  ['--json beats VP_PLAIN', looks({ ...UTF8, VP_PLAIN: '1' }, { json: true }), false, false, null, false, 90],
  ['--plain', looks(UTF8, { plain: true }), false, false, '--plain', true, 90],
  ['--no-plain beats VP_PLAIN', looks({ ...UTF8, VP_PLAIN: '1' }, { plain: false }), true, false, null, false, 90],
  ['VP_PLAIN=0 beats the configuration', looks({ ...UTF8, VP_PLAIN: '0' }, { configPlain: true }), true, false, null, false, 90],
  ['the configuration', looks(UTF8, { configPlain: true }), false, false, 'the configuration', true, 90],
  ['CI', looks({ ...UTF8, CI: '1' }), true, false, null, true, 90],
  ['no UTF-8', looks({ LANG: 'C', TERM: 'xterm' }), true, true, null, false, 90],
  ['a narrow terminal', looks(UTF8, {}, { isTTY: true, columns: 3 }), true, false, null, false, 20],
  ['a wide terminal', looks(UTF8, {}, { isTTY: true, columns: 300 }), true, false, null, false, 100],
]
for (const [title, made, colour, ascii, plainBy, lines, width] of cases)
  test(`look: ${title}`, () =>
    assert.deepEqual([made.out.colour, made.out.ascii, made.plainBy, made.lines, made.out.width], [colour, ascii, plainBy, lines, width]))

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cells } from './cells.ts'
import { COMMANDS, loadCommand } from './commands/index.ts'
import { paint } from './finish.ts'
import { commandHelpScreen } from './help.ts'
import type { Look } from './style.ts'

test('no help is wider than a terminal of 80 columns, but for what is to be copied in one piece', async () => {
  const look: Look = { width: 80, colour: false, ascii: false, plain: false, tty: true }
  for (const name of COMMANDS) {
    const command = await loadCommand(name)
    const { stdout } = paint(commandHelpScreen(command), { out: look, err: look })
    assert.deepEqual(
      stdout.split('\n').filter((line) => cells(line) > 80 && !command.examples.includes(line.trim())),
      [],
      name,
    )
  }
})

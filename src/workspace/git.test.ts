/** The operator's own git as a process among others. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gitRunner, gitText } from './git.ts'

/** Field 5 of /proc/PID/stat. Source: proc(5). */
const groupOf = (stat: string) => stat.split(' ')[4]

test('what the terminal sends to the process group of vp does not reach git', async () => {
  const stat = await gitText(gitRunner('git'), ['-c', 'alias.own-stat=!cat /proc/self/stat', 'own-stat'])
  assert.match(groupOf(stat) ?? '', /^\d+$/)
  assert.notEqual(groupOf(stat), groupOf(readFileSync('/proc/self/stat', 'utf8')))
})

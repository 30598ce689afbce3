/** What may follow what in a project's life, and what may not. Source: contracts/plms.md section 2. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isVpError } from '../../core/errors.ts'
import type { ProjectStatus } from '../contract/types.ts'
import { transition, type Trigger } from './lifecycle.ts'

const way: [from: ProjectStatus, trigger: Trigger, to: ProjectStatus | null][] = [
  ['ideation', 'plan', 'planning'],
  ['planning', 'estimate', 'estimating'],
  ['estimating', 'estimated', 'pending_approval'],
  ['pending_approval', 'approve', 'approved'],
  ['approved', 'start', 'executing'],
  ['executing', 'pause', 'paused'],
  ['paused', 'resume', 'executing'],
  ['executing', 'tasks_ended', 'validating'],
  ['validating', 'gates_pass', 'completed'],
  ['validating', 'gates_fail', 'needs_review'],
  ['needs_review', 'override', 'completed'],
  ['completed', 'plan', 'planning'],
  ['planning', 'approve', null],
  ['planning', 'start', null],
  ['pending_approval', 'start', null],
  ['paused', 'start', null],
  ['executing', 'plan', null],
  ['executing', 'gates_pass', null],
  ['completed', 'cancel', null],
  ['cancelled', 'start', null],
]
for (const [from, trigger, to] of way)
  test(`${from}, ${trigger}: ${to ?? 'refused'}`, () => {
    if (to !== null) assert.equal(transition(from, trigger), to)
    else
      assert.throws(
        () => transition(from, trigger),
        (error) => isVpError(error) && error.code === 'project.state' && (error.details.next?.length ?? 0) > 0,
      )
  })

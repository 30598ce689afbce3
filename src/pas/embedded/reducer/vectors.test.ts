import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseProvider } from '../../contract/provider.ts'
import type { TaskStatus, Threshold } from '../../contract/types.ts'
import { budgetGuard, retryDelaySeconds } from './budget.ts'
import { priorityScore } from './fairness.ts'
import { canonicalKpi, kpiPasses, validateRun } from './gates.ts'

interface Vector {
  readonly id: string
  readonly title: string
  readonly function: string
  readonly input: never
  readonly expect: unknown
  readonly tolerance?: number
}

const functions: Readonly<Record<string, (input: never) => unknown>> = {
  priority_score: priorityScore,
  retry_delay_s: (input: { attempt: number; base_s: number; cap_s: number; jitter: number }) => retryDelaySeconds(input.attempt, input),
  budget_guard: budgetGuard,
  kpi_passes: (input: { threshold: Threshold; value: unknown }) => kpiPasses(input.threshold, input.value),
  canonical_kpi: canonicalKpi,
  validate_run: (input: { kpi_flags: boolean[]; task_statuses: TaskStatus[] }) => validateRun(input.kpi_flags, input.task_statuses),
  parse_provider: parseProvider,
}

const { vectors } = JSON.parse(readFileSync('test/vectors/pas-compute.json', 'utf8')) as { vectors: Vector[] }
for (const vector of vectors)
  test(`${vector.id}: ${vector.title}`, () => {
    const got = functions[vector.function]?.(vector.input)
    if (typeof vector.expect === 'number' && vector.tolerance !== undefined)
      assert.ok(Math.abs((got as number) - vector.expect) <= vector.tolerance, `${String(got)} is not ${vector.expect}`)
    else assert.deepEqual(got, vector.expect)
  })

/** One capability test as it is told: what was looked at, and what was seen. */
import * as z from 'zod/mini'
import { once } from '../core/once.ts'

const seen = once(() => z.object({ what: z.string(), ok: z.boolean(), saw: z.string() }))
export const testedShape = once(() =>
  z.object({
    test: z.string(),
    passed: z.boolean(),
    score: z.number(),
    min_score: z.number(),
    evidence: z.array(seen()),
    receipts: z.array(z.string()),
    ms: z.number(),
    tokens: z.int(),
  }),
)

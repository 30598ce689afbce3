/**
 * One purse, eight askers, a server with faults: on the real store, what the server may bill never passes the cap,
 * what was spent is what the receipts say, and nothing stays held.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isVpError } from '../../src/core/errors.ts'
import { chooseModel } from '../../src/models/choose.ts'
import { meteredProvider } from '../../src/models/meter.ts'
import { openProvider } from '../../src/models/providers/index.ts'
import { startScriptedServer, type ScriptedAnswer } from '../../src/models/scripted-server.ts'
import { OPEN } from '../../src/operations/masking.ts'
import { createProjectRecord, requireProject } from '../../src/operations/projects/project.ts'
import { meterPorts } from '../../src/operations/runs/spend.ts'
import { openRealKit } from '../real-kit.ts'

const CAP = 1_000_000
/** 100 USD a million tokens: an answer of 1,000 costs a tenth of the cap. */
const PRICE = { in_per_million_usd: 100, out_per_million_usd: 100 }
const request = { messages: [{ role: 'user', text: 'go' }], tools: [], max_tokens: 1000, temperature: 0 } as const
const FAULTS: readonly ScriptedAnswer[] = [
  { text: 'ok', usage: { in: 20, out: 900 } },
  { fault: 'cut' },
  { text: 'ok', usage: { in: 20, out: 10 } },
  { fault: 'reset' },
  { fault: 'status', status: 429, headers: { 'retry-after-ms': '1' } },
  { fault: 'garbage' },
  { fault: 'status', status: 500 },
]
const MOST = request.max_tokens * 100 + 2800

test('eight askers of one purse of $1.00 spend at most $1.00, whatever breaks', async (t) => {
  let billed = 0
  const server = await startScriptedServer((_request, n) => {
    const answer = FAULTS[n % FAULTS.length] ?? { fault: 'cut' }
    if (!('fault' in answer)) billed += ((answer.usage?.in ?? 0) + (answer.usage?.out ?? 0)) * 100
    else if (answer.fault !== 'status') billed += MOST
    return answer
  })
  t.after(() => server.close())
  const { kit, receipts } = openRealKit(t, { 'a.txt': 'a\n' })
  const { id } = await kit.store.transaction((tx) => createProjectRecord(tx, { root: '/p', name: 'p', now: 0 }))
  const { spec } = chooseModel({ VP_MODEL: 'openai_compatible:x', VP_MODEL_BASE_URL: server.baseUrl }, null)
  const provider = await openProvider(spec, { stallMs: 5000 })
  const mask = OPEN
  const ports = {
    ...meterPorts(kit, { kind: 'project', project_id: id, cap_micro_usd: CAP }, { provider, mask, asker: {}, project: id, rates: null, source: null }),
    sleep: async () => {},
  }
  const model = meteredProvider(ports, provider, { price: PRICE, tier: 'API-Premium', allowUnknownPrice: false })

  const asker = async (task: string) => {
    for (let turn = 1; turn <= 20; turn++)
      try {
        await model.answer(request, { task, attempt: 1, turn }, new AbortController().signal)
      } catch (error) {
        assert.ok(isVpError(error), String(error))
        if (error.code === 'budget.cap') return error.code
        assert.match(error.code, /^model\.(cut|protocol|server|rate_limited)$/)
      }
    return 'done'
  }
  const ends = await Promise.all(Array.from({ length: 8 }, (_, n) => asker(`T${n + 1}`)))
  assert.deepEqual([...new Set(ends)], ['budget.cap'], 'everyone is stopped by the cap')
  const { spent_before_approval_micro_usd: spent } = await kit.store.read((tx) => requireProject(tx, id))
  const told = (await receipts()).reduce((sum, receipt) => sum + (receipt.usage?.cost_micro_usd ?? 0), 0)
  assert.equal(spent, told, 'the receipts say what was spent')
  assert.ok(spent <= CAP && spent > CAP / 2, `${spent}`)
  assert.ok(billed <= CAP, `the server may bill ${billed}`)
  assert.deepEqual(await kit.store.read((tx) => tx.all('SELECT * FROM holds')), [])
})

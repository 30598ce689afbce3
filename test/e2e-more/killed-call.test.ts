/** A call that was open when vp was killed: its provider may bill it, so it counts against the cap, has a receipt, and is told as what left. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { approvedProject, receiptsOf, turnOf, vp, vpJson } from '../e2e/kit.ts'
import { wordsFiles, wordsModel } from '../e2e/words.ts'

test('killed while a model answers: the worst case counts, once, and nothing is proved that is not', async (t) => {
  let isSilent = true
  let open: () => void = () => undefined
  const asked = new Promise<void>((resolve) => (open = resolve))
  const server = await startScriptedServer((request, n) => {
    if (!isSilent || n < 2) return wordsModel(turnOf(request))
    open()
    return { fault: 'silence' }
  })
  t.after(() => server.close())
  const place = await approvedProject(t, wordsFiles(1), server)
  const config = join(place.root, 'config.json')
  writeFileSync(config, JSON.stringify({ prices: { scripted: { in_per_million_usd: 10, out_per_million_usd: 100 } } }))
  const env = { VP_CONFIG: config }
  const killed = vp(place, ['start'], { env, onSpawn: (child) => void asked.then(() => child.kill('SIGKILL')) })
  assert.equal((await killed).signal, 'SIGKILL')
  isSilent = false
  const before = (await receiptsOf(place)).length
  const resumed = await vpJson(place, ['resume'], { env })
  assert.equal(resumed.code, 0, JSON.stringify(resumed.doc))
  const lost = (await receiptsOf(place)).slice(before).filter(({ error }) => error?.code === 'model.cut')
  assert.equal(lost.length, 1)
  const { tokens_out, cost_micro_usd } = (lost[0] as unknown as { usage: { tokens_out: number; cost_micro_usd: number } }).usage
  assert.equal(tokens_out, 4096, 'all that it was allowed to say')
  assert.ok(cost_micro_usd >= 4096 * 100, `${cost_micro_usd} micro-USD`)
  const { cost_usd } = resumed.doc.result as unknown as { cost_usd: number }
  assert.ok(cost_usd * 1e6 >= cost_micro_usd, 'the run has spent it')
  const egress = (await vpJson(place, ['egress', 'show'], { env })).doc.result as unknown as { proved: boolean; missing: number }
  assert.deepEqual([egress.proved, egress.missing], [false, 1])
  assert.equal((await vp(place, ['verify'], { env })).code, 0)
  assert.equal((await vp(place, ['replay'], { env })).code, 0)
})

test('killed, then terminated: the call has its receipt with whatever runs next, and the ended run is whole', async (t) => {
  let open: () => void = () => undefined
  const asked = new Promise<void>((resolve) => (open = resolve))
  let isSilent = true
  const server = await startScriptedServer((request) => {
    if (!isSilent) return wordsModel(turnOf(request))
    open()
    return { fault: 'silence' }
  })
  t.after(() => server.close())
  const place = await approvedProject(t, wordsFiles(1), server)
  const killed = vp(place, ['start'], { onSpawn: (child) => void asked.then(() => child.kill('SIGKILL')) })
  assert.equal((await killed).signal, 'SIGKILL')
  assert.equal((await vp(place, ['terminate'])).code, 0)
  isSilent = false
  const again = await vpJson(place, ['start'])
  assert.equal(again.code, 0, JSON.stringify(again.doc))
  assert.equal((await receiptsOf(place)).filter(({ error }) => error?.code === 'model.cut').length, 1)
  const verified = await vpJson(place, ['verify'])
  assert.equal(verified.code, 0, JSON.stringify(verified.doc))
})

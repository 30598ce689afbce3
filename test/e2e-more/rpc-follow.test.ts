/** `vp rpc`: following a run by notifications, and the models that a client may see and ask to set. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { approvedProject, makePlace, turnOf, vp, vpJson, type Cleanup, type Place } from '../e2e/kit.ts'
import { openRpc, type RpcClient, type RpcFraming } from '../e2e/rpc-client.ts'
import { WORDS_FILES, wordsModel } from '../e2e/words.ts'

interface Event {
  readonly channel: string
  readonly type: string
  readonly seq: number
  readonly data: Readonly<Record<string, unknown>>
}

async function approved(t: Cleanup, delayMs = 20): Promise<Place> {
  const server = await startScriptedServer((request) => wordsModel(turnOf(request), delayMs))
  t.after(() => void server.close())
  return approvedProject(t, WORDS_FILES, server)
}

async function nextEvent(client: RpcClient): Promise<Event> {
  const { method, params, id, jsonrpc } = (await client.next()) as unknown as { method: string; params: Event; id?: unknown; jsonrpc: string }
  assert.deepEqual([method, id, jsonrpc], ['event', undefined, '2.0'])
  return params
}

async function untilEnd(client: RpcClient): Promise<Event[]> {
  const events: Event[] = []
  while (events.at(-1)?.type !== 'end') events.push(await nextEvent(client))
  return events
}

for (const framing of ['lines', 'frames'] as RpcFraming[])
  test(`a run that another process drives is followed to its end, and told the same again: ${framing}`, async (t) => {
    const place = await approved(t)
    assert.equal((await vp(place, ['start', '--detach'])).code, 0)
    const client = openRpc(t, place, { framing })
    const answer = await client.request('run.subscribe', { after: 0 })
    const run = String(answer.result?.['run_id'])
    assert.equal(answer.result?.['channel'], `run:${run}`)
    const live = await untilEnd(client)
    assert.deepEqual(
      live.map(({ seq }) => seq),
      live.map((_, index) => index + 1),
    )
    assert.ok(live.every(({ channel, data }) => channel === `run:${run}` && data['run_id'] === run))
    const said = (type: string) => live.filter((event) => event.type === type).map(({ data }) => data)
    assert.deepEqual(
      said('run').map(({ status }) => status),
      ['pending', 'executing', 'validating', 'completed'],
    )
    const tasks = said('task')
    assert.deepEqual([...new Set(tasks.filter(({ status }) => status === 'succeeded').map(({ n }) => n))].toSorted(), [1, 2, 3, 4])
    assert.ok(tasks.every(({ lane, task_id }) => typeof lane === 'string' && String(task_id).startsWith('task-')))
    assert.ok(said('kpi').some(({ kpi_name, pass }) => kpi_name === 'test_pass_rate' && pass === true))
    assert.equal(said('budget').at(-1)?.['budget_usd'], 1)
    assert.equal(said('end')[0]?.['status'], 'completed')
    const half = Math.floor(live.length / 2)
    const late = await client.request('run.subscribe', { run, after: half })
    assert.deepEqual([late.result?.['seq'], late.result?.['status']], [live.length, 'completed'])
    assert.deepEqual(await untilEnd(client), live.slice(half), 'the same events under the same numbers')
    const { code, stderr } = await client.end()
    assert.equal(code, 0, stderr)
  })

test('without `after` nothing of the past is told; $/cancelRequest lets go; the end of the input ends it', async (t) => {
  const place = await approved(t, 150)
  assert.equal((await vp(place, ['start', '--detach'])).code, 0)
  const client = openRpc(t, place)
  client.send({ jsonrpc: '2.0', id: 'mine', method: 'run.subscribe', params: {} })
  const answer = (await client.next()) as { id: string | number | null; result?: Record<string, unknown> }
  assert.equal(answer.id, 'mine', 'the answer comes before what it announces')
  const first = await nextEvent(client)
  assert.equal(first.seq, Number(answer.result?.['seq']) + 1)
  client.send({ jsonrpc: '2.0', method: '$/cancelRequest', params: { id: 'mine' } })
  while ((await vpJson(place, ['status'])).doc.result?.['status'] !== 'completed') await client.request('run.status')
  const again = await client.request('run.subscribe', { after: 0 })
  const all = await untilEnd(client)
  assert.equal(all.filter(({ seq }) => seq === Number(again.result?.['seq'])).length, 1, 'told once: by the second only')
  assert.equal((await client.end()).code, 0)
})

test('piped: what is known of a run that goes on is told, then it ends with its input; a client needs the right to look', async (t) => {
  const place = await approved(t)
  assert.equal((await vp(place, ['start', '--detach'])).code, 0)
  const request = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'run.subscribe', params: { after: 0 } })}\n`
  const piped = await vp(place, ['rpc'], { stdin: request })
  assert.equal(piped.code, 0)
  const [answer, ...events] = piped.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { result?: { seq: number }; params?: Event })
  assert.deepEqual(
    events
      .slice(0, answer?.result?.seq)
      .map(({ params }) => params?.seq)
      .at(-1),
    answer?.result?.seq,
  )
  const blind = openRpc(t, place, { args: ['--scope', 'fs.read'] })
  assert.equal((await blind.request('run.subscribe', {})).error?.data['rule'], 'scope/projects.view')
  const client = openRpc(t, place)
  assert.equal((await client.request('run.subscribe', { run: 'nope' })).error?.code, -32004)
  while ((await vpJson(place, ['status'])).doc.result?.['status'] === 'executing') await client.request('run.status')
})

test('a token that is revoked ends what is followed, before the next event', async (t) => {
  const place = await approved(t, 200)
  const { doc } = await vpJson(place, ['token', 'create', '--scope', 'projects.view', '--expires', '1h'])
  const { token, id } = doc.result as unknown as { token: string; id: string }
  assert.equal((await vp(place, ['start', '--detach'])).code, 0)
  const client = openRpc(t, place, { env: { VP_TOKEN: token } })
  const told: string[] = []
  client.child.stdout.on('data', (part: Buffer) => told.push(part.toString()))
  assert.ok((await client.request('run.subscribe', {})).result)
  await nextEvent(client)
  assert.equal((await vp(place, ['token', 'revoke', id])).code, 0)
  while ((await vpJson(place, ['status'])).doc.result?.['status'] !== 'completed') await delay(200)
  const { code, stderr } = await client.end()
  assert.equal(code, 0)
  assert.match(stderr, /is no longer followed: VP_TOKEN holds no token/)
  assert.doesNotMatch(told.join(''), /"completed"/)
})

test('model.list says what is in force; model.set is asked for, changes one thing, and counts at once', async (t) => {
  const config = { bell: 'off', parallel: 3 }
  const place = makePlace(t, { ...WORDS_FILES })
  const file = join(place.root, 'config.json')
  const { writeFileSync } = await import('node:fs')
  writeFileSync(file, JSON.stringify(config))
  const env = { VP_CONFIG: file }
  const client = openRpc(t, place, { env })
  const before = (await client.request('model.list')).result
  assert.deepEqual([before?.['chosen'], before?.['source']], ['ollama:qwen2.5-coder:7b', 'preset (Ollama)'])
  const params = { model: 'ollama:phi4:14b', base_url: 'http://127.0.0.1:9/v1' }
  const asked = (await client.request('model.set', params)).error
  assert.deepEqual([asked?.code, asked?.data.code], [-32002, 'approval.needed'])
  assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), config, 'nothing is written before the yes')
  assert.equal((await vp(place, ['approve', String(asked?.data['approval']), '--for', 'call'], { env })).code, 0)
  assert.equal((await client.request('model.set', params)).result?.['model'], 'ollama:phi4:14b')
  assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), { ...config, model: { provider: 'ollama', model: 'phi4:14b', base_url: 'http://127.0.0.1:9/v1' } })
  assert.ok(!existsSync(`${file}.new`))
  const after = (await client.request('model.list')).result
  assert.deepEqual([after?.['chosen'], after?.['source']], ['ollama:phi4:14b', 'configuration'])
  for (const model of ['nonsense', 'a:b', 'ollama:']) assert.equal((await client.request('model.set', { model })).error?.code !== undefined, true, model)
  await client.end()
  const listed = await vpJson(place, ['model', 'list'], { env })
  assert.equal(listed.doc.result?.['chosen'], 'ollama:phi4:14b', 'the terminal says the same')
  assert.equal((await vp(place, ['model', 'set', 'ollama:qwen2.5-coder:7b'], { env })).code, 0)
  assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), { ...config, model: { provider: 'ollama', model: 'qwen2.5-coder:7b' } })
  writeFileSync(file, '{ broken')
  assert.equal((await vp(place, ['model', 'set', 'ollama:phi4:14b'], { env })).code, 2)
  assert.equal(readFileSync(file, 'utf8'), '{ broken', 'what cannot be read is not written over')
})

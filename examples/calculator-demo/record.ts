/**
 * Makes `recording.jsonl` (`npm run demo:record`): drives `vp demo --live` against the scripted model over real HTTP and
 * writes down every exchange that the demo's ledger then holds, the rehearsal's too. It is never edited by hand.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { printRecording, type Exchange } from '../../src/models/recorded.ts'
import { startScriptedServer } from '../../src/models/scripted-server.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { demoModel } from './scripted-model.ts'

/** Plays the demo below `directory`, with a home of its own, so that nothing of the person who records is in it. */
async function playLive(directory: string): Promise<void> {
  const server = await startScriptedServer(demoModel)
  try {
    const vp = spawn(join(import.meta.dirname, '..', '..', 'bin', 'vp'), ['demo', '--live'], {
      stdio: ['ignore', 2, 2],
      env: {
        PATH: process.env['PATH'],
        HOME: join(directory, 'home'),
        VP_STATE_DIR: join(directory, 'state'),
        VP_DEMO_DIR: join(directory, 'demo'),
        VP_MODEL: 'openai_compatible:scripted',
        VP_MODEL_BASE_URL: server.baseUrl,
      },
    })
    const [code] = (await once(vp, 'exit')) as [number | null]
    if (code !== 0) throw new Error(`the demo ended with exit ${code}: nothing was recorded`)
  } finally {
    await server.close()
  }
}

/** Every exchange of the ledger in `state`, by its place; one that two runs had in common once. */
async function exchangesOf(state: string): Promise<Exchange[]> {
  const store = openSqlite(join(state, 'ledger.db'))
  try {
    const rows = await store.read((tx) =>
      tx.all<Omit<Exchange, 'request' | 'answer'> & { readonly request: string; readonly response: string }>(
        'SELECT task, attempt, turn, request_sha, MIN(request) AS request, MIN(response) AS response FROM exchanges GROUP BY task, attempt, turn, request_sha ORDER BY task, attempt, turn, request_sha',
      ),
    )
    return rows.map(({ request, response, ...place }) => ({
      ...place,
      request: JSON.parse(request) as Exchange['request'],
      answer: JSON.parse(response) as Exchange['answer'],
    }))
  } finally {
    store.close()
  }
}

export const RECORDING = join(import.meta.dirname, 'recording.jsonl')

/** What the recording has to hold: the same bytes on every machine. */
export async function recordDemo(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'vp-record-'))
  try {
    await playLive(directory)
    return printRecording(await exchangesOf(join(directory, 'state')))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

if (import.meta.main) writeFileSync(RECORDING, await recordDemo())

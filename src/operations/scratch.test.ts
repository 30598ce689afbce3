import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeScratch, sweepScratch } from './scratch.ts'

test('only what no living process owns is swept', (t) => {
  const state = mkdtempSync(join(tmpdir(), 'vp-scratch-'))
  t.after(() => rmSync(state, { recursive: true, force: true }))
  const kit = (worker: string) => ({ paths: { state }, worker, clock: { now: () => Date.now() }, isAlive: (name: string) => name === 'vp-0-1-1' }) as never
  const mine = makeScratch(kit('vp-0-1-1'), 'run')
  writeFileSync(join(makeScratch(kit('vp-0-2-2'), 'git'), 'config'), '')
  makeScratch(kit('vp-0-2-2'), 'held')
  for (const name of ['run-aaaaaa', 'run-bbbbbb', 'etc-0123456789', 'notes']) mkdirSync(join(state, 'tmp', name))
  const before = Date.now() / 1000 - 2 * 86_400
  for (const name of ['run-bbbbbb', 'etc-0123456789', 'notes']) utimesSync(join(state, 'tmp', name), before, before)
  assert.equal(sweepScratch(kit('vp-0-1-1')), 3)
  assert.deepEqual(
    readdirSync(join(state, 'tmp'))
      .map((name) => join(state, 'tmp', name))
      .toSorted(),
    [mine, ...['etc-0123456789', 'notes', 'run-aaaaaa'].map((name) => join(state, 'tmp', name))].toSorted(),
  )
})

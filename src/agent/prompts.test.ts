/** Every prompt is a file, and none grows unseen: its characters are a promise of the product. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { canonicalJson } from '../core/json.ts'
import { PROMPTS } from './prompts.ts'
import { AGENT_TOOLS } from './tools.ts'

const FOLDER = join(import.meta.dirname, 'prompts')

test('system prompt and tools stay within 4,000 characters', () => {
  const size = PROMPTS.system.length + canonicalJson(AGENT_TOOLS).length
  assert.ok(size <= 4000, `${size}`)
})

const LIMITS: Readonly<Record<keyof typeof PROMPTS, number>> = {
  system: 1500,
  nudge: 120,
  cutShort: 100,
  heldBack: 100,
  told: 100,
  compacted: 200,
  instructions: 180,
  planner: 120,
  questions: 350,
  tasks: 550,
}
for (const [name, limit] of Object.entries(LIMITS))
  test(`prompt ${name} takes at most ${limit} characters, and has no words of this machine`, () => {
    const text = PROMPTS[name as keyof typeof PROMPTS]
    assert.ok(text.length > 20 && text.length <= limit, `${text.length}`)
    assert.doesNotMatch(text, /\/home|\/tmp|\d{4}-\d\d-\d\d|\r|\t| $/m)
  })

test('each file in prompts/ is one prompt, as it stands, and there is no other', () => {
  const files = readdirSync(FOLDER).map((name) => readFileSync(join(FOLDER, name), 'utf8'))
  assert.deepEqual(files.map((text) => text.trimEnd()).toSorted(), Object.values(PROMPTS).toSorted())
  for (const text of files) assert.ok(text.endsWith('\n') && !text.endsWith('\n\n'))
})

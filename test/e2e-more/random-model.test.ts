/**
 * A model of random weights says calls under the grammar, half of them from a list of what must not work, and every one is
 * made, through the real wrapper, on a real checkout and sandbox: no crash, no operation outside its rights, nothing outside
 * the tree. A thousand turns with VP_TEST_DEEP=1.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import type { AgentTool } from '../../src/agent/calls.ts'
import { WINDOW_POLICY } from '../../src/agent/context/context.ts'
import { runAgent } from '../../src/agent/loop.ts'
import { chooseModel } from '../../src/models/choose.ts'
import type { Provider, ToolSpec } from '../../src/models/contract.ts'
import { openProvider } from '../../src/models/providers/index.ts'
import { agentTools } from '../../src/operations/agent-tools.ts'
import { scopesOf } from '../../src/policy/scopes.ts'
import { DEEP } from '../e2e/kit.ts'
import { writeRandomGguf } from '../fixtures/gguf.ts'
import { LLAMA_DIRECTORY, modelDirectory, noLlama } from '../fixtures/llama.ts'
import { openRealKit } from '../real-kit.ts'

const SECRET = 'sk-ant-0123456789abcdefghijABCDEFGHIJ'
const FILES = {
  'package.json': `${JSON.stringify({ name: 'cart', version: '1.0.0', type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  'add.js': 'export const add = (a, b) => a - b\n',
  'add.test.js': "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\n\ntest('one', () => assert.equal(1, 1))\n",
  '.env': `ANTHROPIC_API_KEY=${SECRET}\n`,
  'keys/server.pem': 'not a key, and not to be read\n',
}
const PATHS = [
  'add.js',
  'new/file.js',
  '.env',
  'keys/server.pem',
  '../outside.txt',
  'a/../../outside.txt',
  '/etc/passwd',
  '.git/config',
  '.git/hooks/pre-commit',
  'add.js/../../outside.txt',
  '~/.ssh/id_rsa',
  'add.js\u0000.txt',
  '',
  '.',
  'link/outside.txt',
]
const WORDS = [
  'node',
  '-e',
  'npm',
  'test',
  'sh',
  '-c',
  'git',
  'push',
  'rm',
  '-rf',
  '/',
  'add.js',
  '../outside.txt',
  "require('fs').writeFileSync('../outside.txt','x')",
  'curl',
  'http://127.0.0.1:9/',
]
const TEXTS = [
  'a - b',
  'a + b',
  '',
  'x',
  '--- a/../outside.txt\n+++ b/../outside.txt\n@@ -0,0 +1 @@\n+x\n',
  '--- a/add.js\n+++ b/add.js\n@@ -1 +1 @@\n-export const add = (a, b) => a - b\n+export const add = (a, b) => a + b\n',
]

/** The same tool with a list for each of its arguments. */
function hostile(spec: ToolSpec): ToolSpec {
  const { properties, ...rest } = spec.schema as unknown as { properties: Record<string, { type: string }> }
  const listed = Object.entries(properties).map(([key, schema]) => {
    if (schema.type === 'array') return [key, { type: 'array', items: { type: 'string', enum: WORDS } }]
    return [key, schema.type === 'string' ? { ...schema, enum: /path|glob/.test(key) ? PATHS : TEXTS } : schema]
  })
  return { ...spec, schema: { ...rest, properties: Object.fromEntries(listed) } }
}

/** Every file below, and what is in it. */
function picture(directory: string, except: string): string {
  const hash = createHash('sha256')
  const walk = (at: string) => {
    for (const entry of readdirSync(at, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(at, entry.name)
      if (path === except) continue
      hash.update(`${path}\n`)
      if (entry.isDirectory()) walk(path)
      else if (entry.isSymbolicLink()) hash.update(readlinkSync(path))
      else if (entry.isFile()) hash.update(readFileSync(path))
    }
  }
  walk(directory)
  return hash.digest('hex')
}

const TURNS = Number(process.env['VP_TEST_TURNS'] ?? (DEEP ? 1000 : 40))

test(`${TURNS} turns of a random model under the grammar`, { skip: noLlama, timeout: 40 * 60_000 }, async (t) => {
  const file = join(modelDirectory(t), 'random.gguf')
  writeRandomGguf(file, 11)
  const real = openRealKit(t, FILES)
  const root = real.tree.root
  const outside = join(dirname(root), 'outside')
  mkdirSync(outside)
  writeFileSync(join(outside, 'outside.txt'), 'as it was')
  writeFileSync(join(dirname(root), 'outside.txt'), 'as it was')
  const guarded = [join(dirname(root), 'outside.txt'), join(outside, 'outside.txt'), join(root, '.env'), join(root, 'keys/server.pem')].map(
    (path) => [path, readFileSync(path, 'utf8')] as const,
  )
  const [home, git] = [picture(join(dirname(root), 'home'), ''), picture(join(root, '.git'), '')]

  const inProcess = { directories: [LLAMA_DIRECTORY], threads: 1, grammar: 'always' as const, maxText: 24 }
  const open = (seed: number) => openProvider(chooseModel({ VP_MODEL: `llama_cpp:${file}` }, null).spec, { stallMs: 60_000, inProcess: { ...inProcess, seed } })
  const provider = await open(5)
  const bound = agentTools(real.kit, { actor: 'agent', surface: 'agent', scopes: scopesOf('agent') }, real.tree)
  const told: string[] = []
  const used = new Map<string, number>()
  const watched = (tool: AgentTool, spec: ToolSpec): AgentTool => ({
    spec,
    async call(args, signal, at) {
      used.set(spec.name, (used.get(spec.name) ?? 0) + 1)
      const result = await tool.call(args, signal, at)
      told.push(result.text)
      return result
    },
  })
  const made = { turns: 0 }
  const counting: Provider = {
    ...provider,
    async answer(request, place, signal) {
      made.turns++
      // Hot enough that no two conversations are one.
      const answer = await provider.answer({ ...request, temperature: 1.3 }, place, signal)
      assert.ok(answer.calls.length === 1 || answer.finish === 'length', JSON.stringify(answer))
      return answer
    },
  }
  for (let attempt = 1; made.turns < TURNS; attempt++) {
    const tools = bound.map((tool) => watched(tool, attempt % 2 === 0 ? tool.spec : hostile(tool.spec)))
    const opening = { system: 'Fix it.', goal: `Attempt ${attempt}.`, words: [], files: [] }
    const input = { opening, place: { task: 'T1', attempt }, maxTurns: 8, parameters: { temperature: 0, max_tokens: 200 }, window: WINDOW_POLICY }
    const outcome = await runAgent(
      { provider: counting, tools, mask: real.tree.masking(), world: () => String(real.tree.world()) },
      input,
      new AbortController().signal,
    )
    assert.ok(outcome.kind === 'submitted' || ['turns', 'no_progress', 'waiting'].includes(outcome.reason), JSON.stringify(outcome))
  }

  assert.ok(used.size >= 6, `tools used: ${JSON.stringify([...used])}`)
  for (const [path, content] of guarded) assert.equal(readFileSync(path, 'utf8'), content, path)
  assert.equal(picture(join(dirname(root), 'home'), ''), home, 'the home directory')
  assert.equal(picture(join(root, '.git'), ''), git, 'git’s own files')
  assert.ok(!told.some((text) => text.includes(SECRET) || text.includes('not to be read')), 'nothing that is denied was read')
  const receipts = await real.receipts()
  const allowed = /^(?:fs\.(?:read|list|edit|write|patch)|search\.code|run\.(?:test|exec)|sandbox\..*)$/
  assert.deepEqual(
    [...new Set(receipts.map((one) => one.op))].filter((op) => !allowed.test(op)),
    [],
  )
  assert.ok(receipts.every((one) => one.actor === 'agent'))
  const refused = receipts.filter((one) => /^(?:path\.(?:denied|invalid)|policy\.denied)$/.test(one.error?.code ?? ''))
  assert.ok(refused.length > 0 && receipts.some((one) => one.outcome === 'ok'), 'both happened')
})

/**
 * What an answer of a capability test is worth: it is put to work in a scratch repository, by the patch engine and the
 * repository's own tests in the sandbox, and each thing that is looked at is told with what was seen.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { canonicalJson, type Json } from '../../core/json.ts'
import type { ModelAnswer, ModelRequest } from '../../models/contract.ts'
import { scopesOf } from '../../policy/scopes.ts'
import { commitAll, initRepository } from '../../workspace/new-repository.ts'
import { fsEdit, fsPatch } from '../fs.ts'
import { invoke } from '../invoke.ts'
import type { Kit } from '../kit.ts'
import type { Caller, Operation } from '../operation.ts'
import { makeScratch } from '../scratch.ts'
import { openCheckout, type Checkout } from '../projects/checkout.ts'
import { runTest } from '../run.ts'
import { requestOf, type Case, type ScratchFiles } from './cases.ts'

export interface Seen {
  readonly what: string
  readonly ok: boolean
  readonly saw: string
}

export interface Scored {
  readonly evidence: readonly Seen[]
  /** Of the operations that put the answer to work. */
  readonly receipts: readonly string[]
}

export type Ask = (request: ModelRequest, turn: number) => Promise<ModelAnswer>

const short = (text: string) => (text.length > 120 ? `${text.slice(0, 119)}…` : text).replaceAll(/\s+/g, ' ').trim()

export async function scoreCase(kit: Kit, one: Case, ask: Ask, signal: AbortSignal): Promise<Scored> {
  const answer = await ask(requestOf(one), 1)
  switch (one.check) {
    case 'valid_unified_diff':
      return inScratch(kit, one.files, signal, (scratch) => scoreDiff(scratch, one, answer))
    case 'tool_call':
      return inScratch(kit, one.files, signal, (scratch) => scoreCalls(scratch, one, answer, ask))
    case 'plan_covers_files':
      return { evidence: scorePlan(one, answer.text), receipts: [] }
    case 'valid_json':
      return { evidence: scoreJson(one, answer.text), receipts: [] }
  }
}

interface Scratch {
  call(operation: Operation, params: object): Promise<{ readonly ok: boolean; readonly words: string; readonly result: Record<string, unknown> }>
  readonly receipts: string[]
}

const OPERATOR: Caller = { actor: 'operator', surface: 'engine', scopes: scopesOf('human') }

/** A folder of its own that is gone afterwards. */
async function inScratch(kit: Kit, files: ScratchFiles, signal: AbortSignal, body: (scratch: Scratch) => Promise<readonly Seen[]>): Promise<Scored> {
  const root = makeScratch(kit, 'capability')
  let tree: Checkout | null = null
  const receipts: string[] = []
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), text)
    }
    await initRepository(kit.git, root)
    await commitAll(kit.git, root, { message: 'scratch\n', author: { name: 'vp', email: 'vp@localhost' }, epochMs: kit.clock.now() })
    const open = (tree = openCheckout(kit, root))
    const scratch: Scratch = {
      receipts,
      call: async (operation, params) => {
        const answer = await invoke(kit, operation, params, OPERATOR, open, { signal })
        if (answer.receipt !== null) receipts.push(answer.receipt)
        return answer.ok ? { ok: true, words: '', result: answer.result as Record<string, unknown> } : { ok: false, words: answer.error.message, result: {} }
      },
    }
    return { evidence: await body(scratch), receipts }
  } finally {
    tree?.close()
    rmSync(root, { recursive: true, force: true, maxRetries: 3 })
  }
}

async function testsPass(scratch: Scratch): Promise<Seen> {
  const { ok, words, result } = await scratch.call(runTest, {})
  const passed = ok && result['failed'] === 0 && Number(result['passed']) > 0
  return { what: 'the tests pass', ok: passed, saw: ok ? `${String(result['passed'])} passed, ${String(result['failed'])} failed` : short(words) }
}

const notReached = (...whats: string[]): Seen[] => whats.map((what) => ({ what, ok: false, saw: 'not reached' }))

async function scoreDiff(scratch: Scratch, one: Extract<Case, { check: 'valid_unified_diff' }>, { text }: ModelAnswer): Promise<readonly Seen[]> {
  const diff = fenced(text, 'diff') ?? text
  const { ok, words, result } = await scratch.call(fsPatch, { unified_diff: diff, apply: true })
  const isApplied = ok && result['applied'] === true
  const applies: Seen = { what: 'the diff applies at one place a hunk', ok: isApplied, saw: isApplied ? 'applied' : short(words || diff) }
  if (!isApplied) return [applies, ...notReached('it changes what it should and no more', 'the tests pass')]
  const touched = [...new Set((result['hunks'] as { file: string }[]).map(({ file }) => file))].toSorted()
  return [
    applies,
    {
      what: 'it changes what it should and no more',
      ok: canonicalJson(touched) === canonicalJson([...one.touches].toSorted()),
      saw: short(touched.join(', ')),
    },
    await testsPass(scratch),
  ]
}

async function scoreCalls(scratch: Scratch, one: Extract<Case, { check: 'tool_call' }>, first: ModelAnswer, ask: Ask): Promise<readonly Seen[]> {
  const [read] = first.calls
  const path = (read?.arguments as { path?: unknown } | undefined)?.path
  const isRead = read?.name === 'read' && path === one.path
  const reads: Seen = {
    what: `it calls read with ${one.path}`,
    ok: isRead,
    saw: short(read ? `${read.name} ${canonicalJson(read.arguments as Json)}` : first.text),
  }
  if (!isRead || !read) return [reads, ...notReached('it calls edit with what stands there', 'the tests pass')]
  const request = requestOf(one)
  const second = await ask(
    {
      ...request,
      messages: [
        ...request.messages,
        { role: 'assistant', text: first.text, calls: [read] },
        { role: 'tool', call_id: read.id, name: 'read', text: one.files[one.path] ?? '' },
      ],
    },
    2,
  )
  const edits = second.calls.filter((call) => call.name === 'edit')
  const results = []
  for (const edit of edits.slice(0, 4)) results.push(await editOnce(scratch, edit.arguments))
  // A change of two places may take two turns; it is the last word on the first of them that counts here.
  const isEdited = results.length > 0 && results.every(({ ok }) => ok)
  const edited: Seen = {
    what: 'it calls edit with what stands there',
    ok: isEdited,
    saw: short(results.find(({ ok }) => !ok)?.words ?? (edits[0] ? canonicalJson(edits[0].arguments as Json) : second.text)),
  }
  if (!isEdited) return [reads, edited, ...notReached('the tests pass')]
  const passes = await testsPass(scratch)
  if (passes.ok) return [reads, edited, passes]
  const third = await ask(continued(request, one, first, second), 3)
  for (const edit of third.calls.filter((call) => call.name === 'edit').slice(0, 4)) await editOnce(scratch, edit.arguments)
  return [reads, edited, await testsPass(scratch)]
}

async function editOnce(scratch: Scratch, args: unknown): Promise<{ ok: boolean; words: string }> {
  const { path, old, new: fresh } = args as { path?: unknown; old?: unknown; new?: unknown }
  if (typeof path !== 'string' || typeof old !== 'string' || typeof fresh !== 'string') return { ok: false, words: 'its arguments are not those of edit' }
  return scratch.call(fsEdit, { path, old, new: fresh })
}

/** After its first edits: each was done, and more may be to do. */
function continued(request: ModelRequest, one: Extract<Case, { check: 'tool_call' }>, first: ModelAnswer, second: ModelAnswer): ModelRequest {
  return {
    ...request,
    messages: [
      ...request.messages,
      { role: 'assistant', text: first.text, calls: first.calls.slice(0, 1) },
      { role: 'tool', call_id: first.calls[0]?.id ?? '', name: 'read', text: one.files[one.path] ?? '' },
      { role: 'assistant', text: second.text, calls: second.calls },
      ...second.calls.map((call) => ({
        role: 'tool' as const,
        call_id: call.id,
        name: call.name,
        text: 'Done. The tests do not pass yet: do what is left of the task.',
      })),
    ],
  }
}

function scorePlan(one: Extract<Case, { check: 'plan_covers_files' }>, text: string): Seen[] {
  const { value, isBare } = jsonIn(text)
  const files = (value as { files?: unknown } | undefined)?.files
  const entries = Array.isArray(files) ? (files as { path?: unknown; change?: unknown }[]) : []
  const named = entries.map((entry) => (typeof entry === 'string' ? entry : String(entry?.path ?? '')).replace(/^\.\//, ''))
  const others = named.filter((path) => !one.needed.includes(path))
  return [
    { what: 'it is a plan in JSON', ok: isBare && entries.length > 0, saw: short(text) },
    ...one.needed.map((path) => ({ what: `it names ${path}`, ok: named.includes(path), saw: named.includes(path) ? 'named' : 'missing' })),
    { what: 'it names no other file', ok: entries.length > 0 && others.length === 0, saw: short(others.join(', ') || 'none') },
  ]
}

function scoreJson(one: Extract<Case, { check: 'valid_json' }>, text: string): Seen[] {
  const { value, isBare } = jsonIn(text)
  const found = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  const keys = Object.keys(found).toSorted()
  return [
    { what: 'it is JSON and nothing else', ok: isBare && value !== undefined, saw: short(text) },
    {
      what: 'it has the keys that were asked for',
      ok: canonicalJson(keys) === canonicalJson(Object.keys(one.expect).toSorted()),
      saw: short(keys.join(', ') || 'none'),
    },
    ...Object.entries(one.expect).map(([key, want]) => ({
      what: `${key} is ${JSON.stringify(want)}`,
      ok: key in found && canonicalJson(found[key] as Json) === canonicalJson(want as Json),
      saw: short(JSON.stringify(found[key]) ?? 'missing'),
    })),
  ]
}

/** A fence around it is how chat models show JSON; words around it are not JSON. */
function jsonIn(text: string): { readonly value: unknown; readonly isBare: boolean } {
  const inner = fenced(text, 'json')
  const isBare = inner === null || /^\s*```[^\n]*\n[^]*```\s*$/.test(text)
  try {
    return { value: JSON.parse(inner ?? text), isBare }
  } catch {
    return { value: undefined, isBare: false }
  }
}

/** What stands in the first fence, of this language before others. */
function fenced(text: string, language: string): string | null {
  const own = new RegExp(`\`\`\`${language}[^\\n]*\\n([^]*?)\`\`\``).exec(text)
  return own?.[1] ?? /```[^\n]*\n([^]*?)```/.exec(text)?.[1] ?? null
}

/**
 * What a model may call, by the names it calls them. Specs only: the operations behind them are bound by
 * whoever starts the agent. Few, short, and in the words that small models know.
 */
import type { Json } from '../core/json.ts'
import type { ToolSpec } from '../models/contract.ts'

const text = { type: 'string' } as const
const texts = { type: 'array', items: text } as const
/** Of what changes files: the tests are run after it, in the same turn. */
const test = { type: 'boolean' } as const

function spec(name: string, description: string, properties: Readonly<Record<string, Json>>, optional: readonly string[] = []): ToolSpec {
  const required = Object.keys(properties).filter((key) => !optional.includes(key))
  return { name, description, schema: { type: 'object', properties, ...(required.length > 0 ? { required } : {}) } }
}

/** In the order they are offered; the order is part of every recording. */
export const AGENT_TOOLS = [
  spec('read', 'Show a file, or lines from..to of it.', { path: text, from: { type: 'integer' }, to: { type: 'integer' } }, ['from', 'to']),
  spec('list', 'List files below a folder.', { path: text }, ['path']),
  spec('search', 'Find a literal text in all files.', { query: text, glob: text }, ['glob']),
  spec(
    'edit',
    'Replace the one place in a file that is exactly old with new. test: true runs the tests after it.',
    { path: text, old: text, new: text, test },
    ['test'],
  ),
  spec('write', 'Create a file, or replace it whole.', { path: text, content: text, test }, ['test']),
  spec('patch', 'Apply a unified diff, to any number of files; also deletes and renames.', { diff: text, test }, ['test']),
  spec('test', 'Run the tests. args: arguments for the test command, none for all.', { args: texts }, ['args']),
  spec('run', 'Run one allowed program, as separate arguments, no shell.', { argv: texts }),
  spec('submit', 'Say that the task is done. title: commit subject, at most 72 characters.', {
    title: text,
    summary: text,
  }),
] as const satisfies readonly ToolSpec[]

export type AgentToolName = 'read' | 'list' | 'search' | 'edit' | 'write' | 'patch' | 'test' | 'run' | 'submit'

/** What stands in a file as it is called: masked in the call, it would be masked in the tree. */
export const FILE_WRITERS: ReadonlySet<string> = new Set<AgentToolName>(['edit', 'write', 'patch'])

/**
 * The model's tools: operations under the names a model knows, with answers in words. Every call goes through the
 * wrapper as actor `agent`; nothing here decides anything.
 */
import { isVpError, VpError } from '../core/errors.ts'
import type { Json } from '../core/json.ts'
import { errorWords, type AgentTool, type ToolResult } from '../agent/calls.ts'
import { AGENT_TOOLS, type AgentToolName } from '../agent/tools.ts'
import { fsEdit, fsList, fsPatch, fsRead, fsWrite, type PatchAnswer } from './fs.ts'
import { breachWords, type Breach } from './guarded.ts'
import { invoke } from './invoke.ts'
import type { Kit } from './kit.ts'
import type { Caller, Operation } from './operation.ts'
import { runExec, runTest } from './run.ts'
import type { TreeScene } from './scene.ts'
import { ignoredWords } from './unrecorded.ts'
import { searchCode } from './search.ts'

type Args = Readonly<Record<string, Json>>
type Calls = (operation: Operation, params: unknown) => Promise<unknown>
type Binding = (args: Args, call: Calls) => Promise<ToolResult>

const BINDINGS: Readonly<Record<AgentToolName, Binding>> = {
  async read(args, call) {
    const range = args['from'] === undefined && args['to'] === undefined ? undefined : [args['from'] ?? 1, args['to'] ?? Number.MAX_SAFE_INTEGER]
    const { content, encoding, truncated } = (await call(fsRead, {
      path: args['path'],
      ...(range ? { range } : {}),
    })) as { content: string; encoding: string; truncated: boolean }
    if (encoding === 'binary') return { text: 'A binary file.' }
    return {
      text: content === '' ? '(empty)' : truncated && !range ? `${content}\n(cut here; use from and to)` : content,
    }
  },
  async list(args, call) {
    const { entries } = (await call(fsList, args['path'] === undefined || args['path'] === '.' ? {} : { path: args['path'] })) as {
      entries: { path: string; kind: string }[]
    }
    return {
      text:
        entries
          .filter((entry) => entry.kind === 'file')
          .slice(0, 400)
          .map((entry) => entry.path)
          .join('\n') || '(nothing)',
    }
  },
  async search(args, call) {
    const { matches, truncated } = (await call(searchCode, {
      query: args['query'],
      max: 60,
      ...(args['glob'] === undefined ? {} : { glob: args['glob'] }),
    })) as { matches: { file: string; line: number; snippet: string }[]; truncated: boolean }
    const lines = matches.map((match) => `${match.file}:${match.line}: ${match.snippet.slice(0, 160)}`)
    return {
      text: lines.length === 0 ? 'No match.' : [...lines, ...(truncated ? ['(more; narrow the query)'] : [])].join('\n'),
    }
  },
  edit: (args, call) => changed(args, call, fsEdit, { path: args['path'], old: args['old'], new: args['new'] }),
  write: (args, call) => changed(args, call, fsWrite, { path: args['path'], content: args['content'] }),
  patch: (args, call) => changed(args, call, fsPatch, { unified_diff: args['diff'], apply: true }),
  test: async (args, call) => ({ text: await tested(call, args['args'] === undefined ? {} : { args: args['args'] }) }),
  async run(args, call) {
    const { exit_code, ended_by, output, breaches } = (await call(runExec, { argv: args['argv'] })) as {
      exit_code: number | null
      ended_by: string
      output: string
      breaches: readonly Breach[]
    }
    const broke = breaches.length === 0 ? '' : `${breachWords(breaches)}\n`
    return { text: `exit ${exit_code ?? ended_by}\n${broke}${withoutTimes(output)}` }
  },
  async submit(args) {
    const { title, summary } = args
    if (typeof title !== 'string' || title.trim() === '') throw new VpError('usage.params', 'submit needs a title: the commit subject')
    return { text: '', done: { title, summary: typeof summary === 'string' ? summary : '' } }
  },
}

export function agentTools(kit: Kit, caller: Caller, tree: TreeScene): AgentTool[] {
  return AGENT_TOOLS.map((spec) => ({
    spec,
    call: (args, signal, { turn, index, after }) =>
      BINDINGS[spec.name as AgentToolName](args as Args, async (operation, params) => {
        const answer = await invoke(kit, operation, params, { ...caller, turn, call: index }, tree, { signal, after })
        if (!answer.ok) throw answer.error
        return answer.result
      }),
  }))
}

/** A change, and the tests after it where the same call asks for them: two operations, two receipts, one turn. */
async function changed(args: Args, call: Calls, operation: Operation, params: unknown): Promise<ToolResult> {
  const words = changeWords((await call(operation, params)) as PatchAnswer)
  if (args['test'] !== true) return { text: words }
  try {
    return { text: `${words}\n${await tested(call, {})}` }
  } catch (error) {
    // The change stands, and has to be told whatever the tests are short of.
    if (!isVpError(error) || error.code !== 'gate.unmeasured') throw error
    return { text: `${words}\n${errorWords(error)}` }
  }
}

async function tested(call: Calls, params: object): Promise<string> {
  const { output, breaches, ignored } = (await call(runTest, params)) as { output: string; breaches: readonly Breach[]; ignored: readonly string[] }
  return [...(breaches.length > 0 ? [breachWords(breaches)] : []), ...(ignored.length > 0 ? [ignoredWords(ignored)] : []), output].join('\n')
}

function changeWords(answer: PatchAnswer): string {
  const fresh = answer.hunks.filter((hunk) => hunk.outcome === 'applied')
  if (fresh.length === 0) return 'Nothing to do: the file already reads so.'
  const files = [...new Set(fresh.map((hunk) => hunk.file))]
  const changed = files.map(
    (file) => `${file}: changed${lineWords(fresh.filter((hunk) => hunk.file === file).flatMap((hunk) => (hunk.line === null ? [] : [hunk.line])))}`,
  )
  return [...changed, ...(answer.broken ?? []).map(brokenWords)].join('\n')
}

function brokenWords({ path, line, message, doubt }: NonNullable<PatchAnswer['broken']>[number]): string {
  const where = line === null ? '' : `, line ${line}`
  return doubt === undefined
    ? `${path} parsed before this change and does not now${where}: ${message}`
    : `${path} may not parse after this change${where}: ${message}; ${doubt}`
}

function lineWords(lines: readonly number[]): string {
  return lines.length === 0 ? '' : ` at line ${lines.slice(0, 8).join(', ')}`
}

/** Durations and pids differ from run to run; what a model sees must not. */
function withoutTimes(text: string): string {
  return text
    .replace(/\b\d+(\.\d+)? ?(ms|µs|s|sec|seconds)\b/g, '… $2')
    .replace(/\b(pid|PID)[ :=]+\d+/g, '$1 …')
    .replace(/\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?Z?/g, '…')
}

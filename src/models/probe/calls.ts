/** How a model's tool calls come back: on the wire, or in the words and in which dialect; and how fast it speaks. */
import { isVpError } from '../../core/errors.ts'
import type { ModelAnswer, ModelRequest, ToolSpec } from '../contract.ts'

export interface CallPorts {
  /** `dialects`: how its calls were found in the words; empty where the wire had them. Throws `model.*`. */
  ask(request: ModelRequest, onProgress: () => void): Promise<{ readonly answer: ModelAnswer; readonly dialects: readonly string[] }>
  monotonic(): number
}

export interface MeasuredCalls {
  readonly asked: number
  /** Came back with the tool and the argument that were asked for. */
  readonly right: number
  /** `wire`, or the row of the dialects that most came in; null: there were none. */
  readonly dialect: string | null
  /** Of those that were right, what came in another way than most. */
  readonly repairs: number
  readonly tokensPerSecond: number | null
  readonly firstTokenMs: number | null
}

const ASKED = 10
/** Below it a speed is that of a clock. */
const SHORTEST_MS = 20
const READ: ToolSpec = {
  name: 'read',
  description: 'Show a file, or lines from..to of it.',
  schema: { type: 'object', properties: { path: { type: 'string' }, from: { type: 'integer' }, to: { type: 'integer' } }, required: ['path'] },
}

export async function measureCalls(ports: CallPorts): Promise<MeasuredCalls> {
  const ways: string[] = []
  const [firsts, speeds]: [number[], number[]] = [[], []]
  for (let n = 1; n <= ASKED; n++) {
    const path = `src/part-${n}/file.ts`
    const begun = ports.monotonic()
    let first: number | null = null
    try {
      const { answer, dialects } = await ports.ask(requestOf(path), () => void (first ??= ports.monotonic()))
      const ms = ports.monotonic() - (first ?? begun)
      if (first !== null) firsts.push(first - begun)
      if (answer.usage_source === 'provider' && ms >= SHORTEST_MS && answer.usage.tokens_out > 1) speeds.push((answer.usage.tokens_out * 1000) / ms)
      const [call] = answer.calls
      if (call?.name === 'read' && (call.arguments as { path?: unknown }).path === path) ways.push(dialects[0] ?? 'wire')
    } catch (error) {
      // An answer that is none is what is counted here; a server that is not there is not.
      if (!isVpError(error) || error.code !== 'model.protocol') throw error
    }
  }
  const counts = Map.groupBy(ways, (way) => way)
  const [dialect = null, most = []] = [...counts].toSorted(([, a], [, b]) => b.length - a.length)[0] ?? []
  return {
    asked: ASKED,
    right: ways.length,
    dialect,
    repairs: ways.length - most.length,
    tokensPerSecond: middle(speeds),
    firstTokenMs: middle(firsts),
  }
}

function requestOf(path: string): ModelRequest {
  return {
    messages: [
      { role: 'system', text: 'You are an engineer. Use the tools.' },
      { role: 'user', text: `Show the file ${path}.` },
    ],
    tools: [READ],
    max_tokens: 200,
    temperature: 0,
  }
}

const middle = (values: readonly number[]): number | null => values.toSorted((a, b) => a - b)[values.length >> 1] ?? null

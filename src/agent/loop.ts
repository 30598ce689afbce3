/**
 * The turn loop: asks the model, runs the tools it calls, tells it what came of it, until it submits or a typed
 * reason stops it. Plain functions over values; knows no files, no clock and no provider by name. What is asked is built
 * from the attempt's story alone (`context/`).
 */
import { asVpError, type VpError } from '../core/errors.ts'
import type { Json } from '../core/json.ts'
import type { CallParameters, CallPlace, ModelAnswer, Provider, ToolCall } from '../models/contract.ts'
import { callAll, together, type AgentTool, type RefusedCall } from './calls.ts'
import { BESIDE_ROOM, besideOf, type Beside } from './context/beside.ts'
import { answerTokens, extended, openContext, readied, type Compaction, type Context, type WindowPolicy } from './context/context.ts'
import type { Entry, Opening, Result } from './context/story.ts'
import { openProgress, type Circle, type LoopKind } from './progress.ts'
import { bounded, instructionWords } from './prompt.ts'
import { PROMPTS } from './prompts.ts'

export interface AgentPorts {
  readonly provider: Provider
  readonly tools: readonly AgentTool[]
  /** The filter of what leaves: what is kept of the attempt is kept as it is told. */
  readonly mask: { text(text: string): string; json(value: unknown): unknown }
  /** Changes when anything in the tree changed: same call and same world means no progress. */
  world(): string
  /** What a person said that this turn is the first to hear, with its number in the run. */
  hear?(turn: number): Promise<readonly { readonly n: number; readonly text: string }[]>
  /** Told before the request that is the first of the new conversation. */
  onCompaction?(compaction: Compaction, context: Context): Promise<void>
  /** Told before the request that is the first to hold them. */
  onInstructions?(turn: number, told: readonly Beside[]): Promise<void>
  /** Of what reaches no tool there is no receipt of an operation: it is written here, before the model is told. */
  onRefused?(refused: RefusedCall): Promise<void>
  /** True: begin no further turn. The attempt keeps its place. */
  isPausing?(): boolean
  /** Cuts the call to the model that is open; a tool goes on to its end. */
  readonly interrupt?: AbortSignal
  /** What happens now, for whoever watches; must not throw. */
  onActivity?(activity: AgentActivity): void
}

export type AgentActivity =
  /** `tokens` so far; 0 while nothing has come back yet. */
  | { readonly kind: 'model'; readonly model: string; readonly tokens: number }
  | { readonly kind: 'tool'; readonly name: string; readonly args: Json }
  /** What the tool told the model. */
  | { readonly kind: 'told'; readonly name: string; readonly args: Json; readonly text: string }

export interface AgentInput {
  readonly opening: Opening
  readonly place: Omit<CallPlace, 'turn'>
  readonly maxTurns: number
  readonly parameters: CallParameters
  readonly window: WindowPolicy
  /** The repository's words for its folders; those that are not shown are told when a call touches their folder. */
  readonly beside?: readonly Beside[]
}

export type StopReason = 'budget' | 'turns' | 'no_progress' | 'refused' | 'model' | 'waiting' | 'cancelled'

export type AgentOutcome =
  | { readonly kind: 'submitted'; readonly title: string; readonly summary: string; readonly turns: number }
  | {
      readonly kind: 'stopped'
      readonly reason: StopReason
      readonly message: string
      readonly error: VpError | null
      readonly turns: number
      /** Of `no_progress`: what went round in circles. */
      readonly loop?: LoopKind
    }

/** Errors that end the attempt instead of going back to the model. */
const ENDS: Readonly<Record<string, StopReason>> = {
  'budget.cap': 'budget',
  'budget.price_unknown': 'budget',
  'approval.needed': 'waiting',
  cancelled: 'cancelled',
  'model.refused': 'refused',
}

export async function runAgent(ports: AgentPorts, input: AgentInput, signal: AbortSignal): Promise<AgentOutcome> {
  const specs = ports.tools.map((tool) => tool.spec)
  const { temperature } = input.parameters
  const max_tokens = answerTokens(input.window, input.parameters.max_tokens)
  const asking = ports.interrupt ? AbortSignal.any([signal, ports.interrupt]) : signal
  const progress = openProgress()
  const told = new Set<string>()
  let beside = input.beside ?? []
  let besideRoom = BESIDE_ROOM
  let context = openContext(input.opening, input.window, { tools: specs, answer: max_tokens })
  for (let turn = 1; turn <= input.maxTurns; turn++) {
    const stop = (reason: StopReason, message: string, error: VpError | null = null): AgentOutcome => ({ kind: 'stopped', reason, message, error, turns: turn })
    const failed = (thrown: unknown): AgentOutcome => {
      const error = asVpError(thrown)
      return stop(ENDS[error.code] ?? 'model', error.message, error)
    }
    const circling = ({ loop, words }: Circle): AgentOutcome => ({ ...stop('no_progress', words), loop }) as AgentOutcome
    if (ports.isPausing?.()) return stop('cancelled', 'paused')
    let answer: ModelAnswer
    try {
      const ready = await prepared(ports, context, turn)
      if (ready.compactions.length > context.compactions.length) progress.forget()
      context = ready
      const news = (tokens: number) => ports.onActivity?.({ kind: 'model', model: ports.provider.model, tokens })
      news(0)
      answer = submittingLast(
        await ports.provider.answer({ messages: context.messages, tools: specs, max_tokens, temperature }, { ...input.place, turn }, asking, news),
      )
    } catch (thrown) {
      return failed(thrown)
    }
    const entries: Entry[] = [answerEntry(ports, turn, answer)]
    if (answer.calls.length === 0) {
      await ports.onRefused?.({ turn, index: 0, name: null, words: 'an answer without a tool call' })
      const circle = progress.silent()
      if (circle) return circling(circle)
      entries.push({ kind: 'note', turn, text: answer.finish === 'length' ? PROMPTS.cutShort : PROMPTS.nudge })
    }
    const calling = {
      ports: {
        tools: ports.tools,
        onRefused: async (refused: RefusedCall) => ports.onRefused?.(refused),
        onTool: (name: string, args: Json) => ports.onActivity?.({ kind: 'tool', name, args }),
        onTold: (name: string, args: Json, text: string) => ports.onActivity?.({ kind: 'told', name, args, text }),
      },
      turn,
      finish: answer.finish,
      told,
      signal,
      ends: ({ code }: VpError) => code in ENDS,
    }
    const limit = resultLimit(context, answer.calls.length)
    let index = 1
    for (const group of together(answer.calls)) {
      for (const call of group) {
        const circle = progress.call(call, ports.world())
        if (circle) return circling(circle)
      }
      for (const [at, settled] of (await callAll(calling, group, index)).entries()) {
        if (settled.status === 'rejected') return failed(settled.reason)
        const { text: answered, code, done } = settled.value
        // What a person said meanwhile is heard first: nothing may be submitted over their words.
        const isOver = done !== undefined && (turn === input.maxTurns || ((await ports.hear?.(turn + 1)) ?? []).length === 0)
        if (done && isOver) return { kind: 'submitted', ...done, turns: turn }
        const text = done ? PROMPTS.heldBack : answered
        const call = maskedCall(ports, group[at] as ToolCall)
        const result: Result = { kind: 'result', turn, index: index + at, call, text: ports.mask.text(bounded(text, limit)), code }
        entries.push(result)
        const circle = progress.result(result)
        if (circle) return circling(circle)
      }
      index += group.length
    }
    const fresh = besideOf(beside, entries, besideRoom)
    if (fresh.length > 0) {
      entries.push({ kind: 'instructions', turn, text: ports.mask.text(instructionWords(fresh.map(({ path, text }) => ({ path, shown: text })))) })
      await ports.onInstructions?.(turn, fresh)
      besideRoom -= fresh.reduce((sum, { text }) => sum + text.length, 0)
      beside = beside.map((one) => (fresh.some(({ path }) => path === one.path) ? { ...one, isShown: true } : one))
    }
    context = extended(context, entries)
  }
  return { kind: 'stopped', reason: 'turns', message: `${input.maxTurns} turns were not enough`, error: null, turns: input.maxTurns }
}

/** What stands behind a submit in one answer belongs to what is submitted: it would be lost in silence. */
function submittingLast(answer: ModelAnswer): ModelAnswer {
  const isSubmit = ({ name }: ToolCall) => name === 'submit'
  const at = answer.calls.findIndex(isSubmit)
  return at < 0 || at === answer.calls.length - 1
    ? answer
    : { ...answer, calls: [...answer.calls.filter((call) => !isSubmit(call)), ...answer.calls.filter(isSubmit)] }
}

/** With what a person said meanwhile, and built anew where it has become too long. */
async function prepared(ports: AgentPorts, context: Context, turn: number): Promise<Context> {
  const said = (await ports.hear?.(turn)) ?? []
  const grown =
    said.length === 0
      ? context
      : extended(
          context,
          said.map(({ n, text }): Entry => ({ kind: 'told', turn, n, text })),
        )
  const ready = readied(grown, turn)
  const compaction = ready.compactions.at(-1)
  if (compaction && ready !== grown) await ports.onCompaction?.(compaction, ready)
  return ready
}

function answerEntry(ports: AgentPorts, turn: number, { text, calls }: ModelAnswer): Entry {
  return { kind: 'answer', turn, text: ports.mask.text(text), calls: calls.map((call) => maskedCall(ports, call)) }
}

const maskedCall = ({ mask }: AgentPorts, call: ToolCall): ToolCall => ({ ...call, arguments: mask.json(call.arguments) as ToolCall['arguments'] })

const MAX_RESULT = 8000
const MIN_RESULT = 400
/** Of the room, in characters: the results of one turn never fill a small window by themselves. */
const RESULTS_SHARE = 0.4
const CHARACTERS_A_TOKEN = 3.6

function resultLimit({ room }: Context, calls: number): number {
  return Math.max(MIN_RESULT, Math.min(MAX_RESULT, Math.floor((room * CHARACTERS_A_TOKEN * RESULTS_SHARE) / Math.max(1, calls))))
}

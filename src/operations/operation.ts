/**
 * What an operation is: one entry of the one table, whoever calls it. Types, and the caller's side of a call.
 */
import * as z from 'zod/mini'
import type { Json } from '../core/json.ts'
import { once } from '../core/once.ts'
import type { ReceiptId } from '../core/ids.ts'
import type { Actor } from '../ledger/receipts.ts'
import type { Tx } from '../store/contract.ts'
import type { Question } from '../plms/contract/types.ts'
import type { Kit } from './kit.ts'
import type { ApprovalView } from './projects/approve.ts'
import type { TreeScene } from './scene.ts'
import type { Watcher } from './runs/watcher.ts'

export type Effect = 'read' | 'write' | 'execute' | 'spend' | 'publish'

export interface Decision {
  readonly effect: 'allow' | 'ask' | 'deny'
  readonly rule: string
  readonly reason: string
  readonly nearest?: string
  /** What to call instead, where it is denied. */
  readonly next?: readonly string[]
}

/** What a prompt tells a person about a call before they answer. */
export interface Ask {
  readonly wants: string
  readonly reaches: string
  readonly undo: string
  /** Everything it does can be undone: `--yes` may answer. */
  readonly fullyUndoable: boolean
  readonly maxExtent: 'call' | 'run' | 'project'
}

/** A call that the policy wants a person's word on, as it is put to them. */
export interface CallQuestion {
  readonly ask: Ask
  readonly decision: Decision
  /** Id of the pending approval; '' for a consent that is no call. */
  readonly approval: string
  readonly taskId?: string | undefined
  readonly task?: { readonly n: number; readonly name: string } | undefined
  /** Shortest unique form. */
  readonly run?: string | undefined
  /** 1-based, among those that wait. */
  readonly index?: number
  readonly of?: number
  readonly waits_ms?: number
}

export interface Dialogue {
  /** null or '': the default. */
  answer(question: Question, n: number, of: number): Promise<string | null>
  /** null: nobody answered. */
  approve(view: ApprovalView): Promise<boolean | null>
}

/** What a call goes on to tell its client. */
export interface Stream {
  /** `run:<id>` */
  readonly channel: string
  /** Each with its number in the channel. Ends by itself, or when `signal` comes; what is there already is told in any case. */
  items(signal: AbortSignal): AsyncIterable<{ readonly seq: number; readonly type: string; readonly data: unknown }>
}

/** Who calls, from where, with what rights. */
export interface Caller {
  readonly actor: Actor
  readonly surface: 'cli' | 'rpc' | 'agent' | 'engine'
  readonly scopes: ReadonlySet<string>
  readonly runId?: string
  readonly taskId?: string
  readonly attempt?: number
  readonly turn?: number
  /** Of an agent: which of the turn's calls, from 1. */
  readonly call?: number
  /** Asks the person now; absent where nobody is at a terminal. */
  readonly confirm?: (question: CallQuestion) => Promise<'call' | 'run' | 'project' | 'deny' | 'later'>
  /** A person who answers planner questions and signs plans; absent where nobody is at a terminal. */
  readonly dialogue?: Dialogue
  /** Whoever watches a long call, and how they say “begin nothing new”. */
  readonly live?: { readonly watcher: Watcher; readonly pause: AbortSignal; readonly confirm?: Caller['confirm'] }
  /** How far a long download is; must not throw. */
  readonly onProgress?: ((progress: { readonly what: string; readonly done: number; readonly total: number | null }) => void) | undefined
  /** A sentence on what vp mended before the call; must not throw. */
  readonly onNotice?: ((words: string) => void) | undefined
  /** Sends what comes after the answer of a call, until there is no more or the client lets go; absent where nothing can be sent. */
  readonly follow?: (stream: Stream) => void
  /** `--yes`: answers what is fully undoable, nothing else. */
  readonly yes?: boolean
}

export interface Scene {
  readonly kit: Kit
  readonly caller: Caller
  /** The tree the call is about; operations on the machine alone ignore it. */
  readonly tree: TreeScene
  /** Known before the handler runs, so that before-images can name it. */
  readonly receiptId: ReceiptId
  readonly signal: AbortSignal
  /** What this call masks is masked after it, so that calls made at once number their placeholders in their own order. */
  readonly inTurn: Promise<unknown> | null
  /** Work for the transaction that writes the receipt. */
  readonly onReceipt: ((tx: Tx) => Promise<void>)[]
  /** Takes back what was done, when the receipt cannot be written: then it has not happened. */
  readonly onNoReceipt: (() => void)[]
  /** When the receipt is written, or all is taken back. */
  readonly onEnd: (() => void)[]
  /** Facts for the receipt's `detail`. Never content. */
  readonly notes: Record<string, Json>
}

export interface Operation<Params = unknown, Result = unknown> {
  /** `fs.read`: the JSON-RPC method, the verb in the receipt. */
  readonly name: string
  readonly summary: string
  /** Made when it is first asked for: a command needs one or two of sixty, and to make them all is a tenth of a start. */
  readonly params: () => z.ZodMiniType<Params>
  readonly result: () => z.ZodMiniType<Result>
  readonly effect: Effect
  readonly scope: string
  /** The policy's word on this very call; absent: allowed to whoever holds the scope. */
  decide?(params: Params, scene: Scene): Decision | Promise<Decision>
  /** For the prompt, when the policy asks. */
  ask?(params: Params, scene: Scene): Ask
  /** What a person's yes holds for besides the parameters: asked again when it is another. */
  boundTo?(params: Params, scene: Scene): Json
  handler(params: Params, scene: Scene): Promise<Result>
  /** One line for `vp logs`; never content of files. */
  say?(params: Params, result: Result): string
}

/** What shows a tree's content: masked, but for who holds `secrets.read` and asks for it `raw`. */
export function showing<Params, Result>(entry: Operation<Params, Result>): Operation {
  const params = () => z.extend(entry.params() as unknown as z.ZodMiniObject, { raw: z.optional(z.boolean()) }) as unknown as z.ZodMiniType<Params>
  return operation({ ...entry, params })
}

export const asksRaw = (params: unknown): boolean => (params as { raw?: unknown } | null)?.raw === true

/** Keeps the types of one entry together; the table holds them erased. */
export function operation<Params, Result>(entry: Operation<Params, Result>): Operation {
  return { ...entry, params: once(entry.params), result: once(entry.result) } as unknown as Operation
}

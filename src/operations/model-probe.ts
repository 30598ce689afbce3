/**
 * model.probe: what a local model can really be asked. Its window by measurement, the dialect of its calls, its speed.
 * What is found is kept, and is the window of every call from then on.
 */
import { createHash } from 'node:crypto'
import * as z from 'zod/mini'
import { once } from '../core/once.ts'
import { VpError } from '../core/errors.ts'
import { chooseModel, staysHere, type ModelSpec } from '../models/choose.ts'
import type { ModelAnswer, ModelRequest, Provider } from '../models/contract.ts'
import { measureCalls } from '../models/probe/calls.ts'
import { measureWindow, MARKERS, type AskedWindow, type MeasuredWindow } from '../models/probe/window.ts'
import { poster } from '../models/providers/http.ts'
import { openProvider } from '../models/providers/index.ts'
import type { OllamaModel } from '../models/ollama-model.ts'
import { describeOllamaModel, ORDINARY_TOKENS, windowOf } from '../models/providers/ollama-server.ts'
import { keyOf } from './broker/candidates.ts'
import { changeOf, digestChange, lastDigest } from './broker/digest-change.ts'
import type { Kit } from './kit.ts'
import { keepWindow, windowKey } from './measured-window.ts'
import { chosenModel, providerOptions } from './models.ts'
import { operation, type Scene } from './operation.ts'

const looked = once(() => z.object({ sent: z.int(), seen: z.nullable(z.int()) }))
const probed = once(() =>
  z.object({
    model: z.string(),
    digest: z.nullable(z.string()),
    /** Null: the same as in the last call or test, or nobody can say. */
    drift: digestChange(),
    window: z.object({
      /** What other clients get; null: it cannot be asked for otherwise, or it refuses. */
      stock: z.nullable(z.int()),
      effective: z.int(),
      /** The search ended at the `window` that was asked for, below what would have been tried: it may be larger, and is not kept. */
      is_at_least: z.boolean(),
      /** What vp sends with each call; null where the wire has no word for it. */
      set: z.nullable(z.int()),
      trained: z.nullable(z.int()),
      /** Tokens sent and counted: without asking for a window, and at the effective one. */
      stock_look: z.nullable(looked()),
      whole: looked(),
      markers: z.object({ of: z.int(), back: z.array(z.int()) }),
    }),
    dialect: z.nullable(z.string()),
    calls: z.object({ asked: z.int(), right: z.int() }),
    repairs: z.int(),
    tok_per_s: z.nullable(z.number()),
    first_token_ms: z.nullable(z.int()),
  }),
)
export type ModelProbe = z.infer<ReturnType<typeof probed>>

/** A prompt of a whole window on a machine without a GPU. */
const PROBE_STALL_MS = 20 * 60_000

export const modelProbe = operation({
  name: 'model.probe',
  summary: 'measure the window, the dialect and the speed of a local model',
  params: () =>
    z.strictObject({
      /** `provider:model`; absent: the one in force. */
      model: z.optional(z.string().check(z.minLength(3), z.maxLength(4000))),
      base_url: z.optional(z.string().check(z.maxLength(2000))),
      /** The largest window to try, in tokens. */
      window: z.optional(z.int().check(z.gte(2048), z.lte(4_000_000))),
    }),
  result: () => probed(),
  effect: 'spend',
  scope: 'model.use',
  // An address of the caller's own choice is asked by a person only.
  decide: ({ base_url }, { caller }) =>
    base_url === undefined || caller.surface === 'cli' || caller.scopes.has('projects.approve')
      ? { effect: 'allow', rule: 'scope/model.use', reason: 'the probe sends no file' }
      : { effect: 'deny', rule: 'global/model-by-a-person', reason: 'which address is asked is a person’s to say' },
  async handler({ model, base_url, window }, { kit, onReceipt, receiptId, notes, signal }): Promise<ModelProbe> {
    const spec = specOf(kit, model, base_url)
    const known = spec.provider === 'ollama' ? await describe(spec, signal) : null
    const ask = asking(kit, spec, signal)
    const usual = known ? windowOf({ ...known, setTokens: null }, null) : ((await ask.window()) ?? ORDINARY_TOKENS)
    const wanted = window ?? usual
    const nonce = Buffer.from(kit.random.bytes(16)).toString('hex')
    const measured = await measureWindow(
      {
        ask: (request, asked) => ask(request, { window: asked }),
        marker: (n) => createHash('sha256').update(`${nonce}/${n}`).digest('hex').slice(0, 8),
      },
      { wantedTokens: wanted, canSet: known !== null },
    )
    const calls = await measureCalls({
      monotonic: kit.clock.monotonic,
      async ask(request, onProgress) {
        const dialects: string[] = []
        const window = known ? measured.effectiveTokens : undefined
        const answer = await ask(request, { window, onProgress, onDialects: (found) => dialects.push(...found) })
        return { answer, dialects }
      },
    })
    const isAtLeast = wanted < usual && measured.effectiveTokens >= wanted
    const result = {
      model: `${spec.provider}:${spec.model}`,
      digest: known?.digest ?? null,
      drift: changeOf(await lastDigest(kit, keyOf(spec)), known?.digest ?? null),
      window: { ...windowResult(measured, known), is_at_least: isAtLeast },
      dialect: calls.dialect,
      calls: { asked: calls.asked, right: calls.right },
      repairs: calls.repairs,
      tok_per_s: calls.tokensPerSecond === null ? null : Math.round(calls.tokensPerSecond * 10) / 10,
      first_token_ms: calls.firstTokenMs === null ? null : Math.round(calls.firstTokenMs),
    }
    notes['host'] = spec.endpoint.host
    notes['probe'] = result
    if (isAtLeast) return result
    onReceipt.push((tx) =>
      keepWindow(tx, windowKey(spec, known?.digest ?? ''), receiptId, {
        window_tokens: measured.effectiveTokens,
        stock_tokens: result.window.stock,
        dialect: result.dialect,
      }),
    )
    return result
  },
  say: (_params, { model, window }) => `${model}, window ${window.effective}${window.stock === null ? '' : `, stock ${window.stock}`}`,
})

function windowResult({ stock, effectiveTokens, whole }: MeasuredWindow, known: OllamaModel | null): Omit<ModelProbe['window'], 'is_at_least'> {
  return {
    stock: stock?.tokens ?? null,
    effective: effectiveTokens,
    set: known ? effectiveTokens : null,
    trained: known?.trainedTokens ?? null,
    stock_look: stock && { sent: stock.look.sent, seen: stock.look.seen },
    whole: { sent: whole.sent, seen: whole.seen },
    markers: { of: MARKERS, back: [...whole.back] },
  }
}

/** Named by the caller, else the one in force; the address of the one in force serves its own provider. Throws `usage.*`, `model.offline`. */
function specOf(kit: Kit, model: string | undefined, base_url: string | undefined): ModelSpec {
  const inForce = chosenModel(kit).spec
  const named = model === undefined ? null : chooseModel({ VP_MODEL: model, ...(base_url === undefined ? {} : { VP_MODEL_BASE_URL: base_url }) }, null).spec
  const spec = named === null ? inForce : base_url === undefined && named.provider === inForce.provider ? { ...inForce, model: named.model } : named
  if (['anthropic', 'openai', 'google'].includes(spec.provider))
    throw new VpError(
      'usage.params',
      `${spec.provider} says how large the window of ${spec.model} is, and a probe would cost: only servers of your own are probed`,
      {
        next: ['vp model list', 'vp model probe ollama:qwen2.5-coder:7b'],
      },
    )
  if (kit.offline && !staysHere(spec.endpoint))
    throw new VpError('model.offline', `--offline, and ${spec.endpoint.host} is not this machine`, { next: ['vp model list'] })
  return spec
}

function describe({ baseUrl, endpoint, apiKey, model }: ModelSpec, signal: Scene['signal']): Promise<OllamaModel> {
  const headers = { 'content-type': 'application/json', ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}) }
  return describeOllamaModel({ baseUrl, endpoint, headers, post: poster(baseUrl) }, model, signal)
}

interface Asked {
  readonly window: AskedWindow | undefined
  readonly onDialects?: (dialects: readonly string[]) => void
  readonly onProgress?: () => void
}
interface Asking {
  (request: ModelRequest, asked: Asked): Promise<ModelAnswer>
  /** Where the search begins on a server whose window cannot be set: its own word. */
  window(): Promise<number | null>
}

/** Each window has a provider of its own, each question a conversation of its own: what was counted before says nothing of it. */
function asking(kit: Kit, spec: ModelSpec, signal: AbortSignal): Asking {
  const { inProcess } = providerOptions(kit, spec)
  const providers = new Map<unknown, Promise<Provider>>()
  let questions = 0
  let heard: (dialects: readonly string[]) => void = () => undefined
  const open = (window: AskedWindow | undefined) => {
    // A model in this process is loaded once.
    const key = inProcess ? 'once' : window
    const options = { stallMs: PROBE_STALL_MS, inProcess, window: inProcess ? undefined : window, onDialects: (dialects: readonly string[]) => heard(dialects) }
    const opened = providers.get(key) ?? openProvider(spec, options)
    providers.set(key, opened)
    return opened
  }
  const ask = async (request: ModelRequest, { window, onDialects, onProgress }: Asked): Promise<ModelAnswer> => {
    const provider = await open(window)
    heard = onDialects ?? (() => undefined)
    return provider.answer(request, { task: 'probe', attempt: ++questions, turn: 1 }, signal, onProgress)
  }
  return Object.assign(ask, { window: async () => (await (await open(undefined)).window?.(signal)) ?? null })
}

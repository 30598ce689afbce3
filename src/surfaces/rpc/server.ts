/**
 * JSON-RPC 2.0 over documents, whatever carries them: requests, batches, `$/cancelRequest`, `rpc.discover`. Every method
 * is an operation of the table and goes through the wrapper; nothing here decides anything. Notifications do not
 * act, as nobody could learn what became of them; those that go out are `event`, after the answer that announced them.
 */
import { createJSONRPCSuccessResponse, JSONRPCServer, type JSONRPCID, type JSONRPCResponse } from 'json-rpc-2.0'
import { asVpError, VpError } from '../../core/errors.ts'
import type { Answer, InvokeOptions } from '../../operations/invoke.ts'
import type { Operation, Stream } from '../../operations/operation.ts'
import { discoverDocument } from './discover.ts'
import { errorResponse } from './errors.ts'
import type { Incoming } from './framing.ts'
import { createSlots } from './slots.ts'

export interface RpcPorts {
  readonly operations: readonly Operation[]
  readonly version: string
  call(operation: Operation, params: unknown, options: InvokeOptions, follow: (stream: Stream) => void): Promise<Answer>
  /** The filter for errors that no operation made. */
  tellable(error: VpError): VpError
  /** One line for the person who started the server. */
  say(line: string): void
}

/** Sends its notifications until there are no more or it is let go of. Never throws. */
export type Following = (send: (notification: object) => Promise<void>) => Promise<void>

export interface Received {
  /** The document to send back, or null when there is none. */
  readonly response: JSONRPCResponse | JSONRPCResponse[] | null
  /** To be begun when that is sent. */
  readonly followings: readonly Following[]
}

export interface RpcServer {
  /** Never throws. */
  receive(incoming: Incoming): Promise<Received>
  /** Ends every request under way with `cancelled`, and lets go of what is followed. */
  cancelAll(): void
  /** Lets go of what is followed. */
  letGo(): void
}

const CANCEL = '$/cancelRequest'
const IN_FLIGHT = 64
/** Programs of the lane at once, as the lanes' own limit. */
const COMMANDS = 2
const MAX_BATCH = 1000
const MAX_DEPTH = 64

interface Turn {
  readonly signal: AbortSignal
  follow(stream: Stream): void
}

interface Request {
  readonly jsonrpc: '2.0'
  readonly id: JSONRPCID
  readonly method: string
  readonly params?: unknown
}

export function createRpcServer(ports: RpcPorts): RpcServer {
  const underWay = new Set<{ readonly id: JSONRPCID; readonly controller: AbortController }>()
  const followed = new Set<{ readonly id: JSONRPCID; readonly controller: AbortController }>()
  const inFlight = createSlots(IN_FLIGHT)
  const server = methodsOf(ports)

  const receiveOne = async (item: unknown, followings: Following[]): Promise<JSONRPCResponse | null> => {
    const shape = shapeOf(item)
    if ('problem' in shape) return errorResponse(shape.id, new VpError('rpc.request', shape.problem), null)
    if (shape.method === CANCEL) {
      cancel((shape.params as { id?: unknown } | undefined)?.id)
      return shape.id === undefined ? null : createJSONRPCSuccessResponse(shape.id, null)
    }
    if (shape.id === undefined) {
      ports.say(
        `note  ${ports.tellable(new VpError('rpc.request', shape.method.slice(0, 60))).message} came as a notification, and those do not act: give it an id`,
      )
      return null
    }
    return answer({ ...shape, id: shape.id }, followings)
  }

  const answer = async (request: Request, followings: Following[]): Promise<JSONRPCResponse> => {
    const { id } = request
    if (id !== null && [...underWay].some((one) => one.id === id))
      return errorResponse(id, new VpError('rpc.request', 'a request with this id is under way'), null)
    const entry = { id, controller: new AbortController() }
    underWay.add(entry)
    try {
      const { signal } = entry.controller
      const follow = (stream: Stream) => void followings.push(followingOf(id, stream))
      return (await inFlight(signal, () => Promise.resolve(server.receive(request as never, { signal, follow })))) as JSONRPCResponse
    } catch (thrown) {
      return errorResponse(id, ports.tellable(asVpError(thrown)), null)
    } finally {
      underWay.delete(entry)
    }
  }

  /** Under the id of the request that asked for it, which `$/cancelRequest` names. */
  const followingOf = (id: JSONRPCID, { channel, items }: Stream): Following => {
    const entry = { id, controller: new AbortController() }
    followed.add(entry)
    return async (send) => {
      try {
        for await (const { seq, type, data } of items(entry.controller.signal))
          await send({ jsonrpc: '2.0', method: 'event', params: { channel, type, data, seq } })
      } catch (thrown) {
        ports.say(`note  ${channel} is no longer followed: ${ports.tellable(asVpError(thrown)).message}`)
      } finally {
        followed.delete(entry)
      }
    }
  }

  const cancel = (id: unknown) => {
    for (const entry of [...underWay, ...followed]) if (entry.id === id) entry.controller.abort()
  }

  const responseTo = async (incoming: Incoming, followings: Following[]): Promise<Received['response']> => {
    if (incoming.kind === 'unreadable') return errorResponse(null, unreadable(incoming.why), null)
    const parsed = parse(incoming.text)
    if (!parsed.ok) return errorResponse(null, parsed.error, null)
    if (!Array.isArray(parsed.value)) return receiveOne(parsed.value, followings)
    if (parsed.value.length === 0 || parsed.value.length > MAX_BATCH)
      return errorResponse(null, new VpError('rpc.request', `a batch holds 1 to ${MAX_BATCH} requests`), null)
    const answers = (await Promise.all(parsed.value.map((item) => receiveOne(item, followings)))).filter((one) => one !== null)
    return answers.length === 0 ? null : answers
  }

  return {
    async receive(incoming) {
      const followings: Following[] = []
      return { response: await responseTo(incoming, followings), followings }
    },
    cancelAll() {
      for (const entry of [...underWay, ...followed]) entry.controller.abort()
    },
    letGo() {
      for (const entry of followed) entry.controller.abort()
    },
  }
}

function methodsOf(ports: RpcPorts): JSONRPCServer<Turn> {
  const server = new JSONRPCServer<Turn>({ errorListener: () => undefined }) // every error is in its answer
  const commands = createSlots(COMMANDS)
  for (const operation of ports.operations) {
    server.addMethodAdvanced(operation.name, async (request, { signal, follow }) => {
      const id = request.id ?? null
      const run = () => ports.call(operation, ...withoutKey(request.params, signal), follow)
      const answer = await (operation.scope === 'run.exec' ? commands(signal, run) : run())
      return answer.ok ? createJSONRPCSuccessResponse(id, withReceipt(answer)) : errorResponse(id, answer.error, answer.receipt)
    })
  }
  server.addMethod('rpc.discover', () => discoverDocument(ports.operations, ports.version))
  server.mapErrorToJSONRPCErrorResponse = (id, error) => errorResponse(id, ports.tellable(asVpError(error)), null)
  server.handleMethodNotFound = async (request) => {
    const error = new VpError('usage.unknown_command', `there is no method ${JSON.stringify(request.method.slice(0, 60))}`, { next: ['rpc.discover'] })
    return errorResponse(request.id ?? null, ports.tellable(error), null)
  }
  return server
}

/** `idempotency_key` stands beside the parameters of every method. Throws `usage.params`. */
function withoutKey(params: unknown, signal: AbortSignal): [unknown, InvokeOptions] {
  if (typeof params !== 'object' || params === null || Array.isArray(params) || !Object.hasOwn(params, 'idempotency_key')) return [params, { signal }]
  const { idempotency_key: key, ...rest } = params as Record<string, unknown>
  if (typeof key !== 'string' || key.length < 8 || key.length > 256) throw new VpError('usage.params', 'idempotency_key: a text of 8 to 256 characters')
  return [rest, { signal, idempotencyKey: key }]
}

function withReceipt(answer: Extract<Answer, { ok: true }>): unknown {
  return { receipt: answer.receipt, ...(answer.result as object) }
}

type Shape =
  | { readonly id: JSONRPCID; readonly problem: string }
  | { readonly jsonrpc: '2.0'; readonly id?: JSONRPCID; readonly method: string; readonly params?: unknown }

function shapeOf(item: unknown): Shape {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return { id: null, problem: 'a request is an object' }
  const { jsonrpc, id, method, params } = item as Record<string, unknown>
  const known = typeof id === 'string' || typeof id === 'number' || id === null
  if (id !== undefined && !known) return { id: null, problem: 'an id is a text, a number or null' }
  const back = known ? id : null
  if (jsonrpc !== '2.0') return { id: back, problem: 'jsonrpc must be "2.0"' }
  if (typeof method !== 'string') return { id: back, problem: 'a request names its method' }
  if ('result' in item || 'error' in item) return { id: back, problem: 'that is an answer, and nothing was asked' }
  return { jsonrpc, method, ...(known ? { id } : {}), ...(params === undefined ? {} : { params }) }
}

function parse(text: string): { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: VpError } {
  if (isDeep(text)) return { ok: false, error: new VpError('rpc.request', `JSON is nested at most ${MAX_DEPTH} deep here`) }
  try {
    return { ok: true, value: JSON.parse(text) as unknown }
  } catch {
    // The parser's own words quote the text, which may hold a secret.
    return { ok: false, error: new VpError('rpc.parse', 'that is not JSON') }
  }
}

/** Counted before parsing, since a parser, and everything behind it, walks values by calling itself. */
function isDeep(text: string): boolean {
  let depth = 0
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (quoted) {
      if (char === '\\') at++
      else if (char === '"') quoted = false
    } else if (char === '"') quoted = true
    else if (char === '{' || char === '[') {
      if (++depth > MAX_DEPTH) return true
    } else if (char === '}' || char === ']') depth--
  }
  return false
}

function unreadable(why: Extract<Incoming, { kind: 'unreadable' }>['why']): VpError {
  if (why === 'too long') return new VpError('limit.reached', 'the message is too long, it was skipped')
  return new VpError('rpc.parse', why === 'no header' ? 'no Content-Length header where one should be' : `the message is ${why}`)
}

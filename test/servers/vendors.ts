/**
 * OpenAI, Anthropic and Gemini as strict as they are: a request that the real one refuses is refused in its own words. What
 * they answer is put on the wire as in `model-wires.ts`. Sources: OpenAI's chat completions reference, Anthropic's messages
 * and tool-use pages, Gemini's function-calling guide and its troubleshooting page.
 */
import type { ServerResponse } from 'node:http'
import type { OwnProvider } from '../../src/models/choose.ts'
import { WIRES, type Said } from '../fixtures/model-wires.ts'
import { json, serve, type Came, type Served } from './serve.ts'

export type Vendor = Extract<OwnProvider, 'openai' | 'anthropic' | 'google'>

/** `says` gets the number of the request, from 1. */
export async function startVendor(vendor: Vendor, key: string, says: (n: number) => Said): Promise<Served> {
  const wire = WIRES[vendor]
  let n = 0
  return serve((came, response) => {
    if (wire.key(came.headers) !== key) return refuse(response, vendor, 401, 'invalid API key')
    const path = wire.path.replace(wire.model, '(.+)').replace('?', '\\?')
    const model = new RegExp(`^/v1${path}$`).exec(came.path)
    if (came.method !== 'POST' || !model) return refuse(response, vendor, 404, `no such endpoint ${came.path}`)
    const [status, words] = CHECKS[vendor](came, model[1] ?? '')
    if (status !== 200) return refuse(response, vendor, status, words)
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    for (const event of wire.events(says(++n))) response.write(event)
    response.end()
  })
}

function refuse(response: ServerResponse, vendor: Vendor, status: number, message: string): void {
  if (vendor === 'anthropic') return json(response, status, { type: 'error', error: { type: 'invalid_request_error', message } })
  if (vendor === 'google') return json(response, status, { error: { code: status, message, status: 'INVALID_ARGUMENT' } })
  json(response, status, { error: { message, type: 'invalid_request_error', param: 'messages', code: null } })
}

type Verdict = readonly [status: number, words: string]
const FINE: Verdict = [200, '']

interface OpenAiMessage {
  readonly role: string
  readonly content?: string | null
  readonly tool_call_id?: string
  readonly tool_calls?: readonly { readonly id: string; readonly type: string; readonly function: { readonly arguments: string } }[]
}

function openai(came: Came): Verdict {
  const { model, messages, tools } = JSON.parse(came.body) as { model: string; messages: OpenAiMessage[]; tools?: { type: string }[] }
  if (model !== WIRES.openai.model) return [404, `The model \`${model}\` does not exist or you do not have access to it.`]
  if (tools?.some((tool) => tool.type !== 'function')) return [400, "Invalid value for 'tools[0].type'"]
  let open = new Set<string>()
  for (const [index, message] of messages.entries()) {
    if (message.role === 'tool') {
      if (!open.delete(message.tool_call_id ?? '')) return [400, "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."]
      continue
    }
    if (open.size > 0)
      return [400, `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id': ${[...open].join()}`]
    const calls = message.tool_calls ?? []
    if (message.role === 'assistant' && calls.length === 0 && typeof message.content !== 'string')
      return [400, `Invalid value for 'content': expected a string, got null. messages[${index}]`]
    if (calls.some((call) => call.type !== 'function' || !isObject(call.function.arguments))) return [400, "Invalid 'tool_calls'"]
    open = new Set(calls.map((call) => call.id))
  }
  return open.size > 0 ? [400, 'tool_calls without answers'] : FINE
}

const isObject = (text: string): boolean => {
  try {
    return typeof JSON.parse(text) === 'object'
  } catch {
    return false
  }
}

interface Block {
  readonly type: string
  readonly text?: string
  readonly id?: string
  readonly tool_use_id?: string
  readonly input?: unknown
}

function anthropic(came: Came): Verdict {
  type Body = { model: string; max_tokens?: number; messages: { role: string; content: Block[] }[] }
  const { model, max_tokens, messages } = JSON.parse(came.body) as Body
  if (came.headers['anthropic-version'] === undefined) return [400, 'anthropic-version: header is required']
  if (model !== WIRES.anthropic.model) return [404, `model: ${model}`]
  if (max_tokens === undefined) return [400, 'max_tokens: Field required']
  if (messages[0]?.role !== 'user') return [400, 'messages: first message must use the "user" role']
  let open = new Set<string>()
  for (const { role, content } of messages) {
    if (content.some((block) => block.type === 'text' && block.text?.trim() === ''))
      return [400, 'messages: text content blocks must contain non-whitespace text']
    const results = content.filter((block) => block.type === 'tool_result')
    for (const { tool_use_id } of results)
      if (!open.delete(tool_use_id ?? '')) return [400, `unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${tool_use_id}`]
    if (open.size > 0) return [400, `\`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${[...open].join()}`]
    if (results.length > 0 && content.findIndex((block) => block.type !== 'tool_result') < results.length - 1 && content.length > results.length)
      return [400, 'tool_result blocks must come first']
    const uses = content.filter((block) => block.type === 'tool_use')
    if (role !== 'assistant' && uses.length > 0) return [400, '`tool_use` blocks can only be in `assistant` messages']
    if (uses.some(({ input }) => typeof input !== 'object' || input === null)) return [400, 'tool_use.input: Input should be a valid dictionary']
    open = new Set(uses.map((block) => block.id ?? ''))
  }
  return open.size > 0 ? [400, 'tool_use without tool_result'] : FINE
}

interface Part {
  readonly text?: string
  readonly functionCall?: { readonly args: unknown }
  readonly functionResponse?: object
}

function google(came: Came, model: string): Verdict {
  const { contents } = JSON.parse(came.body) as { contents: { role: string; parts: Part[] }[] }
  if (model !== WIRES.google.model) return [404, `models/${model} is not found for API version v1beta`]
  if (contents[0]?.role !== 'user') return [400, 'Please ensure that single turn requests end with a user role or the role field is empty.']
  let calls = 0
  for (const { role, parts } of contents) {
    if (parts.length === 0) return [400, 'contents.parts must not be empty.']
    const answers = parts.filter((part) => part.functionResponse).length
    if (answers !== calls)
      return [400, 'Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.']
    calls = parts.filter((part) => part.functionCall).length
    if (calls > 0 && role !== 'model') return [400, 'function calls are of the model']
    if (parts.some((part) => part.functionCall && (typeof part.functionCall.args !== 'object' || part.functionCall.args === null)))
      return [400, 'Invalid value at args']
  }
  return calls > 0 ? [400, 'function calls without responses'] : FINE
}

const CHECKS: Readonly<Record<Vendor, (came: Came, model: string) => Verdict>> = { openai, anthropic, google }

/**
 * A stand-in for an OpenAI-compatible server: real HTTP on loopback, answers from a function, with every fault
 * that real ones show. Product code: the demo's recording and the tests are made with it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Json } from '../core/json.ts'

export interface WireMessage {
  readonly role: string
  readonly content: string | null
  readonly tool_calls?: readonly {
    readonly id: string
    readonly function: { readonly name: string; readonly arguments: string }
  }[]
}

export interface WireRequest {
  readonly model: string
  readonly stream?: boolean
  readonly temperature?: number
  readonly max_tokens?: number
  readonly messages: readonly WireMessage[]
  readonly tools?: readonly { readonly function: { readonly name: string } }[]
}

export type ScriptedAnswer =
  | {
      readonly text?: string
      readonly calls?: readonly { readonly name: string; readonly arguments: Json | string }[]
      readonly usage?: { readonly in: number; readonly out: number } | null
      readonly whole?: boolean
      readonly delayMs?: number
    }
  | { readonly fault: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly fault: 'silence' | 'cut' | 'stall' | 'garbage' | 'html' | 'reset' }

export interface ScriptedServer {
  /** `http://127.0.0.1:PORT/v1` */
  readonly baseUrl: string
  /** Every request so far, as it came. */
  readonly requests: readonly WireRequest[]
  /** Of each, on this process's monotonic clock: when its head was here, and when the last byte of its answer was given away. */
  readonly times: readonly { readonly cameMs: number; readonly answeredMs: number }[]
  close(): Promise<void>
}

/** `answer` gets the request and its number from 1; `tell` says what other paths answer, as Ollama's `/api/tags`; `onGone` when whoever asked hangs up before the end. */
export async function startScriptedServer(
  answer: (request: WireRequest, n: number) => ScriptedAnswer,
  tell: (url: string) => object | undefined = () => undefined,
  onGone: () => void = () => undefined,
): Promise<ScriptedServer> {
  const requests: WireRequest[] = []
  const times: { cameMs: number; answeredMs: number }[] = []
  const server = createServer((incoming, response) => {
    const time = { cameMs: performance.now(), answeredMs: Number.NaN }
    response.on('finish', () => (time.answeredMs = performance.now()))
    response.on('close', () => response.writableFinished || onGone())
    void readBody(incoming).then((body) => {
      const told = tell(incoming.url ?? '')
      if (told !== undefined) return json(response, told)
      if (incoming.url?.endsWith('/models')) return json(response, { object: 'list', data: [{ id: 'scripted', object: 'model', owned_by: 'scripted' }] })
      if (!incoming.url?.endsWith('/chat/completions')) return void response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found')
      const request = JSON.parse(body) as WireRequest
      requests.push(request)
      times.push(time)
      return respond(response, request, answer(request, requests.length))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    times,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of incoming) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('utf8')
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

function respond(response: ServerResponse, request: WireRequest, answer: ScriptedAnswer): void {
  if ('fault' in answer) return fail(response, answer)
  const send = () => (request.stream && !answer.whole ? stream(response, request, answer) : json(response, completion(request, answer)))
  if (answer.delayMs) setTimeout(send, answer.delayMs)
  else send()
}

function fail(response: ServerResponse, answer: Extract<ScriptedAnswer, { fault: string }>): void {
  switch (answer.fault) {
    case 'status':
      response
        .writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
        .end(JSON.stringify({ error: { message: `scripted ${answer.status}`, type: 'scripted' } }))
      return
    case 'html':
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>a captive portal</html>')
      return
    case 'reset':
      response.destroy()
      return
    case 'silence':
      return
    default:
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  if (answer.fault === 'garbage') response.end('data: {"choices": [oops\n\ndata: [DONE]\n\n')
  else {
    response.write(event({ delta: { role: 'assistant', content: 'I will' } }))
    if (answer.fault === 'cut') setTimeout(() => response.destroy(), 20)
  }
}

type Spoken = Exclude<ScriptedAnswer, { fault: string }>

function wireCalls(answer: Spoken): object[] {
  return (answer.calls ?? []).map((call, index) => ({
    index,
    id: `call_${index}_${call.name}`,
    type: 'function',
    function: {
      name: call.name,
      arguments: typeof call.arguments === 'string' ? call.arguments : JSON.stringify(call.arguments),
    },
  }))
}

function wireUsage(request: WireRequest, answer: Spoken): object | null {
  if (answer.usage === null) return null
  const tokens = answer.usage ?? {
    in: Math.ceil(JSON.stringify(request.messages).length / 4),
    out: Math.ceil(JSON.stringify(answer).length / 4),
  }
  return { prompt_tokens: tokens.in, completion_tokens: tokens.out, total_tokens: tokens.in + tokens.out }
}

function completion(request: WireRequest, answer: Spoken): object {
  const calls = wireCalls(answer)
  const usage = wireUsage(request, answer)
  return {
    id: 'scripted',
    object: 'chat.completion',
    created: 0,
    model: request.model,
    choices: [
      {
        index: 0,
        finish_reason: calls.length > 0 ? 'tool_calls' : 'stop',
        message: {
          role: 'assistant',
          content: answer.text ?? null,
          ...(calls.length > 0 ? { tool_calls: calls } : {}),
        },
      },
    ],
    ...(usage ? { usage } : {}),
  }
}

function event(choice: object, extra: object = {}): string {
  return `data: ${JSON.stringify({ id: 'scripted', object: 'chat.completion.chunk', created: 0, model: 'scripted', choices: [{ index: 0, finish_reason: null, ...choice }], ...extra })}\n\n`
}

function stream(response: ServerResponse, request: WireRequest, answer: Spoken): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const text = answer.text ?? ''
  for (let at = 0; at < text.length; at += 40) response.write(event({ delta: { role: 'assistant', content: text.slice(at, at + 40) } }))
  const calls = wireCalls(answer)
  if (calls.length > 0) response.write(event({ delta: { role: 'assistant', tool_calls: calls } }))
  const usage = wireUsage(request, answer)
  response.end(`${event({ delta: {}, finish_reason: calls.length > 0 ? 'tool_calls' : 'stop' }, usage ? { usage } : {})}data: [DONE]\n\n`)
}

/**
 * A request whose tools are offered in words, for models whose template knows none: what `callsInText` reads back, in the
 * form that most of them were trained on. Equal requests give equal words. Pure.
 */
import type { Message, ModelRequest, ToolCall } from '../contract.ts'

/** Without tools on the wire; calls and their results are words, and no two messages of one side follow each other. */
export function toolsInWords(request: ModelRequest): ModelRequest {
  if (request.tools.length === 0) return request
  const [first, ...rest] = request.messages
  const offer = offered(request)
  const messages: readonly Message[] =
    first?.role === 'system' ? [{ role: 'system', text: `${first.text}\n\n${offer}` }, ...rest] : [{ role: 'system', text: offer }, ...request.messages]
  return { ...request, tools: [], messages: messages.map(inWords).reduce<Message[]>(joined, []) }
}

function offered({ tools }: ModelRequest): string {
  const lines = tools.map(({ name, description, schema }) => JSON.stringify({ name, description, parameters: schema }))
  return `You have these tools, one a line:\n<tools>\n${lines.join('\n')}\n</tools>\nTo call one, answer with its name and arguments in this form and nothing after it:\n<tool_call>\n{"name": "TOOL", "arguments": {"KEY": "VALUE"}}\n</tool_call>\nSeveral calls are several such blocks. What a call gave comes back in <tool_response>.`
}

function inWords(message: Message): Message {
  if (message.role === 'tool') return { role: 'user', text: `<tool_response>\n${message.text}\n</tool_response>` }
  if (message.role !== 'assistant' || message.calls.length === 0) return message
  return { role: 'assistant', text: [message.text, ...message.calls.map(called)].filter((part) => part !== '').join('\n'), calls: [] }
}

const called = ({ name, arguments: args }: ToolCall): string => `<tool_call>\n${JSON.stringify({ name, arguments: args })}\n</tool_call>`

function joined(all: Message[], message: Message): Message[] {
  const last = all.at(-1)
  if (message.role !== 'user' || last?.role !== 'user') return [...all, message]
  return [...all.slice(0, -1), { role: 'user', text: `${last.text}\n${message.text}` }]
}

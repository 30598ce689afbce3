/** What servers send that is no stream of events: whole documents, lines of JSON, and the words of an error. Bounded. */
import type { IncomingMessage } from 'node:http'
import { StringDecoder } from 'node:string_decoder'
import type { Endpoint } from '../contract.ts'
import { elsewhere, notAModel, statusFailure } from './failures.ts'

const MAX_DOCUMENT = 4_000_000
const MAX_LINE = 4_000_000

/** The content type of an answer that is one. Throws what its status means, in the server's words; a redirect is not followed. */
export async function acceptedType(response: IncomingMessage, endpoint: Endpoint): Promise<string> {
  const { statusCode: status = 0, headers } = response
  if (status >= 400) {
    const body = await wholeBody(response)
    throw statusFailure(endpoint, status, errorWords(body), { headers, body })
  }
  if (status !== 200) throw elsewhere(`${endpoint.host} answered ${status}${headers.location ? ', a redirect, which is not followed' : ''}`)
  return headers['content-type'] ?? ''
}

/** Throws `model.protocol` over 4 MB. */
export async function wholeBody(response: AsyncIterable<unknown>): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of response) {
    parts.push(part as Buffer)
    if ((size += (part as Buffer).length) > MAX_DOCUMENT) throw notAModel('the answer is larger than 4 MB')
  }
  return Buffer.concat(parts).toString('utf8')
}

/** Lines that are not blank, as bytes come; the last one needs no end. Throws `model.protocol` where one passes 4 MB. */
export async function* textLines(bytes: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8')
  let pieces: string[] = []
  let open = 0
  for await (const part of bytes) {
    const piece = decoder.write(part)
    pieces.push(piece)
    open += piece.length
    if (open > MAX_LINE) throw notAModel('one line of the answer is larger than 4 MB')
    if (!piece.includes('\n')) continue
    const lines = pieces.join('').split('\n')
    const rest = lines.pop() ?? ''
    for (const line of lines) if (line.trim() !== '') yield line
    pieces = [rest]
    open = rest.length
  }
  const rest = pieces.join('') + decoder.end()
  if (rest.trim() !== '') yield rest
}

/** An object of JSON. Throws `model.protocol` for anything else. */
export function jsonObject<Document extends object>(data: string, endpoint: Endpoint): Document {
  let value: unknown
  try {
    value = JSON.parse(data)
  } catch {
    // told below, like other values that are no object
  }
  if (typeof value !== 'object' || value === null) throw notAModel(`${endpoint.host} sent what is no JSON object: ${JSON.stringify(data.slice(0, 80))}`)
  return value as Document
}

/** The words of an error document, whichever of the usual forms it has; else its first line. */
export function errorWords(body: string): string {
  try {
    const { error, message, detail } = JSON.parse(body) as { error?: { message?: unknown } | string; message?: unknown; detail?: unknown }
    const words = typeof error === 'object' ? error.message : (error ?? message ?? detail)
    if (typeof words === 'string' && words !== '') return words
  } catch {
    // not JSON
  }
  return body.trim() === '' ? 'without a word' : body
}

/** Whatever is no text is none. */
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

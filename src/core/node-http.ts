/** What asks the host of `url`: `node:http`, or `node:https`, whose TLS costs a quarter of a start, when an address needs it. */
export function nodeHttp(url: string): Pick<typeof import('node:http'), 'request' | 'Agent'> {
  return process.getBuiltinModule(url.startsWith('https:') ? 'node:https' : 'node:http')
}

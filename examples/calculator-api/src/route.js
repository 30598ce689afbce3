/** Answers one request: method, URL and body in, status and JSON out. No socket, no clock. */
import { operations } from './operations.js'
import { parseCalculation } from './request.js'

export function route(method, url, body = '') {
  const { pathname } = new URL(url, 'http://localhost')
  if (method === 'GET' && pathname === '/health') return { status: 200, body: { status: 'ok' } }
  if (method === 'POST' && pathname === '/calculate') return calculate(body)
  return { status: 404, body: {} }
}

function calculate(body) {
  const { operation, a, b } = parseCalculation(body)
  return { status: 200, body: { result: operations[operation](a, b) } }
}

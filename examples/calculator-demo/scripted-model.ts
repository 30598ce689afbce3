/**
 * The model of the demo, as a script: what it says and calls, by the task and the turn that a request shows. Its first
 * try at T4 is wrong on purpose, and submitted untested, so that a gate has something to catch.
 */
import type { Json } from '../../src/core/json.ts'
import type { ScriptedAnswer, WireRequest } from '../../src/models/scripted-server.ts'

interface Turn {
  readonly text: string
  readonly calls: readonly { readonly name: string; readonly arguments: Json }[]
}

const call = (name: string, args: Json) => ({ name, arguments: args })
const turn = (text: string, ...calls: Turn['calls']): Turn => ({ text, calls })
const read = (...paths: string[]) => paths.map((path) => call('read', { path }))
const tested = (file: string): Turn => turn('Now the tests of this task.', call('test', { args: [file] }))
const done = (title: string, summary: string): Turn => turn('', call('submit', { title, summary }))

const OPENAPI = `{
  "openapi": "3.1.0",
  "info": { "title": "calculator-api", "version": "0.1.0" },
  "paths": {
    "/health": {
      "get": { "responses": { "200": { "description": "The service is up." } } }
    },
    "/operations": {
      "get": { "responses": { "200": { "description": "The names of the operations, in order." } } }
    },
    "/calculate": {
      "post": {
        "requestBody": {
          "required": true,
          "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Calculation" } } }
        },
        "responses": {
          "200": { "description": "The result." },
          "400": { "description": "bad_request: the body is no calculation." },
          "422": { "description": "unknown_operation or division_by_zero: it cannot be done." }
        }
      }
    }
  },
  "components": {
    "schemas": {
      "Calculation": {
        "type": "object",
        "required": ["operation", "a", "b"],
        "properties": {
          "operation": { "enum": ["add", "subtract", "multiply", "divide"] },
          "a": { "type": "number" },
          "b": { "type": "number" }
        }
      }
    }
  }
}
`

const REQUEST = `/** Reads the body of a calculation. Throws TypeError when it is none. */
export function parseCalculation(body) {
  const { operation, a, b } = parseObject(body)
  if (typeof operation !== 'string' || !Number.isFinite(a) || !Number.isFinite(b))
    throw new TypeError('a calculation is an operation and two finite numbers, a and b')
  return { operation, a, b }
}

function parseObject(body) {
  try {
    return Object(JSON.parse(body))
  } catch (cause) {
    throw new TypeError('the body is not JSON', { cause })
  }
}
`

const ROUTE = `/** Answers one request: method, URL and body in, status and JSON out. No socket, no clock. */
import { operations } from './operations.js'
import { parseCalculation } from './request.js'

const endpoints = {
  '/health': { GET: () => ok({ status: 'ok' }) },
  '/operations': { GET: () => ok({ operations: Object.keys(operations) }) },
  '/calculate': { POST: calculate },
}

export function route(method, url, body = '') {
  const { pathname } = new URL(url, 'http://localhost')
  const methods = endpoints[pathname]
  if (!methods) return failed(404, 'not_found', \`there is nothing at \${pathname}\`)
  if (!methods[method]) return failed(405, 'method_not_allowed', \`\${pathname} takes \${Object.keys(methods).join(', ')}\`)
  return methods[method](body)
}

function calculate(body) {
  try {
    const { operation, a, b } = parseCalculation(body)
    if (Object.hasOwn(operations, operation)) return ok({ result: operations[operation](a, b) })
    return failed(422, 'unknown_operation', \`there is no operation \${operation}\`)
  } catch (error) {
    return failed(400, 'bad_request', error.message)
  }
}

function ok(body) {
  return { status: 200, body }
}

function failed(status, code, message) {
  return { status, body: { error: { code, message } } }
}
`

const README_CALLS = `
## Endpoints

| request | answers |
|---|---|
| \`GET /health\` | \`{"status":"ok"}\` |
| \`GET /operations\` | the names of the four operations |
| \`POST /calculate\` | the result of one calculation |

    curl -d '{"operation":"divide","a":1,"b":4}' http://127.0.0.1:8080/calculate
    {"result":0.25}

Errors are \`{"error":{"code","message"}}\`; \`docs/errors.md\` explains each, \`openapi.json\` is the contract.
`

const ERRORS = `# Errors

Each answer with a status of 400 or more holds one of these codes.

| code | status | what happened | what to do |
|---|---|---|---|
| \`bad_request\` | 400 | The body is no calculation. | Show the caller the message; nothing is wrong here. |
| \`not_found\` | 404 | The path is not one of ours. | Compare it with the README. |
| \`method_not_allowed\` | 405 | The path is ours, the method is not. | The message names the right one. |
| \`division_by_zero\` | 422 | The second number is 0. | The caller has to decide what that means. |
| \`unknown_operation\` | 422 | The operation does not exist. | \`GET /operations\` lists those that do. |

A status of 500 is a defect: keep the request and open an issue.
`

const FIRST_TRY: Readonly<Record<string, readonly Turn[]>> = {
  T1: [
    turn('I look at the contract and at the test that reads it.', ...read('openapi.json', 'test/contract.test.js')),
    turn('Two endpoints and the statuses of a calculation are missing.', call('write', { path: 'openapi.json', content: OPENAPI })),
    tested('test/contract.test.js'),
    done('docs(api): describe every endpoint in openapi.json', 'The contract names all three endpoints, the shape of a calculation and its statuses.'),
  ],
  T2: [
    turn('First the operations and their tests.', ...read('src/operations.js', 'test/operations.test.js')),
    turn(
      'Division needs a function of its own, since it can fail.',
      call('edit', {
        path: 'src/operations.js',
        old: '  subtract: (a, b) => a - b,\n}\n',
        new: "  subtract: (a, b) => a - b,\n  multiply: (a, b) => a * b,\n  divide,\n}\n\nfunction divide(a, b) {\n  if (b === 0) throw new RangeError('division by zero')\n  return a / b\n}\n",
      }),
    ),
    tested('test/operations.test.js'),
    done('feat(operations): multiply and divide', 'Dividing by zero is a RangeError, so that the API can tell it from a broken request.'),
  ],
  T3: [
    turn('I read how a body is parsed today.', ...read('src/request.js', 'test/request.test.js')),
    turn('Everything that is no calculation becomes a TypeError.', call('write', { path: 'src/request.js', content: REQUEST })),
    tested('test/request.test.js'),
    done('feat(request): refuse a body that is no calculation', 'JSON, an operation and two finite numbers, or a TypeError that says which.'),
  ],
  T4: [
    turn('The routes, and what the acceptance tests ask of them.', ...read('src/route.js', 'test/acceptance.test.js')),
    turn('A table of endpoints, and one place for errors.', call('write', { path: 'src/route.js', content: ROUTE })),
    done('feat(route): answer every request and error as promised', 'Endpoints are a table; every error has a code. All tests pass.'),
  ],
  T5: [
    turn('', ...read('README.md', 'openapi.json')),
    turn(
      'The last paragraph is no longer true; the endpoints take its place.',
      call('edit', {
        path: 'README.md',
        old: '\n`PRD.md` says what is still to be done; the tests that are red say the same.\n',
        new: README_CALLS,
      }),
    ),
    done('docs: every endpoint in the README', 'A table of the endpoints, one example with its answer, and where the errors are explained.'),
  ],
  T6: [
    turn('I take the codes from the code itself.', ...read('src/route.js')),
    turn('', call('write', { path: 'docs/errors.md', content: ERRORS })),
    done('docs: explain each error to the people on call', 'Code, status, cause and what to do, in one table.'),
  ],
}

const REPAIR: Readonly<Record<string, readonly Turn[]>> = {
  T4: [
    turn(
      'Dividing by zero is caught as a broken request. It is a RangeError, and can be told apart.',
      call('edit', {
        path: 'src/route.js',
        old: "    return failed(400, 'bad_request', error.message)\n",
        new: "    if (error instanceof RangeError) return failed(422, 'division_by_zero', error.message)\n    return failed(400, 'bad_request', error.message)\n",
      }),
    ),
    tested('test/acceptance.test.js'),
    done('feat(route): answer every request and error as promised', 'Endpoints are a table; every error has its code, division by zero its own.'),
  ],
}

/** The next turn of the task that a request is about. Throws when the script has none: a recording must not go on then. */
export function demoModel(request: WireRequest): ScriptedAnswer {
  const goal = request.messages.find((message) => message.role === 'user')?.content ?? ''
  const task = /^Task (T\d+) /.exec(goal)?.[1] ?? ''
  const script = goal.includes('Your last attempt is in the files already.') ? REPAIR[task] : FIRST_TRY[task]
  const at = request.messages.filter((message) => message.role === 'assistant').length
  const next = script?.[at]
  if (!next) throw new Error(`the script has no turn ${at + 1} for ${task || goal.slice(0, 40)}`)
  return next
}

/** `rpc.discover`: the table of operations as an OpenRPC document. Source: spec.open-rpc.org, version 1.3. */
import * as z from 'zod/mini'
import { CODES, type ErrorCode } from '../../core/errors.ts'
import type { Operation } from '../../operations/operation.ts'

type Schema = Readonly<Record<string, unknown>>

interface Parameter {
  readonly name: string
  readonly required: boolean
  readonly schema: Schema
}

export interface OpenRpcDocument {
  readonly openrpc: '1.3.2'
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly methods: readonly {
    readonly name: string
    readonly summary: string
    readonly paramStructure: 'by-name'
    readonly params: readonly Parameter[]
    readonly result: { readonly name: string; readonly schema: Schema }
    readonly errors: readonly { readonly code: number; readonly message: string }[]
    readonly 'x-effect'?: string
    readonly 'x-scope'?: string
  }[]
}

const KEY: Parameter = {
  name: 'idempotency_key',
  required: false,
  schema: { type: 'string', minLength: 8, maxLength: 256, description: 'the same key again gives the first answer' },
}

export function discoverDocument(operations: readonly Operation[], version: string): OpenRpcDocument {
  return {
    openrpc: '1.3.2',
    info: { title: 'vp', version, description: 'the Local Code Operator' },
    methods: [
      ...operations.map((operation) => ({
        name: operation.name,
        summary: operation.summary,
        paramStructure: 'by-name' as const,
        params: [...parametersOf(operation), KEY],
        result: { name: 'result', schema: resultSchema(operation) },
        errors: ERRORS,
        'x-effect': operation.effect,
        'x-scope': operation.scope,
      })),
      {
        name: 'rpc.discover',
        summary: 'this document',
        paramStructure: 'by-name',
        params: [],
        result: { name: 'result', schema: { type: 'object', description: 'an OpenRPC document' } },
        errors: ERRORS,
      },
    ],
  }
}

function parametersOf(operation: Operation): Parameter[] {
  const { properties = {}, required = [] } = jsonSchema(operation.params()) as { properties?: Record<string, Schema>; required?: readonly string[] }
  return Object.entries(properties).map(([name, schema]) => ({ name, required: required.includes(name), schema }))
}

/** The receipt of the call is in every answer. */
function resultSchema(operation: Operation): Schema {
  const schema = jsonSchema(operation.result())
  return { ...schema, properties: { ...(schema['properties'] as Schema), receipt: { type: 'string' } } }
}

function jsonSchema(schema: z.ZodMiniType<unknown>): Schema {
  // As a client writes it: what comes in addition later breaks nobody.
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' }) as Record<string, unknown>
  return rest
}

/** One line a JSON-RPC code, with the names that it carries in `data.code`. */
const ERRORS = [...Map.groupBy(Object.entries(CODES) as [ErrorCode, { rpc: number }][], ([, facts]) => facts.rpc)]
  .map(([code, entries]) => ({ code, message: entries.map(([name]) => name).join(', ') }))
  .toSorted((a, b) => b.code - a.code)

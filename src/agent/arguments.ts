/**
 * Arguments against their tool's own schema, and what is wrong with them in words for the model. Knows what the tools
 * here use: required names, and types one level deep. Pure.
 */
import type { Json } from '../core/json.ts'
import type { ToolSpec } from '../models/contract.ts'

type Args = Readonly<Record<string, Json>>

interface Schema {
  readonly properties?: Readonly<Record<string, { readonly type?: string; readonly items?: { readonly type?: string } }>>
  readonly required?: readonly string[]
}

export interface Checked {
  /** Without what the tool does not know, and without the nulls that stand for nothing. */
  readonly args: Args
  readonly unknown: readonly string[]
  /** Everything that is wrong, in one go; null where nothing is. */
  readonly words: string | null
}

export function checkArguments(spec: ToolSpec, given: Args): Checked {
  const { properties, required = [] } = spec.schema as Schema
  if (!properties) return { args: given, unknown: [], words: null }
  const unknown = Object.keys(given).filter((key) => !Object.hasOwn(properties, key))
  const args = Object.fromEntries(Object.entries(given).filter(([key, value]) => Object.hasOwn(properties, key) && (value !== null || required.includes(key))))
  const faults = [
    ...required.filter((key) => args[key] === undefined).map((key) => `${key} is missing`),
    ...Object.entries(args).flatMap(([key, value]) => mistyped(key, value, properties[key] ?? {})),
    ...unknown.map((key) => `${JSON.stringify(key.slice(0, 40))} is none of its arguments`),
  ]
  return { args, unknown, words: faults.length === 0 ? null : `${spec.name}: ${faults.join('; ')}. ${takes(spec)} Nothing was done.` }
}

function mistyped(key: string, value: Json, { type, items }: { readonly type?: string; readonly items?: { readonly type?: string } }): string[] {
  if (type !== undefined && !isOf(value, type)) return [`${key} is ${shown(value)}, not ${named(type)}`]
  if (!Array.isArray(value) || items?.type === undefined) return []
  const wrong = value.findIndex((one) => !isOf(one, items.type ?? ''))
  return wrong < 0 ? [] : [`${key}[${wrong}] is ${shown(value[wrong] ?? null)}, not ${named(items.type)}`]
}

function isOf(value: Json, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  return typeof value === type
}

const shown = (value: Json): string => JSON.stringify(value).slice(0, 60)
const named = (type: string): string => `${/^[aeio]/.test(type) ? 'an' : 'a'} ${type === 'array' ? 'array of texts' : type}`

function takes(spec: ToolSpec): string {
  const { properties = {}, required = [] } = spec.schema as Schema
  const names = Object.keys(properties).map((key) => (required.includes(key) ? key : `${key} (optional)`))
  return names.length === 0 ? 'It takes no arguments.' : `It takes ${names.join(', ')}.`
}

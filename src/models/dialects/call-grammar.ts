/**
 * The grammar of one tool call, for models whose own dialect does not come out right: GBNF in which nothing can be said
 * but `<tool_call>`, an offered tool's name, and arguments of its schema. Lengths are bounded where a weak model would go
 * on for ever. Pure. Source of the notation: grammars/README.md of ggml-org/llama.cpp.
 */
import type { Json } from '../../core/json.ts'
import type { ToolSpec } from '../contract.ts'

/** More digits than a line number has; an exponent, which the usual integer rule lets through, has no place. */
const INTEGER = '"-"? ("0" | [1-9] [0-9]{0,8})'
const NUMBER = '"-"? ("0" | [1-9] [0-9]{0,8}) ("." [0-9]{1,8})?'

interface Schema {
  readonly type?: string
  readonly enum?: readonly Json[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
}

/** `maxCharacters` of one text. */
export function callGrammar(tools: readonly ToolSpec[], maxCharacters: number): string {
  const rules: string[] = [
    `root ::= "<tool_call>\\n" (${tools.map((_, index) => `call-${index}`).join(' | ')}) "\\n</tool_call>"`,
    String.raw`char ::= [^"\\\x7F\x00-\x1F] | "\\" ["\\/bfnrt]`,
    `text ::= "\\"" char{0,${maxCharacters}} "\\""`,
    `integer ::= ${INTEGER}`,
    `number ::= ${NUMBER}`,
    'boolean ::= "true" | "false"',
  ]
  for (const [index, { name, schema }] of tools.entries()) {
    rules.push(`call-${index} ::= ${literal(`{"name": ${JSON.stringify(name)}, "arguments": `)} args-${index} "}"`)
    object(rules, `args-${index}`, schema as Schema)
  }
  return `${rules.join('\n')}\n`
}

/** Required ones first, in the order of the schema; each optional one may follow, in that order. */
function object(rules: string[], rule: string, { properties = {}, required = [] }: Schema): void {
  const keys = Object.keys(properties)
  const must = keys.filter((key) => required.includes(key))
  const may = keys.filter((key) => !required.includes(key))
  const member = (key: string) => {
    const name = `${rule}-${keys.indexOf(key)}`
    rules.push(`${name} ::= ${literal(`${JSON.stringify(key)}: `)} ${value(rules, `${name}-v`, properties[key] ?? {})}`)
    return name
  }
  const first = must.map(member).join(' ", " ')
  const members = may.map(member)
  // Without a required one the first optional one has no comma before it.
  const rest =
    first === '' ? members.map((_, at) => [members[at], ...members.slice(at + 1).map((name) => `(", " ${name})?`)].join(' ')).map((chain) => `(${chain})`) : []
  const body = first === '' ? (rest.length > 0 ? `(${rest.join(' | ')})?` : '') : [first, ...members.map((name) => `(", " ${name})?`)].join(' ')
  rules.push(`${rule} ::= "{" ${body} "}"`)
}

function value(rules: string[], rule: string, schema: Schema): string {
  if (schema.enum) return `(${schema.enum.map((one) => literal(JSON.stringify(one))).join(' | ')})`
  switch (schema.type) {
    case 'integer':
    case 'number':
    case 'boolean':
      return schema.type
    case 'array':
      rules.push(`${rule} ::= "[" (${value(rules, `${rule}-i`, schema.items ?? {})} (", " ${value(rules, `${rule}-i`, schema.items ?? {})}){0,15})? "]"`)
      return rule
    case 'object':
      object(rules, rule, schema)
      return rule
    default:
      return 'text'
  }
}

const literal = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"`

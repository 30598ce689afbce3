/**
 * What a schema refused, in words: the validator itself ships none in its small form and says "Invalid input" of everything.
 * The value is never quoted: it may be a secret.
 */

/** As zod reports it. */
export interface SchemaIssue {
  readonly code?: string | undefined
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly expected?: unknown
  readonly values?: readonly unknown[]
  readonly keys?: readonly string[]
  readonly minimum?: unknown
  readonly maximum?: unknown
  readonly origin?: unknown
  readonly format?: unknown
  readonly pattern?: unknown
}

/** `tiers.A.network: is one of "none", "outbound"`; the name of what is refused first, unless it is the whole. */
export function wordsOfIssue(issue: SchemaIssue | undefined, value: unknown): string {
  if (!issue) return 'invalid'
  const path = [...issue.path, ...(issue.code === 'unrecognized_keys' ? (issue.keys ?? []).slice(0, 1) : [])].join('.')
  return `${path === '' ? '' : `${path.slice(0, 200)}: `}${wants(issue, value)}`
}

function wants(issue: SchemaIssue, value: unknown): string {
  switch (issue.code) {
    case 'unrecognized_keys':
      return 'no such field'
    case 'invalid_type':
      return `${isMissing(issue.path, value) ? 'is missing, ' : ''}must be ${WITH_ARTICLE[String(issue.expected)] ?? String(issue.expected)}`
    case 'invalid_value':
      return `${isMissing(issue.path, value) ? 'is missing, ' : ''}must be one of ${(issue.values ?? []).map((one) => JSON.stringify(one)).join(', ')}`
    case 'too_small':
      return `must be at least ${String(issue.minimum)}${unit(issue.origin, issue.minimum)}`
    case 'too_big':
      return `must be at most ${String(issue.maximum)}${unit(issue.origin, issue.maximum)}`
    case 'invalid_format':
      return issue.format === 'regex' ? `must look like ${String(issue.pattern)}` : `must be ${String(issue.format)}`
    default:
      return issue.message
  }
}

const WITH_ARTICLE: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
}

const UNITS: Readonly<Record<string, readonly [one: string, more: string]>> = {
  string: [' letter long', ' letters long'],
  array: [' entry long', ' entries long'],
}
const unit = (origin: unknown, count: unknown): string => UNITS[String(origin)]?.[Number(count) === 1 ? 0 : 1] ?? ''

function isMissing(path: readonly PropertyKey[], value: unknown): boolean {
  let at = value
  for (const part of path) {
    if (typeof at !== 'object' || at === null) return false
    at = (at as Record<PropertyKey, unknown>)[part]
  }
  return path.length > 0 && at === undefined
}

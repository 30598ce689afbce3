/**
 * JUnit XML as pytest, vitest and jest write it, read by a linear scan: elements, attributes, text, CDATA. A
 * document type is refused, so no entity expands. Source: the files those runners really write (fixtures).
 */
import { cleanMessage, stripWorkspace, testCase, type TestCase, type TestReport } from './report.ts'

export function parseJunit(text: string, root: string): TestReport {
  if (/<!DOCTYPE|<!ENTITY/i.test(text)) return { tests: [], crashed: 'the report declares a document type' }
  if (!/<testsuites?[\s>/]/.test(text)) return { tests: [], crashed: 'the runner wrote no report' }
  const tests: TestCase[] = []
  let open: OpenCase | null = null
  let textFor: 'failure' | null = null
  for (const token of tokens(text)) {
    if (token.kind === 'text') {
      if (textFor && open && open.text.length < 8000) open.text += token.text
      continue
    }
    if (token.kind === 'open' && token.name === 'testcase') open = { attributes: token.attributes, status: 'passed', message: null, text: '' }
    else if (open && token.kind === 'open' && (token.name === 'failure' || token.name === 'error')) {
      open.status = 'failed'
      open.message = token.attributes['message'] ?? null
      textFor = 'failure'
    } else if (open && token.kind === 'open' && token.name === 'skipped' && open.status === 'passed') open.status = 'skipped'
    if (open && (token.name === 'failure' || token.name === 'error') && (token.kind === 'close' || token.empty)) textFor = null
    if (open && token.name === 'testcase' && (token.kind === 'close' || token.empty)) {
      tests.push(toCase(open, root))
      open = null
    }
  }
  return {
    tests,
    crashed: /<\/testsuites?>|<testsuites?[^>]*\/>/.test(text) ? null : 'the report stops before its end',
  }
}

interface OpenCase {
  readonly attributes: Record<string, string>
  status: TestCase['status']
  message: string | null
  text: string
}

type Token =
  | {
      readonly kind: 'open'
      readonly name: string
      readonly attributes: Record<string, string>
      readonly empty: boolean
    }
  | {
      readonly kind: 'close'
      readonly name: string
      readonly attributes: Record<string, string>
      readonly empty: false
    }
  | { readonly kind: 'text'; readonly text: string; readonly name: ''; readonly empty: false }

function* tokens(text: string): Generator<Token> {
  let at = 0
  while (at < text.length) {
    const next = text.indexOf('<', at)
    if (next < 0) return
    if (next > at) yield { kind: 'text', text: decodeEntities(text.slice(at, Math.min(next, at + 4000))), name: '', empty: false }
    if (text.startsWith('<![CDATA[', next)) {
      const end = text.indexOf(']]>', next)
      if (end < 0) return
      yield { kind: 'text', text: text.slice(next + 9, Math.min(end, next + 4009)), name: '', empty: false }
      at = end + 3
      continue
    }
    const skip = text.startsWith('<!--', next) ? '-->' : text.startsWith('<?', next) ? '?>' : null
    const end = skip ? text.indexOf(skip, next) : tagEnd(text, next)
    if (end < 0) return
    at = end + (skip?.length ?? 1)
    if (skip) continue
    const inside = text.slice(next + 1, end)
    const name = /^\/?([\w:.-]+)/.exec(inside)?.[1] ?? ''
    if (inside.startsWith('/')) yield { kind: 'close', name, attributes: {}, empty: false }
    else yield { kind: 'open', name, attributes: readAttributes(inside), empty: inside.endsWith('/') }
  }
}

/** The `>` that ends a tag, quotes respected; -1 when there is none. */
function tagEnd(text: string, from: number): number {
  let quote = ''
  for (let at = from; at < text.length; at++) {
    const char = text[at] ?? ''
    if (quote !== '') {
      if (char === quote) quote = ''
    } else if (char === '"' || char === "'") quote = char
    else if (char === '>') return at
  }
  return -1
}

function readAttributes(tag: string): Record<string, string> {
  const attributes: Record<string, string> = {}
  for (const match of tag.matchAll(/([\w:.-]+)="([^"]*)"/g)) attributes[match[1] ?? ''] = decodeEntities(match[2] ?? '')
  return attributes
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

function decodeEntities(text: string): string {
  return text.replace(/&(#x[0-9a-fA-F]{1,6}|#\d{1,7}|\w{1,6});/g, (whole, name: string) => {
    if (!name.startsWith('#')) return ENTITIES[name] ?? whole
    const code = name[1] === 'x' ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1))
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}

function toCase(open: OpenCase, root: string): TestCase {
  const { attributes } = open
  const className = (attributes['classname'] ?? '').slice(0, 300)
  const name = (attributes['name'] ?? 'unnamed').slice(0, 300)
  // A file that cannot be loaded is reported as a case named after it.
  const wholeFile = open.status === 'failed' && ((open.message ?? '').startsWith('collection failure') || name === className)
  const place = placeOf(open, root)
  const path = className === '' || name.startsWith(className) ? [name] : [className, name]
  const message = wholeFile ? telling(open.text) : (open.message ?? open.text)
  return testCase(
    path.map((part) => stripWorkspace(part, root)),
    {
      ...place,
      status: open.status,
      message: open.status === 'failed' ? cleanMessage(message, root) : null,
      ...(wholeFile ? { whole_file: true } : {}),
    },
  )
}

/** File and line: as attributes, or as the runner's text says them last (pytest) or first (vitest). */
function placeOf(open: OpenCase, root: string): { file: string | null; line: number | null } {
  const { attributes, text } = open
  const line = Number(attributes['line'])
  if (attributes['file'] !== undefined)
    return {
      file: stripWorkspace(attributes['file'], root),
      line: Number.isInteger(line) && line >= 0 ? line + 1 : null,
    }
  const said = [...stripWorkspace(text, root).matchAll(/^ ?(?:❯ )?([\w./-]{1,200}\.\w{1,5}):(\d{1,7})(?::\d{1,7}$|: \w)/gm)]
  const found = text.includes('❯') ? said[0] : said.at(-1)
  return { file: found?.[1] ?? null, line: found?.[2] === undefined ? null : Number(found[2]) }
}

function telling(text: string): string {
  return (
    text
      .split('\n')
      .find((line) => /Error\b/.test(line))
      ?.replace(/^E\s+/, '') ?? text
  )
}

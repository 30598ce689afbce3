/**
 * TAP 13/14 as node:test writes it: subtests by indentation, YAML blocks, SKIP and TODO. What tests print cannot
 * pass for results, because the runner writes it as comments. Source: testanything.org/tap-version-14-specification.html.
 */
import { cleanMessage, stripWorkspace, testCase, type TestCase, type TestReport } from './report.ts'

interface Point {
  readonly depth: number
  readonly ok: boolean
  readonly name: string
  readonly directive: string
  readonly path: readonly string[]
  readonly yaml: Readonly<Record<string, string>>
  readonly comment: string | null
  readonly parent: boolean
}

export function parseTap(text: string, root: string): TestReport {
  const start = text.search(/^TAP version 1[34]\s*$/m)
  if (start < 0) return { tests: [], crashed: 'the runner wrote no report' }
  const points = readPoints(text.slice(start).split('\n'))
  const tests = points.filter((point) => !isContainer(point)).map((point) => toCase(point, root))
  const ended = /^1\.\.\d+/m.test(text.slice(start))
  return { tests, crashed: ended ? null : 'the report stops before its end' }
}

function readPoints(lines: readonly string[]): Point[] {
  const names: string[] = []
  const points: Point[] = []
  let comments: string[] = []
  let deepest = 0
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? ''
    if (line.length > 20_000) continue
    const body = line.trimStart()
    const depth = Math.floor((line.length - body.length) / 4)
    if (body.startsWith('# Subtest: ')) {
      names.length = depth
      names[depth] = unescapeName(body.slice(11).trimEnd())
      if (depth > deepest) deepest = depth
      continue
    }
    if (body.startsWith('# ')) {
      if (comments.length < 200) comments.push(body.slice(2))
      continue
    }
    const point = /^(not )?ok\b(?: \d+)?(?: - )?(.*)$/.exec(body)
    if (!point) continue
    const [, failed, rest = ''] = point
    const { name, directive } = splitDirective(rest.trimEnd())
    const yaml = readYaml(lines, index + 1)
    points.push({
      depth,
      ok: failed === undefined,
      name,
      directive,
      path: [...names.slice(0, depth), name],
      yaml: yaml.fields,
      comment: comments.find((comment) => /Error\b/.test(comment)) ?? null,
      parent: deepest > depth,
    })
    comments = []
    if (deepest > depth) deepest = depth
    index = yaml.end - 1
  }
  return points
}

function splitDirective(text: string): { name: string; directive: string } {
  const at = /(?<!\\) # (SKIP|TODO)\b/i.exec(text)
  return { name: unescapeName(at ? text.slice(0, at.index) : text), directive: at?.[1]?.toUpperCase() ?? '' }
}

function unescapeName(name: string): string {
  return name.replace(/\\([#\\])/g, '$1').slice(0, 300)
}

/** Top-level scalars of the block; nested values and stacks are passed over. */
function readYaml(lines: readonly string[], from: number): { fields: Record<string, string>; end: number } {
  const fields: Record<string, string> = {}
  const open = lines[from] ?? ''
  const indent = open.length - open.trimStart().length
  if (open.trim() !== '---') return { fields, end: from }
  let at = from + 1
  let block: string | null = null
  for (; at < lines.length; at++) {
    const line = lines[at] ?? ''
    if (line.trim() === '...' && line.length - line.trimStart().length === indent) return { fields, end: at + 1 }
    const entry = /^(\s*)([A-Za-z_]\w*): ?(.*)$/.exec(line)
    if (entry && (entry[1] ?? '').length === indent) {
      const [, , key = '', value = ''] = entry
      block = /^[|>]-?$/.test(value) ? key : null
      fields[key] = block ? '' : value.replace(/^'(.*)'$/, '$1').replaceAll("''", "'")
    } else if (block !== null && (fields[block]?.length ?? 0) < 2000) fields[block] += `${line.slice(indent + 2)}\n`
  }
  return { fields, end: at }
}

function isContainer(point: Point): boolean {
  return point.yaml['type'] === 'suite' || (point.parent && (point.ok || point.yaml['failureType'] === 'subtestsFailed'))
}

function toCase(point: Point, root: string): TestCase {
  const location = /^(.*?):(\d+):\d+$/.exec(point.yaml['location'] ?? '')
  // A file that did not load, or one in which no test was declared before it ended: both are reported by the file's name.
  const isFileName = point.depth === 0 && /\.[cm]?[jt]sx?$/.test(point.name)
  const hasFailed = point.yaml['exitCode'] !== undefined || point.yaml['failureType'] !== undefined
  const wholeFile = isFileName && (point.ok || (/[/\\]/.test(point.name) && hasFailed))
  const status = point.directive !== '' ? 'skipped' : point.ok ? 'passed' : 'failed'
  const message = point.ok ? null : cleanMessage((wholeFile ? point.comment : null) ?? point.yaml['error'] ?? 'failed', root)
  const path = wholeFile ? [stripWorkspace(point.name, root)] : point.path
  return testCase(path, {
    file: location?.[1] ? stripWorkspace(location[1], root) : wholeFile ? stripWorkspace(point.name, root) : null,
    line: location?.[2] ? Number(location[2]) : null,
    status,
    message,
    ...(wholeFile ? { whole_file: true } : {}),
  })
}

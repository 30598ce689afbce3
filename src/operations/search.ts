/** search.code: the bundled ripgrep inside the sandbox, ignore rules respected, protected names left out. */
import { existsSync } from 'node:fs'
import * as z from 'zod/mini'
import { VpError } from '../core/errors.ts'
import { decode, isBinary } from '../patch/text-file.ts'
import { denyPath } from '../policy/paths.ts'
import { execute } from './execution.ts'
import { readOrNull } from './fs.ts'
import { showing, type Scene } from './operation.ts'
import { ripgrepPath } from './ripgrep.ts'

const MAX_SNIPPET = 300
/** Of all files with matches: beyond it a line is masked by what it says alone. */
const MAX_CONTEXT = 8 * 1024 * 1024

interface RgEvent {
  readonly type: string
  readonly data: {
    readonly path?: { readonly text?: string }
    readonly line_number?: number
    readonly lines?: { readonly text?: string }
    /** Offsets in the line, in bytes. */
    readonly submatches?: readonly { readonly start: number; readonly end: number }[]
  }
}

export const searchCode = showing({
  name: 'search.code',
  summary: 'find text in the workspace',
  params: () =>
    z.strictObject({
      query: z.string().check(z.minLength(1), z.maxLength(1000)),
      regex: z.optional(z.boolean()),
      glob: z.optional(z.string()),
      case: z.optional(z.boolean()),
      max: z.optional(z.int().check(z.gte(1), z.lte(2000))),
    }),
  result: () =>
    z.object({
      matches: z.array(z.object({ file: z.string(), line: z.int(), snippet: z.string() })),
      truncated: z.boolean(),
    }),
  effect: 'read',
  scope: 'search',
  async handler(params, scene) {
    const { kit, tree, signal } = scene
    const max = params.max ?? 100
    const rg = ripgrepPath()
    if (!existsSync(rg)) throw new VpError('install.damaged', 'the bundled ripgrep is missing', { next: ['npm ci'] })
    const argv = [
      'rg',
      '--no-config',
      '--json',
      '--hidden',
      '--no-require-git',
      '--sort',
      'path',
      '--max-filesize',
      '4M',
      '--glob',
      '!.git',
      '--max-count',
      String(max),
      ...(params.regex ? [] : ['--fixed-strings']),
      ...(params.case === false ? ['--ignore-case'] : []),
      ...(params.glob ? ['--glob', params.glob] : []),
      // What vp wrote about its runs is no source; after the caller's, so that it stands.
      '--glob',
      '!/.vp/runs',
      '--regexp',
      params.query,
      '--',
      '.',
    ]
    const run = await execute(
      kit,
      tree,
      {
        argv,
        lane: tree.lane,
        writable: false,
        timeoutMs: 30_000,
        program: { hostPath: rg, sandboxPath: '/opt/vp/rg' },
        withoutEnvironment: true,
      },
      signal,
    )
    scene.notes['sandbox'] = run.backend
    if (run.exit_code === 2) throw refusedBy(run.stderr)
    const lane = kit.lane(tree.lane, tree.home)
    const all = run.stdout
      .split('\n')
      .flatMap(matchOf)
      .filter((match) => denyPath(match.file, 'read', lane) === null)
    await scene.inTurn
    const shown = maskMatches(scene, all.slice(0, max))
    return { matches: shown, truncated: all.length > max || run.ended_by === 'output' }
  },
  say: (params, result) => `“${params.query.slice(0, 60)}” · ${result.matches.length} matches`,
})

interface Match {
  readonly file: string
  readonly line: number
  readonly text: string
  readonly parts: readonly { readonly start: number; readonly end: number }[]
}

/**
 * Each line as its whole file is masked, since the middle of a key does not tell itself. A match that takes in a part of a
 * secret is left out: whoever may ask anything would else spell a value out by asking for its letters.
 */
function maskMatches({ tree, kit }: Scene, matches: readonly Match[]): { file: string; line: number; snippet: string }[] {
  let left = MAX_CONTEXT
  const files = new Map<string, { starts: number[]; spans: readonly { from: number; to: number }[]; lines: readonly string[] } | null>()
  const contextOf = (file: string) => {
    const bytes = left > 0 ? readOrNull(tree.files(), file) : null
    if (bytes === null || isBinary(bytes)) return null
    left -= bytes.length
    const { lines } = decode(bytes)
    const text = lines.join('\n')
    let at = 0
    const starts = lines.map((line) => (at += line.length + 1) - line.length - 1)
    return { starts, spans: tree.masking().spans(text), lines: kit.redactText(text).split('\n') }
  }
  return matches.flatMap(({ file, line, text, parts }) => {
    if (!files.has(file)) files.set(file, contextOf(file))
    const context = files.get(file)
    const start = context?.starts[line - 1]
    const spans = context && start !== undefined ? context.spans.map(({ from, to }) => ({ from: from - start, to: to - start })) : tree.masking().spans(text)
    const inLine = spans.filter(({ from, to }) => to > 0 && from < text.length)
    const chars = (bytes: number) => (inLine.length === 0 ? bytes : Buffer.from(text).subarray(0, bytes).toString('utf8').length)
    if (inLine.length > 0 && parts.some((part) => inLine.some(({ from, to }) => chars(part.start) < to && chars(part.end) > from))) return []
    const snippet = (context?.lines[line - 1] ?? kit.redactText(text)).trimEnd().slice(0, MAX_SNIPPET)
    return [{ file, line, snippet }]
  })
}

function matchOf(line: string): Match[] {
  if (!line.startsWith('{"type":"match"')) return []
  try {
    const { data } = JSON.parse(line) as RgEvent
    const file = data.path?.text?.replace(/^\.\//, '')
    return file === undefined ? [] : [{ file, line: data.line_number ?? 0, text: data.lines?.text ?? '', parts: data.submatches ?? [] }]
  } catch {
    return [] // the last line, cut by the output limit
  }
}

/** ripgrep's own words: what is wrong stands in its last line, where in those between. */
function refusedBy(stderr: string): VpError {
  const lines = stderr.trimEnd().split('\n')
  const first = (lines[0] ?? 'failed').replace(/^rg: /, '').replace(/:$/, '')
  const last = lines.length > 1 ? (lines.at(-1) ?? '').replace(/^error: /, '') : ''
  return new VpError('usage.params', `search: ${[first, last].filter(Boolean).join(': ').slice(0, 200)}`, {
    ...(lines.length > 2 ? { why: (lines[1] ?? '').trim().slice(0, 200) } : {}),
    next: ['vp search QUERY   without --regex the query is text'],
  })
}

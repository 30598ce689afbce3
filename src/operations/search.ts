/** search.code: the bundled ripgrep inside the sandbox, ignore rules respected, protected names left out. */
import { existsSync } from 'node:fs'
import * as z from 'zod/mini'
import { VpError } from '../core/errors.ts'
import { denyPath } from '../policy/paths.ts'
import { execute } from './execution.ts'
import { operation } from './operation.ts'
import { ripgrepPath } from './ripgrep.ts'

const MAX_SNIPPET = 300

interface RgEvent {
  readonly type: string
  readonly data: {
    readonly path?: { readonly text?: string }
    readonly line_number?: number
    readonly lines?: { readonly text?: string }
  }
}

export const searchCode = operation({
  name: 'search.code',
  summary: 'find text in the workspace',
  params: z.strictObject({
    query: z.string().check(z.minLength(1), z.maxLength(1000)),
    regex: z.optional(z.boolean()),
    glob: z.optional(z.string()),
    case: z.optional(z.boolean()),
    max: z.optional(z.int().check(z.gte(1), z.lte(2000))),
  }),
  result: z.object({
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
    if (run.exit_code === 2) throw new VpError('usage.params', `search: ${run.stderr.split('\n')[0]?.replace(/^rg: /, '').slice(0, 200) ?? 'failed'}`)
    const all = run.stdout
      .split('\n')
      .flatMap(matchOf)
      .filter((match) => denyPath(match.file, 'read') === null)
    return { matches: all.slice(0, max), truncated: all.length > max || run.ended_by === 'output' }
  },
  say: (params, result) => `“${params.query.slice(0, 60)}” · ${result.matches.length} matches`,
})

function matchOf(line: string): { file: string; line: number; snippet: string }[] {
  if (!line.startsWith('{"type":"match"')) return []
  try {
    const { data } = JSON.parse(line) as RgEvent
    const file = data.path?.text?.replace(/^\.\//, '')
    return file === undefined ? [] : [{ file, line: data.line_number ?? 0, snippet: (data.lines?.text ?? '').trimEnd().slice(0, MAX_SNIPPET) }]
  } catch {
    return [] // the last line, cut by the output limit
  }
}

/**
 * Lane files: YAML (core schema, no anchors, aliases or tags, 64 KiB) to a Lane and back. Every refusal names the line.
 * A rule may be a bare list of tokens, or `{id, argv, effect, match, not_match}`; its examples are run at load.
 */
import { isAlias, LineCounter, parseDocument, stringify, visit, type Document } from 'yaml'
import * as z from 'zod/mini'
import { VpError } from '../core/errors.ts'
import { once } from '../core/once.ts'
import { wordsOfIssue } from '../core/schema-issue.ts'
import { matchesArgv } from './argv.ts'
import { slugOf, type CommandRule, type Lane, type LaneLimits } from './lane.ts'

const MAX_BYTES = 64 * 1024
const MAX_RULES = 1000

/** Made where there is a file to read. */
const schema = once(() => {
  const text = z.string().check(z.maxLength(1000))
  const tokens = z.array(text.check(z.minLength(1))).check(z.minLength(1), z.maxLength(64))
  /** A rule that allows says which program it is about; else it would be about all of them. */
  const command = tokens.check(
    z.refine(([program]) => /^[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}$/.test(program ?? ''), 'a rule begins with the bare name of a program'),
  )
  const ruleOver = (pattern: typeof tokens) =>
    z.union([
      pattern,
      z.strictObject({
        id: z.optional(z.string().check(z.regex(/^[a-z0-9][a-z0-9-]{0,63}$/))),
        argv: pattern,
        effect: z.optional(z.enum(['allow', 'ask'])),
        match: z.optional(z.array(z.array(text))),
        not_match: z.optional(z.array(z.array(text))),
      }),
    ])
  const relative = text.check(z.refine((path) => !path.startsWith('/') && !path.split('/').includes('..'), 'a path below the workspace, without ..'))
  const rules = (pattern: typeof tokens) => z.array(ruleOver(pattern)).check(z.maxLength(MAX_RULES))
  const positive = z.number().check(z.positive())
  return z.strictObject({
    lane: z.string().check(z.regex(/^[A-Za-z][A-Za-z-]{0,63}$/)),
    description: z.optional(text),
    workspace_roots: z.optional(z.array(relative)),
    file_globs: z.optional(z.strictObject({ allow: z.optional(z.array(relative)), deny: z.optional(z.array(relative)) })),
    commands: z.strictObject({ allow: z.optional(rules(command)), deny: z.optional(rules(tokens)) }),
    network: z.optional(z.strictObject({ outbound: z.boolean() })),
    limits: z.optional(
      z.strictObject({
        max_cpu_pct: z.optional(positive),
        max_mem_mb: z.optional(positive),
        max_exec_seconds: z.optional(positive),
        max_parallel: z.optional(positive),
      }),
    ),
    secrets: z.optional(z.strictObject({ restore: z.boolean() })),
    fs_ops: z.optional(z.strictObject({ patch_only: z.boolean(), require_unified_diff: z.optional(z.boolean()), backups: z.boolean() })),
  })
})
type LaneFile = z.infer<ReturnType<typeof schema>>
type RuleItem = NonNullable<LaneFile['commands']['allow']>[number]

const DEFAULT_SECONDS = 300

/** Throws `policy.invalid` with file and line. */
export function parseLaneYaml(source: string, file = 'lane.yaml'): Lane {
  if (Buffer.byteLength(source) > MAX_BYTES) throw invalid('a lane file is at most 64 KiB', file, 1)
  const lineCounter = new LineCounter()
  const document = parseDocument(source, { schema: 'core', uniqueKeys: true, strict: true, lineCounter, merge: false })
  const lineAt = (offset: number): number => Math.max(lineCounter.linePos(offset).line, 1)
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) throw invalid(problem.message.split('\n')[0] ?? 'not YAML', file, lineAt(problem.pos[0]))
  refuseAnchors(document, file, lineAt)
  const value: unknown = document.toJS({ maxAliasCount: 0 })
  const parsed = schema().safeParse(value)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const where = issue?.path.filter((part) => typeof part !== 'symbol') ?? []
    const unknown = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : []
    throw invalid(wordsOfIssue(issue, value), file, lineOf(document, [...where, ...unknown], lineAt))
  }
  return laneOf(parsed.data, file, (path) => lineOf(document, path, lineAt))
}

/** The lane as a file in the contract's form. Rules that ask keep their mark. */
export function laneToYaml(lane: Lane): string {
  const list = (of: readonly CommandRule[]): unknown[] =>
    of.map((item) => (item.effect === 'ask' ? { id: shortId(item.id), argv: item.argv, effect: 'ask' } : { id: shortId(item.id), argv: item.argv }))
  const { limits, fsOps } = lane
  return stringify(
    {
      lane: lane.name,
      description: lane.description,
      workspace_roots: lane.workspaceRoots,
      file_globs: lane.fileGlobs,
      commands: { allow: list(lane.commands.allow), deny: list(lane.commands.deny) },
      network: lane.network,
      limits: {
        ...(limits.maxCpuPct === undefined ? {} : { max_cpu_pct: limits.maxCpuPct }),
        ...(limits.maxMemMb === undefined ? {} : { max_mem_mb: limits.maxMemMb }),
        max_exec_seconds: limits.maxExecSeconds,
        ...(limits.maxParallel === undefined ? {} : { max_parallel: limits.maxParallel }),
      },
      ...(lane.restoreSecrets === undefined ? {} : { secrets: { restore: lane.restoreSecrets } }),
      fs_ops: { patch_only: fsOps.patchOnly, require_unified_diff: fsOps.requireUnifiedDiff, backups: fsOps.backups },
    },
    { aliasDuplicateObjects: false },
  )
}

/** The first rule whose own examples disagree with it, in words; null when all hold. */
export function checkExamples(candidate: CommandRule): string | null {
  const missed = candidate.match?.find((argv) => !matchesArgv(candidate.argv, argv))
  if (missed !== undefined) return `${candidate.id} does not match its example ${missed.join(' ')}`
  const caught = candidate.notMatch?.find((argv) => matchesArgv(candidate.argv, argv))
  return caught === undefined ? null : `${candidate.id} matches ${caught.join(' ')}, which it must not`
}

type LineOf = (path: readonly (string | number)[]) => number

function laneOf(data: LaneFile, file: string, line: LineOf): Lane {
  const slug = slugOf(data.lane)
  const read = (list: 'allow' | 'deny'): CommandRule[] =>
    (data.commands[list] ?? []).map((item, at) => {
      const made = ruleOf(item, `${slug}/${list === 'deny' ? 'deny-' : ''}`, at, {
        file,
        line: line(['commands', list, at]),
      })
      const problem = checkExamples(made)
      if (problem !== null) throw invalid(problem, file, line(['commands', list, at]))
      return made
    })
  return {
    name: data.lane,
    slug,
    description: data.description ?? '',
    workspaceRoots: data.workspace_roots ?? ['.'],
    fileGlobs: { allow: data.file_globs?.allow ?? [], deny: data.file_globs?.deny ?? [] },
    commands: { allow: read('allow'), deny: read('deny') },
    network: data.network ?? { outbound: false },
    limits: limitsOf(data),
    ...(data.secrets === undefined ? {} : { restoreSecrets: data.secrets.restore }),
    fsOps: {
      patchOnly: data.fs_ops?.patch_only ?? true,
      requireUnifiedDiff: data.fs_ops?.require_unified_diff ?? true,
      backups: data.fs_ops?.backups ?? true,
    },
    where: { file, line: line(['commands', 'allow']) },
  }
}

function limitsOf(data: LaneFile): LaneLimits {
  const { max_cpu_pct: cpu, max_mem_mb: mem, max_exec_seconds: seconds, max_parallel: parallel } = data.limits ?? {}
  return {
    maxExecSeconds: seconds ?? DEFAULT_SECONDS,
    ...(cpu === undefined ? {} : { maxCpuPct: cpu }),
    ...(mem === undefined ? {} : { maxMemMb: mem }),
    ...(parallel === undefined ? {} : { maxParallel: parallel }),
  }
}

function ruleOf(item: RuleItem, prefix: string, at: number, where: { file: string; line: number }): CommandRule {
  const whole = Array.isArray(item) ? { argv: item } : item
  const words = whole.argv.filter((token) => /^[a-z][a-z0-9-]*$/.test(token)).slice(0, 2)
  const named = 'id' in whole ? whole.id : undefined
  return {
    id: prefix + (named ?? (words.join('-') || `rule-${at + 1}`)),
    argv: whole.argv,
    ...('effect' in whole && whole.effect !== undefined ? { effect: whole.effect } : {}),
    ...('match' in whole && whole.match !== undefined ? { match: whole.match } : {}),
    ...('not_match' in whole && whole.not_match !== undefined ? { notMatch: whole.not_match } : {}),
    where,
  }
}

function refuseAnchors(document: Document, file: string, lineAt: (offset: number) => number): void {
  visit(document, {
    Node: (_key, node) => {
      const offset = node.range?.[0] ?? 0
      if (isAlias(node)) throw invalid('aliases are not allowed in a lane file', file, lineAt(offset))
      if ('anchor' in node && node.anchor !== undefined) throw invalid('anchors are not allowed in a lane file', file, lineAt(offset))
      if (node.tag !== undefined && !node.tag.startsWith('tag:yaml.org,2002:')) throw invalid('tags are not allowed in a lane file', file, lineAt(offset))
    },
  })
}

/** The line of the deepest node on the way to `path`. */
function lineOf(document: Document, path: readonly (string | number)[], lineAt: (offset: number) => number): number {
  for (let length = path.length; length >= 0; length--) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
    const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined
    if (Array.isArray(range) && typeof range[0] === 'number') return lineAt(range[0])
  }
  return 1
}

function shortId(id: string): string {
  return id.split('/').at(-1) ?? id
}

function invalid(message: string, file: string, line: number): VpError {
  return new VpError('policy.invalid', `${file}:${line}: ${message}`, { where: { file, line } })
}

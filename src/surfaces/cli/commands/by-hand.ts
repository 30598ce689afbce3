/** `vp fs read|patch`, `search`, `run test|exec`, `policy explain`: single operations by hand. */
import { existsSync, lstatSync, readFileSync, realpathSync } from 'node:fs'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { isVpError, VpError } from '../../../core/errors.ts'
import { shortReceipt } from '../../../core/ids.ts'
import { fsPatch, fsRead, type PatchAnswer } from '../../../operations/fs.ts'
import { breachWords, type Breach } from '../../../operations/guarded.ts'
import { runExec, runTest } from '../../../operations/run.ts'
import { searchCode } from '../../../operations/search.ts'
import { decodePatch } from '../../../patch/text-file.ts'
import { explainCommand, type Explanation } from '../../../policy/explain.ts'
import { redactTexts } from '../../../policy/redact.ts'
import type { Command, CommandContext } from '../command.ts'
import { steerless } from '../finish.ts'
import { COUNT, numberFlag, textFlag } from '../parse.ts'
import { execScreen, searchScreen, testScreen } from '../screens/by-hand.ts'
import { patchScreen } from '../screens/repair.ts'
import { policyExplainScreen } from '../screens/rights.ts'

export const fsReadCommand: Command = {
  name: 'fs read',
  group: 'by hand',
  summary: 'show a file, secrets masked',
  usage: 'vp fs read PATH',
  takes: 1,
  examples: ['vp fs read src/a.ts', 'vp fs read package.json --json | jq -r .result.sha', 'vp fs read README.md > /dev/null'],
  flags: {},
  needsKit: true,
  exits: [0, 2, 4],
  json: 'content, sha, encoding, line_ends, truncated',
  async run(context) {
    const path = context.positionals[0]
    if (path === undefined || path === '') throw new VpError('usage.flag', 'vp fs read takes a path', { next: ['vp fs read README.md'] })
    const named = fromRoot(context, path)
    if (lstatSync(join(context.checkout().root, named), { throwIfNoEntry: false })?.isDirectory())
      throw new VpError('usage.params', `${path} is a directory`, { next: [`git ls-files ${shellWord(path)}`] })
    const answer = await context.call(fsRead, { path: named }).catch((error: unknown) => {
      throw misplaced(context, path, error)
    })
    const result = answer.result as { content: string; encoding: string; truncated: boolean }
    if (!context.json && result.encoding === 'binary')
      throw new VpError('usage.params', `${path} is no text, so nothing of it can be shown`, { next: [`vp fs read --json ${shellWord(path)}`] })
    if (result.truncated) context.talk(`note  ${path} is longer than what is shown`)
    if (context.json) return { result, receipt: answer.receipt, screen: () => ({ stdout: [], stderr: [] }) }
    // A file goes to a program as it is, and to a terminal as what can be read.
    context.print(context.streams.stdout.isTTY ? steerless(result.content) : result.content)
    return null
  },
}

/** A path as typed, from where the person stands, as the checkout names it. */
function fromRoot({ cwd, checkout }: CommandContext, path: string): string {
  return relative(checkout().root, resolve(realpathSync(cwd), path)) || '.'
}

/** Not there, but named from the root of the checkout: says how it is named from here. */
function misplaced(context: CommandContext, path: string, error: unknown): unknown {
  const { root } = context.checkout()
  if (!isVpError(error) || error.code !== 'path.not_found' || isAbsolute(path) || !existsSync(join(root, path))) return error
  const here = relative(realpathSync(context.cwd), join(root, path))
  return new VpError('path.not_found', `${path} is not in this folder; from the checkout’s root it is`, { next: [`vp fs read ${shellWord(here)}`] })
}

const shellWord = (word: string) => (/^[\w./-]+$/.test(word) ? word : `"${word.replace(/["\\$`]/g, '\\$&')}"`)

export const fsPatchCommand: Command = {
  name: 'fs patch',
  group: 'repair',
  summary: 'apply a diff; without --apply say what it would do',
  usage: 'vp fs patch DIFF [--apply]',
  takes: 1,
  examples: ['vp fs patch fix.diff', 'vp fs patch fix.diff --apply', 'git diff | vp fs patch -'],
  flags: { apply: { type: 'boolean', help: 'write it' } },
  needsKit: true,
  exits: [0, 2, 4, 7],
  json: 'applied, hunks[]{file,line,outcome,drift?,aside?,reason?}, diff, before_images, broken[]{path,line,message}',
  async run(context) {
    const file = context.positionals[0]
    if (file === undefined) throw new VpError('usage.flag', 'vp fs patch takes a file with a diff, or -', { next: ['vp fs patch fix.diff'] })
    const { text, encoding } = decodePatch(file === '-' ? await context.readStdin() : readDiff(file))
    const apply = context.flags['apply'] === true
    const answer = await context.call(fsPatch, { unified_diff: text, apply, ...(encoding === undefined ? {} : { encoding }) })
    const result = answer.result as PatchAnswer
    const rejected = result.hunks.some((hunk) => hunk.outcome === 'rejected')
    const view = {
      applied: result.applied,
      dry_run: !apply,
      diff_path: file,
      hunks: result.hunks.map(({ file: path, line, outcome, drift, aside, reason, nearest }) => ({
        file: path,
        line,
        outcome,
        ...(drift === undefined ? {} : { drift }),
        ...(aside === undefined ? {} : { aside }),
        ...(reason === undefined ? {} : { reason }),
        nearest: nearest?.[0]?.line ?? null,
      })),
      ...(result.broken ? { broken: result.broken } : {}),
      receipt: shortReceipt(answer.receipt),
      next: apply ? [`vp undo ${shortReceipt(answer.receipt)}`] : [`vp fs patch ${file} --apply`],
    }
    return {
      result,
      receipt: answer.receipt,
      ...(rejected
        ? {
            exit: 7,
            error: new VpError('patch.rejected', result.hunks.find((hunk) => hunk.outcome === 'rejected')?.explain ?? 'not all hunks fit'),
          }
        : {}),
      screen: (look) => patchScreen(view, look),
    }
  },
}

function readDiff(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new VpError('usage.flag', `${file} cannot be read`, { cause, next: ['vp fs patch fix.diff'] })
  }
}

export const searchCommand: Command = {
  name: 'search',
  group: 'by hand',
  summary: 'find text, in the sandbox',
  usage: 'vp search QUERY [--regex] [--glob G] [--max N]',
  takes: 'words',
  examples: ['vp search "cart_id"', "vp search 'TODO|FIXME' --regex", 'vp search price --glob "*.ts" --max 20'],
  flags: {
    regex: { type: 'boolean', help: 'the query is a regular expression' },
    glob: { type: 'string', help: 'only files like this' },
    'ignore-case': { type: 'boolean', help: 'case does not matter' },
    max: { type: 'string', help: 'at most so many, 1 to 2000 (100)' },
  },
  needsKit: true,
  exits: [0, 2, 4],
  json: 'matches[]{file,line,snippet}, truncated',
  async run(context) {
    const query = context.positionals.join(' ')
    if (query === '') throw new VpError('usage.flag', 'vp search takes a query', { next: ['vp search "cart_id"'] })
    const glob = textFlag(context.flags, 'glob')
    const max = numberFlag(context.flags, 'max', { ...COUNT, to: 2000 })
    const answer = await context.call(searchCode, {
      query,
      ...(context.flags['regex'] === true ? { regex: true } : {}),
      ...(context.flags['ignore-case'] === true ? { case: false } : {}),
      ...(glob ? { glob } : {}),
      ...(max !== undefined ? { max } : {}),
    })
    const result = answer.result as { matches: { file: string; line: number; snippet: string }[]; truncated: boolean }
    return { result, receipt: answer.receipt, screen: (look) => searchScreen(result, look) }
  },
}

export const runTestCommand: Command = {
  name: 'run test',
  group: 'by hand',
  summary: 'the project’s tests, in the sandbox',
  usage: 'vp run test [ARGS…]',
  takes: 'argv',
  examples: ['vp run test', 'vp run test -- test/cart.test.ts', 'vp run test --json | jq .result.pass_rate'],
  flags: {},
  needsKit: true,
  exits: [0, 2, 3, 4],
  json: 'pass_rate, report_path, passed, failed, skipped, exit_code, output, breaches[]{path,kind,outcome}',
  async run(context) {
    const args = [...context.positionals, ...context.rest]
    const answer = await context.call(runTest, args.length > 0 ? { args } : {})
    const result = answer.result as {
      pass_rate: number | null
      report_path: string
      passed: number
      failed: number
      skipped: number
      exit_code: number | null
      output: string
      breaches: readonly Breach[]
    }
    const red = result.pass_rate === null || result.failed > 0
    return {
      result,
      receipt: answer.receipt,
      ...(result.breaches.length > 0 ? breachEnd(result.breaches) : {}),
      ...(red && result.breaches.length === 0
        ? {
            exit: 3,
            error:
              result.pass_rate === null
                ? new VpError('gate.unmeasured', result.output.split('\n')[0] ?? 'no result', { next: ['correct "test" in .vp/project.json'] })
                : new VpError('gate.failed', result.output.split('\n')[0] ?? 'tests failed', { next: ['vp do "fix the failing test"'] }),
          }
        : {}),
      screen: (look) => testScreen({ ...result, receipt: shortReceipt(answer.receipt) }, look),
    }
  },
}

export const runExecCommand: Command = {
  name: 'run exec',
  group: 'by hand',
  summary: 'one allowed program, in the sandbox',
  usage: 'vp run exec -- ARGV',
  takes: 'argv',
  examples: ['vp run exec -- node tools/check.js', 'vp run exec -- make docs', 'vp run exec --lane Narrative -- make docs'],
  flags: { lane: { type: 'string', help: 'whose rules hold (Code-Impl)' } },
  needsKit: true,
  exits: [0, 1, 2, 4, 5],
  json: 'exit_code, signal, ended_by, output, writes[], breaches[]{path,kind,outcome}',
  async run(context) {
    const argv = [...context.positionals, ...context.rest]
    if (argv.length === 0)
      throw new VpError('usage.flag', 'vp run exec takes a program and its arguments behind --', {
        next: ['vp run exec -- node tools/check.js'],
      })
    const lane = textFlag(context.flags, 'lane')
    const answer = await context.call(runExec, { argv, ...(lane ? { lane } : {}) })
    const result = answer.result as {
      exit_code: number | null
      signal: string | null
      ended_by: string
      output: string
      writes: string[]
      breaches: readonly Breach[]
    }
    return {
      result,
      ...execEnd(argv[0] ?? '', result),
      receipt: answer.receipt,
      screen: (look) => execScreen({ ...result, receipt: shortReceipt(answer.receipt) }, look),
    }
  },
}

/** From what a lane leaves out a lane file leads; from what no lane may allow nothing of vp does. */
function wayOut({ nearest, rule, lane }: Explanation): string[] {
  if (nearest !== undefined) return [nearest]
  if (rule.startsWith('global/')) return ['do it yourself, outside of vp: no lane and no flag allows it']
  return [`allow it in .vp/lanes/${lane.toLowerCase()}.yaml`, 'vp policy check']
}

function breachEnd(breaches: readonly Breach[]) {
  const data = { breaches: breaches.map(({ path, kind, outcome }) => ({ path, kind, outcome })) }
  const changed = breaches.some(({ outcome }) => outcome === 'left') ? 'what is named as still there is changed' : 'what it wrote elsewhere stays'
  return { exit: 4, error: new VpError('sandbox.breach', breachWords(breaches), { changed, data }) }
}

function execEnd(program: string, { exit_code, ended_by, breaches }: { exit_code: number | null; ended_by: string; breaches: readonly Breach[] }) {
  if (breaches.length > 0) return breachEnd(breaches)
  if (exit_code === 0) return { exit: 0 }
  return { exit: 3, error: new VpError('gate.failed', `${program} ended with exit ${exit_code ?? ended_by}`, { next: ['git status'] }) }
}

export const policyExplainCommand: Command = {
  name: 'policy explain',
  group: 'rights',
  summary: 'what the policy says of a command',
  usage: 'vp policy explain [--lane L] -- ARGV',
  takes: 'argv',
  examples: ['vp policy explain -- npm run build', 'vp policy explain -- git push --force', "vp policy explain -- node -e '1'"],
  flags: { lane: { type: 'string', help: 'whose rules hold (Code-Impl)' } },
  needsKit: true,
  exits: [0, 2, 4, 5],
  json: 'effect, rule, reason, file, line, shipped, nearest, terms[]',
  async run(context) {
    const argv = [...context.positionals, ...context.rest]
    if (argv.length === 0)
      throw new VpError('usage.flag', 'vp policy explain takes a command behind --', {
        next: ['vp policy explain -- npm run build'],
      })
    const lane = context.kit().lane(textFlag(context.flags, 'lane') ?? 'Code-Impl', context.checkout().root)
    // What cannot be run can be explained all the same.
    const box = await context
      .kit()
      .sandbox()
      .then(
        ({ backend }) => backend.name,
        () => undefined,
      )
    const result = redactTexts(explainCommand(argv, lane, { actor: 'human', box }), context.kit().redactText)
    const exit = result.effect === 'allow' ? 0 : result.effect === 'ask' ? 5 : 4
    return {
      result,
      exit,
      ...(exit === 0
        ? {}
        : {
            error: new VpError(exit === 4 ? 'policy.denied' : 'approval.needed', result.reason, {
              rule: result.rule,
              next: exit === 5 ? [`vp run exec -- ${result.argv.map(shellWord).join(' ')}`] : wayOut(result),
            }),
          }),
      screen: (look) => policyExplainScreen(result, look),
    }
  },
}

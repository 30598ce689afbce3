/** `vp validate`, `complete`, `verify`, `replay`, `export`, `undo`: proof and repair. */
import { VpError } from '../../../core/errors.ts'
import { shortReceipt } from '../../../core/ids.ts'
import { ledgerAccept, runComplete, runExport, runReplay, runUndo, runValidate, runVerify, type ValidateResult } from '../../../operations/runs.ts'
import type { Completed } from '../../../operations/runs/complete.ts'
import type { ReplayedNow } from '../../../operations/runs.ts'
import type { Undone } from '../../../operations/runs/undo.ts'
import { verifyError, type VerifyResult } from '../../../operations/runs/verify.ts'
import { breachError } from '../../../pas/embedded/reducer/gates.ts'
import { findRepositoryRoot } from '../../../workspace/human-repository.ts'
import type { Command, CommandContext, Outcome } from '../command.ts'
import { foreignNote, noted, projectHere } from './ledger-reader.ts'
import { COUNT, numberFlag, textFlag } from '../parse.ts'
import { runFork } from '../../../operations/fork.ts'
import type { Started } from '../../../operations/projects/start.ts'
import { budgetFlags, reportOutcome } from './outcomes.ts'
import { watchRun } from '../watch.ts'
import { paint } from '../finish.ts'
import { doneScreen, linesScreen } from '../screens/by-hand.ts'
import { changedTestsLines, completeScreen, validateScreen } from '../screens/prove.ts'
import { undoneScreen, undoPreviewScreen, undoQuestion } from '../screens/repair.ts'
import { replayScreen, verifyScreen } from '../screens/verify.ts'

const one = (context: CommandContext) => (context.positionals[0] === undefined ? {} : { run: context.positionals[0] })
/** Says of a named run of another checkout whose it is. */
const whose = async (context: CommandContext) =>
  noted(context, await context.kit().store.read((tx) => foreignNote(tx, projectHere(context.cwd)?.root ?? null, context.positionals[0])))
const taskNumber = (task: string | null): number | null => (task === null ? null : Number(task.replace(/^T/, '')))

export const validateCommand: Command = {
  name: 'validate',
  group: 'prove',
  summary: 'every gate, measured on the commit',
  usage: 'vp validate [RUN]',
  takes: 1,
  examples: ['vp validate', 'vp validate 9c1f', 'vp validate --json | jq .result.violations'],
  flags: {},
  needsKit: true,
  exits: [0, 2, 3, 4],
  json: 'commit, gates[]{task_id,kpi_name,actual,expected,pass,measured}, violations[]{kind,name,file,line,was_in,gone_in}, tests_changed[]',
  async run(context) {
    const answer = await context.call(runValidate, one(context))
    const result = answer.result as ValidateResult
    const first = result.violations[0]
    const view = {
      commit: result.commit,
      held: result.held,
      of: result.of,
      tests_changed: result.tests_changed,
      gates: [
        ...result.gates.map(({ why, ...gate }) => ({ ...gate, n: taskNumber(gate.task_id), ...(why === null ? {} : { why }) })),
        {
          task_id: null,
          n: null,
          kpi_name: 'echo',
          actual: null,
          expected: null,
          pass: null,
          measured: false,
          why: 'no embedding model is set',
        },
      ],
      violations: result.violations.map((violation) => ({ ...violation, n: taskNumber(violation.task) })),
      next: first ? [`vp logs --task ${first.task ?? 'T1'}`, ...(result.undoable ? [`vp undo ${result.run_id}`] : [])] : ['vp complete'],
    }
    const failed = first ? { exit: 3, error: breachError(first.words, { next: view.next }) } : {}
    return { result, receipt: answer.receipt, ...(await whose(context)), ...failed, screen: (look) => validateScreen(view, look) }
  },
}

export const completeCommand: Command = {
  name: 'complete',
  group: 'prove',
  summary: 'bring the run to your branch',
  usage: 'vp complete [RUN] [--merge]',
  takes: 1,
  examples: ['vp complete', 'vp complete 9c1f', 'vp complete --merge'],
  flags: { merge: { type: 'boolean', help: 'merge, when your branch has moved' } },
  needsKit: true,
  exits: [0, 2, 3, 7],
  json: 'from, to, branch, how, commits, signed, not_signed, ledger_head, hunks{applied,changed}, already',
  async run(context) {
    const answer = await context.call(runComplete, {
      ...one(context),
      ...(context.flags['merge'] === true ? { merge: true } : {}),
    })
    const result = answer.result as Completed
    if (result.already) {
      const done = `${result.branch} holds run ${result.run_id.split('-').at(-1)} already, at ${result.to.slice(0, 7)} · nothing was moved`
      const more = changedTestsLines(result.tests.changed)
      return { result, receipt: answer.receipt, screen: (look) => doneScreen({ done, more, next: ['git log --stat', 'vp verify'] }, look) }
    }
    const view = {
      branch: result.branch,
      from: result.from,
      to: result.to,
      how: result.how,
      commits: Array.from({ length: result.commits }, () => ''),
      signed: result.signed,
      not_signed: result.not_signed,
      gates: { hold: result.gates.held, of: result.gates.of },
      tests: result.tests,
      passport_path: `.vp/runs/${result.run_id}`,
      next: ['git log --stat', 'vp verify'],
    }
    return { result, receipt: answer.receipt, screen: (look) => completeScreen(view, look) }
  },
}

export const verifyCommand: Command = {
  name: 'verify',
  group: 'prove',
  summary: 'unaltered and complete?',
  usage: 'vp verify [RUN|BUNDLE] [--accept]',
  takes: 1,
  examples: ['vp verify', 'vp verify 9c1f', 'vp verify run.vpb --json'],
  flags: { accept: { type: 'boolean', help: 'what is missing is known: recorded, and no alarm any more' } },
  needsKit: true,
  exits: [0, 2, 3],
  json: 'unaltered, complete, receipts, head, known{n,id}, first_altered, missing{from,to,since}, problems[]{kind,detail,since}, signed{key_id,known_as}',
  async run(context) {
    if (context.flags['accept'] === true) await context.call(ledgerAccept, {})
    const answer = await context.call(runVerify, one(context))
    const result = answer.result as VerifyResult
    const view = { ...result, first_altered: result.first_altered ? { ...result.first_altered, task: null } : null, next: [] }
    const count = result.all.length
    if (result.source === 'ledger' && context.positionals[0] === undefined && result.here === undefined)
      context.talk('note  there is no run of this checkout yet')
    return {
      result,
      ...(await whose(context)),
      receipt: answer.receipt,
      ...(result.sound ? {} : { exit: 3, error: verifyError(result) }),
      screen: (look) => {
        const shown = verifyScreen()(view, look)
        return { stdout: [...shown.stdout, ...(count > 1 && result.sound ? [`runs        ${count} chains, all hold`] : [])], stderr: shown.stderr }
      },
    }
  },
}

export const replayCommand: Command = {
  name: 'replay',
  group: 'prove',
  summary: 'run it again, offline, byte by byte',
  usage: 'vp replay RUN|BUNDLE [--allow-drift] [--from TURN [--task ID] [--tier T | --model P:NAME]]',
  takes: 1,
  examples: ['vp replay 9c1f', 'vp replay run.vpb', 'vp replay 9c1f --from 4 --tier Local-Medium'],
  flags: {
    'allow-drift': { type: 'boolean', help: 'also where the model behind a name has changed' },
    from: { type: 'string', help: 'a fork: a new run that goes on from this turn with a model' },
    task: { type: 'string', help: 'of the fork; else the task that asked last' },
    tier: { type: 'string', help: 'whose model answers in the fork' },
    model: { type: 'string', help: 'the same, as provider:name' },
    'budget-usd': { type: 'string', help: 'cap of the fork in dollars (0.50)' },
    'budget-tokens': { type: 'string', help: 'cap of the fork in tokens (200,000)' },
  },
  needsKit: true,
  exits: [0, 2, 3, 4, 5, 6, 8, 130],
  json: 'equal, trees[]{task_id,tree,equal}, operations, unasked[], divergence{task_id,turn,field,was,is}; a fork: as vp start, and fork{run_id,task,attempt,turn}',
  async run(context) {
    if (context.flags['from'] !== undefined) return forkOutcome(context)
    const alone = ['tier', 'model', 'task', 'budget-usd', 'budget-tokens'].find((name) => context.flags[name] !== undefined)
    if (alone)
      throw new VpError('usage.flag', `--${alone} is of a fork: a replay asks no model`, { next: [`vp replay RUN --from TURN --${alone} …`, 'vp help replay'] })
    const answer = await context.call(runReplay, { ...one(context), ...(context.flags['allow-drift'] === true ? { allow_drift: true } : {}) })
    const result = answer.result as ReplayedNow
    for (const model of result.unasked) context.talk(`note  the server of ${model} could not be asked whether it is still the model of the recording`)
    const view = {
      ...result,
      elapsed_ms: result.duration_ms,
      divergence: result.divergence ? { ...result.divergence, task: taskNumber(result.divergence.task_id) } : null,
      next: result.equal ? [] : [result.divergence === null ? 'vp status' : 'vp doctor'],
    }
    return {
      result,
      ...(await whose(context)),
      receipt: answer.receipt,
      ...(result.equal
        ? {}
        : {
            exit: 3,
            error: notEqual(result),
          }),
      screen: (look) => replayScreen(view, look),
    }
  },
}

function notEqual({ divergence }: ReplayedNow): VpError {
  if (divergence === null) return new VpError('replay.nothing', 'no attempt of this run came to its end, so no tree is compared')
  return new VpError('replay.differs', `${divergence.task_id}, ${divergence.field}`)
}

/** From a turn on with a model: watched like every run. */
async function forkOutcome(context: CommandContext): Promise<Outcome> {
  const { flags } = context
  const [task, tier, model] = ['task', 'tier', 'model'].map((name) => textFlag(flags, name))
  if (tier && model) throw new VpError('usage.flag', '--tier and --model name two models: take one of them', { next: ['vp model list', 'vp help replay'] })
  const watch = watchRun(context, { steps: true })
  try {
    const params = {
      ...one(context),
      from: numberFlag(flags, 'from', { ...COUNT, to: 10_000 }),
      ...(task ? { task } : {}),
      ...(tier ? { tier } : {}),
      ...(model ? { model } : {}),
      ...(flags['allow-drift'] === true ? { allow_drift: true } : {}),
      ...budgetFlags(context),
    }
    const answer = await context.call(runFork, params, { live: watch.live })
    return reportOutcome(answer.result as Started, answer.receipt)
  } finally {
    watch.end()
  }
}

export const exportCommand: Command = {
  name: 'export',
  group: 'prove',
  summary: 'one file that proves a run anywhere',
  usage: 'vp export [RUN] [--out FILE]',
  takes: 1,
  examples: ['vp export', 'vp export 9c1f --out run.vpb', 'vp export --json | jq -r .result.path'],
  flags: { out: { type: 'string', help: 'where to write it' } },
  needsKit: true,
  exits: [0, 2],
  json: 'path, run_id, receipts, bytes, key_id',
  async run(context) {
    const out = textFlag(context.flags, 'out')
    const answer = await context.call(runExport, { ...one(context), ...(out ? { out } : {}) })
    const result = answer.result as { path: string; key_id: string }
    return {
      result,
      ...(await whose(context)),
      receipt: answer.receipt,
      screen: (look) => {
        const shown = linesScreen({ lines: [result.path], next: [`vp verify ${result.path}`] }, look)
        return { stdout: shown.stdout, stderr: [`note  sealed by key ${result.key_id}; tell it to whoever gets the bundle`, ...shown.stderr] }
      },
    }
  },
}

const isRefused = ({ outcome }: Undone['files'][number]): boolean => outcome === 'refused'

function refusedWords({ files, refused }: Undone): string {
  const reason = files.find((file) => isRefused(file) && file.reason !== 'changed since')?.reason
  const stay = refused === 1 ? 'stays' : 'stay'
  return `${refused} ${refused === 1 ? 'file' : 'files'} ${reason ? `${stay} as ${refused === 1 ? 'it is' : 'they are'}: ${reason}` : `changed since, and ${stay}`}`
}

export const undoCommand: Command = {
  name: 'undo',
  group: 'repair',
  summary: 'give back what was there before',
  usage: 'vp undo [RECEIPT|TASK|RUN] [--yes]',
  takes: 1,
  examples: ['vp undo', 'vp undo T9 --yes', 'vp undo r_01JE31'],
  flags: { apply: { type: 'boolean', help: 'as --yes' } },
  needsKit: true,
  exits: [0, 2, 5, 7],
  json: 'files[]{path,outcome,reason,add,del}, restored, refused, diff, diff_omitted, caveat',
  async run(context) {
    const id = context.positionals[0] === undefined ? {} : { id: context.positionals[0] }
    const yes = context.caller.yes === true || context.flags['apply'] === true
    const viewOf = (undone: Undone, dry: boolean, receipt: string | null) => ({
      files: undone.files
        .filter((file) => file.outcome !== 'unchanged')
        .map((file) => ({
          path: file.path,
          outcome: file.outcome === 'would_restore' ? 'restored' : file.outcome,
          reason: file.reason ?? '',
          add: file.add ?? 0,
          del: file.del ?? 0,
        })),
      restored: undone.restored,
      refused: undone.refused,
      dry_run: dry,
      ...(dry || yes ? { diff: undone.diff, diff_omitted: undone.diff_omitted, caveat: undone.caveat } : {}),
      receipt,
      next: receipt ? [`vp undo ${receipt}`] : [],
    })
    // With a yes in advance nobody is asked, so the hunks are those of what was done: they need not be worked out twice.
    const preview = yes ? null : ((await context.call(runUndo, { ...id, apply: false })).result as Undone)
    if (preview && preview.restored > 0) {
      if (!context.interactive)
        return {
          result: preview,
          exit: 5,
          error: new VpError('approval.needed', 'undo writes after a yes', { next: [`vp undo ${preview.id} --yes`] }),
          screen: (look) => undoPreviewScreen(viewOf(preview, true, null), look),
        }
      context.writeErr(
        paint(
          { stdout: [], stderr: [...undoPreviewScreen(viewOf(preview, true, null), context.looks.err).stdout] },
          { out: context.looks.out, err: context.looks.err },
        ).stderr,
      )
      if (!(await context.ask(undoQuestion(viewOf(preview, true, null)))))
        return { result: preview, screen: () => ({ stdout: [], stderr: ['note  nothing was changed'] }) }
    }
    const answer = await context.call(runUndo, { ...(preview ? { id: preview.id } : id), apply: true })
    const result = answer.result as Undone
    const refused =
      result.refused > 0
        ? {
            exit: 7,
            error: new VpError('undo.refused', refusedWords(result), {
              next: [findRepositoryRoot(context.cwd) === null ? `vp fs read ${result.files.find(isRefused)?.path}` : 'git diff'],
              ...(result.restored > 0 ? { changed: `${result.restored} ${result.restored === 1 ? 'file was' : 'files were'} given back` } : {}),
            }),
          }
        : {}
    return {
      result,
      receipt: answer.receipt,
      ...refused,
      screen: (look) => undoneScreen(viewOf(result, false, shortReceipt(answer.receipt)), look),
    }
  },
}

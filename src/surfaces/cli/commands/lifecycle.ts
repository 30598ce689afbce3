/** `vp new`, `plan`, `estimate`, `simulate`, `approve`: from an idea to a yes. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { VpError } from '../../../core/errors.ts'
import { shortReceipt } from '../../../core/ids.ts'
import { gitCommit } from '../../../operations/git.ts'
import { plmsApprove, plmsCreate, plmsEstimate, plmsPlan, plmsSimulate } from '../../../operations/plms.ts'
import { budgetOver, type Approved } from '../../../operations/projects/approve.ts'
import type { Estimated, Simulated } from '../../../operations/projects/estimate.ts'
import type { NewProject } from '../../../operations/projects/new.ts'
import type { Planned } from '../../../operations/projects/plan.ts'
import { runApprove } from '../../../operations/runs.ts'
import { planCommandFor } from '../../../operations/projects/prd-place.ts'
import { requireRoot } from '../../../operations/projects/checkout.ts'
import { pendingQuestion } from '../../../operations/wrapper/approval.ts'
import type { Command, CommandContext } from '../command.ts'
import { choiceFlag, MONEY, numberFlag, textFlag, TOKENS } from '../parse.ts'
import { watchRetries } from '../watch.ts'
import { approvedScreen, decisionScreen } from '../screens/approve.ts'
import { estimateScreen, simulateScreen } from '../screens/estimate.ts'
import { newScreen, planScreen } from '../screens/plan.ts'

export const newCommand: Command = {
  name: 'new',
  group: 'plan',
  summary: 'make a project of this repository',
  usage: 'vp new --name NAME [--template ID]',
  takes: 1,
  examples: ['vp new --name shop-api', 'vp new --name shop-api --template bugfix', 'vp new --name shop-api --cwd ../shop'],
  flags: {
    name: { type: 'string', help: 'the project’s name' },
    template: { type: 'string', help: 'bugfix, feature, or one of your own: its questions and tasks' },
  },
  needsKit: true,
  exits: [0, 2, 7],
  json: 'project_id, name, template_used, index{files,symbols}, test, lint, hooks, commits, signoff, environment',
  async run(context) {
    const name = textFlag(context.flags, 'name') ?? context.positionals[0]
    if (name === undefined) throw new VpError('usage.flag', 'vp new takes --name', { next: ['vp new --name shop-api'] })
    const template = textFlag(context.flags, 'template')
    requireRoot(context.cwd)
    const answer = await context.call(plmsCreate, { name, ...(template === undefined ? {} : { template }) })
    const result = answer.result as NewProject
    const { files_written } = result
    if (files_written.length > 0 && (await context.ask(`commit ${files_written.join(' ')}, so that your team has it too? y/n [n]`))) {
      const committed = await context.call(gitCommit, { message: `chore(vp): the project ${name}`, paths: [...files_written] })
      context.talk(`note  committed as ${(committed.result as { sha: string }).sha.slice(0, 7)}`)
    }
    const next = [template === undefined ? planCommandFor(context.checkout().root) : 'vp plan']
    if (result.commits !== null)
      context.talk(`note  commit titles here: ${result.commits}${result.signoff ? '; signed off (git.signoff, vp git commit -s)' : ''}`)
    const view = {
      ...result,
      files_written: result.files_written.length,
      test: result.test?.join(' ') ?? null,
      lint: result.lint?.join(' ') ?? null,
      hook: result.hooks?.pre_commit.argv.join(' ') ?? null,
      next,
    }
    return { result, receipt: answer.receipt, screen: (look) => newScreen(view, look) }
  },
}

export const planCommand: Command = {
  name: 'plan',
  group: 'plan',
  summary: 'questions, PRD, task tree',
  usage: 'vp plan [--from-prd FILE] [--answers FILE]',
  examples: ['vp plan --from-prd docs/PRD.md', 'vp plan --from-prd docs/PRD.md --answers answers.json', 'vp plan --no-input --json'],
  flags: {
    'from-prd': { type: 'string', help: 'the requirements, in any form' },
    answers: { type: 'string', help: 'JSON: question id → answer' },
  },
  needsKit: true,
  exits: [0, 2, 3, 4, 6, 8, 130],
  json: 'prd_path, plan_version, template_used, questions[], tasks[]{task_id,n,name,lane,complexity,deps,files,tests}',
  async run(context) {
    requireRoot(context.cwd)
    const prd = textFlag(context.flags, 'from-prd')
    const answers = textFlag(context.flags, 'answers')
    const params = { ...(prd ? { prd: resolve(context.cwd, prd) } : {}), ...(answers ? { answers: readAnswers(answers) } : {}) }
    const answer = await context.call(plmsPlan, params, { live: watchRetries(context, context.stop) })
    const result = answer.result as Planned
    if (result.done > 0) context.talk(`note  ${result.done} ${result.done === 1 ? 'task is' : 'tasks are'} ticked as done and left out`)
    if (result.template_used !== null) context.talk(`note  the tasks are those of the template ${result.template_used}`)
    const parents = new Set(result.tasks.map((task) => task.parent_task_id))
    const view = {
      ...result,
      longest_chain: result.shape.longest_chain,
      parallel: Math.min(result.shape.width, context.kit().config.parallel),
      next: ['vp estimate'],
      use: result.decomposed_by_model ? { tokens: result.tokens, cost_usd: result.cost_usd } : null,
      prd_path: result.prd_path,
      tasks: result.tasks.map((task) => ({
        ...task,
        is_parent: parents.has(task.task_id),
        depth: task.parent_task_id === null ? 0 : 1,
      })),
    }
    return { result, receipt: answer.receipt, screen: (look) => planScreen(view, look) }
  },
}

function readAnswers(file: string): Record<string, string> {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (value === null || typeof value !== 'object') throw new TypeError('not an object')
    return Object.fromEntries(Object.entries(value).map(([key, text]) => [key, String(text)]))
  } catch (cause) {
    throw new VpError('usage.flag', `--answers takes a JSON file of question id → answer`, { cause, where: { file } })
  }
}

export const estimateCommand: Command = {
  name: 'estimate',
  group: 'plan',
  summary: 'the price, with honest bands',
  usage: 'vp estimate',
  examples: ['vp estimate', 'vp estimate --json | jq .result.total.cost_usd', 'vp estimate --plain'],
  flags: {},
  needsKit: true,
  exits: [0, 2, 8],
  json: 'lanes[], total: {tasks,method,n, tokens,duration_ms,cost_usd,energy_kwh each {mean,ci_90}}',
  async run(context) {
    const answer = await context.call(plmsEstimate, {})
    const result = answer.result as Estimated
    const hidden = <Bands extends { cost_usd: unknown }>(bands: Bands) => (result.price_known ? bands : { ...bands, cost_usd: null })
    const view = {
      ...result,
      lanes: result.lanes.map(hidden),
      total: hidden(result.total),
      next: ['vp simulate --rehearsal 0.01'],
      next_cost_usd: result.price_known ? result.rehearsal_usd : null,
    } as unknown as Parameters<typeof estimateScreen>[0]
    return { result, receipt: answer.receipt, screen: (look) => estimateScreen(view, look) }
  },
}

export const simulateCommand: Command = {
  name: 'simulate',
  group: 'plan',
  summary: 'rehearse a sample for real',
  usage: 'vp simulate --rehearsal 0.01',
  examples: ['vp simulate --rehearsal 0.01', 'vp simulate --rehearsal 0.05', 'vp simulate --json | jq .result.risk'],
  flags: { rehearsal: { type: 'string', help: 'share of the tasks, 0.001 to 0.2 (0.01)' } },
  needsKit: true,
  exits: [0, 2, 3, 5, 6, 8],
  json: 'simulation_results, sampling_metrics, risk[], runway, spent_usd',
  async run(context) {
    const share = numberFlag(context.flags, 'rehearsal', { from: 0.001, to: 0.2 }) ?? 0.01
    const answer = await context.call(plmsSimulate, { rehearsal_pct: share }, { live: watchRetries(context, context.pause) })
    const result = answer.result as Simulated
    const metrics = result.sampling_metrics
    const view = {
      rehearsal_pct: share,
      tasks_run: metrics.n_sample,
      tasks_total: metrics.n_total,
      lanes: result.risk.length,
      estimated: result.estimated,
      rehearsed: result.rehearsed,
      risk: result.risk.map(({ note, ...row }) => ({ ...row, ...(note ? { note } : {}) })),
      runway:
        result.runway.minutes && result.runway.budget_usd !== null
          ? {
              budget_usd: result.runway.budget_usd,
              lasts_ms: scale(result.runway.minutes),
              needs_ms: scale(result.runway.plan_minutes),
            }
          : null,
      spent_usd: result.spent_usd,
      warnings: result.warnings,
      next: [`vp approve --budget-usd ${budgetOver(result.rehearsed.cost_usd.ci_90[1])}`],
    }
    return { result, receipt: answer.receipt, warnings: result.warnings, screen: (look) => simulateScreen(view, look) }
  },
}

const scale = (minutes: readonly [number, number]): readonly [number, number] => [minutes[0] * 60_000, minutes[1] * 60_000]

/** The same prompt as in the run, opened here. Without a terminal nobody is asked, and nothing is answered. */
async function askedNow(context: CommandContext, typed: string): Promise<string> {
  const question = await pendingQuestion(context.kit(), typed)
  const answer = context.caller.confirm ? await context.caller.confirm(question) : 'later'
  if (answer !== 'later') return answer
  if (context.pause.aborted) throw new VpError('cancelled', `${question.approval} stays pending`, { next: [`vp approve ${question.approval}`] })
  const words = `vp approve ${question.approval}`
  throw new VpError('approval.needed', `${question.approval} stays pending`, {
    why: `${question.ask.wants} · ${question.decision.rule}`,
    approval: question.approval,
    next: context.caller.confirm ? [words] : [`${words} --for call`, `${words} --deny`],
  })
}

export const approveCommand: Command = {
  name: 'approve',
  group: 'plan',
  summary: 'sign the plan, or answer a call',
  usage: 'vp approve [--budget-usd N] [--budget-tokens N] [--breach pause|ask|kill] [--gate lane:kpi>=x]… | vp approve ID [--for call|run|project] [--deny]',
  takes: 1,
  examples: ['vp approve --budget-usd 4', "vp approve --budget-usd 4 --gate 'Code-Impl:test_pass_rate>=0.95'", 'vp approve ap_3kf2 --for run'],
  flags: {
    'budget-usd': { type: 'string', help: 'cap in dollars' },
    'budget-tokens': { type: 'string', help: 'cap in tokens' },
    breach: { type: 'string', help: 'pause, ask or kill (pause)' },
    gate: { type: 'string', multiple: true, help: 'lane:kpi>=x, over the shipped gate' },
    for: { type: 'string', help: 'call, run or project' },
    deny: { type: 'boolean', help: 'say no' },
    reason: { type: 'string', help: 'why' },
  },
  needsKit: true,
  exits: [0, 2, 4, 5, 7],
  json: 'plan_sha, budget_usd, breach, gates[]; or approval, decision, extent, expires_at',
  async run(context) {
    const id = context.positionals[0]
    if (id !== undefined) {
      const extent = context.flags['deny'] === true ? 'deny' : (choiceFlag(context.flags, 'for', ['call', 'run', 'project']) ?? (await askedNow(context, id)))
      const reason = textFlag(context.flags, 'reason')
      const answer = await context.call(runApprove, { approval: id, extent, ...(reason ? { reason } : {}) })
      const result = answer.result as {
        approval: string
        decision: string
        extent: 'call' | 'run' | 'project' | null
        expires_at: string | null
        run_id: string | null
      }
      // Of a call by hand no run waits: the call is made again.
      const next = result.run_id === null ? (result.decision === 'denied' ? [] : ['the same command again']) : ['vp resume']
      return {
        result,
        receipt: answer.receipt,
        screen: (look) => decisionScreen({ ...result, decision: result.decision === 'denied' ? 'deny' : 'allow', next }, look),
      }
    }
    const breach = choiceFlag(context.flags, 'breach', ['pause', 'ask', 'kill'])
    const gates = context.flags['gate']
    const answer = await context.call(plmsApprove, {
      budget_usd: numberFlag(context.flags, 'budget-usd', MONEY) ?? null,
      budget_tokens: numberFlag(context.flags, 'budget-tokens', TOKENS) ?? null,
      ...(breach === undefined ? {} : { breach }),
      gates: Array.isArray(gates) ? [...(gates as string[])] : [],
    })
    const result = answer.result as Approved
    return {
      result: { ...result, receipt: answer.receipt },
      receipt: answer.receipt,
      screen: (look) => approvedScreen({ receipt: shortReceipt(answer.receipt), next: ['vp start'] }, look),
    }
  },
}

/**
 * `vp plan`: a PRD becomes a plan. One that lists its tasks is taken as it stands, without a model; prose is
 * clarified in at most five questions and decomposed by the model, or by the project's template without one. The person's answers stay verbatim.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { isAbsolute, join, relative } from 'node:path'
import { parseQuestions, parseTasks, questionsRequest, tasksRequest } from '../../agent/decompose.ts'
import { isVpError, VpError } from '../../core/errors.ts'
import { sha256 } from '../../core/json.ts'
import type { PlanTask, ProjectFile, Question } from '../../plms/contract/types.ts'
import { transition } from '../../plms/embedded/lifecycle.ts'
import { checkPlan, planFromDrafts, planShape, type PlanShape } from '../../plms/embedded/plan.ts'
import { MAX_PRD_BYTES, readPrdBytes, tasksFromPrd } from '../../plms/embedded/prd.ts'
import { redactTexts } from '../../policy/redact.ts'
import { treePaths } from '../../workspace/git.ts'
import { openHumanRepository, requireBase } from '../../workspace/human-repository.ts'
import type { Workspace } from '../../workspace/files.ts'
import type { Scene } from '../operation.ts'
import { refuseDenied } from '../test-command.ts'
import { openPlanner } from './planner.ts'
import { prdVersion, savePlan } from './plans.ts'
import { writeOwnFile } from './own-files.ts'
import { USUAL_PLACES } from './prd-place.ts'
import { requireProject, saveProject } from './project.ts'
import { questionsOf, tasksOf } from './templates.ts'

export interface PlanRequest {
  /** Path of the PRD; absent: the usual places. */
  readonly prd: string | null
  /** Answers by question id, or in the order of the questions. */
  readonly answers: Readonly<Record<string, string>>
  /** Asks a person one question at a time; absent: the defaults are taken and listed. */
  readonly ask?: (question: Question, n: number, of: number) => Promise<string | null>
}

export interface Planned {
  readonly prd_path: string
  /** Of the different requirements that were planned here; an answer makes them others. */
  readonly prd_version: number
  readonly plan_version: number
  readonly questions: readonly Question[]
  readonly tasks: readonly PlannedTask[]
  readonly shape: PlanShape
  /** False: the PRD listed its tasks. */
  readonly decomposed_by_model: boolean
  /** Whose tasks these are; null: the PRD's or a model's. */
  readonly template_used: string | null
  /** Tasks of the PRD that are ticked as done, and left out. */
  readonly done: number
  readonly tokens: number
  readonly cost_usd: number | null
}

export interface PlannedTask {
  readonly task_id: string
  readonly n: number
  readonly name: string
  readonly parent_task_id: string | null
  readonly lane: string
  readonly complexity: string
  readonly deps: readonly number[]
  readonly files: readonly string[]
  readonly tests: readonly string[]
  readonly inferred: readonly string[]
}

const { O_NONBLOCK, O_RDONLY } = constants

/** Throws `prd.invalid`, `plan.*`, `policy.denied`, `project.state`, `model.*`, `budget.cap`; the plan before stays. */
export async function planProject(scene: Scene, project: ProjectFile, request: PlanRequest): Promise<Planned> {
  const { kit, tree } = scene
  const before = await kit.store.read((tx) => requireProject(tx, project.project_id))
  const planning = transition(before.status, 'plan')
  const template = before.template ?? null
  const place = request.prd ?? firstReadable(tree.files())
  if (place === null && !template)
    throw new VpError('prd.invalid', 'no PRD was named and none lies in docs/PRD.md or PRD.md', { next: ['vp plan --from-prd FILE'] })
  const file = place === null ? '.vp/prd.md' : shownPath(tree.root, place)
  // Without a PRD the answers to a template's questions are the requirements.
  const text = place === null ? `# ${project.name}\n` : readPrd(scene, place)
  const read = tasksFromPrd(text, file)
  const human = await openHumanRepository(kit.git, tree.root, kit.paths.views)
  const base = await requireBase(kit.git, human)
  const usage = { tokens: 0, cost: 0 as number | null }
  let questions: Question[] = []
  let tasks: PlanTask[]
  if (read.kind === 'listed') tasks = read.tasks
  else if (template) {
    questions = await answered(questionsOf(template), request)
    if (place === null && questions.every((question) => question.answer === null))
      throw new VpError('prd.invalid', `there is no PRD, and no question of the template ${template.template_name} was answered`, {
        next: ['vp plan --from-prd FILE', 'vp plan --answers FILE'],
      })
    tasks = tasksOf(template)
  } else {
    const paths = await treePaths(kit.git, human.view, base.commit)
    const ask = await openPlanner(scene, project, usage)
    questions = await answered(parseQuestions(await ask(questionsRequest(text, paths), 1)), request)
    const decided = questions.map((question) => ({ text: question.text, answer: question.answer ?? question.default }))
    tasks = planFromDrafts(parseTasks(await ask(tasksRequest(text, paths, decided), 2)))
  }
  checkWithPlace(tasks, file)
  checkTests(scene, tasks, file)
  const prd = withAnswers(text, questions)
  const saved = await kit.store.transaction(
    async (tx) => {
      const stored = await savePlan(tx, project.project_id, { prd_sha: sha256(prd), tasks: redactTexts(tasks, kit.redactText) }, kit.clock.now())
      const record = await requireProject(tx, project.project_id)
      // The same plan again keeps its estimate and approval; another needs both anew.
      const same = record.approval?.plan_sha === stored.sha
      await saveProject(
        tx,
        same
          ? record
          : {
              ...record,
              status: planning,
              prd: { path: '.vp/prd.md', sha256: sha256(prd) },
              questions,
              estimate: null,
              rehearsed: null,
            },
      )
      return { stored, prdVersion: await prdVersion(tx, project.project_id, sha256(prd)) }
    },
    { durable: true },
  )
  writeOwnFile(tree.root, '.vp/prd.md', prd)
  return {
    prd_path: '.vp/prd.md',
    prd_version: saved.prdVersion,
    plan_version: saved.stored.version,
    questions,
    tasks: tasks.map(plannedTask),
    shape: planShape(tasks),
    decomposed_by_model: read.kind === 'prose' && !template,
    template_used: read.kind === 'prose' && template ? template.template_name : null,
    done: read.kind === 'listed' ? read.done : 0,
    tokens: usage.tokens,
    cost_usd: usage.cost === null ? null : usage.cost / 1e6,
  }
}

export function plannedTask(task: PlanTask): PlannedTask {
  return {
    task_id: `T${task.n}`,
    n: task.n,
    name: task.title,
    parent_task_id: task.parent_n === null ? null : `T${task.parent_n}`,
    lane: task.pas_lane,
    complexity: task.complexity,
    deps: task.deps,
    files: task.files,
    tests: task.tests,
    inferred: task.inferred,
  }
}

function firstReadable(files: Workspace): string | null {
  return USUAL_PLACES.find((name) => files.exists(name)) ?? null
}

/** From the repository's root where it lies there, else whole. */
function shownPath(root: string, file: string): string {
  const path = isAbsolute(file) ? file : join(root, file)
  const inside = relative(root, path)
  return inside !== '' && !inside.startsWith('..') && !isAbsolute(inside) ? inside : path
}

/**
 * What lies in the repository is read as everything there is: no link leads out. A file elsewhere is one that a person
 * at a terminal named. Never more than a byte over what is allowed.
 */
function readPrd({ tree, caller }: Scene, file: string): string {
  const path = isAbsolute(file) ? file : join(tree.root, file)
  const shown = shownPath(tree.root, file)
  const inside = relative(tree.root, path)
  const isInside = shown === inside
  try {
    if (isInside) return readPrdBytes(tree.files().read(inside, { maxBytes: MAX_PRD_BYTES }).bytes, shown)
    if (caller.surface !== 'cli') throw new VpError('path.denied', `${shown} lies outside the repository`, { rule: 'workspace-only' })
    return readPrdBytes(readElsewhere(path), shown)
  } catch (error) {
    if (isVpError(error) && (error.code === 'prd.invalid' || error.code === 'path.denied')) throw error
    const what = isVpError(error) ? (error.code === 'path.too_large' ? 'is larger than 1 MiB' : 'is not a file that can be read') : 'cannot be read'
    throw new VpError('prd.invalid', `${shown} ${what}`, { cause: error, where: { file: shown }, next: ['vp plan --from-prd FILE'] })
  }
}

function readElsewhere(path: string): Buffer {
  const fd = openSync(path, O_RDONLY | O_NONBLOCK) // a pipe would wait for its writer
  try {
    if (!fstatSync(fd).isFile()) throw new VpError('path.not_regular', `${path} is not a file`)
    const bytes = Buffer.alloc(MAX_PRD_BYTES + 1)
    let length = 0
    for (let got = -1; got !== 0 && length < bytes.length; length += got) got = readSync(fd, bytes, length, bytes.length - length, null)
    return bytes.subarray(0, length)
  } finally {
    closeSync(fd)
  }
}

async function answered(drafts: readonly { text: string; default: string; source: string }[], request: PlanRequest): Promise<Question[]> {
  const questions: Question[] = []
  for (const [index, draft] of drafts.entries()) {
    const id = `q${index + 1}`
    const given = request.answers[id] ?? request.answers[String(index + 1)]
    const open = { id, ...draft, answer: given ?? null }
    const answer = given ?? (request.ask ? await request.ask(open, index + 1, drafts.length) : null)
    questions.push({ ...open, answer: answer === null || answer === '' ? null : answer })
  }
  return questions
}

function checkWithPlace(tasks: readonly PlanTask[], file: string): void {
  try {
    checkPlan(tasks)
  } catch (error) {
    if (!isVpError(error) || !error.details.where) throw error
    throw new VpError(error.code, error.message, { ...error.details, where: { ...error.details.where, file } })
  }
}

/** Before anybody pays for a task whose tests may not run. */
function checkTests({ kit, tree }: Scene, tasks: readonly PlanTask[], file: string): void {
  const tested = Map.groupBy(
    tasks.filter((task) => task.tests.length > 0),
    (task) => task.pas_lane,
  )
  for (const [name, ofLane] of tested) {
    const lane = kit.lane(name, tree.root)
    for (const { tests, line } of ofLane)
      refuseDenied(tests, lane, { ...(line === null ? {} : { where: { file, line } }), next: ['correct the tests of the task, plan again'] })
  }
}

/** The PRD as it is kept: the person's text, then what they answered, quoted. */
function withAnswers(text: string, questions: readonly Question[]): string {
  if (questions.length === 0) return text
  const lines = questions.map((question) => `- ${question.text}\n  > ${question.answer ?? `${question.default} (default: ${question.source})`}`)
  return `${text.trimEnd()}\n\n## Answers\n\n${lines.join('\n')}\n`
}

/**
 * Templates of projects: the questions and the task tree that `vp plan` takes where the PRD lists no tasks, so that no model is
 * asked for them. Two are shipped, the others are the person's own files; a repository's are not read, since their words would
 * be a stranger's. Source: contracts/plms.md section 13.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod/mini'
import type { DraftQuestion } from '../../agent/decompose.ts'
import { VpError } from '../../core/errors.ts'
import { once } from '../../core/once.ts'
import { wordsOfIssue } from '../../core/schema-issue.ts'
import { COMPLEXITIES } from '../../pas/contract/types.ts'
import type { PlanTask, Template } from '../../plms/contract/types.ts'
import { laneByName } from '../../plms/embedded/lanes.ts'
import { planTask } from '../../plms/embedded/plan.ts'
import type { Kit } from '../kit.ts'

const ID = /^[A-Za-z0-9][\w-]{0,63}$/
const NO_DEFAULT = 'as the requirements say'

const shape = once(() => {
  const text = z.string().check(z.minLength(1), z.maxLength(300))
  return z.strictObject({
    template_name: z.string().check(z.regex(ID)),
    description: text,
    default_questions: z.array(z.union([text, z.strictObject({ text, default: text })])).check(z.maxLength(10)),
    task_tree_template: z
      .array(
        z.strictObject({
          name: z.string().check(z.minLength(1), z.maxLength(200)),
          tmd_lane: z.union([z.int(), z.string()]).check(z.refine((lane) => laneByName(String(lane)) !== null, { error: 'is no lane' })),
          complexity: z.enum(COMPLEXITIES),
        }),
      )
      .check(z.minLength(1), z.maxLength(50)),
    /** Read, and without effect while nothing measures echo. */
    default_slo: z.optional(z.strictObject({ min_echo_cos: z.number().check(z.gte(0), z.lte(1)) })),
  })
})

/** A test that fails until the bug is mended would fail its own gate, so one task has both. */
const SHIPPED: readonly Template[] = [
  {
    template_name: 'bugfix',
    description: 'One bug, mended with a test that shows it',
    default_questions: [
      { text: 'What goes wrong, and how is it seen?', default: NO_DEFAULT },
      { text: 'What should happen instead?', default: NO_DEFAULT },
    ],
    task_tree_template: [{ name: 'Mend the bug, with a test that fails without the change', tmd_lane: 4200, complexity: 'simple' }],
  },
  {
    template_name: 'feature',
    description: 'One feature with its tests and its documentation',
    default_questions: [
      { text: 'What can a person do with it that they cannot do now?', default: NO_DEFAULT },
      { text: 'What must stay as it is?', default: 'everything else' },
    ],
    task_tree_template: [
      { name: 'Build the feature, with tests of its usual use', tmd_lane: 4200, complexity: 'moderate' },
      { name: 'Test its edges and its errors, and mend what they show', tmd_lane: 4201, complexity: 'simple' },
      { name: 'Document it where this repository documents such things', tmd_lane: 4202, complexity: 'simple' },
    ],
  },
]

/** The person's own before a shipped one of the same name. Throws `usage.project` for one that is not there, `config.invalid`. */
export function loadTemplate(kit: Pick<Kit, 'paths'>, id: string): Template {
  const shipped = SHIPPED.find((one) => one.template_name === id)
  const file = join(kit.paths.templates, `${id}.json`)
  let text: string
  try {
    if (!ID.test(id)) throw Object.assign(new Error('no name for a template'), { code: 'ENOENT' })
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw invalid(file, `the template ${file} cannot be read`, cause)
    if (shipped) return shipped
    throw new VpError('usage.project', `there is no template ${JSON.stringify(id.slice(0, 64))}`, {
      why: `shipped: ${SHIPPED.map((one) => one.template_name).join(', ')} · your own: ${join(kit.paths.templates, 'ID.json')}`,
      next: SHIPPED.map((one) => `vp new --name NAME --template ${one.template_name}`),
    })
  }
  const template = parseTemplate(text, file)
  if (template.template_name !== id) throw invalid(file, `template_name is ${template.template_name}, and the file is named ${id}`)
  return template
}

function parseTemplate(text: string, file: string): Template {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw invalid(file, `the template ${file} is not JSON`, cause)
  }
  const parsed = shape().safeParse(value)
  if (!parsed.success) throw invalid(file, wordsOfIssue(parsed.error.issues[0], value))
  const { default_questions, ...rest } = parsed.data
  return { ...rest, default_questions: default_questions.map((one) => (typeof one === 'string' ? { text: one, default: NO_DEFAULT } : one)) } as Template
}

function invalid(file: string, what: string, cause?: unknown): VpError {
  return new VpError('config.invalid', what, { cause, where: { file }, next: ['correct the template, then vp new again'] })
}

export function questionsOf(template: Template): DraftQuestion[] {
  return template.default_questions.map((one) => ({ ...one, source: `template ${template.template_name}` }))
}

/** One after the other, as they stand there. */
export function tasksOf(template: Template): PlanTask[] {
  return template.task_tree_template.map((task, index) =>
    planTask({
      n: index + 1,
      title: task.name,
      parent_n: null,
      lane: laneByName(String(task.tmd_lane)),
      complexity: task.complexity,
      deps: index === 0 ? [] : [index],
      files: [],
      tests: [],
      line: null,
    }),
  )
}

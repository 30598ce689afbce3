/**
 * The project of a repository: `.vp/project.json` in it, its record in the store. The file is the human's and is
 * committed; the store is the machine's.
 */
import * as z from 'zod/mini'
import { once } from '../../core/once.ts'
import { VpError } from '../../core/errors.ts'
import { wordsOfIssue } from '../../core/schema-issue.ts'
import { canonicalJson } from '../../core/json.ts'
import {
  PROJECT_STATUSES,
  type ProjectFile,
  type ProjectStatus,
  type PlanApproval,
  type PlanEstimate,
  type Question,
  type Template,
} from '../../plms/contract/types.ts'
import { isDependencyPath } from '../../policy/paths.ts'
import type { Tx } from '../../store/contract.ts'
import { readRepositoryFile } from '../../workspace/repository-file.ts'
import type { Kit } from '../kit.ts'

const text = once(() => z.string().check(z.maxLength(4096)))
// What else Node takes from its environment loads code into every process of the command.
const REPORTING = /^--test-reporter(=tap|-destination=(\{report\}|stdout))$/
const command = once(() =>
  z
    .strictObject({
      argv: z.array(text()).check(z.minLength(1), z.maxLength(64)),
      runner: text(),
      report_args: z.array(text()),
      report_in: z.optional(z.literal('NODE_OPTIONS')),
      report: z.strictObject({
        format: z.enum(['tap', 'junit', 'go-json', 'cargo', 'exit']),
        from: z.enum(['stdout', 'file']),
        path: z.optional(text().check(z.regex(/^[\w.-]+$/))),
      }),
    })
    .check(
      z.refine(
        ({ report_args, report_in }) => report_in === undefined || report_args.every((arg) => REPORTING.test(arg)),
        'may put nothing but test reporters into NODE_OPTIONS',
      ),
    ),
)
const relative = text().check(z.regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\0]+$/))
// What a person has beside their tracked files is theirs; only where packages lie may a repository name it.
const packages = relative.check(z.refine(isDependencyPath, 'is no directory of packages, such as node_modules or .venv'))
const projectFile = once(() =>
  z.strictObject({
    version: z.literal(1),
    project_id: z.int(),
    name: text(),
    test: z.nullable(command()),
    lint: z.nullable(command()),
    build: z.optional(z.nullable(command())),
    // Words of it reach a model: none but those of this alphabet.
    commits: z.optional(
      z.strictObject({
        style: z.enum(['conventional', 'ticket', 'gitmoji', 'plain']),
        types: z.array(z.string().check(z.regex(/^[a-z]{2,12}$/))).check(z.maxLength(8)),
        scopes: z.array(z.string().check(z.regex(/^[\w./-]{1,24}$/))).check(z.maxLength(8)),
        ticket: z.nullable(z.string().check(z.regex(/^[A-Z][A-Z0-9]{1,9}$/))),
        begins: z.nullable(z.enum(['lower', 'upper'])),
        max_length: z.int().check(z.gte(30), z.lte(100)),
        full_stop: z.boolean(),
        signoff: z.boolean(),
      }),
    ),
    hooks: z.optional(
      z.strictObject({
        pre_commit: z.strictObject({ kind: z.enum(['git', 'husky', 'pre-commit']), argv: z.array(text()).check(z.minLength(1), z.maxLength(64)) }),
      }),
    ),
    environment: z.strictObject({
      reuse: z.array(packages).check(z.maxLength(64)),
      setup: z.array(z.array(text()).check(z.minLength(1))),
      lock_files: z.array(relative),
    }),
    needs_git: z.boolean(),
  }),
)

export const PROJECT_FILE = '.vp/project.json'

/** Null when the repository has no project. Throws `config.invalid` with the field that is wrong, and what `readRepositoryFile` throws. */
export function readProjectFile(root: string): ProjectFile | null {
  const bytes = readRepositoryFile(root, PROJECT_FILE)
  if (bytes === null) return null
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw new VpError('config.invalid', `${PROJECT_FILE} is not readable JSON`, { cause: error, where: { file: PROJECT_FILE } })
  }
  const parsed = projectFile().safeParse(value)
  if (parsed.success) return parsed.data as ProjectFile
  throw new VpError('config.invalid', wordsOfIssue(parsed.error.issues[0], value), {
    where: { file: PROJECT_FILE },
  })
}

/** Throws `project.none`. */
export function requireProjectFile(root: string): ProjectFile {
  const file = readProjectFile(root)
  if (!file)
    throw new VpError('project.none', 'there is no project here', {
      next: ['vp new --name NAME', 'vp do "fix the failing test"'],
    })
  return file
}

/** What the store knows of a project besides its file: the columns of plms.md section 12 that this build fills. */
export interface ProjectRecord {
  readonly id: number
  readonly root: string
  readonly name: string
  readonly status: ProjectStatus
  readonly created_at: number
  /** Its name and, as it stood at `vp new`, its words; absent in records that are older than templates. */
  readonly template_used?: string | null
  readonly template?: Template | null
  readonly prd: { readonly path: string; readonly sha256: string } | null
  readonly questions: readonly Question[]
  readonly estimate: PlanEstimate | null
  readonly rehearsed: PlanEstimate | null
  readonly approval: PlanApproval | null
  /** Spent on planning and rehearsal, before a person approved anything. */
  readonly spent_before_approval_micro_usd: number
}

interface ProjectRow {
  readonly id: number
  readonly root: string
  readonly name: string
  readonly status: string
  readonly record: string
  readonly created_at: number
}

export async function loadProject(tx: Tx, id: number): Promise<ProjectRecord | null> {
  const row = await tx.get<ProjectRow>('SELECT * FROM projects WHERE id = ?', id)
  return row
    ? {
        ...(JSON.parse(row.record) as ProjectRecord),
        id: row.id,
        root: row.root,
        name: row.name,
        status: row.status as ProjectStatus,
        created_at: row.created_at,
      }
    : null
}

export async function requireProject(tx: Tx, id: number): Promise<ProjectRecord> {
  const record = await loadProject(tx, id)
  if (!record) throw new VpError('project.none', `this machine's ledger has no project ${id}`, { next: ['vp new --name NAME'] })
  return record
}

export async function saveProject(tx: Tx, record: ProjectRecord): Promise<void> {
  if (!PROJECT_STATUSES.includes(record.status)) throw new VpError('internal', `no status ${record.status}`)
  const { id, root, name, status, created_at, ...rest } = record
  await tx.run(
    'INSERT INTO projects (id, root, name, status, record, created_at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET root = excluded.root, name = excluded.name, status = excluded.status, record = excluded.record',
    id,
    root,
    name,
    status,
    canonicalJson(rest),
    created_at,
  )
}

export async function createProjectRecord(tx: Tx, fields: { root: string; name: string; now: number; template?: Template | null }): Promise<ProjectRecord> {
  const id = ((await tx.get<{ id: number }>('SELECT COALESCE(MAX(id), 0) AS id FROM projects'))?.id ?? 0) + 1
  const record: ProjectRecord = {
    id,
    root: fields.root,
    name: fields.name,
    status: 'ideation',
    created_at: fields.now,
    template_used: fields.template?.template_name ?? null,
    template: fields.template ?? null,
    prd: null,
    questions: [],
    estimate: null,
    rehearsed: null,
    approval: null,
    spent_before_approval_micro_usd: 0,
  }
  await saveProject(tx, record)
  return record
}

export async function projectRoot(kit: Kit, id: number): Promise<string> {
  return (await kit.store.read((tx) => requireProject(tx, id))).root
}

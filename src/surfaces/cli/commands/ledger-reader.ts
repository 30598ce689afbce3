/**
 * The ledger for verbs that only look: opened without configuration, sandbox or models. Built-ins only.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathsFrom } from '../../../config/paths.ts'
import { findRun, latestHere, requireRun } from '../../../pas/embedded/run-store.ts'
import type { RunState } from '../../../pas/embedded/reducer/state.ts'
import type { Store, Tx } from '../../../store/contract.ts'
import { openSqlite } from '../../../store/sqlite.ts'
import { readRepositoryFile } from '../../../workspace/repository-file.ts'
import type { CommandContext } from '../command.ts'

export interface ProjectHere {
  readonly root: string
  readonly project_id: number | null
  readonly name: string | null
}

/** The repository at or above `cwd` and the project in it, by its file's two fields. */
export function projectHere(cwd: string): ProjectHere | null {
  for (let at = cwd; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) {
      try {
        const file = JSON.parse(readRepositoryFile(at, '.vp/project.json')?.toString('utf8') ?? '{}') as {
          project_id?: unknown
          name?: unknown
        }
        return {
          root: at,
          project_id: typeof file.project_id === 'number' ? file.project_id : null,
          name: typeof file.name === 'string' ? file.name : null,
        }
      } catch {
        return { root: at, project_id: null, name: null }
      }
    }
    if (dirname(at) === at) return null
  }
}

/** Opens, reads, closes. */
export async function withLedger<Result>(context: Pick<CommandContext, 'env'>, body: (store: Store) => Promise<Result>): Promise<Result> {
  const store = openSqlite(pathsFrom(context.env).ledger)
  try {
    return await body(store)
  } finally {
    store.close()
  }
}

/** The named run, or the last of this checkout; null when there is none. */
export async function runHere(tx: Tx, root: string | null, named: string | undefined): Promise<{ state: RunState; name: string } | null> {
  if (named !== undefined) {
    const state = await requireRun(tx, await findRun(tx, named))
    return { state, name: await nameOf(tx, state.project_id) }
  }
  const state = root === null ? null : await latestHere(tx, root)
  return state && { state, name: await nameOf(tx, state.project_id) }
}

/** Of a named run that lies in another checkout: where, in words to say beside it. Silent about what names no run. */
export async function foreignNote(tx: Tx, root: string | null, named: string | undefined): Promise<string | null> {
  if (named === undefined) return null
  const rows = await tx.all<{ run_id: string; root: string }>(
    'SELECT r.run_id AS run_id, p.root AS root FROM runs r JOIN projects p ON p.id = r.project_id WHERE instr(r.run_id, ?) > 0 LIMIT 2',
    named,
  )
  const [row] = rows
  return row && rows.length === 1 && row.root !== root ? `run ${await shortRun(tx, row.run_id)} is of another checkout, at ${row.root}` : null
}

/** Said on stderr, and a warning of the document. */
export function noted(context: Pick<CommandContext, 'talk'>, note: string | null): { readonly warnings?: readonly string[] } {
  if (note === null) return {}
  context.talk(`note  ${note}`)
  return { warnings: [note] }
}

async function nameOf(tx: Tx, id: number): Promise<string> {
  return (await tx.get<{ name: string }>('SELECT name FROM projects WHERE id = ?', id))?.name ?? 'project'
}

/** The shortest tail of a run's id that names it among all. */
export async function shortRun(tx: Tx, runId: string): Promise<string> {
  const tail = runId.split('-').at(-1) ?? runId
  const others = await tx.all<{ run_id: string }>('SELECT run_id FROM runs WHERE instr(run_id, ?) > 0', tail)
  return others.length <= 1 ? tail : runId
}

/** Plans in the store: numbered versions, each with the hash of its canonical JSON. */
import { canonicalJson, sha256 } from '../../core/json.ts'
import type { Plan } from '../../plms/contract/types.ts'
import type { Tx } from '../../store/contract.ts'
import type { Kit } from '../kit.ts'

export interface StoredPlan extends Plan {
  readonly sha: string
}

interface PlanRow {
  readonly version: number
  readonly sha: string
  readonly body: string
}

export async function readPlan(kit: Kit, projectId: number, version?: number): Promise<StoredPlan | null> {
  return kit.store.read((tx) => loadPlan(tx, projectId, version))
}

/** The named version, or the newest. */
export async function loadPlan(tx: Tx, projectId: number, version?: number): Promise<StoredPlan | null> {
  const row = await tx.get<PlanRow>(
    'SELECT version, sha, body FROM plans WHERE project_id = ? AND (? IS NULL OR version = ?) ORDER BY version DESC LIMIT 1',
    projectId,
    version ?? null,
    version ?? null,
  )
  return row ? { ...(JSON.parse(row.body) as Plan), sha: row.sha } : null
}

/** Which of the project's different requirements these are, in the order in which they were planned first: from 1. */
export async function prdVersion(tx: Tx, projectId: number, prdSha: string): Promise<number> {
  const rows = await tx.all<{ sha: string }>(
    "SELECT json_extract(body, '$.prd_sha') AS sha FROM plans WHERE project_id = ? GROUP BY sha ORDER BY MIN(version)",
    projectId,
  )
  return rows.findIndex((row) => row.sha === prdSha) + 1
}

/** The same tasks again are the same version: a plan is new when it differs. */
export async function savePlan(tx: Tx, projectId: number, plan: Omit<Plan, 'version'>, now: number): Promise<StoredPlan> {
  const last = await loadPlan(tx, projectId)
  const sha = sha256(canonicalJson(plan))
  if (last && last.sha === sha) return last
  const stored = { ...plan, version: (last?.version ?? 0) + 1 }
  await tx.run(
    'INSERT INTO plans (project_id, version, sha, body, created_at) VALUES (?, ?, ?, ?, ?)',
    projectId,
    stored.version,
    sha,
    canonicalJson(stored),
    now,
  )
  return { ...stored, sha }
}

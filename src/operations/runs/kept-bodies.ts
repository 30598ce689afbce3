/**
 * The table of requests and of the bodies that they left in: written with the receipt that names them, read back whole. What a
 * person's older ledger has of a request in the exchange itself is read there.
 */
import { VpError } from '../../core/errors.ts'
import { sha256 } from '../../core/json.ts'
import type { CallPlace } from '../../models/contract.ts'
import { bodiesOf, type BodyRow } from '../../models/kept-body.ts'
import type { Tx } from '../../store/contract.ts'

type Kind = 'sent' | 'request'

/** What is there already, as a try made again sends it, is kept once. */
export async function writeBodies(tx: Tx, scope: string, kind: Kind, place: CallPlace, bodies: readonly BodyRow[]): Promise<void> {
  for (const { sha, base, head, tail, added } of bodies)
    await tx.run(
      `INSERT INTO kept_bodies (run_id, kind, sha, task, attempt, turn, base, head, tail, added) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (run_id, kind, sha) DO NOTHING`,
      scope,
      kind,
      sha,
      place.task,
      place.attempt,
      place.turn,
      base,
      head,
      tail,
      added,
    )
}

export interface FoundBody extends CallPlace {
  /** The hash that it is kept under. */
  readonly sha: string
  /** null: what is kept cannot be put together. */
  readonly body: Buffer | null
}

export async function readBodies(tx: Tx, scope: string, kind: Kind): Promise<FoundBody[]> {
  const rows = await tx.all<BodyRow & CallPlace>(
    'SELECT sha, task, attempt, turn, base, head, tail, added FROM kept_bodies WHERE run_id = ? AND kind = ? ORDER BY n',
    scope,
    kind,
  )
  const bodies = bodiesOf(rows)
  return rows.map(({ task, attempt, turn, sha }) => ({ task, attempt, turn, sha, body: bodies.get(sha) ?? null }))
}

/** Requests of one run under another: any may build on any before it. */
export async function copyRequests(tx: Tx, from: string, to: string): Promise<void> {
  await tx.run(
    `INSERT INTO kept_bodies (run_id, kind, sha, task, attempt, turn, base, head, tail, added)
       SELECT ?, kind, sha, task, attempt, turn, base, head, tail, added FROM kept_bodies WHERE run_id = ? AND kind = 'request' ORDER BY n`,
    to,
    from,
  )
}

interface Requested {
  readonly turn: number
  readonly request_sha: string
  /** Empty: it is among the bodies. */
  readonly request: string
}

/** The same exchanges with their requests, as canonical JSON. Throws `ledger.altered` where one is not what its hash says. */
export async function withRequests<Row extends Requested>(tx: Tx, scope: string, rows: readonly Row[]): Promise<Row[]> {
  const bodies = rows.some((row) => row.request === '') ? new Map((await readBodies(tx, scope, 'request')).map((one) => [one.sha, one.body])) : null
  return rows.map((row) => {
    const request = row.request === '' ? bodies?.get(row.request_sha)?.toString('utf8') : row.request
    if (request === undefined || sha256(request) !== row.request_sha)
      throw new VpError('ledger.altered', `turn ${row.turn} of ${scope}: what is recorded is not the request that its hash names`, { next: ['vp verify'] })
    return { ...row, request }
  })
}

/**
 * The store over `node:sqlite`: WAL, one connection a process, transactions one after another. Built-ins only,
 * since `vp status` opens it. Refuses newer schemas and network file systems; copies the file before a migration.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { chmodSync, copyFileSync, existsSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { isVpError, VpError } from '../core/errors.ts'
import type { AnchorFile } from './anchor.ts'
import { contradiction, countFrom, recordBreak, recordedBreaks, tableProblem, type StoreProblem } from './breaks.ts'
import type { SqlValue, Store, TransactionOptions, Tx } from './contract.ts'
import { inDirectory, unusableDirectory } from './directory.ts'
import { makeDirectory } from './make-directory.ts'
import { MIGRATIONS, type Migration } from './migrations.ts'
import { damagedTables, installSums, registerSumFunctions, stateDigest } from './sums.ts'

/** File systems on which SQLite's shared-memory locks lie. Source: statfs(2) f_type. */
const NETWORK_FS = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x00c36400, 'Ceph'],
  [0x01021997, '9P'],
])

export interface SqliteOptions {
  readonly anchor?: AnchorFile
  /** How long to wait for another process's write. */
  readonly busyMs?: number
  readonly migrations?: readonly Migration[]
  /** f_type of the file system; replaced in tests. */
  readonly fileSystemType?: (directory: string) => number
}

export interface SqliteStore extends Store {
  /** Reads every page and row: what is damaged, and whether the end is missing. Empty when all is well. */
  check(): StoreProblem[]
}

/** Opens or creates. Throws `store.unusable`, `store.newer`, `store.network_fs`, `store.locked`, `store.damaged`. */
export function openSqlite(path: string, options: SqliteOptions = {}): SqliteStore {
  const directory = dirname(path)
  const type = inDirectory(directory, () => {
    makeDirectory(directory, 0o700)
    return (options.fileSystemType ?? ((at) => statfsSync(at).type))(directory)
  })
  const network = NETWORK_FS.get(type)
  if (network)
    throw new VpError('store.network_fs', `the state directory is on ${network}, where a database can be lost`, {
      next: ['export VP_STATE_DIR=/a/local/directory'],
    })
  const db = translate(directory, () => {
    const created = !existsSync(path)
    const opened = new DatabaseSync(path, { timeout: options.busyMs ?? 5000, enableForeignKeyConstraints: false })
    if (created) chmodSync(path, 0o600)
    opened.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = ON; PRAGMA wal_autocheckpoint = 2000')
    registerSumFunctions(opened)
    return opened
  })
  translate(directory, () => migrate(db, path, options.migrations ?? MIGRATIONS))

  const statements = new Map<string, StatementSync>()
  const prepare = (sql: string): StatementSync => {
    let statement = statements.get(sql)
    if (!statement) statements.set(sql, (statement = db.prepare(sql)))
    return statement
  }
  const tx: Tx = {
    get: async <Row>(sql: string, ...params: readonly SqlValue[]) => prepare(sql).get(...params) as Row | undefined,
    all: async <Row>(sql: string, ...params: readonly SqlValue[]) => prepare(sql).all(...params) as Row[],
    run: async (sql, ...params) => Number(prepare(sql).run(...params).changes),
  }
  let queue: Promise<unknown> = Promise.resolve()
  const alone = <Result>(body: () => Promise<Result>): Promise<Result> => {
    const result = queue.then(body)
    queue = result.catch(() => undefined) // the caller has the error; the queue only orders
    return result
  }
  const within = async <Result>(begin: string, body: (tx: Tx) => Promise<Result>, before?: () => void): Promise<Result> => {
    translate(directory, () => db.exec(begin))
    try {
      const result = await body(tx)
      before?.()
      db.exec('COMMIT')
      return result
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK')
      throw translated(directory, error)
    }
  }
  return {
    transaction: (body, transactionOptions: TransactionOptions = {}) =>
      alone(async () => {
        if (transactionOptions.durable) db.exec('PRAGMA synchronous = FULL')
        let state = { tx: 0, digest: '' }
        let count = 0
        const counted = (own: Tx) => {
          count = countFrom(db, options.anchor)
          return body(own)
        }
        const result = await within('BEGIN IMMEDIATE', counted, () => {
          prepare("UPDATE table_sums SET rows = ? WHERE name = ''").run(count)
          if (options.anchor) state = stateDigest(db)
        })
        if (transactionOptions.durable) db.exec('PRAGMA synchronous = NORMAL')
        options.anchor?.write(state)
        return result
      }),
    read: (body) => alone(() => within('BEGIN', body)),
    close: () => {
      options.anchor?.close()
      db.close()
    },
    check: () => check(db, options.anchor),
  }
}

function migrate(db: DatabaseSync, path: string, migrations: readonly Migration[]): void {
  const newest = migrations.at(-1)?.version ?? 0
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0)
  if (version > newest)
    throw new VpError('store.newer', `the ledger has schema ${version}, this vp knows ${newest}`, {
      next: ['use the vp that wrote it, or a newer one', 'export VP_STATE_DIR=/another/directory'],
    })
  if (version === newest) return
  if (version > 0) db.exec('PRAGMA wal_checkpoint(TRUNCATE)') // so that the copy below is whole
  db.exec('BEGIN IMMEDIATE')
  try {
    // Another process may have migrated while this one waited for the lock.
    const now = Number(db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0)
    if (now < newest) {
      if (now > 0) copyFileSync(path, `${path}.before-${newest}`)
      db.exec('CREATE TABLE IF NOT EXISTS table_sums (name TEXT PRIMARY KEY, rows BIGINT NOT NULL, digest TEXT NOT NULL)')
      db.exec("INSERT OR IGNORE INTO table_sums (name, rows, digest) VALUES ('', 0, '')")
      const damaged = now > 0 ? damagedTables(db).map(({ name }) => name) : [] // the sums are counted anew below, and would hide it
      for (const step of migrations) if (step.version > now) for (const sql of step.sql) db.exec(sql)
      installSums(db)
      // The anchor signed the sums of the older schema: this counts as a transaction.
      if (now > 0) recordMigration(db, damaged)
      db.exec(`PRAGMA user_version = ${newest}`)
    }
    db.exec('COMMIT')
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

function recordMigration(db: DatabaseSync, damaged: readonly string[]): void {
  const tx = stateDigest(db).tx + 1
  db.prepare("UPDATE table_sums SET rows = ? WHERE name = ''").run(tx)
  if (damaged.length > 0) recordBreak(db, tx, { kind: 'damaged', detail: `table ${damaged.join(', ')}, found before the schema changed`, since: null })
}

function check(db: DatabaseSync, anchor: AnchorFile | undefined): StoreProblem[] {
  try {
    const before = anchor?.read() ?? null // before the snapshot that it is held against
    db.exec('BEGIN')
    const pages = db
      .prepare('PRAGMA integrity_check')
      .all()
      .map((row) => String(row['integrity_check']))
    const damaged = (detail: string): StoreProblem => ({ kind: 'damaged', detail, since: null })
    const problems = [...pages.filter((line) => line !== 'ok').map(damaged), ...damagedTables(db).map((table) => tableProblem(db, table))]
    problems.push(...recordedBreaks(db))
    const found = anchor && contradiction(db, stateDigest(db), before, anchor)
    if (found) problems.push(found)
    return problems
  } catch (error) {
    if (isVpError(error)) throw error
    return [{ kind: 'damaged', detail: (error as Error).message, since: null }]
  } finally {
    if (db.isTransaction) db.exec('ROLLBACK')
  }
}

function translate<Result>(directory: string, body: () => Result): Result {
  try {
    return body()
  } catch (error) {
    throw translated(directory, error)
  }
}

/** What a full disk says when the index of the write-ahead log cannot grow. */
const IOERR_SHMSIZE = 10 | (19 << 8)

function full(cause: unknown): VpError {
  return new VpError('store.full', 'no space left on the disk for the ledger', { cause, next: ['df -h'] })
}

/** SQLite's result codes as ours. Source: sqlite.org/rescode.html (primary code = low byte). */
function translated(directory: string, error: unknown): unknown {
  if (isVpError(error)) return error
  const code = (error as { errcode?: number } | null)?.errcode
  if (code === undefined) return error
  const message = (error as Error).message
  if (code === IOERR_SHMSIZE) return full(error)
  switch (code & 0xff) {
    case 5:
    case 6:
      return new VpError('store.locked', 'the ledger is locked by another program', {
        cause: error,
        next: ['vp status'],
      })
    case 13:
      return full(error)
    case 8:
    case 14:
      return unusableDirectory(directory, message, error)
    case 10:
    case 11:
    case 26:
      return new VpError('store.damaged', `the ledger file is damaged: ${message}`, {
        cause: error,
        next: ['vp doctor'],
      })
    case 1:
      // A schema whose text no longer parses is damage, and so is one that a table was taken out of; a wrong statement of ours is a defect.
      return /malformed|^no such table: /.test(message)
        ? new VpError('store.damaged', `the ledger file is damaged: ${message}`, { cause: error, next: ['vp doctor'] })
        : error
    default:
      return error
  }
}

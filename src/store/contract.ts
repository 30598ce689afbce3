/**
 * The store port: asynchronous and transactional, SQL in the common subset of SQLite and PostgreSQL.
 * One implementation today (`sqlite.ts`); a fleet brings the second.
 */
export type SqlValue = null | number | string | Uint8Array

/** One open transaction. Its body awaits nothing but these three. */
export interface Tx {
  get<Row>(sql: string, ...params: readonly SqlValue[]): Promise<Row | undefined>
  all<Row>(sql: string, ...params: readonly SqlValue[]): Promise<Row[]>
  /** Number of rows changed. */
  run(sql: string, ...params: readonly SqlValue[]): Promise<number>
}

export interface TransactionOptions {
  /** Survives a power cut, not only a killed process: for what is acknowledged to somebody. */
  readonly durable?: boolean
}

export interface Store {
  /** Runs `body` alone and commits; anything thrown rolls everything back. Throws `store.locked`, `store.full`, `store.damaged`. */
  transaction<Result>(body: (tx: Tx) => Promise<Result>, options?: TransactionOptions): Promise<Result>
  /** The same without writing: sees one consistent state. */
  read<Result>(body: (tx: Tx) => Promise<Result>): Promise<Result>
  close(): void
}

/**
 * Identifiers. Branded, so that a run and a task do not mix; sortable where order helps a reader.
 */
import type { Clock, Random } from './ports.ts'

declare const brand: unique symbol
export type Branded<Name extends string> = string & { readonly [brand]: Name }
export type RunId = Branded<'run'>
export type TaskId = Branded<'task'>
export type ReceiptId = Branded<'receipt'>

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** 26 characters, time-ordered. Source: the ULID specification. */
export function ulid(clock: Clock, random: Random): string {
  let time = clock.now()
  let head = ''
  for (let index = 0; index < 10; index++) {
    head = CROCKFORD[time % 32] + head
    time = Math.floor(time / 32)
  }
  let tail = ''
  for (const byte of random.bytes(16)) tail += CROCKFORD[byte % 32]
  return head + tail
}

export function receiptId(clock: Clock, random: Random): ReceiptId {
  return `r_${ulid(clock, random)}` as ReceiptId
}

/** The end of an id tells it apart: its beginning is the time. `namesReceipt` takes it back. */
export function shortReceipt(id: string): string {
  return `r_${id.slice(-6)}`
}

/** Whether what a person typed, a whole id or a unique part of one, means this receipt. */
export function namesReceipt(id: string, typed: string): boolean {
  return id.includes(typed.replace(/^r_/i, '').toUpperCase())
}

/** `r-YYYY-MM-DD-HHMMSS-hhhh`, UTC. Source: contracts/pas.md section 1. */
export function runId(clock: Clock, random: Random): RunId {
  const stamp = new Date(clock.now()).toISOString().slice(0, 19).replace('T', '-').replaceAll(':', '')
  return `r-${stamp}-${hex(random, 2)}` as RunId
}

/** `task-` and 8 hex digits. */
export function taskId(random: Random): TaskId {
  return `task-${hex(random, 4)}` as TaskId
}

export function approvalId(random: Random): string {
  return `ap_${sixLetters(random)}`
}

/** Of a token, which is another thing and never told. */
export function tokenId(random: Random): string {
  return `tk_${sixLetters(random)}`
}

function sixLetters(random: Random): string {
  return [...random.bytes(6)]
    .map((byte) => CROCKFORD[byte % 32])
    .join('')
    .toLowerCase()
}

export function hex(random: Random, bytes: number): string {
  return Buffer.from(random.bytes(bytes)).toString('hex')
}

/** For whoever tests or probes a model: whether its name stands for another one than the last call or test here has met. */
import * as z from 'zod/mini'
import { once } from '../../core/once.ts'
import type { Kit } from '../kit.ts'
import { knownFacts } from './facts.ts'

export const digestChange = once(() => z.nullable(z.object({ was: z.string(), is: z.string() })))
type DigestChange = { readonly was: string; readonly is: string } | null

export async function lastDigest(kit: Kit, key: string): Promise<string | null> {
  return (await kit.store.read((tx) => knownFacts(tx, key)))?.digest ?? null
}

/** Null where one of them is not known. */
export const changeOf = (was: string | null, is: string | null): DigestChange => (was === null || is === null || was === is ? null : { was, is })

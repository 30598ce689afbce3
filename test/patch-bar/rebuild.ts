/**
 * `scripts/node test/patch-bar/rebuild.ts DIRECTORY`: makes the slice, its rows of the table and NOTICES.md anew from npm
 * and Debian sources, with the network, npm, apt (with its `deb-src` lists), dpkg-source, patch, tar and git.
 * Downloads stay in DIRECTORY. The same versions give the same slice, byte for byte.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { seeded } from './measure.ts'
import { nameOf, writeSlice, type SliceCase } from './slice.ts'
import type { Candidate } from './sources/candidate.ts'
import { fromDebian } from './sources/debian.ts'
import { SOURCES } from './sources/list.ts'
import { notices, type Upstream } from './sources/notices.ts'
import { fromNpm } from './sources/npm.ts'
import { readTable, writeTable } from './table.ts'

const PER_LANGUAGE = 50
const LANGUAGES = ['ts', 'py', 'go', 'rs', 'c', 'md']

const work = process.argv[2]
if (work === undefined) throw new Error('usage: rebuild.ts DIRECTORY')

const upstreams: Upstream[] = []
const candidates: Candidate[] = []
for (const source of SOURCES) {
  process.stderr.write(`${source.kind} ${source.name}\n`)
  const found = source.kind === 'npm' ? fromNpm(source, work) : fromDebian(source, work)
  upstreams.push({ source, root: found.root })
  candidates.push(...found.candidates)
}
const slice = LANGUAGES.flatMap((lang) => {
  const all = candidates.filter((one) => one.lang === lang)
  const chosen = pick(all, PER_LANGUAGE)
  const from = new Set(chosen.map((one) => one.source)).size
  process.stdout.write(`${lang}: ${chosen.length} of ${all.length}, ${chosen.filter((one) => one.isAlone).length} alone in their patch, ${from} sources\n`)
  return chosen
})
writeSlice(slice)
writeTable([...slice.map((one) => ({ set: 'slice' as const, ...one })), ...readTable().filter((row) => row.set === 'full')])
writeFileSync(
  join(import.meta.dirname, 'NOTICES.md'),
  notices(upstreams.filter(({ source }) => slice.some((one) => one.source === `${source.kind}:${source.name}`))),
)

/** From every source in turn; patches of one file first, one file of a larger patch where there are no more of them. */
function pick(all: readonly Candidate[], count: number): Candidate[] {
  const chance = seeded(5)
  const rank = new Map(all.map((one) => [one, chance()]))
  const seen = new Map<string, number>()
  const inTurn = (some: readonly Candidate[]) =>
    some
      .toSorted((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0))
      .map((one) => {
        const turn = seen.get(one.source) ?? 0
        seen.set(one.source, turn + 1)
        return { one, turn }
      })
      .toSorted((a, b) => a.turn - b.turn)
      .map(({ one }) => one)
  const inOrder = [...inTurn(all.filter((one) => one.isAlone)), ...inTurn(all.filter((one) => !one.isAlone))]
  return inOrder.slice(0, count).toSorted((a, b) => byName(a, b))
}

function byName(a: SliceCase, b: SliceCase): number {
  return nameOf(a) < nameOf(b) ? -1 : 1
}

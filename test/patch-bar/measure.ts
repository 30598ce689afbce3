/**
 * Tries an engine on spoiled patches and tells what became of each: exact, refused, or written wrong. A patch is tried
 * on its own file, on the file that has it already, and on another file, which must then stay as it is.
 * Deterministic for the same cases; leaves out the clock and what a disk would add.
 */
import { applyPatch } from '../../src/patch/apply.ts'
import { parsePatch } from '../../src/patch/parse.ts'
import type { Case, Spoiled } from './spoil-kit.ts'
import { FORMS } from './spoil.ts'

type Outcome = 'exact' | 'refused' | 'wrong'
export type Tally = Record<Outcome, number>
export type Setting = 'spoiled' | 'again' | 'elsewhere'

export interface Trial<C extends Case = Case> {
  readonly form: string
  readonly setting: Setting
  readonly one: C
  readonly patch: string
  readonly outcome: Outcome
}

export interface Figures {
  readonly settings: Readonly<Record<Setting, Tally>>
  /** By form of spoiling, in the setting `spoiled` only. */
  readonly forms: ReadonlyMap<string, Tally>
}

/** The bytes after the patch; null where it was refused. `toldPath` stands beside a patch without headers. */
export type Engine = (patch: string, path: string, bytes: Buffer, toldPath?: string) => Buffer | null

export const ours: Engine = (patch, path, bytes, toldPath) => {
  const parsed = parsePatch(patch, toldPath === undefined ? {} : { path: toldPath })
  if (!parsed.ok) return null
  const result = applyPatch((name) => (name === path ? bytes : null), parsed.files)
  if (!result.ok) return null
  const change = result.changes.find((one) => one.path === path)
  return change === undefined ? bytes : Buffer.from(change.bytes ?? '')
}

export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Share of exact results. */
export function exactShare({ exact, refused, wrong }: Tally): number {
  return exact / Math.max(1, exact + refused + wrong)
}

export function measure<C extends Case>(engine: Engine, cases: readonly C[], onTrial?: (trial: Trial<C>) => void): Figures {
  const none = (): Tally => ({ exact: 0, refused: 0, wrong: 0 })
  const settings = { spoiled: none(), again: none(), elsewhere: none() }
  const forms = new Map<string, Tally>()
  const chance = seeded(7)
  for (const [at, one] of cases.entries())
    for (const [form, spoil] of Object.entries(FORMS)) {
      const spoiled = spoil(one, chance)
      if (spoiled === null) continue
      const tally = forms.get(form) ?? none()
      forms.set(form, tally)
      for (const { setting, bytes, want } of settingsOf(spoiled, anotherThan(cases, at, chance))) {
        const outcome = judge(engine(spoiled.patch, one.path, bytes, spoiled.path), want)
        settings[setting][outcome]++
        if (setting === 'spoiled') tally[outcome]++
        onTrial?.({ form, setting, one, patch: spoiled.patch, outcome })
      }
    }
  return { settings, forms }
}

function judge(got: Buffer | null, want: Buffer): Outcome {
  if (got === null) return 'refused'
  return got.equals(want) ? 'exact' : 'wrong'
}

function settingsOf({ before, after }: Spoiled, other: Case | null): { setting: Setting; bytes: Buffer; want: Buffer }[] {
  const elsewhere = other === null ? null : Buffer.from(other.before)
  return [
    { setting: 'spoiled', bytes: before, want: after },
    { setting: 'again', bytes: after, want: after },
    ...(elsewhere === null ? [] : [{ setting: 'elsewhere' as const, bytes: elsewhere, want: elsewhere }]),
  ]
}

/** A file of another language: one of the same could hold the patch's lines and so be its place by right. */
function anotherThan(cases: readonly Case[], at: number, chance: () => number): Case | null {
  const start = at + 1 + Math.floor(chance() * (cases.length - 1))
  for (let step = 0; step < cases.length; step++) {
    const other = cases[(start + step) % cases.length]
    if (other && other.lang !== cases[at]?.lang) return other
  }
  return null
}

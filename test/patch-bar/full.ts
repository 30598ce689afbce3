/**
 * `scripts/node test/patch-bar/full.ts OWNER/NAME=DIRECTORY …`: the full measurement, on the public one-file commits of
 * table.tsv, read from clones (bare or not) of their repositories. Prints a line for each way. Exits with 1 below the bar.
 */
import { spawnSync } from 'node:child_process'
import { exactShare, measure, ours } from './measure.ts'
import type { Case } from './spoil-kit.ts'
import { readTable, type Row } from './table.ts'

const BAR = 0.97

const clones = new Map(process.argv.slice(2).map((argument) => argument.split('=') as [string, string]))
if (clones.size === 0) throw new Error('usage: full.ts OWNER/NAME=DIRECTORY …')
const rows = readTable().filter((row) => row.set === 'full' && clones.has(repositoryOf(row)))
const cases = rows.flatMap((row) => readCase(row, clones.get(repositoryOf(row)) ?? ''))

const { settings, forms } = measure(ours, cases, ({ form, setting, one, outcome }) => {
  if (outcome === 'wrong') process.stdout.write(`wrong, ${setting}, ${form}: ${one.name}\n`)
})
for (const [form, tally] of forms) process.stdout.write(`${form.padEnd(32)} ${percent(exactShare(tally))} %  ${JSON.stringify(tally)}\n`)
process.stdout.write(`${cases.length} of ${rows.length} cases, ${percent(exactShare(settings.spoiled))} % exact  ${JSON.stringify(settings)}\n`)
if (exactShare(settings.spoiled) < BAR || Object.values(settings).some((tally) => tally.wrong > 0)) process.exitCode = 1

function repositoryOf(row: Row): string {
  return row.source.replace(/^github:/, '')
}

/** Nothing where the clone lacks the commit, as a shallow one does. */
function readCase({ lang, source, change, path }: Row, directory: string): (Case & { readonly name: string })[] {
  const git = (...argv: string[]) => {
    const { status, stdout } = spawnSync('git', ['-C', directory, ...argv], { encoding: 'utf8', maxBuffer: 1 << 28 })
    return status === 0 ? stdout : null
  }
  const before = git('show', `${change}^:${path}`)
  const after = git('show', `${change}:${path}`)
  const patch = git(
    '-c',
    'diff.noprefix=false',
    '-c',
    'diff.mnemonicPrefix=false',
    'diff',
    '--no-color',
    '--no-ext-diff',
    '-U3',
    `${change}^`,
    change,
    '--',
    path,
  )
  return before === null || after === null || patch === null ? [] : [{ name: `${source} ${change} ${path}`, lang, path, before, after, patch }]
}

function percent(share: number): string {
  return (100 * share).toFixed(2).padStart(6)
}

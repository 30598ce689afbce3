/**
 * The bar of the patch engine on real changes, spoiled in every way: at least 97 % exact, and never a wrong write, be
 * the patch applied already or the file another one. Every fifth case of each language; VP_TEST_DEEP=1 takes them all.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { exactShare, measure, ours } from './measure.ts'
import { nameOf, readSlice } from './slice.ts'
import type { Case } from './spoil-kit.ts'
import { FORMS, WAYS } from './spoil.ts'
import { readTable } from './table.ts'

const BAR = 0.97
const isDeep = process.env['VP_TEST_DEEP'] === '1'
const slice = readSlice()

test('the ways of spoiling are sixteen', () => {
  assert.equal(Object.keys(WAYS).length, 16)
})

test('the slice holds fifty cases of each language, each in the table, each upstream in the notices', () => {
  const counts = Object.groupBy(slice, (one) => one.lang)
  assert.deepEqual(
    Object.entries(counts).map(([lang, some]) => [lang, some?.length]),
    ['ts', 'py', 'go', 'rs', 'c', 'md'].map((lang) => [lang, 50]),
  )
  const rows = new Set(readTable().map(({ source, version, change, path }) => `${source} ${version} ${change} ${path}`))
  const notices = readFileSync(join(import.meta.dirname, 'NOTICES.md'), 'utf8')
  for (const one of slice) {
    assert.ok(rows.has(`${one.source} ${one.version} ${one.change} ${one.path}`), nameOf(one))
    assert.ok(notices.includes(`\n### ${one.source.replace(':', ' ')}\n`), one.source)
  }
})

test('real changes, spoiled: at least 97 % exact, nothing written wrong', () => {
  const wrong: string[] = []
  const refused: string[] = []
  const { settings, forms } = measure(ours, isDeep ? slice : slice.filter((_, at) => at % 5 === 0), ({ form, setting, one, outcome }) => {
    if (outcome === 'wrong') wrong.push(`${setting}, ${form}: ${nameOf(one)}`)
    if (outcome === 'refused' && setting === 'spoiled') refused.push(`${form}: ${nameOf(one)}`)
  })
  assert.deepEqual([...forms.keys()].toSorted(), Object.keys(FORMS).toSorted(), 'every form met a case')
  assert.deepEqual(wrong, [])
  assert.ok(exactShare(settings.spoiled) >= BAR, `${(100 * exactShare(settings.spoiled)).toFixed(2)} % exact; refused:\n${refused.join('\n')}`)
})

test('an engine that guesses or gives up is found out', () => {
  const one: Case = { lang: 'c', path: 'a.c', before: 'int a;\n', after: 'int b;\n', patch: '--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@\n-int a;\n+int b;\n' }
  const guess = measure(() => Buffer.from('int b;\n'), [one, { ...one, lang: 'md' }])
  assert.ok(guess.settings.elsewhere.wrong > 0)
  assert.equal(exactShare(measure(() => null, [one]).settings.spoiled), 0)
})

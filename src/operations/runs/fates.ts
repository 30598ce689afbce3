/**
 * What became of tests that are in no report any more: deleted, or there and not run, as where the code under test ends the
 * process. A report alone does not tell the two apart, the tree does.
 */
import { vanishedTests, type Fates } from '../../pas/embedded/kpi/compare.ts'
import type { Evidence } from '../../pas/embedded/kpi/judge.ts'
import type { TestCase } from '../../pas/embedded/kpi/reports/report.ts'
import { isTestPath } from '../../workspace/detect.ts'
import type { Kit } from '../kit.ts'
import type { RunScene } from './run-scene.ts'

interface Between {
  /** Commit that the change is held against. */
  readonly since: string
  /** Tree. */
  readonly to: string
}

/** One is looked for with a search in two trees. */
const MAX_LOOKED_FOR = 20

export async function fatesOf(kit: Kit, run: RunScene, between: Between, base: Evidence, now: Evidence): Promise<Fates> {
  if (!base.tests || !now.tests) return new Map()
  const looked = vanishedTests(base.tests.report, now.tests.report).slice(0, MAX_LOOKED_FOR)
  const fates = await Promise.all(looked.map(async (test) => [test.id, await fateOf(kit, run.repository.gitDir, between, test)] as const))
  return new Map(fates.flatMap(([id, fate]) => (fate === null ? [] : [[id, fate]])))
}

/** null: its name stands in no file of the base, so the tree says nothing of it. */
async function fateOf(kit: Kit, gitDir: string, { since, to }: Between, test: TestCase): Promise<'test deleted' | 'test did not run' | null> {
  const words = test.whole_file ? null : (test.name.split(' > ').at(-1) ?? test.name)
  const place = test.whole_file ? test.name : test.file
  const there = place === null ? false : await isThere(kit, gitDir, to, place)
  if (place !== null && !there && (await isThere(kit, gitDir, since, place))) return 'test deleted'
  if (words === null) return there ? 'test did not run' : null
  const had = (await filesWith(kit, gitDir, since, words)).filter((path) => (place === null ? isTestPath(path) : path === place))
  if (had.length === 0) return null
  const has = new Set(await filesWith(kit, gitDir, to, words))
  return had.some((path) => has.has(path)) ? 'test did not run' : 'test deleted'
}

async function isThere(kit: Kit, gitDir: string, treeish: string, path: string): Promise<boolean> {
  return (await kit.git(['cat-file', '-e', `${treeish}:${path}`], { gitDir, accept: [1, 128] })).code === 0
}

async function filesWith(kit: Kit, gitDir: string, treeish: string, words: string): Promise<string[]> {
  const { stdout } = await kit.git(['grep', '-l', '-z', '--fixed-strings', '-e', words.slice(0, 200), treeish, '--'], { gitDir, accept: [1] })
  return stdout
    .toString('utf8')
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => line.slice(treeish.length + 1))
}

/** Whatever order siblings end in, a task starts from the same files: its base and what it depends on. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { RunState, TaskState } from '../../pas/embedded/reducer/state.ts'
import { gitRunner, gitText, type Identity } from '../../workspace/git.ts'
import { commitTree, mergeTrees, treeOf } from '../../workspace/run-repository.ts'
import { startOf } from './start-tree.ts'

const git = gitRunner('git')
const author: Identity = { name: 'A', email: 'a@example.org' }
const lines = (text: string) => text.split('').join('\n') + '\n'

interface Branch {
  readonly gitDir: string
  readonly base: string
  /** Puts a task's files on the branch and says so in the run's state. */
  land(n: number, files: Readonly<Record<string, string>>): Promise<void>
  state(): RunState
}

async function makeBranch(t: TestContext, cards: Readonly<Record<number, readonly number[]>>): Promise<Branch> {
  const gitDir = mkdtempSync(join(tmpdir(), 'vp-start-'))
  t.after(() => rmSync(gitDir, { recursive: true, force: true }))
  execFileSync('git', ['init', '--quiet', '--bare', gitDir])
  const commit = async (files: Readonly<Record<string, string>>, parent: string | null, n: number) => {
    const index = join(gitDir, 'index')
    rmSync(index, { force: true })
    if (parent !== null) await git(['read-tree', parent], { gitDir, index })
    for (const [path, text] of Object.entries(files)) {
      const blob = await gitText(git, ['hash-object', '-w', '--stdin'], { gitDir, input: text })
      await git(['update-index', '--add', '--cacheinfo', `100644,${blob},${path}`], { gitDir, index })
    }
    const tree = await gitText(git, ['write-tree'], { gitDir, index })
    return commitTree(git, gitDir, { tree, parents: parent === null ? [] : [parent], message: `T${n}\n`, author, epochMs: n * 1000 })
  }
  const base = await commit({ 'a.txt': lines('abcdefghij') }, null, 0)
  const tasks: Record<string, TaskState> = Object.fromEntries(
    Object.entries(cards).map(([n, deps]) => [
      `t${n}`,
      {
        task_id: `t${n}`,
        status: 'queued',
        commit: null,
        carry_tree: null,
        carry_base: null,
        card: { deps: deps.map((dep) => `t${dep}`), payload: {} },
      } as never,
    ]),
  )
  let head = base
  return {
    gitDir,
    base,
    async land(n, files) {
      head = await commit(files, head, n)
      tasks[`t${n}`] = { ...(tasks[`t${n}`] as TaskState), status: 'succeeded', commit: head }
    },
    state: () => ({ base, head, tasks: { ...tasks } }) as never,
  }
}

const startTree = async (branch: Branch, n: number) => {
  const state = branch.state()
  const { from } = await startOf(git, branch.gitDir, state, state.tasks[`t${n}`] as TaskState)
  return { commit: from, tree: await treeOf(git, branch.gitDir, from) }
}

test('the order in which a dependency and a stranger landed does not show', async (t) => {
  const cards = { 1: [], 2: [], 3: [1] }
  const one = { 'one.txt': '1\n', 'a.txt': lines('ABcdefghij') }
  const [first, second, alone] = [await makeBranch(t, cards), await makeBranch(t, cards), await makeBranch(t, cards)]
  await first.land(1, one)
  await first.land(2, { 'two.txt': '2\n', 'a.txt': lines('ABcdefghIJ') })
  await second.land(2, { 'two.txt': '2\n', 'a.txt': lines('abcdefghIJ') })
  await second.land(1, { ...one, 'a.txt': lines('ABcdefghIJ') })
  await alone.land(1, one)
  const want = await startTree(alone, 3)
  assert.equal(want.commit, alone.state().head, 'where nobody else landed it is the branch itself')
  assert.equal((await startTree(first, 3)).tree, want.tree)
  assert.equal((await startTree(second, 3)).tree, want.tree)
})

test('a task that depends on nothing starts from the base, however late it begins', async (t) => {
  const branch = await makeBranch(t, { 1: [], 2: [] })
  await branch.land(1, { 'one.txt': '1\n' })
  assert.equal((await startTree(branch, 2)).commit, branch.base)
})

test('what grew from a composed start merges with the branch without a conflict', async (t) => {
  const branch = await makeBranch(t, { 1: [], 2: [], 3: [2] })
  await branch.land(1, { 'one.txt': '1\n' })
  await branch.land(2, { 'a.txt': lines('abcdEfghij') })
  const { commit } = await startTree(branch, 3)
  const own = await makeBranch(t, {})
  await own.land(3, { 'a.txt': lines('abcdEFghij') })
  execFileSync('git', ['--git-dir', branch.gitDir, 'fetch', '--quiet', own.gitDir, own.state().head])
  const head = branch.state().head
  const sides = { base: commit, ours: await treeOf(git, branch.gitDir, head), theirs: await treeOf(git, branch.gitDir, own.state().head) }
  const merged = await mergeTrees(git, branch.gitDir, sides)
  assert.ok(merged.kind === 'merged')
  const listed = await gitText(git, ['ls-tree', '--name-only', merged.tree], { gitDir: branch.gitDir })
  assert.equal(listed, 'a.txt\none.txt')
  assert.equal(await gitText(git, ['cat-file', 'blob', `${merged.tree}:a.txt`], { gitDir: branch.gitDir }), lines('abcdEFghij').trimEnd())
})

test('dependencies that cannot be told from what they stand on bring the whole branch', async (t) => {
  const branch = await makeBranch(t, { 1: [], 2: [], 3: [2] })
  await branch.land(1, { 'a.txt': lines('aBcdefghij') })
  await branch.land(2, { 'a.txt': lines('aXcdefghij') })
  assert.equal((await startTree(branch, 3)).commit, branch.state().head)
})

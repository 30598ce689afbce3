/** What a clone may bring in the place of the files that a project is read from. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openRealKit } from '../../../test/real-kit.ts'
import { projectHere } from '../../surfaces/cli/commands/ledger-reader.ts'
import { prdContext, requirementsOf } from '../runs/requirements.ts'
import { detectCommands } from './new.ts'
import { PROJECT_FILE, readProjectFile } from './project.ts'

const brought: [title: string, put: (at: string) => void, error: RegExp][] = [
  ['a link to a device', (at) => symlinkSync('/dev/zero', at), /project\.json.* is a symlink/],
  ['a pipe', (at) => execFileSync('mkfifo', [at]), /project\.json.* is not a regular file/],
]
for (const [title, put, message] of brought) {
  test(`a project file that is ${title} is refused`, (t) => {
    const { tree } = openRealKit(t, { 'a.txt': 'a' })
    mkdirSync(join(tree.root, '.vp'))
    put(join(tree.root, PROJECT_FILE))
    assert.throws(() => readProjectFile(tree.root), { code: /^path\.(denied|not_regular)$/, message })
    assert.deepEqual(projectHere(tree.root), { root: tree.root, project_id: null, name: null })
  })

  test(`requirements that are ${title} are refused`, (t) => {
    const { kit, tree } = openRealKit(t, { 'a.txt': 'a' })
    mkdirSync(join(tree.root, '.vp'))
    assert.equal(prdContext({ kit, tree }), null)
    put(join(tree.root, '.vp/prd.md'))
    assert.throws(() => prdContext({ kit, tree }), { code: /^path\.(denied|not_regular)$/ })
  })

  test(`a manifest that is ${title} is as good as none`, async (t) => {
    const { kit, tree } = openRealKit(t, { 'package.json': '{"scripts":{"test":"node --test"}}', 'pyproject.toml': '[tool.ruff]' })
    const { test: before, lint } = await detectCommands(kit, tree.root)
    assert.deepEqual([before?.argv[0], lint?.argv[0]], ['npm', 'ruff'])
    for (const name of ['package.json', 'pyproject.toml']) {
      rmSync(join(tree.root, name))
      put(join(tree.root, name))
    }
    const { test: after, lint: linter } = await detectCommands(kit, tree.root)
    assert.deepEqual([after, linter], [null, null])
  })
}

test('a project of this folder is read, none of what a link names', (t) => {
  const { tree } = openRealKit(t, { 'elsewhere/project.json': '{"project_id":7,"name":"linked"}' })
  mkdirSync(join(tree.root, '.vp'))
  writeFileSync(join(tree.root, PROJECT_FILE), '{"project_id":3,"name":"own"}')
  assert.deepEqual(projectHere(tree.root), { root: tree.root, project_id: 3, name: 'own' })
  rmSync(join(tree.root, '.vp'), { recursive: true })
  symlinkSync('elsewhere', join(tree.root, '.vp'))
  assert.equal(projectHere(tree.root)?.name, null)
  assert.throws(() => readProjectFile(tree.root), { code: 'path.denied' })
})

test('a goal that was typed is told nothing of requirements, also where the project has some', (t) => {
  const { kit, tree } = openRealKit(t, { '.vp/prd.md': '# Words\n\nIt trims.\n' })
  const run_id = 'r-2026-01-01-000000-0000' as Parameters<typeof requirementsOf>[1]['run_id']
  assert.match(requirementsOf({ kit, tree }, { run_id }) ?? '', /It trims/)
  assert.equal(requirementsOf({ kit, tree }, { run_id, origin: 'do' }), null)
})

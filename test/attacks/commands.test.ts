/**
 * Allowed commands that turn out hostile, run for an agent through run.exec on every backend of this machine: a rule lets a
 * program through, and what it then tries ends at the sandbox. Says what Landlock, which has no view of its own, cannot do.
 */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, lstatSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fsRead } from '../../src/operations/fs.ts'
import { invoke, type Answer } from '../../src/operations/invoke.ts'
import type { Operation } from '../../src/operations/operation.ts'
import { runExec } from '../../src/operations/run.ts'
import { scopesOf } from '../../src/policy/scopes.ts'
import { openRealKit, type RealKit } from '../real-kit.ts'

const base = mkdtempSync(join(tmpdir(), 'vp-commands-'))
const cleanups: (() => void)[] = [() => rmSync(base, { recursive: true, force: true })]
after(() => cleanups.toReversed().forEach((fn) => fn()))
const server = createServer((socket) => socket.end('reached'))
before(() => new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready)))
after(() => server.close())

const CANARY = 'canary-of-the-host'
const HOLDS = "process.stdout.write('held')"
const tried = (what: string) => `const fs = require('node:fs'); try { ${what}; process.stdout.write('LOST') } catch { ${HOLDS} }`

interface At {
  readonly real: RealKit
  readonly outside: string
  readonly port: number
}
type Row = readonly [title: string, script: (at: At) => string, on: readonly string[]]
const ALL = ['bwrap', 'box', 'landlock']
const VIEWS = ['bwrap', 'box']
const ROWS: readonly Row[] = [
  ['reads outside', ({ outside }) => tried(`fs.readFileSync(${JSON.stringify(join(outside, 'canary'))})`), ALL],
  ['writes outside', ({ outside }) => tried(`fs.writeFileSync(${JSON.stringify(join(outside, 'made'))}, 'x')`), ALL],
  [
    'reads the ledger and its key',
    ({ real }) => tried(`fs.readdirSync(${JSON.stringify(real.kit.paths.state)}).length > 0 && fs.readFileSync(${JSON.stringify(real.kit.paths.ledger)})`),
    ALL,
  ],
  [
    'reads over a link that it makes',
    ({ outside }) => tried(`fs.symlinkSync(${JSON.stringify(join(outside, 'canary'))}, 'made-link'); fs.readFileSync('made-link')`),
    ALL,
  ],
  [
    'gives a file outside a second name inside',
    ({ outside }) => tried(`fs.linkSync(${JSON.stringify(join(outside, 'canary'))}, 'made-hard'); fs.readFileSync('made-hard')`),
    ALL,
  ],
  ['looks at the environment of vp', () => `process.stdout.write(JSON.stringify(process.env).includes('${CANARY}') ? 'LOST' : 'held')`, ALL],
  [
    'looks at the environment of other processes',
    () =>
      `const fs = require('node:fs'); let all = ''; for (const n of fs.readdirSync('/proc')) try { all += fs.readFileSync('/proc/' + n + '/environ', 'latin1') } catch {} process.stdout.write(all.includes('${CANARY}') ? 'LOST' : 'held')`,
    ALL,
  ],
  [
    'connects to the host',
    ({ port }) => `require('node:net').connect(${port}, '127.0.0.1').on('data', () => process.stdout.write('LOST')).on('error', () => ${HOLDS})`,
    ALL,
  ],
  ['changes the policy', () => tried("fs.writeFileSync('.vp/lanes/code-impl.yaml', 'lane: Code-Impl')"), VIEWS],
  ['plants a hook', () => tried("fs.writeFileSync('.git/hooks/pre-commit', '#!/bin/sh')"), VIEWS],
  ['moves the git directory away', () => tried("fs.renameSync('.git', 'g')"), VIEWS],
  ['kills vp', () => `try { process.kill(${process.pid}, 'SIGKILL'); process.stdout.write('LOST') } catch { ${HOLDS} }`, VIEWS],
]

describe('on every backend', { concurrency: 3 }, () => {
  for (const name of ALL) {
    const skip =
      name === 'bwrap' && !['/usr/bin/bwrap', '/bin/bwrap', '/usr/local/bin/bwrap'].some((path) => existsSync(path)) ? 'bubblewrap is not installed' : false
    describe(name, { skip, concurrency: 1 }, () => {
      let at: At
      before(() => {
        const shadow = join(base, `shadow-${name}`)
        const real = openRealKit(
          { after: (fn) => void cleanups.push(fn) },
          {
            Makefile: 'all:\n\t@echo made $(shell cat "$$OUTSIDE" ../canary 2>/dev/null || echo held)\n',
            'bin/node': '#!/bin/sh\necho LOST\n',
            'bin/pytest': '#!/bin/sh\necho LOST\n',
            '.vp/lanes/code-impl.yaml': "lane: Code-Impl\ncommands: { allow: [[node, '*'], [make, '*'], [pytest, '*']] }\n",
            'plain.js': HOLDS,
          },
          { VP_SANDBOX: name, PATH: `.:bin:${shadow}:${process.env['PATH'] ?? ''}`, VP_CANARY: CANARY, SECRET_TOKEN: CANARY },
        )
        for (const program of ['node', 'pytest']) chmodSync(join(real.tree.root, 'bin', program), 0o755)
        symlinkSync(join(real.tree.root, 'bin'), shadow)
        const outside = dirname(real.tree.root)
        writeFileSync(join(outside, 'canary'), CANARY)
        at = { real, outside, port: (server.address() as AddressInfo).port }
      })
      const call = (operation: Operation, params: unknown): Promise<Answer> =>
        invoke(at.real.kit, operation, params, { actor: 'agent', surface: 'agent', scopes: scopesOf('agent') }, at.real.tree)
      const run = async (params: object): Promise<{ output: string; ended_by: string; exit_code: number | null }> => {
        const answer = await call(runExec, { timeout_ms: 10_000, ...params })
        if (!answer.ok) throw answer.error
        return answer.result as { output: string; ended_by: string; exit_code: number | null }
      }

      for (const [title, script, on] of ROWS)
        if (on.includes(name))
          test(`held: ${title}`, async () => {
            writeFileSync(join(at.real.tree.root, 'attack.js'), script(at))
            const { output } = await run({ argv: ['node', 'attack.js'], timeout_ms: 10_000 })
            assert.match(output, /held/)
            assert.doesNotMatch(output, /LOST|canary-of-the-host/)
            assert.equal(readFileSync(join(at.outside, 'canary'), 'utf8'), CANARY)
            assert.equal(existsSync(join(at.outside, 'made')), false)
          })

      test('held: leaves a policy that was not there, in a project and below it', async () => {
        const planted = ['.vp/lanes/narrative.yaml', '.vp/project.json', 'deep/.vp/project.json', 'deep/.vscode/tasks.json', '.mcp.json']
        const script = `const fs = require('node:fs'), path = require('node:path'); for (const at of ${JSON.stringify(planted)}) try { fs.mkdirSync(path.dirname(at), { recursive: true }); fs.writeFileSync(at, '{"x":1}') } catch {}`
        writeFileSync(join(at.real.tree.root, 'attack.js'), script)
        await run({ argv: ['node', 'attack.js'] })
        assert.deepEqual(
          planted.filter((path) => existsSync(join(at.real.tree.root, path))),
          [],
        )
      })

      test('held: a program of the tree that stands before the real one on PATH', async () => {
        assert.equal((await run({ argv: ['node', 'plain.js'] })).output, 'held')
        const answer = await call(runExec, { argv: ['pytest', '-q'] })
        if (answer.ok) assert.doesNotMatch(JSON.stringify(answer.result), /LOST/)
        // No box for whatever pytest this machine has is a refusal as well: the planted one did not run.
        else assert.match(answer.error.code, /^(?:policy\.denied|sandbox\.(?:program_missing|unavailable))$/)
      })

      test('held: make, whose file is a language', async () => {
        const { output } = await run({ argv: ['make', 'all'] })
        assert.doesNotMatch(output, new RegExp(CANARY))
      })

      test('held: a directory to start in that is not in the tree', async () => {
        for (const cwd of ['..', '/', '../..', 'bin/../..', '/etc']) {
          const answer = await call(runExec, { argv: ['node', 'plain.js'], cwd })
          assert.equal(answer.ok && (answer.result as { exit_code: number }).exit_code === 0, false, cwd)
        }
      })

      test('what it left cannot be used to read outside', async () => {
        writeFileSync(join(at.real.tree.root, 'attack.js'), "require('node:fs').symlinkSync('/etc/passwd', 'left')")
        await run({ argv: ['node', 'attack.js'] })
        assert.ok(lstatSync(join(at.real.tree.root, 'left')).isSymbolicLink())
        const answer = await call(fsRead, { path: 'left' })
        assert.ok(!answer.ok && answer.error.code === 'path.denied')
      })

      test('which limit ended it is said', async () => {
        writeFileSync(
          join(at.real.tree.root, 'attack.js'),
          "if (process.argv[2] === 'out') for (;;) require('node:fs').writeSync(1, 'x'.repeat(65536)); else setInterval(() => {}, 1000)",
        )
        assert.equal((await run({ argv: ['node', 'attack.js'], timeout_ms: 400 })).ended_by, 'wall')
        assert.equal((await run({ argv: ['node', 'attack.js', 'out'] })).ended_by, 'output')
      })
    })
  }
})

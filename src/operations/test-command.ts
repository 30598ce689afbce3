/**
 * `vp do --test CMD`: what cannot be run here is found before a model is asked and paid. The command is a person's own, so a
 * lane's list of programs does not bind it; what no lane may allow does, and so does what is not there. Of `tests:` in a PRD,
 * whose tasks may make what their tests need, only the former is asked.
 */
import { VpError } from '../core/errors.ts'
import { decideCommand } from '../policy/argv.ts'
import type { Lane } from '../policy/lane.ts'
import { inDirectory } from '../policy/in-directory.ts'
import { shownCommand } from '../policy/shown.ts'
import { treePaths } from '../workspace/git.ts'
import type { HumanRepository } from '../workspace/human-repository.ts'
import type { Scene } from './operation.ts'
import { packagesOf, programOf } from './program.ts'

/** A rule about how a model reaches a program: of a package a person may name it by its path. A shell is none for anybody. */
const FOR_MODELS = 'global/argv'
const IN_DIRECTORY = 'add --test "npm -C DIRECTORY test", or make -C DIRECTORY TARGET'

/** One of these has to be in the tree, unless an option says where else to look. */
const READS: Readonly<Record<string, readonly string[]>> = {
  make: ['GNUmakefile', 'makefile', 'Makefile'],
  npm: ['package.json'],
  pnpm: ['package.json'],
  yarn: ['package.json'],
}

interface Where {
  readonly lane: Lane
  readonly human: HumanRepository
  readonly base: string
}

/** Throws `policy.denied`, `sandbox.program_missing`, `gate.unmeasured`. */
export async function requireTestCommand(scene: Scene, argv: readonly string[], { lane, human, base }: Where): Promise<void> {
  const { kit, tree } = scene
  const { argv: judged, directory } = inDirectory(argv)
  const [program = '', ...args] = judged
  refuseDenied(argv, lane, { next: ['add --test "make check"', IN_DIRECTORY] })
  // What comes with the packages is there once they are set up.
  if (packagesOf(tree, program) === null) await programOf(kit, tree, program, tree.home)
  const wanted = args.some((word) => word.startsWith('-')) ? undefined : READS[program]
  if (wanted === undefined) return
  const paths = await treePaths(kit.git, human.view, base)
  const inTree = wanted.map((path) => (directory === '.' ? path : `${directory}/${path}`))
  if (!inTree.some((path) => paths.includes(path)))
    throw new VpError('gate.unmeasured', `${program} finds no ${inTree.at(-1)} in the last commit, so “done” cannot be proved`, {
      next: ['add --test with a command that runs here', 'git status'],
    })
}

/** What no lane may allow is no test either. Throws `policy.denied`. */
export function refuseDenied(argv: readonly string[], lane: Lane, told: Pick<VpError['details'], 'where' | 'next'>): void {
  const { effect, rule, reason } = decideCommand(inDirectory(argv).argv, lane, 'human')
  if (effect === 'deny' && rule.startsWith('global/') && rule !== FOR_MODELS)
    throw new VpError('policy.denied', `${shownCommand(argv)} is no test: ${reason}`, { ...told, rule })
}

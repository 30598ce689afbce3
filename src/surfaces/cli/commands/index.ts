/**
 * The table of verbs. Those that only look are loaded with the program, since looking is cheap; all others are one
 * file, loaded when one of them is used, so that a status loads no planner.
 */
import { VpError } from '../../../core/errors.ts'
import type { Command } from '../command.ts'
import { logsCommand, statusCommand, whereCommand } from './look.ts'

const LOOK: Readonly<Record<string, Command>> = { '': whereCommand, status: statusCommand, logs: logsCommand }

const REST: Readonly<Record<string, (rest: typeof import('./rest.ts')) => Command>> = {
  new: (rest) => rest.newCommand,
  plan: (rest) => rest.planCommand,
  estimate: (rest) => rest.estimateCommand,
  simulate: (rest) => rest.simulateCommand,
  approve: (rest) => rest.approveCommand,
  start: (rest) => rest.startCommand,
  pause: (rest) => rest.pauseCommand,
  resume: (rest) => rest.resumeCommand,
  terminate: (rest) => rest.terminateCommand,
  tell: (rest) => rest.tellCommand,
  validate: (rest) => rest.validateCommand,
  complete: (rest) => rest.completeCommand,
  verify: (rest) => rest.verifyCommand,
  replay: (rest) => rest.replayCommand,
  'egress show': (rest) => rest.egressShowCommand,
  'context show': (rest) => rest.contextShowCommand,
  export: (rest) => rest.exportCommand,
  undo: (rest) => rest.undoCommand,
  'fs patch': (rest) => rest.fsPatchCommand,
  'fs read': (rest) => rest.fsReadCommand,
  search: (rest) => rest.searchCommand,
  'run test': (rest) => rest.runTestCommand,
  'run exec': (rest) => rest.runExecCommand,
  'model list': (rest) => rest.modelListCommand,
  'model show': (rest) => rest.modelShowCommand,
  'model test': (rest) => rest.modelTestCommand,
  'model set': (rest) => rest.modelSetCommand,
  'model probe': (rest) => rest.modelProbeCommand,
  'model pull': (rest) => rest.modelPullCommand,
  'git branch': (rest) => rest.gitBranchCommand,
  'git commit': (rest) => rest.gitCommitCommand,
  'git push': (rest) => rest.gitPushCommand,
  'git pr': (rest) => rest.gitPrCommand,
  'policy explain': (rest) => rest.policyExplainCommand,
  'policy check': (rest) => rest.policyCheckCommand,
  'token create': (rest) => rest.tokenCreateCommand,
  'token list': (rest) => rest.tokenListCommand,
  'token revoke': (rest) => rest.tokenRevokeCommand,
  rpc: (rest) => rest.rpcCommand,
  doctor: (rest) => rest.doctorCommand,
  demo: (rest) => rest.demoCommand,
  'config show': (rest) => rest.configShowCommand,
  help: (rest) => rest.helpCommand(allCommands),
}

/** Typed most and measured by its start: loaded without the others. */
const DO = 'do'

export const COMMANDS: ReadonlySet<string> = new Set([...Object.keys(LOOK), ...Object.keys(REST), DO])

/** In the order of the way of a run: what looks at one stands behind what starts it. */
async function allCommands(): Promise<readonly Command[]> {
  const rest = Object.keys(REST)
  rest.splice(rest.indexOf('fs patch') + 1, 0, DO)
  const at = rest.indexOf('start') + 1
  return Promise.all([...rest.slice(0, at), ...Object.keys(LOOK), ...rest.slice(at)].map(loadCommand))
}

/** Surfaces of the design that are not built yet: whoever looks for one is not told that they mistyped it. */
const NOT_YET: ReadonlySet<string> = new Set(['serve', 'mcp', 'acp', 'ci', 'hook', 'relay', 'review', 'gc', 'uninstall', 'completion'])

/** Throws `usage.unknown_command` with the nearest name; it is never run instead. */
export async function loadCommand(name: string): Promise<Command> {
  const look = LOOK[name]
  if (look) return look
  if (name === DO) return (await import('./do.ts')).doCommand
  const pick = REST[name]
  if (pick) return pick(await import('./rest.ts'))
  if (NOT_YET.has(name.split(' ')[0] ?? ''))
    throw new VpError('usage.unknown_command', `vp ${name.split(' ')[0]} is not built yet`, { next: ['vp rpc', 'vp help'] })
  const { nearestName } = await import('../../../core/nearest-name.ts')
  const inGroup = [...COMMANDS].filter((one) => one.startsWith(`${name} `))
  const nearest =
    inGroup[0] ??
    nearestName(
      name,
      [...COMMANDS].filter((one) => one !== ''),
    )
  throw new VpError(
    'usage.unknown_command',
    inGroup.length > 0
      ? `vp ${name} needs one of: ${inGroup.map((one) => one.split(' ')[1]).join(', ')}`
      : `there is no command ${JSON.stringify(name.slice(0, 40))}`,
    { next: nearest ? [`vp ${nearest}`, 'vp help'] : ['vp help'] },
  )
}

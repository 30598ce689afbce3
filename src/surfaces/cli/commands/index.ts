/**
 * The table of verbs: name → where it is. A verb's file is loaded when it is used, so that a status loads no planner.
 */
import { VpError } from '../../../core/errors.ts'
import type { Command } from '../command.ts'

const LOADERS: Readonly<Record<string, () => Promise<Command>>> = {
  '': async () => (await import('./look.ts')).whereCommand,
  new: async () => (await import('./lifecycle.ts')).newCommand,
  plan: async () => (await import('./lifecycle.ts')).planCommand,
  estimate: async () => (await import('./lifecycle.ts')).estimateCommand,
  simulate: async () => (await import('./lifecycle.ts')).simulateCommand,
  approve: async () => (await import('./lifecycle.ts')).approveCommand,
  start: async () => (await import('./runs.ts')).startCommand,
  status: async () => (await import('./look.ts')).statusCommand,
  logs: async () => (await import('./look.ts')).logsCommand,
  pause: async () => (await import('./runs.ts')).pauseCommand,
  resume: async () => (await import('./runs.ts')).resumeCommand,
  terminate: async () => (await import('./runs.ts')).terminateCommand,
  validate: async () => (await import('./prove.ts')).validateCommand,
  complete: async () => (await import('./prove.ts')).completeCommand,
  verify: async () => (await import('./prove.ts')).verifyCommand,
  replay: async () => (await import('./prove.ts')).replayCommand,
  export: async () => (await import('./prove.ts')).exportCommand,
  undo: async () => (await import('./prove.ts')).undoCommand,
  'fs patch': async () => (await import('./by-hand.ts')).fsPatchCommand,
  do: async () => (await import('./runs.ts')).doCommand,
  'fs read': async () => (await import('./by-hand.ts')).fsReadCommand,
  search: async () => (await import('./by-hand.ts')).searchCommand,
  'run test': async () => (await import('./by-hand.ts')).runTestCommand,
  'run exec': async () => (await import('./by-hand.ts')).runExecCommand,
  'model list': async () => (await import('./machine.ts')).modelListCommand,
  'model set': async () => (await import('./machine.ts')).modelSetCommand,
  'git branch': async () => (await import('./git.ts')).gitBranchCommand,
  'git commit': async () => (await import('./git.ts')).gitCommitCommand,
  'git push': async () => (await import('./git.ts')).gitPushCommand,
  'git pr': async () => (await import('./git.ts')).gitPrCommand,
  'policy explain': async () => (await import('./by-hand.ts')).policyExplainCommand,
  rpc: async () => (await import('./rpc.ts')).rpcCommand,
  doctor: async () => (await import('./machine.ts')).doctorCommand,
  demo: async () => (await import('./demo.ts')).demoCommand,
  'config show': async () => (await import('./machine.ts')).configShowCommand,
  help: async () => (await import('./help.ts')).helpCommand(allCommands),
}

export const COMMANDS: ReadonlySet<string> = new Set(Object.keys(LOADERS))

async function allCommands(): Promise<readonly Command[]> {
  return Promise.all(Object.values(LOADERS).map((load) => load()))
}

/** Throws `usage.unknown_command` with the nearest name; it is never run instead. */
export async function loadCommand(name: string): Promise<Command> {
  const load = LOADERS[name]
  if (load) return load()
  const { nearestName } = await import('../help.ts')
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

/** `vp help [CMD|TOPIC]`: a view of the table of verbs. */
import { VpError } from '../../../core/errors.ts'
import type { Command } from '../command.ts'
import { nearestName } from '../../../core/nearest-name.ts'
import { commandHelpScreen, helpScreen, topicScreen } from '../help.ts'

export function helpCommand(loadAll: () => Promise<readonly Command[]>): Command {
  return {
    name: 'help',
    group: 'machine',
    summary: 'how to use vp',
    usage: 'vp help [COMMAND|json|exit|env|ids]',
    takes: 'words',
    examples: ['vp help', 'vp help start', 'vp help exit'],
    flags: {},
    needsKit: false,
    exits: [0, 2],
    json: 'commands[]',
    async run(context) {
      const commands = (await loadAll()).filter((command) => command.name !== '' && command.name !== 'help')
      const word = context.positionals.join(' ')
      const result = {
        commands: commands.map(({ name, group, summary, usage, exits, json }) => ({
          name,
          group,
          summary,
          usage,
          exits,
          json,
        })),
      }
      if (word === '') return { result, screen: () => helpScreen(commands) }
      const named =
        commands.find((command) => command.name === word) ??
        commands.find((command) => command.name.split(' ')[0] === word && commands.filter((one) => one.name.startsWith(`${word} `)).length === 1)
      if (named) return { result: { ...named, run: undefined }, screen: () => commandHelpScreen(named) }
      const topic = topicScreen(word)
      if (topic) return { result: { topic: word }, screen: () => topic }
      const group = commands.filter((command) => command.name.startsWith(`${word} `))
      if (group.length > 0) return { result: { commands: group.map((command) => command.name) }, screen: () => helpScreen(group) }
      const nearest = nearestName(
        word,
        commands.map((command) => command.name),
      )
      throw new VpError('usage.unknown_command', `there is no command ${word}`, {
        next: nearest ? [`vp help ${nearest}`] : ['vp help'],
      })
    },
  }
}

/**
 * A command as a person is shown it: where an argument begins and ends can be seen, and it stays on its line, so that
 * nothing in it passes for another line of the question. Only for eyes: it is never read back.
 */
export function shownCommand(argv: readonly string[]): string {
  return argv.map(shown).join(' ')
}

function shown(argument: string): string {
  if (/^[\w@%+=:,./{}^~#-]+$/.test(argument)) return argument
  return `'${argument
    .replaceAll(/['\\]/g, String.raw`\$&`)
    .replaceAll('\n', String.raw`\n`)
    .replaceAll('\t', String.raw`\t`)}'`
}

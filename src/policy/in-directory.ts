/**
 * A command that is to run in a directory of the workspace, by its program's own option: `npm -C packages/api test`. For a
 * model the option stays refused, as it chooses whose scripts run; of a person's own command the rest is judged. Pure.
 */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  npm: ['-C', '--prefix'],
  pnpm: ['-C', '--dir', '--prefix'],
  yarn: ['--cwd'],
  make: ['-C', '--directory'],
}

export interface InDirectory {
  /** Without the option. */
  readonly argv: readonly string[]
  /** Relative, with no way out of the workspace; `.` where no option names one. */
  readonly directory: string
}

export function inDirectory(argv: readonly string[]): InDirectory {
  const options = OPTIONS[argv[0] ?? ''] ?? []
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length
  for (const [at, word] of argv.slice(0, end).entries()) {
    const option = options.find((name) => word === name || (name.startsWith('--') && word.startsWith(`${name}=`)))
    if (at === 0 || option === undefined) continue
    const isApart = word === option
    const directory = isApart ? (argv[at + 1] ?? '') : word.slice(option.length + 1)
    // Anything else is left in place, where the policy refuses it.
    if (!isWithin(directory)) break
    return { argv: [...argv.slice(0, at), ...argv.slice(at + (isApart ? 2 : 1))], directory: directory.replace(/^(\.\/+)+|\/+$/g, '') || '.' }
  }
  return { argv, directory: '.' }
}

function isWithin(directory: string): boolean {
  return /^[^/\-\0]/.test(directory) && !directory.split('/').includes('..')
}

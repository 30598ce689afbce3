/** The names that rules go by, whatever a program is called on a machine. */

/** Other names of the same program, for what its arguments mean. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['nodejs', 'node'],
  ['pypy', 'python'],
  ['jruby', 'ruby'],
  ['luajit', 'lua'],
  ['texlua', 'lua'],
  ['clj', 'clojure'],
  ['fdfind', 'fd'],
  ['octave-cli', 'octave'],
  ['bsdtar', 'tar'],
  ['bmake', 'make'],
  ...['make', 'env', 'xargs', 'timeout', 'find', 'tar', 'nice', 'stdbuf', 'split', 'sort'].map((name) => [`g${name}`, name] as const),
])

/** Lower case, no `.exe`, no version: `python3.11` is python, `sqlite3` is sqlite. */
export function programOf(argv: readonly string[]): string {
  const name = (argv[0] ?? '').toLowerCase().replace(/\.(?:exe|cmd|bat|com|ps1)$/, '')
  const plain = name.replace(/-?\d[\d.]*$/, '')
  return plain === '' ? name : (ALIASES.get(plain) ?? plain)
}

/** A list in lines of words, each as `programOf` gives it. */
export function programs(text: string): ReadonlySet<string> {
  return new Set(
    text
      .trim()
      .split(/\s+/)
      .map((name) => programOf([name])),
  )
}

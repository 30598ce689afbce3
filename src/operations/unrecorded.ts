/** What is said of files that a task made and that no commit of it will have, since git ignores them. */
const MAX_NAMES = 5

export function ignoredWords(paths: readonly string[]): string {
  const named = paths.slice(0, MAX_NAMES).map((path) => path.slice(0, 120))
  const list = named.join(', ') + (paths.length > MAX_NAMES ? ` and ${paths.length - MAX_NAMES} more` : '')
  return `Git ignores what you made at ${list}: the commit will not have it, and is measured without it.`
}

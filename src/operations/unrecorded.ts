/** What is said of what a task made and no commit of it will have as it is. */
const MAX_NAMES = 5

export function ignoredWords(paths: readonly string[]): string {
  const named = paths.slice(0, MAX_NAMES).map((path) => path.slice(0, 120))
  const list = named.join(', ') + (paths.length > MAX_NAMES ? ` and ${paths.length - MAX_NAMES} more` : '')
  return `The commit will not have what you made at ${list} as it is here (git ignores it, changes its bytes, or keeps no empty folder), and is measured without it.`
}

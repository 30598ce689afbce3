/**
 * Whether installed packages are what a lock file says. Of the package managers only npm keeps an account beside the
 * packages (`node_modules/.package-lock.json`); what keeps none is taken as it is. Pure. Source: npm, package-lock.json(5).
 */

interface Entry {
  readonly version?: string
  readonly integrity?: string
  readonly optional?: boolean
  readonly devOptional?: boolean
  readonly peer?: boolean
}

/** `installed` is npm's own account. True as well when either cannot be read: then nothing is known against it. */
export function npmInstalledFits(lock: string, installed: string): boolean {
  const have = packagesOf(installed)
  const want = packagesOf(lock)
  if (!have || !want) return true
  return Object.entries(want)
    .filter(([path, entry]) => /(^|\/)node_modules\//.test(path) && !entry.optional && !entry.devOptional && !entry.peer)
    .every(([path, entry]) => have[path] !== undefined && have[path].version === entry.version && have[path].integrity === entry.integrity)
}

function packagesOf(text: string): Readonly<Record<string, Entry>> | null {
  try {
    return (JSON.parse(text) as { packages?: Record<string, Entry> } | null)?.packages ?? null
  } catch {
    return null // not JSON
  }
}

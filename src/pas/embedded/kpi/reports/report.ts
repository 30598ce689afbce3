/**
 * One shape for what every test runner reports. Parsers are pure, linear and never throw: what they cannot read
 * is a report without tests, which never passes.
 */
export interface TestCase {
  /** File (when the runner says it) and the path of names: the same test, the same id. */
  readonly id: string
  readonly name: string
  readonly file: string | null
  readonly line: number | null
  readonly status: 'passed' | 'failed' | 'skipped'
  /** First lines of what went wrong. */
  readonly message: string | null
  /** A file as such: it failed to load, or ended well without a single test in it. Tests that it has did not run. */
  readonly whole_file?: boolean
}

export interface TestReport {
  readonly tests: readonly TestCase[]
  /** Why there is no report to trust, or null. */
  readonly crashed: string | null
}

const MAX_MESSAGE = 600

/** Paths of this machine become `/workspace`; at most a few lines, no durations. */
export function cleanMessage(text: string, root: string): string {
  const lines = stripWorkspace(text, root)
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line.trim() !== '')
  return lines.slice(0, 8).join('\n').slice(0, MAX_MESSAGE)
}

/** Where the tree lay for the run, in any of its spellings, said as a path relative to it. */
export function stripWorkspace(text: string, root: string): string {
  return text
    .replaceAll(`file://${root}/`, '')
    .replaceAll(`${root}/`, '')
    .replaceAll('file:///workspace/', '')
    .replaceAll('/workspace/', '')
    .replaceAll(root, '.')
}

export function testCase(path: readonly string[], fields: Omit<TestCase, 'id' | 'name'>): TestCase {
  const name = path.join(' > ')
  return { id: name, name, ...fields }
}

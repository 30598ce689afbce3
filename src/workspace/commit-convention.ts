/**
 * How a repository's people write the first line of a commit, from what they wrote, and a title made to fit. Pure. Detected
 * from the last subjects as data: only words of a narrow alphabet are kept. Never invents a ticket or a sign-off.
 */
export interface CommitConvention {
  readonly style: 'conventional' | 'ticket' | 'gitmoji' | 'plain'
  /** Of Conventional Commits, the most used first. */
  readonly types: readonly string[]
  readonly scopes: readonly string[]
  /** `SHOP` of `SHOP-123:`. */
  readonly ticket: string | null
  /** How the words after the prefix begin; null: both ways. */
  readonly begins: 'lower' | 'upper' | null
  readonly max_length: number
  readonly full_stop: boolean
  /** Most commits carry `Signed-off-by`. */
  readonly signoff: boolean
}

export interface SeenCommit {
  readonly subject: string
  readonly body: string
}

const NOT_WRITTEN = /^(Merge |Revert "|fixup! |squash! |amend! |Initial commit$|chore\(vp\): )/
const CONVENTIONAL = /^([a-z]{2,12})(?:\(([\w./-]{1,24})\))?!?: (.+)$/
const TICKET = /^\[?([A-Z][A-Z0-9]{1,9})-\d{1,7}\]?[: ]\s*(.+)$/
const GITMOJI = /^(?::[a-z0-9_+-]{2,30}:|\p{Extended_Pictographic}\uFE0F?)\s*(.+)$/u
const FEWEST = 5
const MOST = 0.6
const LENGTHS = [50, 60, 72, 80, 100]

/** Null for fewer than five commits that somebody wrote. */
export function detectConvention(commits: readonly SeenCommit[]): CommitConvention | null {
  const written = commits.filter(({ subject }) => subject !== '' && !NOT_WRITTEN.test(subject))
  if (written.length < FEWEST) return null
  const share = (one: (commit: SeenCommit) => boolean) => written.filter(one).length / written.length
  const matching = (pattern: RegExp) => share(({ subject }) => pattern.test(subject)) >= MOST
  const style = matching(CONVENTIONAL) ? 'conventional' : matching(TICKET) ? 'ticket' : matching(GITMOJI) ? 'gitmoji' : 'plain'
  const found = written.map(({ subject }) => CONVENTIONAL.exec(subject))
  const longest = written.map(({ subject }) => subject.length).toSorted((a, b) => a - b)[Math.ceil(written.length * 0.95) - 1] ?? 72
  const upper = share(({ subject }) => /^\p{Lu}/u.test(wordsOf(subject, style)))
  return {
    style,
    types: style === 'conventional' ? mostUsed(found.map((match) => match?.[1])).slice(0, 8) : [],
    scopes: style === 'conventional' ? mostUsed(found.map((match) => match?.[2])).slice(0, 8) : [],
    ticket: style === 'ticket' ? (mostUsed(written.map(({ subject }) => TICKET.exec(subject)?.[1]))[0] ?? null) : null,
    begins: upper >= 0.8 ? 'upper' : upper <= 0.2 ? 'lower' : null,
    max_length: LENGTHS.find((length) => longest <= length) ?? 100,
    full_stop: share(({ subject }) => subject.endsWith('.')) >= MOST,
    signoff: share(({ body }) => /^Signed-off-by: .+ <.+>$/m.test(body)) >= MOST,
  }
}

function wordsOf(subject: string, style: CommitConvention['style']): string {
  if (style === 'conventional') return CONVENTIONAL.exec(subject)?.[3] ?? subject
  if (style === 'ticket') return TICKET.exec(subject)?.[2] ?? subject
  return style === 'gitmoji' ? (GITMOJI.exec(subject)?.[1] ?? subject) : subject
}

function mostUsed(words: readonly (string | undefined)[]): string[] {
  const counts = new Map<string, number>()
  for (const word of words) if (word !== undefined) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts].toSorted(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([word]) => word)
}

/** For people, and for a model as a fact about the repository. */
export function conventionWords(convention: CommitConvention): string {
  const { style, types, scopes, ticket, begins, max_length, full_stop } = convention
  const styles = {
    conventional: `Conventional Commits (${types.join(', ')}${scopes.length > 0 ? `; scopes ${scopes.join(', ')}` : ''})`,
    ticket: `a ticket first (${ticket ?? 'ABC'}-123: …)`,
    gitmoji: 'an emoji first (gitmoji)',
    plain: 'no prefix',
  }
  const case_ = begins === null ? [] : [begins === 'upper' ? 'then a capital' : 'then lower case']
  return [styles[style], ...case_, `at most ${max_length} characters`, full_stop ? 'a full stop' : 'no full stop'].join(', ')
}

const EMOJI: Readonly<Record<string, string>> = {
  feat: '✨',
  fix: '🐛',
  docs: '📝',
  refactor: '♻️',
  test: '✅',
  perf: '⚡️',
  chore: '🔧',
  build: '📦️',
  style: '🎨',
}

/** The title as it would be written here, and what was changed for that; the same title when nothing was. `goal`: where a ticket may be named. */
export function fitTitle(title: string, convention: CommitConvention, goal: string): { readonly title: string; readonly changed: readonly string[] } {
  const changed: string[] = []
  const step = (to: string, what: string, from: string) => {
    if (to !== from) changed.push(what)
    return to
  }
  const given = title.replace(/\s+/g, ' ').trim()
  const [, givenType, givenScope, rest] = CONVENTIONAL.exec(given) ?? []
  const type = givenType ?? guessType(given)
  let prefix = ''
  let words = rest ?? given
  if (convention.style === 'conventional') prefix = rest === undefined ? `${type}: ` : given.slice(0, given.length - rest.length)
  if (convention.style === 'gitmoji') {
    const own = GITMOJI.exec(given)
    words = own?.[1] ?? words
    prefix = own ? given.slice(0, given.length - words.length) : `${EMOJI[type] ?? '✨'} `
  }
  if (convention.style === 'ticket') {
    const own = TICKET.exec(given)
    words = own?.[2] ?? words
    const named = new RegExp(`\\b${convention.ticket ?? '[A-Z][A-Z0-9]{1,9}'}-\\d{1,7}\\b`).exec(goal)?.[0]
    prefix = own ? given.slice(0, given.length - words.length) : named ? `${named}: ` : ''
  }
  step(prefix + words, convention.style === 'plain' ? `prefix ${givenType ?? ''}${givenScope ? `(${givenScope})` : ''} left out` : 'prefix as here', given)
  words = step(inCase(words, convention.begins), 'first letter', words)
  words = step(convention.full_stop ? words.replace(/[.\s]*$/, '.') : words.replace(/(?<!\.)\.$/, ''), 'full stop', words)
  words = step(cutAtWord(words, Math.max(20, convention.max_length - prefix.length)), `at most ${convention.max_length} characters`, words)
  return { title: prefix + words, changed }
}

function guessType(title: string): string {
  const first = title.split(' ', 1)[0]?.toLowerCase() ?? ''
  if (/^(fix|mend|repair|correct|resolve|prevent)(e?s|ed|d)?$/.test(first)) return 'fix'
  if (/^(doc|docs|document)(s|ed)?$/.test(first)) return 'docs'
  if (/^test(s|ed)?$/.test(first)) return 'test'
  return /^(refactor|rename|move|extract|simplif)/.test(first) ? 'refactor' : 'feat'
}

/** Names in capitals or with a capital within (`README`, `iPhone`) stay. */
function inCase(words: string, begins: CommitConvention['begins']): string {
  const first = words.split(' ', 1)[0] ?? ''
  if (begins === null || /^.+\p{Lu}/u.test(first)) return words
  const letter = words.slice(0, 1)
  return (begins === 'upper' ? letter.toUpperCase() : letter.toLowerCase()) + words.slice(1)
}

function cutAtWord(text: string, length: number): string {
  if (text.length <= length) return text
  const cut = text.slice(0, length + 1)
  return cut.slice(0, cut.lastIndexOf(' ') > 0 ? cut.lastIndexOf(' ') : length).replace(/[\s,;:–-]+$/, '')
}

/**
 * Globs without regular expressions: `*` within a part, `?` one character, `**` any number of parts. Time is bounded by
 * pattern times text, whatever the input. Leaves out braces and classes: rules are lists.
 */

/** One part, or one argument: `*` is any run of characters. */
export function matchesPart(pattern: string, text: string, options: { readonly hasQuestion: boolean } = { hasQuestion: true }): boolean {
  let [p, t, star, mark] = [0, 0, -1, 0]
  while (t < text.length) {
    const char = pattern[p]
    if (char === '*') {
      star = p++
      mark = t
    } else if (char === text[t] || (char === '?' && options.hasQuestion)) {
      p++
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++mark
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

/** A relative path with `/` between parts. Hidden names are ordinary names. */
export function matchesPath(pattern: string, path: string): boolean {
  const [want, have] = [pattern.split('/'), path.split('/')]
  let reach = new Set([0])
  for (const part of want) {
    const next = new Set<number>()
    if (part === '**') {
      const first = Math.min(...reach)
      for (let at = first; at <= have.length; at++) next.add(at)
    } else {
      for (const at of reach) if (at < have.length && matchesPart(part, have[at] ?? '')) next.add(at + 1)
    }
    if (next.size === 0) return false
    reach = next
  }
  return reach.has(have.length)
}

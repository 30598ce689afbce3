/** What a person may have meant by a name that is none. */

/** The nearest of `names`, or null when none is near; to be told, never to be taken unasked. */
export function nearestName(word: string, names: readonly string[]): string | null {
  const scored = names
    .map((name) => ({ name, distance: name.startsWith(word) && word.length > 1 ? 0.5 : editDistance(word, name) }))
    .toSorted((a, b) => a.distance - b.distance)
  const best = scored[0]
  return best !== undefined && best.distance <= Math.max(1, Math.floor(best.name.length / 2.5)) ? best.name : null
}

/** Swapped neighbours count one. Source: Damerau 1964, restricted form. */
function editDistance(a: string, b: string): number {
  if (a.length > 64) return Number.POSITIVE_INFINITY
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)]
  const at = (row: number, col: number) => rows[row]?.[col] ?? 0
  for (let row = 1; row <= a.length; row++) {
    rows.push([row])
    for (let col = 1; col <= b.length; col++) {
      const cost = a[row - 1] === b[col - 1] ? 0 : 1
      let best = Math.min(at(row - 1, col) + 1, at(row, col - 1) + 1, at(row - 1, col - 1) + cost)
      const swapped = row > 1 && col > 1 && a[row - 1] === b[col - 2] && a[row - 2] === b[col - 1]
      if (swapped) best = Math.min(best, at(row - 2, col - 2) + 1)
      rows[row]?.push(best)
    }
  }
  return at(a.length, b.length)
}

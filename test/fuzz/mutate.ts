/** Seeded chance, and changes of a text: characters, words of a dictionary, pieces of other inputs. Pure but for its own state. */
export interface Chance {
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number
  of<Item>(items: readonly Item[]): Item
}

/** The same seed gives the same numbers. Source: mulberry32. */
export function chanceFrom(seed: number): Chance {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  const below = (limit: number): number => (limit <= 0 ? 0 : next() % limit)
  return { below, of: (items) => items[below(items.length)] as never }
}

const LONGEST = 20_000
const ODD = [
  '',
  '\0',
  '\n',
  '\r\n',
  '\r',
  '\t',
  ' ',
  '\u00a0',
  '\u2028',
  '\ufeff',
  '\ud800',
  '🙂',
  'é',
  '"',
  "'",
  '\\',
  '-',
  '--',
  '=',
  '/',
  '..',
  '@',
  '0',
  '999999999999',
]

/** One to four changes of one input. */
export function mutate(input: string, { corpus, words, chance }: { corpus: readonly string[]; words: readonly string[]; chance: Chance }): string {
  let text = input
  for (let left = 1 + chance.below(4); left > 0; left--) text = changed(text, { corpus, words, chance })
  return text.slice(0, LONGEST)
}

function changed(text: string, { corpus, words, chance }: { corpus: readonly string[]; words: readonly string[]; chance: Chance }): string {
  const at = chance.below(text.length + 1)
  const to = Math.min(text.length, at + 1 + chance.below(chance.of([1, 8, 64])))
  const put = (piece: string, end = at) => text.slice(0, at) + piece + text.slice(end)
  const lines = text.split('\n')
  switch (chance.below(9)) {
    case 0:
      return put('', to)
    case 1:
      return put(chance.of(words))
    case 2:
      return put(chance.of(words), to)
    case 3:
      return put(chance.of(ODD))
    case 4:
      return put(text.slice(at, to))
    case 5: {
      const other = chance.of(corpus)
      return put(other.slice(chance.below(other.length + 1)))
    }
    case 6: {
      const [from, onto] = [chance.below(lines.length), chance.below(lines.length)]
      return lines.toSpliced(onto, 0, ...lines.splice(from, 1 + chance.below(3))).join('\n')
    }
    case 7:
      return put(text.slice(at, to).repeat(chance.of([2, 16, 200])), to)
    default:
      return put(String.fromCharCode(chance.of([32, 48, 65, 97, 128, 8192]) + chance.below(90)), to)
  }
}

/** Where in a JSON text each value stands, by its path, and which name an object has twice: a parser keeps neither. Pure. */

export interface JsonLines {
  /** From 1, of the value or, where there is none, of the nearest that holds it. */
  lineOf(path: readonly PropertyKey[]): number
  /** The first name that an object has twice: the parser would take the last without a word. */
  readonly repeated: readonly string[] | null
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g

/** What is nested deeper is not looked at: nobody writes it by hand. */
const DEEPEST = 100

interface Frame {
  readonly isList: boolean
  readonly names: Set<string>
  at: string | number
  wantsName: boolean
}

/** Of a text that `JSON.parse` takes. */
export function linesOfJson(text: string): JsonLines {
  const lines = new Map<string, number>()
  const frames: Frame[] = []
  let repeated: readonly string[] | null = null
  let [line, seen] = [1, 0]
  const path = () => frames.map(({ at }) => String(at))
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    line += text.slice(seen, index).split('\n').length - 1
    seen = index
    const top = frames.at(-1)
    if (frames.length > DEEPEST) break
    if (token === '}' || token === ']') frames.pop()
    else if (token === ',') {
      if (typeof top?.at === 'number') top.at++
      else if (top) top.wantsName = true
    } else if (token === ':') continue
    else if (top && !top.isList && top.wantsName) {
      top.at = JSON.parse(token) as string
      top.wantsName = false
      if (top.names.has(top.at)) repeated ??= path()
      top.names.add(top.at)
      lines.set(keyOf(path()), line)
    } else {
      if (!lines.has(keyOf(path()))) lines.set(keyOf(path()), line)
      if (token === '{' || token === '[') frames.push({ isList: token === '[', names: new Set(), at: token === '[' ? 0 : '', wantsName: token === '{' })
    }
  }
  return {
    repeated,
    lineOf(wanted) {
      for (let length = wanted.length; length >= 0; length--) {
        const found = lines.get(keyOf(wanted.slice(0, length)))
        if (found !== undefined) return found
      }
      return 1
    },
  }
}

const keyOf = (path: readonly PropertyKey[]): string => JSON.stringify(path.map(String))

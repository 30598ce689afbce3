/**
 * JSON as models write it: single or triple quotes, raw line ends in strings, trailing commas, bare keys, Python's True
 * and None, closing brackets that are missing at the end. Pure. Never makes up the end of a string: text that was cut
 * within one is no value.
 */
import type { Json } from '../../core/json.ts'

export interface Read {
  readonly value: Json
  /** The first character after it. */
  readonly end: number
  /** Closing brackets were missing. */
  readonly isOpen: boolean
}

/** null: no value begins here, or it is beyond repair. Only objects, arrays and literals; no comments. */
export function readValue(text: string, at: number): Read | null {
  // A quote inside of a string that nobody escaped: the second reading ends a string only where one can end.
  return new Reader(text, at, false).whole() ?? new Reader(text, at, true).whole()
}

class Broken extends Error {}

const LITERALS: Readonly<Record<string, Json>> = { true: true, True: true, false: false, False: false, null: null, None: null }
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', '"': '"', "'": "'", '\\': '\\', '/': '/', '`': '`' }
const MAX_DEPTH = 64
/** Where a string can end: before what follows a value or a key, or a tag. */
const AFTER_STRING = /\s*(?:[}\]]|,\s*(?:["'{[\]}\d-]|[A-Za-z_]\w*\s*[:=]|true|false|null|True|False|None)|:|<\/|$)/y

/** State: where it stands. */
class Reader {
  private readonly text: string
  private at: number
  private readonly isLoose: boolean
  private isOpen = false

  constructor(text: string, at: number, isLoose: boolean) {
    this.text = text
    this.at = at
    this.isLoose = isLoose
  }

  whole(): Read | null {
    try {
      const value = this.value(0)
      return { value, end: this.at, isOpen: this.isOpen }
    } catch (error) {
      if (error instanceof Broken) return null
      throw error
    }
  }

  private blank(): void {
    while (/\s/.test(this.text[this.at] ?? '')) this.at++
  }

  /** The end of the text, or a tag that ends whatever is open. */
  private isEnd(): boolean {
    return this.at >= this.text.length || /<[/|]|\[\/|```/y.test(this.text.slice(this.at, this.at + 3))
  }

  private value(depth: number): Json {
    if (depth > MAX_DEPTH) throw new Broken()
    this.blank()
    const first = this.text[this.at]
    if (first === '{') return this.object(depth)
    if (first === '[') return this.array(depth)
    if (first === '"' || first === "'" || first === '`') return this.string(first)
    const word = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[A-Za-z]+/y
    word.lastIndex = this.at
    const found = word.exec(this.text)?.[0]
    if (found === undefined) throw new Broken()
    this.at += found.length
    if (/^[-\d]/.test(found)) {
      if (!Number.isFinite(Number(found))) throw new Broken()
      return Number(found)
    }
    const literal = LITERALS[found]
    if (literal === undefined) throw new Broken()
    return literal
  }

  private object(depth: number): Json {
    const all: [string, Json][] = []
    this.at++
    for (;;) {
      this.blank()
      if (this.closes('}')) return Object.fromEntries(all)
      const key = this.key()
      this.blank()
      if (this.text[this.at] !== ':') throw new Broken()
      this.at++
      all.push([key, this.value(depth + 1)])
      this.comma('}')
    }
  }

  private array(depth: number): Json {
    const all: Json[] = []
    this.at++
    for (;;) {
      this.blank()
      if (this.closes(']')) return all
      all.push(this.value(depth + 1))
      this.comma(']')
    }
  }

  private closes(bracket: string): boolean {
    if (this.text[this.at] === bracket) {
      this.at++
      return true
    }
    if (!this.isEnd()) return false
    this.isOpen = true
    return true
  }

  private comma(bracket: string): void {
    this.blank()
    if (this.text[this.at] === ',') this.at++
    else if (this.text[this.at] !== bracket && !this.isEnd()) throw new Broken()
  }

  private key(): string {
    const first = this.text[this.at]
    if (first === '"' || first === "'") return this.string(first)
    const bare = /[A-Za-z_$][\w$-]*/y
    bare.lastIndex = this.at
    const found = bare.exec(this.text)?.[0]
    if (found === undefined) throw new Broken()
    this.at += found.length
    return found
  }

  private string(quote: string): string {
    const triple = quote.repeat(3)
    if (quote !== '`' && this.text.startsWith(triple, this.at)) return this.until(triple)
    return this.until(quote)
  }

  private until(close: string): string {
    let out = ''
    this.at += close.length
    for (;;) {
      const char = this.text[this.at]
      if (char === undefined) throw new Broken()
      if (char === '\\') out += this.escape()
      else if (this.text.startsWith(close, this.at) && this.canEnd(close)) {
        this.at += close.length
        return out
      } else {
        out += char
        this.at++
      }
    }
  }

  private canEnd(close: string): boolean {
    if (!this.isLoose || close.length > 1) return true
    AFTER_STRING.lastIndex = this.at + 1
    return AFTER_STRING.test(this.text)
  }

  /** An escape that JSON does not know stands for itself, as in a pattern. */
  private escape(): string {
    const next = this.text[this.at + 1]
    if (next === undefined) throw new Broken()
    const code = next === 'u' ? /^[\da-fA-F]{4}/.exec(this.text.slice(this.at + 2, this.at + 6))?.[0] : undefined
    this.at += code === undefined ? 2 : 6
    return code === undefined ? (ESCAPES[next] ?? `\\${next}`) : String.fromCharCode(Number.parseInt(code, 16))
  }
}

/**
 * One command string to an argv, for people who type one. Not a shell: operators, substitutions and globs outside of
 * quotes are refused, never interpreted. contracts/policy.md section 4.
 */
export type Tokens = { readonly ok: true; readonly argv: readonly string[] } | { readonly ok: false; readonly reason: string; readonly at: number }

const MAX_CHARS = 128 * 1024

export function tokenizeCommand(text: string): Tokens {
  if (text.length > MAX_CHARS) return { ok: false, reason: 'the command is too long', at: 0 }
  const argv: string[] = []
  let word: string | null = null
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? ''
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(char)) return { ok: false, reason: 'a control character or line break', at }
    if (quote === "'") {
      if (char === "'") quote = ''
      else word += char
    } else if (char === '`' || (char === '$' && /[({A-Za-z_]/.test(text[at + 1] ?? ''))) {
      return { ok: false, reason: 'substitution, which only a shell does', at }
    } else if (quote === '"') {
      if (char === '"') quote = ''
      else if (char === '\\' && /["\\$`]/.test(text[at + 1] ?? '')) word += text[++at] ?? ''
      else word += char
    } else if (char === "'" || char === '"') {
      quote = char
      word ??= ''
    } else if (char === '\\') {
      if (at + 1 >= text.length) return { ok: false, reason: 'a backslash at the end', at }
      word = (word ?? '') + (text[++at] ?? '')
    } else if (';&|<>(){}!#~'.includes(char) && isOperator(char, word)) {
      return { ok: false, reason: `${char} outside of quotes`, at }
    } else if ('*?['.includes(char)) {
      return { ok: false, reason: `the glob ${char} outside of quotes`, at }
    } else if (char === ' ' || char === '\t') {
      if (word !== null) argv.push(word)
      word = null
    } else word = (word ?? '') + char
  }
  if (quote !== '') return { ok: false, reason: 'an open quote', at: text.length }
  if (word !== null) argv.push(word)
  return argv.length === 0 ? { ok: false, reason: 'the command is empty', at: 0 } : { ok: true, argv }
}

/** `#`, `~` and `!` mean something to a shell only at the start of a word. */
function isOperator(char: string, word: string | null): boolean {
  return '#~!'.includes(char) ? word === null : true
}

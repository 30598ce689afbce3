/**
 * Names and values that no `=` or `:` joins: arguments of a call, XML elements, `name` beside `value`, options of a
 * command line. The same names count, and the value must look like one.
 */
import { labelOfValue } from './redact-assignments.ts'
import { isHighEntropy, isOfInterest, isPasswordName, isSecretName, looksRandom } from './redact-names.ts'
import type { Span } from './redact-patterns.ts'

interface Form {
  readonly hint: string
  /** Global; group 1 the name, group 2 the value, which ends the match or stands before a closing sign. */
  readonly regex: RegExp
  /** Which names it is about; absent: those of secrets. */
  readonly names?: (name: string) => boolean
  readonly isSecret: (name: string, value: string) => boolean
}

const written = (name: string, text: string): boolean => labelOfValue(name, { text, isQuoted: true, isSpaced: false, isEnvLine: false }) !== null

const FORMS: readonly Form[] = [
  // set("API_KEY", "…"): also lists of names, so the value has to look random, or like a password.
  {
    hint: ',',
    regex: /["']([A-Za-z0-9_.-]{1,80})["']\s{0,4},\s{0,4}["']([^"'\s]{6,512})["']/g,
    isSecret: (name, value) => written(name, value) && (looksRandom(value) || isHighEntropy(value) || (isPasswordName(name) && /\d/.test(value))),
  },
  { hint: '</', regex: /<([A-Za-z0-9_.:-]{1,80})>([^<\s][^<\n]{0,512})<\//g, isSecret: (name, value) => written(name, value) && !/^[a-z]+$/i.test(value) },
  { hint: '#define', regex: /#define[ \t]{1,8}(\w{1,80})[ \t]{1,16}"([^"\n]{6,512})"/g, names: isOfInterest, isSecret: written },
  {
    hint: 'value',
    regex:
      /\b(?:name|key)["']?\s{0,4}[:=]\s{0,4}["']?([A-Za-z0-9_.-]{1,80})["']?\s{0,40},?\s{0,40}["']?value["']?\s{0,4}[:=]\s{0,4}["']?([^\s"',}<>]{1,512})/gi,
    isSecret: written,
  },
  {
    hint: '--',
    regex: /(?<![\w-])--([a-z][a-z0-9-]{2,60})[ \t]{1,4}["']?([^\s"'<>[\]|-][^\s"'<>[\]|]{5,512})/g,
    isSecret: (name, value) => written(name, value) && (/\d/.test(value) || /[^\w-]/.test(value)),
  },
]

export function pairSpans(text: string): Span[] {
  const spans: Span[] = []
  for (const { hint, regex, isSecret, names = isSecretName } of FORMS) {
    if (!text.includes(hint)) continue
    for (const match of text.matchAll(regex)) {
      const [all, name = '', value = ''] = match
      if (!names(name) || !isSecret(name, value)) continue
      const from = match.index + all.lastIndexOf(value)
      spans.push({ from, to: from + value.length, label: 'ENV_SECRET' })
    }
  }
  return spans
}
